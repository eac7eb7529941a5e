"""What an endpoint is sent: the event as it is kept, several of them in one list, or a line for a chat."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from proxy.api import StoredEvent

Format = Literal["cloudevents", "batch", "slack"]

BATCH = 100  # events in one list


@dataclass(frozen=True, slots=True)
class Message:
    """One request's content.

    :ivar id: the field `webhook-id`: the same for the same events.
    """

    id: str
    kind: str
    body: bytes


def message(events: Sequence[StoredEvent], how: Format) -> Message:
    """The message for one event, or for several where the format is `batch`."""
    first = events[0]
    if how == "batch":
        name = hashlib.sha256(" ".join(event.id for event in events).encode()).hexdigest()[:32]
        content = b"[" + b",".join(event.body for event in events) + b"]"
        return Message(name, "application/cloudevents-batch+json; charset=utf-8", content)
    if how == "slack":
        return Message(first.id, "application/json; charset=utf-8", _slack(first))
    return Message(first.id, "application/cloudevents+json; charset=utf-8", first.body)


def _slack(event: StoredEvent) -> bytes:
    told = json.loads(event.body)
    facts = [f"• {name}: {_plain(value)}" for name, value in told["data"].items() if value not in ("", None)]
    about = f": {_plain(event.subject)}" if event.subject else ""
    text = "\n".join([f"*{event.type}*{about}", *facts])
    return json.dumps({"text": text[:3000]}, ensure_ascii=False).encode()


def _plain(value: object) -> str:
    """Text that a chat shows as it is: no links, no mentions."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
