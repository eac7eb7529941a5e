"""An event as it travels: CloudEvents 1.0 in structured JSON, which is at once the body that Standard Webhooks signs.

Structured, because that signature covers id, time and body, and no header fields. Thin: what events tell never holds
bodies or credentials.
"""

from __future__ import annotations

import json
import os
import time
from datetime import UTC, datetime
from typing import Any

from proxy.api import Event


def new_id() -> str:
    """A UUID of version 7 (RFC 9562 section 5.7) in hex: later ones sort behind earlier ones."""
    random = int.from_bytes(os.urandom(10), "big")
    value = int(time.time() * 1000) << 80 | random
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return f"{value:032x}"


def envelope(event: Event, event_id: str, source: str) -> dict[str, Any]:
    """What is told of an event, but for its place in the sequence."""
    moment = datetime.fromtimestamp(event.time, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    data = event.data()
    told: dict[str, Any] = {"specversion": "1.0", "id": event_id, "source": source, "type": event.type}
    if event.subject:
        told["subject"] = event.subject
    told |= {"time": moment, "timestamp": moment, "datacontenttype": "application/json"}
    if data.get("tenant"):
        told["tenantid"] = str(data["tenant"])
    told["data"] = data
    return told


def body(told: dict[str, Any], sequence: int) -> bytes:
    """The bytes that are kept, and signed at each attempt."""
    whole = {**told, "sequence": f"{sequence:020}"}
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":"), default=str).encode("utf-8", "replace")
