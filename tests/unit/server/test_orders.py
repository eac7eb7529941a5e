"""Sockets that go from one process to another."""

from __future__ import annotations

import socket

import pytest

from proxy.server.orders import HandedOver
from proxy.server.sockets import CannotBind
from proxy.settings import Listener

URL = "http://127.0.0.1:0"


def test_sockets_are_taken_by_their_listener() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        for sock in (one, other):
            socket.send_fds(ours, [b"s"], [sock.fileno()])
        handed = HandedOver(theirs)
        handed.receive([(URL, 2)])
        taken = handed.bind(Listener(url=URL))
        assert [sock.getsockname() for sock in taken] == [one.getsockname(), other.getsockname()]
        assert not any(sock.getblocking() for sock in taken)
        with pytest.raises(CannotBind, match="no socket was handed over"):
            handed.bind(Listener(url=URL))
        for sock in taken:
            sock.close()


def test_what_nobody_took_is_closed() -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs, socket.create_server(("127.0.0.1", 0)) as sock:
        socket.send_fds(ours, [b"s"], [sock.fileno()])
        handed = HandedOver(theirs)
        handed.receive([(URL, 1)])
        handed.close()
        with pytest.raises(CannotBind):
            handed.bind(Listener(url=URL))
