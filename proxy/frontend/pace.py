"""Whether a client takes its answer, judged by bytes and not by buffers.

A transport only tells when it has room again, which for a slow client is once in a whole buffer, ours and then the
system's: minutes, while the client reads all the time. So what still waits is counted in both, and less than at the
last look means that it reads.
"""

from __future__ import annotations

import asyncio
import fcntl
import socket
import struct
import sys
import termios
from collections.abc import Callable

from proxy.timers import Timer


class Watch(Timer):
    """A connection's one deadline, whatever it waits for.

    :param overdue: called when it passes.
    """

    __slots__ = ("_overdue",)

    def __init__(self, overdue: Callable[[], None]) -> None:
        super().__init__()
        self._overdue = overdue

    def expired(self) -> None:
        self._overdue()


class Pace:
    """One connection's account of what waits to be taken."""

    __slots__ = ("_waits",)

    def __init__(self) -> None:
        self._waits = 0

    def begin(self) -> None:
        """Remember nothing: at the next look whatever waits will do."""
        self._waits = sys.maxsize

    def mark(self, transport: asyncio.Transport) -> None:
        """Remember how much waits now."""
        self._waits = waiting(transport)

    def goes_on(self, transport: asyncio.Transport) -> bool:
        """Whether something was taken since the last look, and something still waits."""
        before, self._waits = self._waits, waiting(transport)
        return 0 < self._waits < before


def waiting(transport: asyncio.Transport) -> int:
    """Bytes written that the client's system has not acknowledged."""
    return transport.get_write_buffer_size() + _unacknowledged(transport)


def _unacknowledged(transport: asyncio.Transport) -> int:
    """Bytes in the system's own buffer; 0 where it does not tell."""
    sock = transport.get_extra_info("socket")
    try:
        told = fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, b"\0\0\0\0")
    except (OSError, ValueError, AttributeError):  # closed meanwhile, no socket at all, or a system that does not know
        return 0
    (count,) = struct.unpack("i", told)
    return int(count)


def reset(transport: asyncio.Transport) -> None:
    """Close by RST: an orderly FIN would say that a body ended by closing is whole (RFC 9112 section 8)."""
    raw = transport.get_extra_info("socket")
    if raw is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def end(transport: asyncio.Transport) -> None:
    """Cut a client that has had its time; the system is not to keep for it what it does not read."""
    if waiting(transport):
        reset(transport)
    else:
        transport.abort()
