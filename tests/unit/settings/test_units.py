"""Quantities carry their units, and nothing is guessed."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from proxy.settings.units import (
    Duration,
    DurationOrZero,
    Percent,
    Size,
    format_duration,
    format_percent,
    format_size,
    parse_duration,
    parse_percent,
    parse_size,
    wrong,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5s", 5.0),
        ("100ms", 0.1),
        ("2m", 120.0),
        ("1h", 3600.0),
        ("1d", 86400.0),
        ("1.5s", 1.5),
        ("5 s", 5.0),
        (0, 0.0),
    ],
)
def test_durations_are_seconds(text: object, seconds: float) -> None:
    assert parse_duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("text", "size"),
    [("10MiB", 10 * 2**20), ("64KiB", 65536), ("1GB", 10**9), ("512B", 512), ("1.5KiB", 1536), ("2kB", 2000), ("0", 0)],
)
def test_sizes_are_bytes(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize(("text", "share"), [("20%", 0.2), ("0%", 0.0), ("100%", 1.0), ("12.5 %", 0.125), (0, 0.0)])
def test_percentages_are_shares(text: object, share: float) -> None:
    assert parse_percent(text) == pytest.approx(share)


@pytest.mark.parametrize(
    ("parse", "value", "message", "remedy"),
    [
        (parse_duration, 5, "5 has no unit", "write the unit: 5s"),
        (parse_duration, "5", "5 has no unit", "write the unit: 5s"),
        (parse_duration, "5sec", '"5sec" is not a duration', "units are ms, s, m, h, d"),
        (parse_duration, "-5s", '"-5s" is not a duration', 'write it with its unit, such as "5s"'),
        (parse_duration, True, "must be a duration", 'write it with its unit, such as "5s"'),
        (parse_duration, ["5s"], "must be a duration", 'write it with its unit, such as "5s"'),
        (parse_duration, "1h30m", '"1h30m" is not a duration', 'write it with its unit, such as "5s"'),
        (parse_size, 1024, "1024 has no unit", "write the unit: 1024MiB"),
        (parse_size, "10M", '"10M" is not a size', "units are B, KiB, MiB, GiB, TiB, kB, MB, GB, TB"),
        (parse_percent, 20, "20 has no unit", "write the unit: 20%"),
        (parse_percent, "120%", "120% is more than the whole", "write 0% to 100%"),
    ],
)
def test_what_is_refused_says_what_to_write(parse: Any, value: object, message: str, remedy: str) -> None:
    with pytest.raises(PydanticCustomError) as raised:
        parse(value)
    assert raised.value.context == {"message": message, "remedy": remedy}


@pytest.mark.parametrize(("kind", "value"), [(Duration, "0s"), (Duration, 0), (Size, "0B"), (Size, 0)])
def test_zero_is_refused_where_it_would_switch_a_limit_off(kind: Any, value: object) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(kind).validate_python(value)


def test_zero_is_a_duration_where_waiting_is_optional() -> None:
    assert TypeAdapter(DurationOrZero).validate_python("0s") == 0.0


@pytest.mark.parametrize(("seconds", "text"), [(0.0, "0s"), (0.1, "100ms"), (5.0, "5s"), (90.5, "90.5s")])
def test_durations_are_written_back(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.parametrize(("size", "text"), [(0, "0B"), (1023, "1023B"), (2048, "2KiB"), (10 * 2**20, "10MiB")])
def test_sizes_are_written_back(size: int, text: str) -> None:
    assert format_size(size) == text


@given(st.integers(min_value=0, max_value=10**15))
def test_a_size_survives_being_written_and_read(size: int) -> None:
    assert parse_size(format_size(size)) == size


@given(st.integers(min_value=0, max_value=10**9).map(lambda number: number / 1000))
def test_a_duration_survives_being_written_and_read(seconds: float) -> None:
    assert parse_duration(format_duration(seconds)) == pytest.approx(seconds)


@given(st.integers(min_value=0, max_value=1000).map(lambda number: number / 1000))
def test_a_percentage_survives_being_written_and_read(share: float) -> None:
    assert parse_percent(format_percent(share)) == pytest.approx(share)


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (Duration, ["5s", "0", "1.5 h", "${T}", "${T:-5s}"], ["5", "5x"]),
        (Size, ["1GB", "64KiB"], ["5", "10M"]),
        (Percent, ["20%"], ["20"]),
    ],
)
def test_editors_know_the_form(kind: Any, good: list[str], bad: list[str]) -> None:
    schema = TypeAdapter(kind).json_schema()
    assert schema["type"] == "string"
    assert schema["description"]
    assert all(re.search(schema["pattern"], text) for text in good)
    assert not any(re.search(schema["pattern"], text) for text in bad)


def test_a_models_error_keeps_the_remedy() -> None:
    class Model(BaseModel):
        wait: Duration

    with pytest.raises(ValidationError) as raised:
        Model.model_validate({"wait": 5})
    assert raised.value.errors()[0]["ctx"]["remedy"] == "write the unit: 5s"
    assert str(wrong("a {b}")) == "a {b}"
