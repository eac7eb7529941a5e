"""Attackers, one at a time: what each of them does to a port until its time is over.

Each is a bounded loop over plain sockets in a process of its own, held to a rate: a server that is sent more work than
it can do is slow whatever it does, and what is asked here is whether a little malice costs a lot. Run as
`python attackers.py NAME PORT SECONDS`.
"""

from __future__ import annotations

import os
import socket
import sys
import time
from collections.abc import Callable, Generator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass

HEAD = b"GET /json HTTP/1.1\r\nHost: attacked.test\r\n"
_NICE = 19  # the attacker shares its core with the client whose time is taken
_TURN = 0.01  # seconds between two spells of work


class Socket:
    """A non-blocking connection that is made anew when the server ends it."""

    def __init__(self, port: int, *, receive_buffer: int = 0) -> None:
        self._port = port
        self._buffer = receive_buffer
        self._sock: socket.socket | None = None

    def send(self, data: bytes, first: bytes = b"") -> None:
        """Send as much of `data` as is taken; on a new connection `first` goes before it."""
        try:
            if self._sock is None:
                self._sock = self._connected()
                data = first + data
            self._sock.send(data)
        except BlockingIOError:
            return
        except OSError:
            self.close()

    def ended(self) -> bool:
        """Read what is there; whether the server has closed."""
        if self._sock is None:
            return True
        try:
            while data := self._sock.recv(65536):
                del data
        except BlockingIOError:
            return False
        except OSError:
            pass
        self.close()
        return True

    def close(self) -> None:
        """End the connection."""
        if self._sock is not None:
            self._sock.close()
            self._sock = None

    def _connected(self) -> socket.socket:
        sock = socket.socket()
        if self._buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._buffer)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.connect(("127.0.0.1", self._port))
        sock.setblocking(False)
        return sock


Step = Generator[None, None, None]  # each `next` is one act of malice; closing it ends the connections


def _in_turn(sockets: list[Socket], first: bytes, piece: bytes, *, reads: bool = True) -> Step:
    """Send a piece on one connection after the other."""
    try:
        while True:
            for one in sockets:
                one.send(piece, first)
                if reads:
                    one.ended()
                yield
    finally:
        for one in sockets:
            one.close()


def loris(port: int) -> Step:
    """500 heads that never end."""
    return _in_turn([Socket(port) for _ in range(500)], HEAD, b"X-A: b\r\n")


def slow_posts(port: int) -> Step:
    """200 bodies of which a byte comes now and then."""
    first = b"POST /post HTTP/1.1\r\nHost: attacked.test\r\nContent-Length: 100000000\r\n\r\n"
    return _in_turn([Socket(port) for _ in range(200)], first, b"x")


def bytewise(port: int) -> Step:
    """Heads of 30 KB, a byte at a time."""
    return _in_turn([Socket(port) for _ in range(4)], HEAD + b"X-A: " + b"x" * 24000, b"x")


def bomb(port: int) -> Step:
    """Heads of fields without end."""
    return _in_turn([Socket(port) for _ in range(8)], HEAD, b"X-A: b\r\n" * 8192)


def malformed(port: int) -> Step:
    """Requests that are refused, each on a connection of its own."""
    one = Socket(port)
    while True:
        one.send(b"GET /json HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n")
        try:
            yield
        finally:
            one.close()


def pipelined(port: int) -> Step:
    """Pipelined requests whose answers are never read."""
    sockets = [Socket(port, receive_buffer=4096) for _ in range(50)]
    return _in_turn(sockets, b"", (HEAD + b"\r\n") * 50, reads=False)


def unread(port: int) -> Step:
    """30 large answers that are never read."""
    ask = b"GET /10m HTTP/1.1\r\nHost: attacked.test\r\n\r\n"
    return _in_turn([Socket(port, receive_buffer=4096) for _ in range(30)], b"", ask, reads=False)


def tiny_chunks(port: int) -> Step:
    """Bodies in chunks of one byte."""
    first = b"POST /post HTTP/1.1\r\nHost: attacked.test\r\nTransfer-Encoding: chunked\r\n\r\n"
    return _in_turn([Socket(port) for _ in range(4)], first, b"1\r\nx\r\n" * 200)


def extensions(port: int) -> Step:
    """Chunks with extensions that are longer than they are."""
    first = b"POST /post HTTP/1.1\r\nHost: attacked.test\r\nTransfer-Encoding: chunked\r\n\r\n"
    return _in_turn([Socket(port) for _ in range(4)], first, (b"1;" + b"x" * 200 + b"\r\nx\r\n") * 20)


def errors(port: int) -> Step:
    """Requests for nothing, each with a long Accept to choose a page by."""
    accept = b", ".join(b"text/x%d;q=0.%d" % (number, number % 10) for number in range(300))
    ask = b"GET /none HTTP/1.1\r\nHost: attacked.test\r\nAccept: " + accept + b"\r\n\r\n"
    return _in_turn([Socket(port) for _ in range(8)], b"", ask)


def comers(port: int) -> Step:
    """Connections that come and go without a word."""
    while True:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            yield
        yield


@dataclass(frozen=True, slots=True)
class Attack:
    """One way to do harm.

    :ivar begin: makes its steps for a port; its docstring is what the report says of it.
    :ivar rate: steps a second.
    """

    begin: Callable[[int], Step]
    rate: int

    @property
    def about(self) -> str:
        """What it does, in one line."""
        return (self.begin.__doc__ or "").strip().rstrip(".")


ATTACKS: Mapping[str, Attack] = {
    "slow heads": Attack(loris, 1000),
    "slow bodies": Attack(slow_posts, 300),
    "heads by bytes": Attack(bytewise, 2000),
    "header bomb": Attack(bomb, 200),
    "malformed": Attack(malformed, 300),
    "pipelined, unread": Attack(pipelined, 40),
    "large, unread": Attack(unread, 50),
    "tiny chunks": Attack(tiny_chunks, 100),
    "chunk extensions": Attack(extensions, 100),
    "errors": Attack(errors, 300),
    "connections": Attack(comers, 600),
}


def attack(name: str, port: int, seconds: float) -> int:
    """Attack for so long; returns the number of steps taken."""
    chosen = ATTACKS[name]
    steps, began, taken = chosen.begin(port), time.perf_counter(), 0
    with closing(steps):
        while (now := time.perf_counter() - began) < seconds:
            for _ in range(int(now * chosen.rate) - taken):
                next(steps)
                taken += 1
            time.sleep(_TURN)
    return taken


def main(name: str, port: str, seconds: str) -> None:
    os.nice(_NICE)
    print(attack(name, int(port), float(seconds)))


if __name__ == "__main__":
    main(*sys.argv[1:])
