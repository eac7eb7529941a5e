"""Whoever is slow holds up the other end, and the gateway holds a bounded part of the body between them."""

from __future__ import annotations

import select
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from proxy.stream import HIGH_WATER
from tests.e2e import peers
from tests.e2e.origin_app import PIECE, content_hash
from tests.e2e.peers import MIB, Client, Gateway, Origin

SIZE = 256 * MIB
GROWTH = 8 * MIB  # of the gateway's process, whatever waits in it
SOCKETS = 24 * MIB  # what the four socket buffers between the two ends can grow to


@pytest.fixture(scope="module")
def origin() -> Iterator[Origin]:
    with peers.origin() as running:
        yield running


@pytest.fixture(scope="module")
def gateway(origin: Origin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with peers.gateway(origin, tmp_path_factory.mktemp("gateway")) as running:
        yield running


def settled(figure: Callable[[], int]) -> int:
    """The figure once it has stayed the same for many looks, each of them a request to the origin."""
    last, same = -1, 0
    deadline = time.monotonic() + 20
    while same < 150 and time.monotonic() < deadline:
        now = figure()
        same = same + 1 if now == last else 0
        last = now
    return last


def fill(client: Client) -> int:
    """Send until the connection has taken nothing for a while; gives how much that was in all."""
    sent = 0
    client.sock.setblocking(False)
    while select.select([], [client.sock], [], 0.5)[1]:
        with suppress(BlockingIOError):
            sent += client.sock.send(peers.content_from(sent, SIZE))
    return sent


def test_a_client_that_does_not_read(origin: Origin, gateway: Gateway) -> None:
    gateway.forget_peak()
    before = gateway.memory()
    with Client(gateway.port) as client:
        client.ask("GET", f"/bytes?size={SIZE}&key=unread")
        assert client.head() == 200
        sent = settled(lambda: int(origin.facts("unread", "sent")["sent"]))
        risen = gateway.peak() - before
        print(f"of {SIZE // MIB} MiB the origin could send {sent / MIB:.1f}; risen by {risen / MIB:.1f} MiB")
        assert PIECE <= sent < SOCKETS
        assert risen < GROWTH
        assert client.length_hash() == (SIZE, content_hash(SIZE))
    assert gateway.peak() - before < GROWTH


def test_an_upstream_that_does_not_read(origin: Origin, gateway: Gateway) -> None:
    gateway.forget_peak()
    before = gateway.memory()
    with Client(gateway.port) as client:
        client.ask("POST", "/sink?wait=1&key=untaken", f"Content-Length: {SIZE}")
        sent = fill(client)
        risen = gateway.peak() - before
        print(f"of {SIZE // MIB} MiB the client could send {sent / MIB:.1f}; risen by {risen / MIB:.1f} MiB")
        assert PIECE <= sent < SOCKETS
        assert risen < GROWTH
        origin.release("untaken")
        client.sock.settimeout(60)
        client.upload(SIZE, begin=sent)
        assert client.head() == 200
        assert client.small() == {"size": SIZE, "sha256": content_hash(SIZE)}
    assert gateway.peak() - before < GROWTH


def test_a_hundred_slow_readers(origin: Origin, gateway: Gateway) -> None:
    gateway.forget_peak()
    before = gateway.memory()
    clients = [Client(gateway.port, receive_buffer=4096) for _ in range(100)]
    try:
        for number, client in enumerate(clients):
            client.ask("GET", f"/bytes?size={16 * MIB}&key=slow{number}")
        for client in clients:
            assert client.head() == 200
        settled(lambda: sum(int(origin.facts(f"slow{number}", "sent")["sent"]) for number in range(0, 100, 20)))
        risen = gateway.peak() - before
        print(f"100 slow readers: risen by {risen / MIB:.1f} MiB")
        assert risen < 100 * (HIGH_WATER + PIECE) + GROWTH
    finally:
        for client in clients:
            client.sock.close()
