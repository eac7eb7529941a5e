"""Conditions on what an event says: `{data.percent: {$gte: 80}, data.quota: gold}`; all of them must hold."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Test = Callable[[Any], bool]

_MISSING = object()


def compile_filter(said: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], bool]:
    """A function that tells whether an envelope fits.

    :param said: by path of an attribute: a value that it must equal, or a mapping of operators.
    :raises ValueError: for an operator that there is not, or an operand that it cannot take.
    """
    tests = [(path.split("."), test) for path, value in said.items() for test in _tests(path, value)]
    return lambda envelope: all(test(_at(envelope, path)) for path, test in tests)


def _at(envelope: Mapping[str, Any], path: list[str]) -> Any:
    found: Any = envelope
    for name in path:
        if not isinstance(found, Mapping) or name not in found:
            return _MISSING
        found = found[name]
    return found


def _tests(path: str, value: Any) -> list[Test]:
    if not isinstance(value, Mapping):
        return [_equals(value)]
    return [_operator(path, name, operand) for name, operand in value.items()]


def _operator(path: str, name: str, operand: Any) -> Test:
    if name not in _OPERATORS:
        raise ValueError(f"{path}: there is no operator {name}; there are {', '.join(sorted(_OPERATORS))}")
    if name in ("$in", "$nin") and not isinstance(operand, list | tuple):
        raise ValueError(f"{path}: {name} takes a list")
    if name in _ORDER and (isinstance(operand, bool) or not isinstance(operand, int | float | str)):
        raise ValueError(f"{path}: {name} takes a number or a text")
    return _OPERATORS[name](operand)


def _equals(operand: Any) -> Test:
    return lambda found: bool(found == operand)


def _compare(holds: Callable[[Any, Any], bool]) -> Callable[[Any], Test]:
    """Numbers are compared with numbers and texts with texts; nothing else has an order."""

    def make(operand: Any) -> Test:
        kinds: tuple[type, ...] = (str,) if isinstance(operand, str) else (int, float)
        return lambda found: isinstance(found, kinds) and not isinstance(found, bool) and holds(found, operand)

    return make


_ORDER: dict[str, Callable[[Any], Test]] = {
    "$gt": _compare(lambda found, operand: found > operand),
    "$gte": _compare(lambda found, operand: found >= operand),
    "$lt": _compare(lambda found, operand: found < operand),
    "$lte": _compare(lambda found, operand: found <= operand),
}
_OPERATORS: dict[str, Callable[[Any], Test]] = {
    **_ORDER,
    "$eq": _equals,
    "$ne": lambda operand: lambda found: bool(found != operand),
    "$in": lambda operand: lambda found: found in operand,
    "$nin": lambda operand: lambda found: found not in operand,
    "$exists": lambda operand: lambda found: (found is not _MISSING) is bool(operand),
}
