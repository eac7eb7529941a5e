"""What a connection that died had still to say.

A server may refuse an upload by an answer and a reset right behind it. When our next write meets the reset before the
loop has read the answer, the loop gives up the connection; but the answer is in the socket, and says what happened.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator

_READ = 65536  # bytes
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
