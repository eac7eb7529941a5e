"""What systemd is told, and what it hands over: readiness, the watchdog, sockets that it bound.

The protocols are sd_notify(3) and sd_listen_fds(3): a datagram to the socket in NOTIFY_SOCKET, and descriptors from 3
on. Without these variables nothing here does anything, so the process is the same under any other supervisor.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import MutableMapping
from contextlib import suppress

from proxy.server.sockets import bind
from proxy.settings import Listener

log = logging.getLogger("passerelle")

_FIRST = 3  # SD_LISTEN_FDS_START


class Notifier:
    """Tells the service manager what state the process is in.

    :param env: the process's environment; NOTIFY_SOCKET and the watchdog's variables are read from it.
    :ivar watchdog: seconds between two signs of life, half of what the manager asks for; None when it asks for none.
    """

    def __init__(self, env: MutableMapping[str, str]) -> None:
        path = env.get("NOTIFY_SOCKET", "")
        self._address = "\0" + path[1:] if path.startswith("@") else path
        self.watchdog = self._interval(env) if path else None

    def ready(self, status: str) -> None:
        """The process serves."""
        self._send(f"READY=1\nMAINPID={os.getpid()}\nSTATUS={status}")

    def reloading(self, now: float) -> None:
        """A reload began. :param now: CLOCK_MONOTONIC in seconds, as the manager asks for it."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={int(now * 1_000_000)}")

    def stopping(self) -> None:
        """It drains."""
        self._send("STOPPING=1\nSTATUS=draining")

    def status(self, text: str) -> None:
        """One line for `systemctl status`."""
        self._send(f"STATUS={text}")

    def alive(self) -> None:
        """The sign of life that the watchdog waits for."""
        self._send("WATCHDOG=1")

    def _send(self, message: str) -> None:
        if not self._address:
            return
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
            sock.connect(self._address)
            sock.sendall(message.encode())

    @staticmethod
    def _interval(env: MutableMapping[str, str]) -> float | None:
        if env.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
            return None
        with suppress(ValueError):
            return int(env.get("WATCHDOG_USEC", "")) / 2_000_000
        return None


def activated(env: MutableMapping[str, str]) -> list[socket.socket]:
    """Sockets that systemd bound for this process, listening already; the variables are taken out of `env`.

    They survive a restart of the process: connections that come meanwhile wait in them, and none is refused.
    """
    pid, count = env.pop("LISTEN_PID", ""), env.pop("LISTEN_FDS", "")
    env.pop("LISTEN_FDNAMES", None)
    if pid != str(os.getpid()) or not count.isdigit():
        return []
    sockets = []
    for number in range(_FIRST, _FIRST + int(count)):
        os.set_inheritable(number, False)
        sock = socket.socket(fileno=number)
        sock.setblocking(False)
        if sock.family in (socket.AF_INET, socket.AF_INET6) and sock.type == socket.SOCK_STREAM:
            sockets.append(sock)
        else:
            log.warning("descriptor %d of the service manager is no TCP socket, and is not used", number)
            sock.close()
    return sockets


class Binder:
    """Gives listeners their sockets: those that the service manager bound for them, and new ones for the others.

    :param given: sockets of an activation.
    """

    def __init__(self, given: list[socket.socket]) -> None:
        self._given = given

    def bind(self, said: Listener) -> list[socket.socket]:
        """The sockets for a listener. :raises CannotBind: when its address is taken or not ours."""
        return take(self._given, said.host, said.port) or bind(said.host, said.port)

    def close(self) -> None:
        """Close those that no listener wanted, with a warning: connections to them would wait for ever."""
        for sock in self._given:
            log.warning("nothing listens on %s, which the service manager bound", sock.getsockname())
            sock.close()
        self._given.clear()


def take(sockets: list[socket.socket], host: str, port: int) -> list[socket.socket]:
    """Those of the activated sockets that stand for an address of the configuration; they leave the list.

    :param host: as `socket.getaddrinfo` takes it; empty for all addresses.
    """
    try:
        found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError:
        return []
    wanted = {(family, address[:2]) for family, _, _, _, address in found}
    taken = [sock for sock in sockets if (sock.family, sock.getsockname()[:2]) in wanted]
    for sock in taken:
        sockets.remove(sock)
    return taken
