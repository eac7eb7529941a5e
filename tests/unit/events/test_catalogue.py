"""The catalogue: every event that is named is raised by something, or stands among those that will be."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from proxy.events import AWAITED, CATALOGUE, Event, EventClass, built_in_events, is_built_in, known_events, schema

ROOT = Path(__file__).parents[3]
SPECIFIED = {
    "A": "quota.low quota.exceeded config.reloaded config.rejected webhook.endpoint.failing webhook.endpoint.disabled "
    "webhook.endpoint.recovered webhook.delivery.dead webhook.test system.started system.draining "
    "system.events_dropped system.worker_died",
    "B": "request.blocked api.error rate.limit upstream.unhealthy upstream.recovered circuit.opened circuit.closed "
    "cache.corrupt cache.purged plugin.error",
    "C": "request.completed system.logs_rotated",
}


def made() -> set[str]:
    """Names of what is called anywhere but where events are defined."""
    found: set[str] = set()
    for path in [*(ROOT / "proxy").rglob("*.py"), *(ROOT / "plugins").rglob("*.py")]:
        if path.parent.name == "events" and path.name.endswith("kinds.py"):
            continue
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                found.add(node.func.id)
            elif isinstance(node, ast.Name | ast.IfExp):
                found |= {child.id for child in ast.walk(node) if isinstance(child, ast.Name) and _is_chosen(node)}
    return found


def _is_chosen(node: ast.AST) -> bool:
    """`(UpstreamRecovered if up else UpstreamUnhealthy)(…)`."""
    return isinstance(node, ast.IfExp)


@pytest.mark.parametrize("klass", SPECIFIED)
def test_every_event_has_its_class(klass: str) -> None:
    assert {name for name, kind in CATALOGUE.items() if kind.klass.value == klass} == set(SPECIFIED[klass].split())


def test_every_event_is_raised_by_something_or_awaited() -> None:
    calls = made()
    raised = {name for name, kind in CATALOGUE.items() if kind.__name__ in calls}
    assert CATALOGUE.keys() - raised == AWAITED.keys()


def test_those_of_plugins_are_known_beside_them() -> None:
    @dataclass(slots=True, eq=False)
    class Paid(Event):
        """An order was paid."""

        type: ClassVar[str] = "catalogue_test.order.paid"
        klass: ClassVar[EventClass] = EventClass.A

        total: float
        note: str | None
        lines: list[str]
        more: dict[str, int]
        odd: Any

    assert known_events()[Paid.type] is Paid
    assert Paid.type not in built_in_events()
    assert [is_built_in(name) for name in (Paid.type, "quota.*", "api.error", "catalogue_test.*")] == [
        False,
        True,
        True,
        False,
    ]
    assert schema(Paid)["properties"]["data"]["properties"] == {
        "total": {"type": "number"},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "lines": {"type": "array", "items": {"type": "string"}},
        "more": {"type": "object", "additionalProperties": {"type": "integer"}},
        "odd": {},
    }


def test_a_schema_tells_what_there_always_is() -> None:
    found = schema(CATALOGUE["quota.low"])
    assert found["properties"]["type"] == {"const": "quota.low"}
    assert {"id", "time", "data", "sequence"} <= set(found["required"])
    assert "subject" not in found["required"]
    assert found["properties"]["data"]["required"] == ["quota", "meter", "limit", "used", "percent", "period"]
