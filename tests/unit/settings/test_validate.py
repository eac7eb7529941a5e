"""Plugins' options get messages as good as the engine's own."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, field_validator

from proxy.plugin import PluginConfig
from proxy.settings.document import Document, Source
from proxy.settings.fields import FileName
from proxy.settings.units import Duration
from proxy.settings.validate import validate_model
from proxy.settings.yaml_source import parse


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Config(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    wait: Duration = 1.0
    allow: frozenset[str] = frozenset()
    mode: Literal["observe", "enforce"] = "observe"
    colour: Colour = Colour.RED
    size: int | list[int] = Field(default=1, description="a size")
    enabled: bool = True
    ratio: float = Field(default=0.5, gt=0, lt=1)
    code: str = Field(default="a", min_length=1, max_length=3)
    odd: int = 1
    token: Literal["x"] = "x"

    @field_validator("odd")
    @classmethod
    def _check_odd(cls, value: int) -> int:
        if value % 2 == 0:
            raise ValueError(f"{value} is even")
        return value


SIZE, WHOLE = "plugins[0].mine.size", "must be a whole number"
ITEMS = 'write "[a, b]", or a line beginning with "- " for each item'
AT = ("plugins", 0, "mine")


def validate(options: str) -> tuple[Config | None, list[str]]:
    root, problems = parse(f"plugins:\n  - mine: {options}\n", "f.yaml")
    assert root is not None
    assert not problems
    document = Document.of(root)
    config, found = validate_model(Config, document.data["plugins"][0]["mine"], AT, document)
    return config, [problem.render().removeprefix("f.yaml:2:") for problem in found]


def test_valid_options_are_an_instance() -> None:
    config, problems = validate("{wait: 5s, allow: [a], enabled: 'yes', odd: '3'}")
    assert problems == []
    assert config == Config(wait="5s", allow=frozenset("a"), odd=3)  # type: ignore[arg-type]  # durations are written


@pytest.mark.parametrize(
    ("options", "lines"),
    [
        ("{wiat: 5s}", ['12: plugins[0].mine.wiat: unknown key; did you mean "wait"?']),
        ("{odd: true}", ["17: plugins[0].mine.odd: must be a whole number"]),
        ("{wait: 5}", ["18: plugins[0].mine.wait: 5 has no unit; write the unit: 5s"]),
        (
            "{allow: a}",
            ['19: plugins[0].mine.allow: must be a list; write "[a, b]", or a line beginning with "- " for each item'],
        ),
        ("{allow: [1]}", ['20: plugins[0].mine.allow[0]: must be text; put it in quotes: "1"']),
        ("{mode: observ}", ['18: plugins[0].mine.mode: "observ" is not known here; did you mean "observe"?']),
        ("{mode: off}", ['18: plugins[0].mine.mode: "off" is not known here; choose from enforce, observe']),
        ("{colour: bleu}", ['20: plugins[0].mine.colour: "bleu" is not known here; did you mean "blue"?']),
        ("{size: big}", ["18: plugins[0].mine.size: must be a whole number"]),
        (
            "{size: [1, x]}",
            ["12: plugins[0].mine.size: must be a whole number", "22: plugins[0].mine.size[1]: must be a whole number"],
        ),
        ("{enabled: maybe}", ["21: plugins[0].mine.enabled: must be true or false"]),
        ("{ratio: 1}", ["19: plugins[0].mine.ratio: must be less than 1.0"]),
        ("{ratio: x}", ["19: plugins[0].mine.ratio: must be a number"]),
        ("{code: ''}", ["18: plugins[0].mine.code: must not be empty"]),
        ("{code: abcd}", ["18: plugins[0].mine.code: string should have at most 3 characters"]),
        ("{odd: 2}", ["17: plugins[0].mine.odd: 2 is even"]),
        ("{token: hunter2}", ['19: plugins[0].mine.token: "***" is not known here; choose from x']),
        (
            "{wait: 5, odd: 4}",
            ["18: plugins[0].mine.wait: 5 has no unit; write the unit: 5s", "26: plugins[0].mine.odd: 4 is even"],
        ),
        ("5", ['11: plugins[0].mine: must be a mapping; write "key: value" pairs below it']),
    ],
)
def test_slips(options: str, lines: list[str]) -> None:
    config, found = validate(options)
    assert config is None
    assert found == lines


def test_a_required_option_that_is_missing_stands_at_the_plugin() -> None:
    class Needy(BaseModel):
        url: str = Field(examples=["http://a"])
        also: int

    root, _ = parse("plugins:\n  - mine: {}\n", "f.yaml")
    assert root is not None
    _, problems = validate_model(Needy, {}, AT, Document.of(root))
    assert [problem.render() for problem in problems] == [
        'f.yaml:2:5: plugins[0].mine.url: is missing; write "url: http://a"',
        "f.yaml:2:5: plugins[0].mine.also: is missing; add it",
    ]


def test_a_value_out_of_a_secrets_file_is_not_repeated() -> None:
    root, _ = parse("mode: hunter2\n", "f.yaml")
    assert root is not None
    assert isinstance(root.value, dict)
    root.value["mode"].node.source = Source.FILE
    _, (problem,) = validate_model(Config, {"mode": "hunter2"}, (), Document.of(root))
    assert "hunter2" not in problem.render()


class Written(BaseModel):
    """Options of a plugin that writes."""

    file: FileName = "here"


@pytest.mark.parametrize(
    ("file", "found"), [("a.log", "/etc/p/a.log"), ("../a.log", "/etc/p/../a.log"), ("/a", "/a"), ("-", "-")]
)
def test_a_file_is_taken_from_the_file_that_names_it(file: str, found: str) -> None:
    root, _ = parse(f"file: '{file}'", "/etc/p/main.yaml")
    assert root is not None
    assert validate_model(Written, {"file": file}, ("file",), Document.of(root)) == (Written(file=found), [])
    assert validate_model(Written, {}, (), Document.of(root)) == (Written(file="here"), [])


def test_where_no_key_is_known_none_is_offered() -> None:
    _, (problem,) = validate_model(PluginConfig, {"a": 1}, ("x",), Document())
    assert problem.render() == "x.a: unknown key; none can be written here; remove it"


def test_options_that_came_from_no_file_have_no_place() -> None:
    data: dict[str, Any] = {"wiat": 1}
    _, (problem,) = validate_model(Config, data, ("x",), Document())
    assert problem.render() == 'x.wiat: unknown key; did you mean "wait"?'
