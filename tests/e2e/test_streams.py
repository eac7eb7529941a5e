"""Answers that take their time: events one by one, long polls, no known length, parts, and a very large one."""

from __future__ import annotations

import os
import queue
import select
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import hostile, peers
from tests.e2e.hostile import Hostile, serves
from tests.e2e.origin_app import PATIENCE, content_hash
from tests.e2e.peers import MIB, Client, Gateway

EVENTS = 50
PAUSE = 1.5  # seconds; longer than `between_bytes` of the upstream here
LARGE = (10 * 1024 if "SOAK_SECONDS" in os.environ else 256) * MIB
EVENT_STREAM = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"


@pytest.fixture(scope="module")
def origin() -> Iterator[Hostile]:
    with hostile.origin() as running:
        yield running


@pytest.fixture(scope="module")
def gateway(origin: Hostile, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with hostile.gateway(origin, tmp_path_factory.mktemp("gateway")) as running:
        yield running


class Told:
    """A handler that says what the test tells it, when the test tells it; None ends the answer."""

    def __init__(self, head: bytes) -> None:
        self._head = head
        self._pieces: queue.Queue[bytes | None] = queue.Queue()

    def __call__(self, sock: socket.socket, head: bytes) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.sendall(self._head)
        while (piece := self._pieces.get(timeout=PATIENCE)) is not None:
            sock.sendall(piece)

    def say(self, piece: bytes | None) -> None:
        """Send this now."""
        self._pieces.put(piece)


def nothing_comes(client: Client, seconds: float) -> None:
    """The answer neither goes on nor ends for so long."""
    assert not select.select([client.sock], [], [], seconds)[0]


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


@pytest.mark.parametrize("framing", ["chunked", "close"])
def test_each_event_arrives_before_the_next_is_sent(framing: str, origin: Hostile, gateway: Gateway) -> None:
    """Nothing is held back: of what was sent all has arrived, and it is framed anew as chunks."""
    told = Told(EVENT_STREAM + (b"Transfer-Encoding: chunked\r\n\r\n" if framing == "chunked" else b"\r\n"))
    origin.handlers["/events"] = told
    latencies = []
    with Client(gateway.port) as client:
        client.ask("GET", "/events", "Accept: text/event-stream")
        assert client.head() == 200
        assert client.fields["transfer-encoding"] == "chunked"
        for number in range(EVENTS):
            event = b"id: %d\ndata: %b\n\n" % (number, b"x" * number)
            began = time.perf_counter()
            told.say(chunk(event) if framing == "chunked" else event)
            assert exactly(client, len(chunk(event))) == chunk(event)
            latencies.append(time.perf_counter() - began)
        if framing == "chunked":
            told.say(b"0\r\n\r\n")
        told.say(None)
        assert exactly(client, 5) == b"0\r\n\r\n"
    latencies.sort()
    print(f"an event takes {latencies[EVENTS // 2] * 1e3:.2f} ms from end to end, {latencies[-1] * 1e3:.2f} ms at most")


def exactly(client: Client, size: int) -> bytes:
    """The next bytes of a body, as they stand on the wire."""
    while len(client.held) < size:
        data = client.receive()
        assert data, "the answer ended too soon"
        client.held += data
    found, client.held = client.held[:size], client.held[size:]
    return found


def test_events_may_be_far_apart(origin: Hostile, gateway: Gateway) -> None:
    """There is no read limit on events, whatever the upstream's `between_bytes`; others are served meanwhile."""
    origin.handlers["/far"] = told = Told(EVENT_STREAM + b"Content-Length: 20\r\n\r\n")
    with Client(gateway.port) as client:
        client.ask("GET", "/far")
        assert client.head() == 200
        told.say(b"data: one\n")
        assert exactly(client, 10) == b"data: one\n"
        nothing_comes(client, PAUSE)
        serves(gateway)
        told.say(b"data: two\n")
        assert exactly(client, 10) == b"data: two\n"
        told.say(None)


def test_a_long_poll_on_a_route_with_patience(origin: Hostile, gateway: Gateway) -> None:
    """A pause longer than the upstream's `between_bytes` is fine where a route allows it."""
    origin.handlers["/patient/poll"] = told = Told(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n")
    with Client(gateway.port) as client:
        client.ask("GET", "/patient/poll")
        assert client.head() == 200
        told.say(b"wait")
        assert exactly(client, 4) == b"wait"
        nothing_comes(client, PAUSE)
        told.say(b"here")
        assert exactly(client, 4) == b"here"
        told.say(None)


def test_the_same_long_poll_is_cut_on_any_other_route(origin: Hostile, gateway: Gateway) -> None:
    origin.handlers["/poll"] = told = Told(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n")
    with Client(gateway.port) as client:
        client.ask("GET", "/poll")
        assert client.head() == 200
        told.say(b"wait")
        assert client.rest() == b"wait"
    told.say(None)


def test_pieces_without_a_length_pass_at_once(origin: Hostile, gateway: Gateway) -> None:
    origin.handlers["/pieces"] = told = Told(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    with Client(gateway.port) as client:
        client.ask("GET", "/pieces")
        assert client.head() == 200
        for piece in (b"a", b"bc" * 40000, b"d"):
            told.say(chunk(piece))
            assert unchunked(client, len(piece)) == piece
        told.say(b"0\r\n\r\n")
        told.say(None)
        assert exactly(client, 5) == b"0\r\n\r\n"


def unchunked(client: Client, size: int) -> bytes:
    """The next content bytes, however they are cut into chunks."""
    found = b""
    while len(found) < size:
        line = b""
        while not line.endswith(b"\r\n"):
            line += exactly(client, 1)
        found += exactly(client, int(line, 16))
        assert exactly(client, 2) == b"\r\n"
    return found


@pytest.mark.parametrize("wanted", ["bytes=2-4", "bytes=0-0,-1", "bytes=9-"])
def test_ranges_are_between_the_two_ends(wanted: str, origin: Hostile, gateway: Gateway) -> None:
    """Range and If-Range go to the upstream, its 206 and 416 come back, byte for byte."""
    asked: list[bytes] = []
    status = b"416 Range Not Satisfiable" if wanted == "bytes=9-" else b"206 Partial Content"
    part = b'Content-Range: bytes 2-4/9\r\nAccept-Ranges: bytes\r\nETag: "a"\r\nContent-Length: 3\r\n\r\nabc'

    def handler(sock: socket.socket, head: bytes) -> None:
        asked.append(head)
        sock.sendall(b"HTTP/1.1 " + status + b"\r\n" + part)

    origin.handlers["/ranged"] = handler
    with Client(gateway.port) as client:
        client.ask("GET", "/ranged", f"Range: {wanted}", 'If-Range: "a"')
        assert client.head() == int(status[:3])
        assert client.fields["content-range"] == "bytes 2-4/9"
        assert client.fields["content-length"] == "3"
        assert exactly(client, 3) == b"abc"
    assert f"\r\nRange: {wanted}\r\n".encode() in asked[0]
    assert b'\r\nIf-Range: "a"\r\n' in asked[0]


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_a_body_of_ten_gibibytes(tmp_path: Path) -> None:
    """In the usual run it is a smaller one; `make soak` asks for the whole."""
    with peers.origin() as upstream, peers.gateway(upstream, tmp_path) as gateway, Client(gateway.port) as client:
        client.ask("GET", "/small")
        assert client.head() == 200
        client.small()
        client.held = b""
        gateway.forget_peak()
        before, began = gateway.memory(), time.monotonic()
        client.ask("GET", f"/bytes?size={LARGE}")
        assert client.head() == 200
        assert client.length_hash() == (LARGE, content_hash(LARGE))
        risen, took = gateway.peak() - before, time.monotonic() - began
        print(
            f"{LARGE // MIB} MiB in {took:.0f} s: {before / MIB:.1f} MiB before, risen by {risen / MIB:.1f} MiB at most"
        )
        assert risen < 16 * MIB
