"""A row refuses what it names, and nothing that is honoured."""

from __future__ import annotations

from proxy.settings.models import Settings
from proxy.settings.unsupported import UNSUPPORTED, Row, unsupported

TARGETS = ["http://a:1"]
ROWS = (
    Row("redis", lambda value: value == "", "remove it"),
    Row("tests.*.expect.cache", lambda value: value is None, "leave it out"),
)


def test_each_row_refuses_what_it_names_with_its_place() -> None:
    wanted = [
        {"request": "GET http://a/", "expect": {"route": "a"}},
        {"request": "GET http://a/", "expect": {"cache": "hit"}},
    ]
    settings = Settings.model_validate({"redis": "redis://r", "tests": wanted})
    found = list(unsupported(settings, ROWS))
    assert found == [(("redis",), "remove it"), (("tests", 1, "expect", "cache"), "leave it out")]


def test_defaults_are_honoured() -> None:
    settings = Settings.model_validate({"upstreams": {"a": {"targets": TARGETS}}})
    assert list(unsupported(settings, ROWS)) == []


def test_what_is_switched_off_is_fine() -> None:
    row = Row("upstreams.*.retry.attempts", lambda value: False, "remove it")
    off = Settings.model_validate({"upstreams": {"a": {"targets": TARGETS, "retry": False}}})
    on = Settings.model_validate({"upstreams": {"a": {"targets": TARGETS}}})
    assert list(unsupported(off, (row,))) == []
    assert [path for path, _ in unsupported(on, (row,))] == [("upstreams", "a", "retry", "attempts")]


def test_this_version_honours_all_that_it_describes() -> None:
    assert UNSUPPORTED == ()
