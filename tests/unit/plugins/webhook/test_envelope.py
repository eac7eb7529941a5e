"""An event as it travels: CloudEvents by their own library, and the shapes that are published."""

from __future__ import annotations

import json
from dataclasses import MISSING, fields
from typing import Any, get_type_hints

import jsonschema_rs
import pytest
from cloudevents.core.bindings.common import get_event_factory_for_version
from cloudevents.core.formats.json import JSONFormat

from plugins.webhook.envelope import body, envelope, new_id
from proxy.api import Event, RequestCompleted, WebhookTest, built_in_events
from proxy.events import schema

SAMPLES: dict[Any, Any] = {str: "word", int: 3, float: 1.5, float | None: None, tuple[str, ...]: ("a", "b")}


def sample(kind: type[Event]) -> Event:
    hints = get_type_hints(kind)
    needed = [item.name for item in fields(kind) if item.init and item.default is MISSING]
    event = kind(**{name: SAMPLES.get(hints[name], {"api.error": 2}) for name in needed})
    event.time = 1_700_000_000.25
    return event


def made(event: Event, sequence: int = 7) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(body(envelope(event, new_id(), "/gateway"), sequence))
    return found


@pytest.mark.parametrize("kind", built_in_events().values(), ids=built_in_events().keys())
def test_every_event_is_a_cloud_event(kind: type[Event]) -> None:
    event = sample(kind)
    read = JSONFormat().read(get_event_factory_for_version("1.0"), body(envelope(event, new_id(), "/gateway"), 7))
    assert (read.get_type(), read.get_source(), read.get_subject() or "") == (kind.type, "/gateway", event.subject)
    assert read.get_time().timestamp() == 1_700_000_000.25  # type: ignore[union-attr]  # it has one
    assert read.get_extension("sequence") == "00000000000000000007"


@pytest.mark.parametrize("kind", built_in_events().values(), ids=built_in_events().keys())
def test_every_event_has_the_shape_that_is_published(kind: type[Event]) -> None:
    jsonschema_rs.validate(schema(kind), made(sample(kind)))


@pytest.mark.parametrize("change", [{"id": "x"}, {"type": "other"}, {"specversion": "0.3"}, {"data": {}}])
def test_another_shape_is_another(change: dict[str, Any]) -> None:
    with pytest.raises(jsonschema_rs.ValidationError):
        jsonschema_rs.validate(schema(WebhookTest), {**made(sample(WebhookTest)), **change})


def test_time_is_told_twice_for_both_specifications() -> None:
    told = made(sample(WebhookTest))
    assert told["time"] == told["timestamp"] == "2023-11-14T22:13:20.250000Z"


def test_what_is_empty_is_left_out() -> None:
    event = sample(RequestCompleted)
    assert "tenantid" not in made(event)
    event.tenant = "acme"  # type: ignore[attr-defined]  # it is a RequestCompleted
    assert made(event)["tenantid"] == "acme"


def test_ids_are_uuids_of_version_7_that_rise() -> None:
    ids = [new_id() for _ in range(100)]
    assert len(set(ids)) == 100
    assert all(len(one) == 32 and one[12] == "7" and one[16] in "89ab" for one in ids)
    assert [one[:12] for one in ids] == sorted(one[:12] for one in ids)


def test_what_json_does_not_know_is_told_as_text() -> None:
    told = {**envelope(sample(WebhookTest), "id", "/gateway"), "data": {"path": object, "text": "\udc80"}}
    assert json.loads(body(told, 1))["data"]["text"] == "?"
