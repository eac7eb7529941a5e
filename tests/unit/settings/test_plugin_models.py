"""Plugins by name and by file."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from proxy.settings.plugin_models import PluginEntry, RoutePlugin, default_id, is_file


def test_a_file_is_named_by_its_suffix_and_known_by_its_stem() -> None:
    assert is_file("./maintenance.py")
    assert not is_file("headers")
    assert default_id("../plugins/maintenance.py") == "maintenance"
    assert default_id("headers") == "headers"


@pytest.mark.parametrize(
    ("entry", "written"),
    [
        (PluginEntry.of("events"), {"events": {}}),
        (PluginEntry.of("./m.py", {"a": 1}), {"./m.py": {"a": 1}}),
        (PluginEntry.of("headers", {"a": None}, id="edge"), {"headers": {"a": None}, "id": "edge"}),
    ],
)
def test_an_entry_is_written_back_as_it_was(entry: PluginEntry, written: object) -> None:
    assert entry.model_dump(mode="json") == written


def test_a_route_sets_switches_or_adds() -> None:
    options, off, on = RoutePlugin.of("a", {"x": 1}), RoutePlugin.of("a", False), RoutePlugin.of("a")
    assert (options.enabled, options.options, options.as_yaml()) == (True, {"x": 1}, {"x": 1})
    assert (off.enabled, off.options, off.as_yaml()) == (False, {}, False)
    assert (on.enabled, on.options, on.as_yaml()) == (True, {}, {})
    assert RoutePlugin.of("./m.py").id == "m"


def test_an_id_is_a_name() -> None:
    with pytest.raises(ValidationError):
        PluginEntry.of("headers", id="a b")
