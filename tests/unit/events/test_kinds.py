from __future__ import annotations

import json
from dataclasses import dataclass
from typing import ClassVar

import pytest

from proxy.events import (
    ApiError,
    CircuitClosed,
    CircuitOpened,
    ConfigRejected,
    ConfigReloaded,
    Event,
    EventClass,
    EventsDropped,
    PluginError,
    RequestCompleted,
    SystemDraining,
    SystemStarted,
    UpstreamRecovered,
    UpstreamUnhealthy,
)


@dataclass(slots=True, eq=False)
class OrderPaid(Event):
    """An order was paid."""

    type: ClassVar[str] = "shop.order.paid"
    klass: ClassVar[EventClass] = EventClass.B

    order: int


def completed() -> RequestCompleted:
    return RequestCompleted("r1", "api", "GET", 200, "shop", 1.5, 1.0, 0, 722)


CATALOGUE = [
    completed(),
    ApiError("api", "shop", 502, "connect_failed", "r1", "r1"),
    PluginError("auth", "ValueError: no", "r1"),
    SystemStarted("1.0", "abc", ("http://127.0.0.1:8080",)),
    SystemDraining(3, 30.0),
    EventsDropped({"request.completed": 4}),
    UpstreamUnhealthy("shop", "http://a:1", "5 failures in a row"),
    UpstreamRecovered("shop", "http://a:1", "a connection stands"),
    CircuitOpened("shop", "", "10 of 20 failed"),
    CircuitClosed("shop", "", "the probe succeeded"),
    ConfigReloaded("abc", "abd", ("route a changed",)),
    ConfigRejected("abc", ("p.yaml:1:1: wrong",)),
]


@pytest.mark.parametrize("event", CATALOGUE, ids=lambda event: event.type)
def test_the_catalogue_is_documented_light_and_json(event: Event) -> None:
    assert event.__doc__
    assert not event.__doc__.startswith(type(event).__name__)  # not the one that dataclasses make up
    assert not hasattr(event, "__dict__")
    assert json.loads(json.dumps(event.data())).keys() == event.data().keys()
    assert "time" not in event.data()


@pytest.mark.parametrize(
    ("event", "kind", "klass", "subject"),
    [
        (CATALOGUE[0], "request.completed", "C", "api"),
        (CATALOGUE[1], "api.error", "B", "api"),
        (CATALOGUE[2], "plugin.error", "B", "auth"),
        (CATALOGUE[3], "system.started", "A", ""),
        (CATALOGUE[4], "system.draining", "A", ""),
        (CATALOGUE[5], "system.events_dropped", "A", ""),
        (CATALOGUE[-2], "config.reloaded", "A", ""),
        (CATALOGUE[-1], "config.rejected", "A", ""),
        (CATALOGUE[6], "upstream.unhealthy", "B", "shop http://a:1"),
        (CATALOGUE[7], "upstream.recovered", "B", "shop http://a:1"),
        (CATALOGUE[8], "circuit.opened", "B", "shop"),
        (CATALOGUE[9], "circuit.closed", "B", "shop"),
    ],
)
def test_types_classes_and_subjects_of_the_catalogue(event: Event, kind: str, klass: str, subject: str) -> None:
    assert (event.type, event.klass.value, event.subject) == (kind, klass, subject)


def test_an_events_data_are_its_fields() -> None:
    assert OrderPaid(7).data() == {"order": 7}


@pytest.mark.parametrize("name", ["paid", "", "Shop.paid", "shop.", ".paid", "shop paid.x", 7])
def test_a_type_is_words_with_dots(name: object) -> None:
    with pytest.raises(TypeError, match="words with dots"):
        type("Wrong", (Event,), {"__doc__": "x", "type": name, "klass": EventClass.A})


@pytest.mark.parametrize("name", ["api.error", "webhook.mine", "system.x"])
def test_the_gateways_own_names_are_reserved(name: str) -> None:
    with pytest.raises(TypeError, match="the gateway's own"):
        type("Wrong", (Event,), {"__doc__": "x", "type": name, "klass": EventClass.A})


@pytest.mark.parametrize("members", [{"__doc__": "x"}, {"klass": EventClass.A}, {"__doc__": "x", "klass": "A"}])
def test_a_kind_has_a_class_and_a_docstring(members: dict[str, object]) -> None:
    with pytest.raises(TypeError, match="klass and has a docstring"):
        type("Wrong", (Event,), {"type": "a.b", **members})
