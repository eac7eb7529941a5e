"""What comes on a connection before HTTP, and before TLS: the header of the PROXY protocol, read from the socket.

The header is looked at before it is taken, so that the first byte of whatever follows stays in the socket for the
transport, or for TLS, that is made of it afterwards.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from typing import TypeAlias

from proxy.frontend.identity import Trust
from proxy.frontend.proxy_protocol import LONGEST, ProxyHeader, ProxyHeaderError, Told
from proxy.frontend.seldom import Seldom
from proxy.metrics import Metrics
from proxy.timers import Timer, Wheel

log = logging.getLogger("passerelle.http")

Admitted: TypeAlias = Callable[[socket.socket, Told | None], None]
Refused: TypeAlias = Callable[[], None]


class Prefaces:
    """Reads headers for one listener.

    :param senders: who may connect; everybody else's connection is closed.
    """

    def __init__(self, senders: Trust, wheel: Wheel, metrics: Metrics) -> None:
        self._senders = senders
        self._wheel = wheel
        self._under_way: set[_Preface] = set()
        about = "Connections closed for want of a PROXY header."
        self._refusals = metrics.counter("passerelle_proxy_protocol_refused_total", about, ("reason",))
        self._told = Seldom(log)

    def read(self, sock: socket.socket, patience: float, admitted: Admitted, refused: Refused) -> None:
        """Read the header of a new connection.

        :param patience: seconds for the whole of it.
        :param admitted: is given the socket, and whom the sender speaks for.
        :param refused: called instead when the socket was closed.
        """
        preface = _Preface(self, sock, admitted, refused)
        try:
            address = sock.getpeername()[0]
        except OSError:
            self.refuse(preface, "left", "")
            return
        if address not in self._senders:
            self.refuse(preface, "address", address)
            return
        self._under_way.add(preface)
        self._wheel.arm(preface, patience)
        preface.start(address)

    def refuse(self, preface: _Preface, reason: str, address: str) -> None:
        """Close a connection."""
        self._refusals.inc(reason)
        if reason != "left":
            self._told.tell("refused a connection of %s without a PROXY header to go by (%s)", address, reason)
        self.over(preface)
        preface.sock.close()
        preface.refused()

    def over(self, preface: _Preface) -> None:
        """One is not under way any more."""
        self._wheel.forget(preface)
        self._under_way.discard(preface)

    def break_off(self) -> None:
        """Close those that have not finished their header."""
        for preface in list(self._under_way):
            preface.stop()
            self.refuse(preface, "left", "")

    def __len__(self) -> int:
        return len(self._under_way)


class _Preface(Timer):
    """One connection that has not finished its header."""

    __slots__ = ("_address", "_admitted", "_all", "_header", "_loop", "refused", "sock")

    def __init__(self, all_: Prefaces, sock: socket.socket, admitted: Admitted, refused: Refused) -> None:
        super().__init__()
        self.sock = sock
        self.refused = refused
        self._admitted = admitted
        self._all = all_
        self._header = ProxyHeader()
        self._loop = asyncio.get_running_loop()
        self._address = ""

    def start(self, address: str) -> None:
        """Look at what comes."""
        self._address = address
        self.sock.setblocking(False)
        self._loop.add_reader(self.sock, self._readable)

    def stop(self) -> None:
        """Look no more."""
        self._loop.remove_reader(self.sock)

    def expired(self) -> None:
        self._fail("timeout")

    def _readable(self) -> None:
        try:
            seen = self.sock.recv(LONGEST, socket.MSG_PEEK)
            if not seen:
                self._fail("left")
                return
            self.sock.recv(self._header.feed(seen))
        except (BlockingIOError, InterruptedError):
            return
        except ProxyHeaderError:
            self._fail("malformed")
        except OSError:
            self._fail("left")
        else:
            if self._header.done:
                self.stop()
                self._all.over(self)
                self._admitted(self.sock, self._header.told)

    def _fail(self, reason: str) -> None:
        self.stop()
        self._all.refuse(self, reason, self._address)
