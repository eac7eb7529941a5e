"""Every row of the table refuses what it names, and nothing that is honoured."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.settings.models import Settings
from proxy.settings.unsupported import UNSUPPORTED, unsupported

TARGETS = ["http://a:1"]

# What each row refuses.
REFUSED: dict[str, dict[str, Any]] = {
    "workers": {"workers": 2},
    "redis": {"redis": "redis://r"},
}


@pytest.mark.parametrize("row", [row.path for row in UNSUPPORTED])
def test_each_row_refuses(row: str) -> None:
    (found,) = unsupported(Settings.model_validate(REFUSED[row]))
    path, _ = found
    assert len(path) == len(row.split("."))
    assert all(want in ("*", part) for want, part in zip(row.split("."), path, strict=True))


def test_defaults_are_honoured() -> None:
    settings = Settings.model_validate({"upstreams": {"a": {"targets": TARGETS}}})
    assert list(unsupported(settings)) == []


def test_what_is_switched_off_is_fine() -> None:
    off = dict.fromkeys(("retry", "health", "eject", "breaker"), False)
    settings = Settings.model_validate({"upstreams": {"a": {"targets": TARGETS, **off}}, "redis": "", "admin": False})
    assert list(unsupported(settings)) == []
