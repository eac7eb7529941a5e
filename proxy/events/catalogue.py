"""Every event of the gateway's own, by type, and its shape as JSON Schema."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields
from typing import Any, Union, get_args, get_origin, get_type_hints

from proxy.events import kinds, limit_kinds, webhook_kinds
from proxy.events.kinds import FAMILIES, Event

# Events whose cause does not exist yet, and what will raise them.
AWAITED: Mapping[str, str] = {
    "quota.exceeded": "a plugin that counts what is used of quotas",
    "quota.low": "a plugin that counts what is used of quotas",
    "rate.limit": "a plugin that limits rates",
}

_PLAIN: Mapping[Any, dict[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    type(None): {"type": "null"},
}
_ENVELOPE: Mapping[str, dict[str, Any]] = {
    "specversion": {"const": "1.0"},
    "id": {"type": "string", "pattern": "^[0-9a-f]{32}$", "description": "the same at every attempt: webhook-id"},
    "source": {"type": "string", "format": "uri-reference"},
    "subject": {"type": "string", "description": "what it is about; absent when there is only one subject"},
    "time": {"type": "string", "format": "date-time", "description": "when it was published"},
    "timestamp": {"type": "string", "format": "date-time", "description": "the same as time"},
    "datacontenttype": {"const": "application/json"},
    "sequence": {"type": "string", "pattern": "^[0-9]{20}$", "description": "rises with every event of an outbox"},
    "tenantid": {"type": "string", "description": "whose request it was; absent where that is not known"},
}
_OPTIONAL = ("subject", "tenantid")


def _every(kind: type[Event]) -> Iterator[type[Event]]:
    for child in kind.__subclasses__():
        yield child
        yield from _every(child)


def known_events() -> dict[str, type[Event]]:
    """Every event there is, those of plugins that were loaded included, by type."""
    return {kind.type: kind for kind in _every(Event)}


_ROOMS = {module.__name__ for module in (kinds, limit_kinds, webhook_kinds)}
CATALOGUE: Mapping[str, type[Event]] = {
    name: kind for name, kind in sorted(known_events().items()) if kind.__module__ in _ROOMS
}


def built_in_events() -> Mapping[str, type[Event]]:
    """Every event of the gateway's own, by type."""
    return CATALOGUE


def is_built_in(pattern: str) -> bool:
    """Whether a type, or a glob of types, can only be of events of the gateway's own."""
    return pattern.partition(".")[0] in FAMILIES


def schema(kind: type[Event]) -> dict[str, Any]:
    """JSON Schema (2020-12) of an event as webhooks carry it."""
    properties: dict[str, Any] = {**_ENVELOPE, "type": {"const": kind.type}, "data": _data(kind)}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": kind.type,
        "description": " ".join((kind.__doc__ or "").split()),
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name not in _OPTIONAL],
    }


def _data(kind: type[Event]) -> dict[str, Any]:
    hints = get_type_hints(kind)
    told = [item for item in fields(kind) if item.name != "time"]
    return {
        "type": "object",
        "properties": {item.name: _shape(hints[item.name]) for item in told},
        "required": [item.name for item in told if item.default is MISSING],
    }


def _shape(hint: Any) -> dict[str, Any]:
    """The schema of a field; of a type that is not known here, any value."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return {"anyOf": [_shape(one) for one in arguments]}
    if origin in (tuple, list):
        return {"type": "array", "items": _shape(arguments[0])}
    if origin is dict:
        return {"type": "object", "additionalProperties": _shape(arguments[1])}
    return dict(_PLAIN.get(hint, {}))
