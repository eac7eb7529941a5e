"""Quantities with their units written: `5s`, `10MiB`, `20%`.

A bare `timeout: 5` is read as seconds by one program and as milliseconds by the next; so the unit is part of the value
here, and a number without one is refused. The one exception is `0`, which means the same in every unit.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema
from pydantic_core import PydanticCustomError

_DURATION_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_SIZE_UNITS = {
    "B": 1,
    "kB": 10**3,
    "KB": 10**3,
    "MB": 10**6,
    "GB": 10**9,
    "TB": 10**12,
    "KiB": 2**10,
    "MiB": 2**20,
    "GiB": 2**30,
    "TiB": 2**40,
}
_QUANTITY = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z%]*)", re.ASCII)
_VARIABLE = r"|.*\$\{.+\}.*"  # editors must let `${VAR}` stand for any value


def wrong(message: str, remedy: str = "") -> PydanticCustomError:
    """Return an error for a pydantic validator to raise, which keeps the remedy apart from the message."""
    return PydanticCustomError("settings", "{message}", {"message": message, "remedy": remedy})


def parse_duration(value: object) -> float:
    """Return seconds for `100ms`, `5s`, `2m`, `1h`, `1d` or `0`; PydanticCustomError for anything else."""
    number, unit = _split(value, "a duration", "5s")
    if unit not in _DURATION_UNITS:
        raise _unit_error(number, unit, "a duration", "s", "ms, s, m, h, d")
    return float(number) * _DURATION_UNITS[unit]


def parse_size(value: object) -> int:
    """Return bytes for `64KiB`, `10MiB`, `1GB`, `512B` or `0`; PydanticCustomError for anything else."""
    number, unit = _split(value, "a size", "10MiB")
    if unit not in _SIZE_UNITS:
        raise _unit_error(number, unit, "a size", "MiB", "B, KiB, MiB, GiB, TiB, kB, MB, GB, TB")
    return round(float(number) * _SIZE_UNITS[unit])


def parse_percent(value: object) -> float:
    """Return the share (0.0 to 1.0) for `20%` or `0`; PydanticCustomError for anything else."""
    number, unit = _split(value, "a percentage", "20%")
    if unit != "%":
        raise _unit_error(number, unit, "a percentage", "%", "%")
    if float(number) > 100:
        raise wrong(f"{number}% is more than the whole", "write 0% to 100%")
    return float(number) / 100


def positive_duration(value: object) -> float:
    """Return seconds as `parse_duration` does, refusing zero."""
    seconds = parse_duration(value)
    if seconds <= 0:
        raise wrong("must be longer than 0", 'write how long, such as "5s"')
    return seconds


def positive_size(value: object) -> int:
    """Return bytes as `parse_size` does, refusing zero."""
    size = parse_size(value)
    if size <= 0:
        raise wrong("must be more than 0", 'write how much, such as "64KiB"')
    return size


def format_duration(seconds: float) -> str:
    """Return seconds as they would be written in YAML: `0.1` is `100ms`."""
    if not seconds:
        return "0s"
    return f"{seconds:.12g}s" if seconds >= 1 else f"{seconds * 1000:.12g}ms"


def format_size(size: int) -> str:
    """Return bytes in the largest binary unit that shows them exactly."""
    for unit in ("TiB", "GiB", "MiB", "KiB"):
        if size and size % _SIZE_UNITS[unit] == 0:
            return f"{size // _SIZE_UNITS[unit]}{unit}"
    return f"{size}B"


def format_percent(share: float) -> str:
    """Return a share as a percentage: `0.2` is `20%`."""
    return f"{share * 100:.12g}%"


def _split(value: object, what: str, example: str) -> tuple[str, str]:
    """Return number and unit; a lone zero is given the unit of the example."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise wrong(f"must be {what}", f'write it with its unit, such as "{example}"')
    match = _QUANTITY.fullmatch(str(value).strip())
    if match is None:
        raise wrong(f'"{value}" is not {what}', f'write it with its unit, such as "{example}"')
    number, unit = match.groups()
    if not unit and float(number) == 0:
        unit = example.lstrip("0123456789")
    return number, unit


def _unit_error(number: str, unit: str, what: str, usual: str, units: str) -> PydanticCustomError:
    if not unit:
        return wrong(f"{number} has no unit", f"write the unit: {number}{usual}")
    return wrong(f'"{number}{unit}" is not {what}', f"units are {units}")


def _schema(pattern: str, description: str, example: str) -> dict[str, Any]:
    return {
        "type": "string",
        "pattern": f"^(0|{pattern}{_VARIABLE})$",
        "description": description,
        "examples": [example],
    }


_DURATION_SCHEMA = _schema(r"\d+(\.\d+)?\s*(ms|s|m|h|d)", "A duration with its unit: ms, s, m, h or d.", "5s")
_SIZE_SCHEMA = _schema(
    r"\d+(\.\d+)?\s*([KMGT]i?B|kB|B)", "A size with its unit: B, KiB, MiB, GiB, kB, MB, GB.", "10MiB"
)
_PERCENT_SCHEMA = _schema(r"\d+(\.\d+)?\s*%", "A percentage, 0% to 100%.", "20%")

Duration = Annotated[
    float, BeforeValidator(positive_duration), PlainSerializer(format_duration), WithJsonSchema(_DURATION_SCHEMA)
]
DurationOrZero = Annotated[
    float, BeforeValidator(parse_duration), PlainSerializer(format_duration), WithJsonSchema(_DURATION_SCHEMA)
]
Size = Annotated[int, BeforeValidator(positive_size), PlainSerializer(format_size), WithJsonSchema(_SIZE_SCHEMA)]
SizeOrZero = Annotated[int, BeforeValidator(parse_size), PlainSerializer(format_size), WithJsonSchema(_SIZE_SCHEMA)]
Percent = Annotated[
    float, BeforeValidator(parse_percent), PlainSerializer(format_percent), WithJsonSchema(_PERCENT_SCHEMA)
]
