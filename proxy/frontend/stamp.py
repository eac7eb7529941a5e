"""What the gateway itself tells the upstream of a request: who the client is, the request's id, and its trace.

A trace (W3C Trace Context, sections 3.2 to 3.4) is passed on as it came when `traceparent` is valid. Without one, or
with one that is malformed, a new one is begun, and `tracestate` goes, which is about the old one. The gateway records
nothing itself: it passes the caller's span id on unchanged, and what it begins has the flag `sampled` unset, the
default of the specification (section 3.2.2.3.1) for who begins a trace without knowing what will be recorded.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from proxy.exchange import Exchange
from proxy.frontend.head import Head
from proxy.frontend.identity import Identity

if TYPE_CHECKING:
    from proxy.frontend.listener import Listener

_VALID = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?")
_LENGTH = 55  # of version 00, which has nothing behind its flags


def stamp(exchange: Exchange, head: Head, identity: Identity, listener: Listener) -> None:
    """Write it into the request's fields."""
    if head.request_id:
        exchange.received_id = head.request_id
        if identity.peer.trusted:
            exchange.id = head.request_id
    told = [(b"X-Request-ID", exchange.id.encode("latin-1"))]
    if listener.limits.traces:
        if head.trace is None or not _goes_on(head.trace):
            told.append((b"traceparent", listener.engine.new_trace()))
        else:
            told += [(name.encode("latin-1"), value.encode("latin-1")) for name, value in head.trace]
    request = exchange.request
    exchange.peer = identity.stamp(request.headers, request.host, head.forwarded, told)


def _goes_on(fields: list[tuple[str, str]]) -> bool:
    """Whether a client's traceparent is to be passed on: there is exactly one, and it is valid (section 3.2.2)."""
    values = [value for name, value in fields if name.lower() == "traceparent"]
    if len(values) != 1 or _VALID.fullmatch(values[0]) is None:
        return False
    return len(values[0]) == _LENGTH or not values[0].startswith("00")
