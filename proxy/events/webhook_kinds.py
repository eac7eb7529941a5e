"""What is told of webhooks themselves. An endpoint is never told of itself, but for its tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from proxy.events.kinds import Event, EventClass


@dataclass(slots=True, eq=False)
class WebhookEndpointFailing(Event):
    """An endpoint fails for the fourth time in a row; deliveries to it are tried again by their schedule.

    `since` is when it began to fail, in seconds since the epoch, `last_status` is 0 where there was no answer.
    """

    type: ClassVar[str] = "webhook.endpoint.failing"
    klass: ClassVar[EventClass] = EventClass.A

    endpoint: str
    since: float
    attempts: int
    last_status: int

    @property
    def subject(self) -> str:
        return self.endpoint


@dataclass(slots=True, eq=False)
class WebhookEndpointDisabled(Event):
    """Nothing is delivered to an endpoint any more, for this `reason`; what it is owed is kept.

    It is enabled again by a changed configuration or by an operator.
    """

    type: ClassVar[str] = "webhook.endpoint.disabled"
    klass: ClassVar[EventClass] = EventClass.A

    endpoint: str
    since: float
    attempts: int
    last_status: int
    reason: str

    @property
    def subject(self) -> str:
        return self.endpoint


@dataclass(slots=True, eq=False)
class WebhookEndpointRecovered(Event):
    """An endpoint of which `webhook.endpoint.failing` told has taken a delivery, after so many failed `attempts`."""

    type: ClassVar[str] = "webhook.endpoint.recovered"
    klass: ClassVar[EventClass] = EventClass.A

    endpoint: str
    since: float
    attempts: int
    last_status: int

    @property
    def subject(self) -> str:
        return self.endpoint


@dataclass(slots=True, eq=False)
class WebhookDeliveryDead(Event):
    """An event is not delivered to an endpoint any more: all its attempts have failed, or it is refused for good.

    It is kept as a dead letter, which can be replayed. `event_id` and `event_type` say which event it is.
    """

    type: ClassVar[str] = "webhook.delivery.dead"
    klass: ClassVar[EventClass] = EventClass.A

    endpoint: str
    since: float
    attempts: int
    last_status: int
    event_id: str
    event_type: str

    @property
    def subject(self) -> str:
        return self.endpoint


@dataclass(slots=True, eq=False)
class WebhookTest(Event):
    """An operator asked whether `endpoint` takes events; it goes to that one alone, whatever it subscribes to."""

    type: ClassVar[str] = "webhook.test"
    klass: ClassVar[EventClass] = EventClass.A

    endpoint: str

    @property
    def subject(self) -> str:
        return self.endpoint
