"""The sockets that a supervisor holds: taken once, handed on where one listener follows another, let go with them."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from proxy.server.doors import bind_listener
from proxy.server.held import Held, close
from proxy.server.sockets import CannotBind
from proxy.settings import Listener, ListenerTls

TLS = ListenerTls.model_construct(certificate=None, key=None)


def listener(port: int, scheme: str = "http") -> Listener:
    return Listener.model_construct(url=f"{scheme}://127.0.0.1:{port}", tls=TLS if scheme == "https" else None)


def number(sock: socket.socket) -> int:
    port: int = sock.getsockname()[1]
    return port


@pytest.fixture
def held() -> Iterator[Held]:
    made = Held(bind_listener)
    yield made
    made.close()


@pytest.fixture
def port(held: Held) -> int:
    """Of a listener that is held, and listens."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        found = number(free)
    held.keep([listener(found)], held.lacking([listener(found)]))
    held.all[f"http://127.0.0.1:{found}"][0].listen()
    return found


def test_what_is_there_is_not_taken_again(held: Held, port: int) -> None:
    assert held.lacking([listener(port)]) == {}
    assert held.url(listener(port)) == f"http://127.0.0.1:{port}"


def test_another_scheme_on_the_same_address_takes_the_socket_over(held: Held, port: int) -> None:
    wanted = [listener(port, "https")]
    added = held.lacking(wanted)
    before = held.all[f"http://127.0.0.1:{port}"][0]
    held.keep(wanted, added)
    assert before.fileno() == -1
    assert held.url(wanted[0]) == f"https://127.0.0.1:{port}"
    with socket.create_connection(("127.0.0.1", port), 5):
        held.all[wanted[0].url][0].accept()[0].close()


def test_a_change_that_is_refused_takes_nothing_away(held: Held, port: int) -> None:
    close(held.lacking([listener(port, "https")]))
    with socket.create_connection(("127.0.0.1", port), 5):
        held.all[f"http://127.0.0.1:{port}"][0].accept()[0].close()


def test_one_socket_is_not_handed_on_twice(held: Held) -> None:
    held.keep([listener(0)], held.lacking([listener(0)]))
    first = number(held.all["http://127.0.0.1:0"][0])
    stays = held.lacking([listener(0), listener(0, "https")])
    assert [number(sock) for sock in stays["https://127.0.0.1:0"]] != [first]
    close(stays)


def test_what_is_removed_is_closed(held: Held, port: int) -> None:
    held.keep([listener(0)], held.lacking([listener(0)]))
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 5)


def test_nothing_is_left_bound_when_one_cannot_be_had(held: Held, port: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        spare = number(free)
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(CannotBind) as told:
        held.lacking([listener(port), listener(spare), listener(number(taken))])
    assert told.value.index == 2
    socket.create_server(("127.0.0.1", spare)).close()
