"""What is left in the socket of a connection that has died."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from proxy.upstream.unread import unread


class Transport(asyncio.BaseTransport):
    def __init__(self, **extra: Any) -> None:
        super().__init__(extra)


@pytest.fixture
def pair() -> Any:
    near, far = socket.socketpair()
    near.setblocking(False)
    with near, far:
        yield near, far


@pytest.mark.parametrize("gone", [True, False], ids=["ended", "open"])
def test_what_is_there_is_read_and_nothing_is_waited_for(gone: bool, pair: Any) -> None:
    near, far = pair
    far.send(b"last words")
    if gone:
        far.close()
    assert b"".join(unread(Transport(socket=near))) == b"last words"


def test_no_more_is_read_than_an_answer_has(pair: Any) -> None:
    near, far = pair
    far.setblocking(False)
    far.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
    sent = 0
    try:
        while sent < 1 << 20:
            sent += far.send(b"x" * 4096)
    except BlockingIOError:
        pass
    assert sum(map(len, unread(Transport(socket=near)))) <= min(sent, 4 * 65536)


def test_bytes_of_tls_are_left_alone(pair: Any) -> None:
    near, far = pair
    far.send(b"ciphertext")
    assert list(unread(Transport(socket=near, ssl_object=object()))) == []


def test_a_transport_without_a_socket_has_nothing() -> None:
    assert list(unread(Transport())) == []


def test_a_socket_that_is_closed_has_nothing(pair: Any) -> None:
    near, _ = pair
    near.close()
    assert list(unread(Transport(socket=near))) == []
