"""Clients that mean harm, on raw sockets, against the real command.

Each test says what the attacker gets, that the gateway's memory stays bounded, and that a client like any other is
served meanwhile.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest

from tests.e2e import hostile
from tests.e2e.hostile import SHORT, Hostile, bounded, send_all, serves
from tests.e2e.origin_app import PATIENCE
from tests.e2e.peers import MIB, Client, Gateway

CHUNKED = b"POST /upload HTTP/1.1\r\nHost: example.test\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(scope="module")
def origin() -> Iterator[Hostile]:
    with hostile.origin() as running:
        running.handlers["/upload"] = hostile.swallow
        yield running


@pytest.fixture(scope="module")
def gateway(origin: Hostile, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with hostile.gateway(origin, tmp_path_factory.mktemp("gateway")) as running:
        yield running


def flood(client: Client, piece: bytes, most: int) -> int:
    """Send without reading until nothing is taken any more; gives how much that was."""
    sent = 0
    client.sock.setblocking(False)
    view = memoryview(piece)
    while sent < most and select.select([], [client.sock], [], SHORT / 2)[1]:
        try:
            sent += client.sock.send(view[sent % len(piece) :])
        except BlockingIOError:
            continue
        except OSError:
            break
    client.sock.settimeout(PATIENCE)
    return sent


def test_a_header_bomb(gateway: Gateway) -> None:
    """Fields without end: refused at the limit, whatever still comes is thrown away and then the connection cut."""
    with bounded(gateway), ExitStack() as stack:
        for _ in range(20):
            client = stack.enter_context(Client(gateway.port))
            client.sock.sendall(b"GET / HTTP/1.1\r\nHost: example.test\r\n")
            send_all(client, b"X-A: b\r\n" * 500000)
            assert client.head() in (431, 0)  # 0: it was cut while it sent on, and so did not read
            assert not client.rest().startswith(b"HTTP/")
        serves(gateway)


def test_a_head_byte_by_byte(gateway: Gateway) -> None:
    with bounded(gateway), Client(gateway.port) as client:
        client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with suppress(OSError):  # it is answered in the middle
            for byte in b"GET / HTTP/1.1\r\nHost: example.test\r\nX-Long: " + b"x" * 40000:
                client.sock.send(bytes((byte,)))
        assert client.head() in (408, 431)


def test_slow_loris(gateway: Gateway) -> None:
    """Many heads that never end: each is refused after the limit, though a byte comes now and then."""
    with bounded(gateway), ExitStack() as stack:
        clients = [stack.enter_context(Client(gateway.port)) for _ in range(300)]
        for client in clients:
            client.sock.sendall(b"GET /fixed HTTP/1.1\r\nHost: example.test\r\n")
        serves(gateway)
        for client in clients:
            send_all(client, b"X-A: b\r\n")
        serves(gateway)
        for client in clients:
            assert client.head() == 408
            assert client.fields["connection"] == "close"


def test_slow_posts(gateway: Gateway) -> None:
    """Many bodies that stop: each is refused, and its upstream let go."""
    with bounded(gateway), ExitStack() as stack:
        clients = [stack.enter_context(Client(gateway.port)) for _ in range(60)]
        for client in clients:
            client.ask("POST", "/upload", "Content-Length: 1000000")
            client.sock.sendall(b"x")
        serves(gateway)
        for client in clients:
            assert client.head() == 408
            assert client.fields["connection"] == "close"


def test_a_pipelined_flood_that_nobody_reads(gateway: Gateway) -> None:
    """Requests without end whose answers are not taken: no more is read, and after the limit the client is cut."""
    with bounded(gateway), Client(gateway.port, receive_buffer=4096) as client:
        sent = flood(client, b"GET /fixed HTTP/1.1\r\nHost: example.test\r\n\r\n" * 5000, 512 * MIB)
        assert sent < 64 * MIB  # what the buffers of the two systems take
        serves(gateway)
        assert cut(client)


def cut(client: Client) -> bool:
    """Whether the gateway ends the connection without its being read to the end first."""
    poll = select.poll()
    poll.register(client.sock, select.POLLHUP | select.POLLERR)
    return bool(poll.poll(PATIENCE * 1000))


@pytest.mark.parametrize("framing", ["", "chunked"])
def test_a_reader_that_stops(framing: str, origin: Hostile, gateway: Gateway) -> None:
    """An answer that is not taken is held up, and after the limit the client is cut and the upstream let go."""
    gone: list[bool] = []

    def endless(sock: socket.socket, head: bytes) -> None:
        sock.sendall(b"HTTP/1.1 200 OK\r\n")
        sock.sendall(b"Transfer-Encoding: chunked\r\n\r\n" if framing else b"Content-Length: 99999999999\r\n\r\n")
        piece = b"10000\r\n%b\r\n" % (b"x" * 65536) if framing else b"x" * 65536
        try:
            while True:
                sock.sendall(piece)
        except OSError:
            gone.append(True)
            raise

    origin.handlers["/endless"] = endless
    with bounded(gateway), Client(gateway.port, receive_buffer=4096) as client:
        client.ask("GET", "/endless")
        assert client.head() == 200
        assert cut(client)
        while not gone:
            serves(gateway, 1)


def test_a_reader_that_is_slow_is_not_one_that_stops(origin: Hostile, gateway: Gateway) -> None:
    """Who takes some bytes within each limit gets the whole, though a whole buffer takes many times as long."""
    size = 8 * MIB
    origin.handlers["/patient/large"] = lambda sock, head: sock.sendall(
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size
    )
    with Client(gateway.port, receive_buffer=65536) as client:
        client.ask("GET", "/patient/large")
        assert client.head() == 200
        taken = len(client.held)
        never = select.poll()
        for _ in range(24):  # 3 s, in which some 2 MiB are taken: less than what the systems' buffers hold
            never.poll(SHORT * 1000 / 4)
            taken += len(client.sock.recv(98304))
        assert taken < size / 2
        while taken < size and (data := client.receive()):
            taken += len(data)
    assert taken == size


def test_chunks_of_one_byte(origin: Hostile, gateway: Gateway) -> None:
    """Framed anew, so that the upstream's cost is not the client's to choose; and served all the same."""
    origin.handlers["/upload/small"] = hostile.take(100)
    with bounded(gateway), Client(gateway.port) as client:
        client.ask("POST", "/upload/small", "Transfer-Encoding: chunked")
        for _ in range(20):
            client.sock.sendall(b"1\r\nx\r\n" * 10000)
            serves(gateway, 2)
        client.sock.sendall(b"0\r\n\r\n")
        assert client.head() == 200


@pytest.mark.parametrize(
    ("said", "piece"),
    [
        (b"5;a=", b"x" * 65536),
        (b"", b"1;" + b"x" * 4000 + b"\r\ny\r\n"),
        (b"0\r\n", b"X-A: b\r\n" * 8192),
        (b"0\r\nX-A: ", b"x" * 65536),
        (b"0" * 4096, b"0" * 65536),
    ],
    ids=["extension", "extensions", "trailers", "trailer", "size"],
)
def test_what_surrounds_chunks_is_bounded(said: bytes, piece: bytes, gateway: Gateway) -> None:
    with bounded(gateway), Client(gateway.port) as client:
        client.sock.sendall(CHUNKED + said)
        flood(client, piece, 16 * MIB)  # what comes behind the refusal is thrown away for a moment
        assert client.head() == 400
        assert client.fields["connection"] == "close"
        serves(gateway)


def test_connections_that_come_and_go(gateway: Gateway) -> None:
    with bounded(gateway):
        for number in range(1500):
            with socket.create_connection(("127.0.0.1", gateway.port)) as sock:
                if number % 3:
                    sock.sendall(b"GET /fixed HTTP/1.1\r\nHost: example.test\r\n\r\n"[: 10 * number % 60])
        serves(gateway)
