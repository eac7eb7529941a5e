"""Where plugin classes come from, and every reason why one cannot be had."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from plugins.headers import HeaderRules
from proxy.plugin import config_of
from proxy.registry import GROUP, PluginNotUsable, Registry

BEGIN = "from __future__ import annotations\nfrom proxy.api import *\n"
ONE = "class One(Plugin[PluginConfig]):\n    pass\n"


def registry(**points: str) -> Registry:
    return Registry([EntryPoint(name, value, GROUP) for name, value in points.items()])


def reason(registry: Registry, name: str) -> PluginNotUsable:
    with pytest.raises(PluginNotUsable) as error:
        registry.get(name)
    return error.value


def file_reason(path: Path) -> str:
    with pytest.raises(PluginNotUsable) as error:
        Registry([]).get_file(path)
    assert error.value.known == ()
    return error.value.reason


def test_what_is_installed_is_known_by_name_and_loaded_once() -> None:
    installed = Registry.installed()
    assert {"events", "headers", "request_id", "respond"} <= set(installed.names)
    assert installed.get("headers") is installed.get("headers") is HeaderRules
    assert installed.sources["headers"] == "plugins.headers:HeaderRules"
    assert list(installed.names) == sorted(installed.names)


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    error = reason(registry(b="x:Y", a="x:Y"), "c")
    assert (error.reason, error.known) == ('no plugin is called "c"', ("a", "b"))


def test_two_packages_with_one_name_are_refused_and_named() -> None:
    both = Registry([EntryPoint("same", value, GROUP) for value in ("b.c:D", "a.b:C")])
    assert "two packages offer" in reason(both, "same").reason
    assert "a.b:C and b.c:D" in reason(both, "same").reason
    assert both.names == ("same",)


def test_one_package_that_is_found_twice_is_one() -> None:
    twice = Registry([EntryPoint("headers", "plugins.headers:HeaderRules", GROUP)] * 2)
    assert twice.get("headers") is HeaderRules


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("no_such_package.here:Class", "cannot be imported: ModuleNotFoundError"),
        ("plugins.headers:Absent", "cannot be imported: AttributeError"),
        ("pathlib:Path", "is no Plugin class"),
        ("math:pi", "is no Plugin class"),
    ],
)
def test_what_an_entry_point_leads_to_must_be_a_plugin(value: str, says: str) -> None:
    assert says in reason(registry(it=value), "it").reason


def test_a_file_holds_one_plugin_and_is_run_once(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(f"{BEGIN}class Config(PluginConfig):\n    size: int = 3\n\nclass Mine(Plugin[Config]):\n    pass\n")
    known = Registry([])
    found = known.get_file(path)
    assert found.__name__ == "Mine"
    assert known.get_file(path) is found
    assert config_of(found)().model_dump() == {"size": 3}


def test_two_files_of_one_name_do_not_meet(tmp_path: Path) -> None:
    known = Registry([])
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "same.py").write_text(f"{BEGIN}{ONE}    where = {folder!r}\n")
    found = [known.get_file(tmp_path / folder / "same.py") for folder in ("a", "b")]
    assert [vars(cls)["where"] for cls in found] == ["a", "b"]


def test_classes_that_a_file_imports_do_not_count(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text(f"{BEGIN}from plugins.headers import HeaderRules\n{ONE}")
    assert Registry([]).get_file(path).__name__ == "One"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "holds no Plugin class"),
        (f"{ONE}{ONE.replace('One', 'Two')}", "holds 2 Plugin classes"),
        ("raise ValueError('at once\\nand more')", "does not run: line 3: ValueError: at once"),
        ("raise SystemExit(3)", "does not run: line 3: SystemExit: 3"),
        ("def f():\n    import nothing_of_this_name\nf()", "does not run: line 4: ModuleNotFoundError"),
        (f"{ONE}    rank = 7", "One: rank is one of Rank.IDENTITY, Rank.LIMITS,"),
        (f"{ONE}    on_error = 'ignore'", 'One: on_error is "fail" or "skip", not \'ignore\''),
        ("class P(Plugin[int]):\n    pass", "P: Plugin[...] takes a PluginConfig"),
        ("def broken(:", "does not run: line 3: "),
    ],
)
def test_files_that_are_not_usable(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "mine.py"
    path.write_text(BEGIN + text + "\n")
    found = file_reason(path)
    assert says in found
    assert "\n" not in found


def test_a_file_that_failed_is_run_anew(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("raise ValueError")
    known = Registry([])
    with pytest.raises(PluginNotUsable):
        known.get_file(path)
    path.write_text(BEGIN + ONE)
    assert known.get_file(path).__name__ == "One"


def test_a_file_that_is_missing_or_no_python(tmp_path: Path) -> None:
    assert "there is no file" in file_reason(tmp_path / "absent.py")
    (tmp_path / "text.txt").write_text("not Python")
    assert "is no Python file" in file_reason(tmp_path / "text.txt")
