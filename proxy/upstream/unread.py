"""What a connection that died had still to say.

A server may refuse an upload by an answer and a reset right behind it. When our next write meets the reset before the
loop has read the answer, the loop gives up the connection; but the answer is in the socket, and says what happened.

And what is in the socket before a request has left is no answer to it, whatever it looks like.
"""

from __future__ import annotations

import asyncio
import os
import select
from collections.abc import Callable, Iterator

_READ = 65536  # bytes
_CLOSED = getattr(select, "POLLRDHUP", 0)  # Linux has it; elsewhere an end looks like bytes
_MOST = 4  # reads: an answer in front of a reset is no long one


def unread(transport: asyncio.BaseTransport) -> Iterator[bytes]:
    """Yield what is left in the socket of a transport whose `connection_lost` is being called; nothing under TLS.

    Only then: both loops close the socket when that call returns, and its number may be another connection's at once.
    """
    sock = transport.get_extra_info("socket")
    if sock is None or transport.get_extra_info("ssl_object") is not None:
        return
    for _ in range(_MOST):
        try:
            data = os.read(sock.fileno(), _READ)  # it never blocks: the loop has made the socket so
        except OSError:
            return
        if not data:
            return
        yield data


def listener(transport: asyncio.BaseTransport) -> Callable[[], str] | None:
    """What tells, in a microsecond, whether the peer has said or done something that the loop has not read yet.

    It gives `unasked` where there are bytes, `upstream` where the connection has ended, and nothing while all is quiet.

    :returns: None under TLS, where bytes may be a session ticket (RFC 8446 section 4.6.1) or anything else.
    """
    sock = transport.get_extra_info("socket")
    if sock is None or transport.get_extra_info("ssl_object") is not None:
        return None
    poll = select.poll()
    poll.register(sock.fileno(), select.POLLIN | _CLOSED)

    def heard() -> str:
        found = poll.poll(0)
        if not found:
            return ""
        return "unasked" if found[0][1] == select.POLLIN else "upstream"

    return heard
