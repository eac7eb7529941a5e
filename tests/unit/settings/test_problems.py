"""Problems read well, in order, and with the nearest right spelling."""

from __future__ import annotations

import pytest

from proxy.settings.problems import KeyPath, Problem, SettingsError, Severity, in_order, label, nearest, suggestion


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ((), ""),
        (("upstreams", "shop", "targets", 0, "url"), "upstreams.shop.targets[0].url"),
        (("plugins", 1, "./maintenance.py", "allow"), 'plugins[1]."./maintenance.py".allow'),
        (("a", 0, 1), "a[0][1]"),
    ],
)
def test_paths_are_written_as_people_write_them(path: KeyPath, text: str) -> None:
    assert label(path) == text


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (
            Problem(("a", "b"), "unknown key", 'did you mean "c"?', "x.yaml", 12, 5),
            'x.yaml:12:5: a.b: unknown key; did you mean "c"?',
        ),
        (Problem((), "is empty", "", "x.yaml"), "x.yaml: is empty"),
        (Problem(("a",), 'no "b\nc\x1b[2J"', 'write "\r"'), 'a: no "b\\nc\\x1b[2J"; write "\\r"'),
        (Problem(("a",), "is odd", severity=Severity.WARNING), "warning: a: is odd"),
        (Problem(("a",), "is odd", "", "x.yaml", 1, 2, Severity.WARNING), "x.yaml:1:2: warning: a: is odd"),
    ],
)
def test_a_problem_is_one_line(problem: Problem, text: str) -> None:
    assert problem.render() == text


def test_a_problem_as_json_has_all_its_parts() -> None:
    assert Problem(("a", 0), "is odd", "change it", "x.yaml", 1, 2).as_json() == {
        "severity": "error",
        "file": "x.yaml",
        "line": 1,
        "column": 2,
        "path": ["a", 0],
        "message": "is odd",
        "remedy": "change it",
    }


def test_problems_stand_in_reading_order() -> None:
    late, early = Problem((), "late", "", "a", 9, 1), Problem((), "early", "", "a", 2, 7)
    other = Problem((), "other", "", "b", 1, 1)
    assert in_order([late, other, early]) == [early, late, other]


def test_the_error_says_everything() -> None:
    error = SettingsError([Problem((), "two", "", "a", 2, 1), Problem((), "one", "", "a", 1, 1)])
    assert str(error) == "a:1:1: one\na:2:1: two"
    assert [problem.message for problem in error.problems] == ["one", "two"]


def test_the_nearest_spelling_keeps_its_case() -> None:
    assert nearest("tragets", ["targets", "timeouts"]) == "targets"
    assert nearest("x-uzer", ["X-User"]) == "X-User"
    assert nearest("zzz", ["targets"]) is None


def test_a_suggestion_names_all_choices_when_none_is_near() -> None:
    assert suggestion("shp", ("shop",)) == 'did you mean "shop"?'
    assert suggestion("zzz", ("b", "a")) == "choose from a, b"
    assert suggestion("zzz", ()) == ""
