"""Good and bad traffic, mixed, for as long as it is asked for: nothing may pile up in the gateway.

Some seconds in the usual run; `make soak` asks for many minutes by SOAK_SECONDS.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e import peers
from tests.e2e.origin_app import content_hash
from tests.e2e.peers import MIB, Client, Gateway

SECONDS = float(os.environ.get("SOAK_SECONDS", "4"))
WARM_UP = 30  # rounds after which everything that is made once has been made
GROWTH = 4 * MIB
SIZE = 300_000


def download(client: Client) -> None:
    client.ask("GET", f"/bytes?size={SIZE}&key=soak")
    assert client.head() == 200
    assert client.length_hash() == (SIZE, content_hash(SIZE))


def upload(client: Client) -> None:
    client.ask("POST", "/sink?key=soak", "Transfer-Encoding: chunked")
    client.upload(SIZE, chunked=True)
    assert client.head() == 200
    assert client.small() == {"size": SIZE, "sha256": content_hash(SIZE)}


def refused(client: Client) -> None:
    client.ask("GET", "/nobody")
    assert client.head() == 502
    assert client.small()["code"] == "connection_refused"


def cut(client: Client) -> None:
    client.ask("GET", f"/bytes?size={SIZE}&die=1&key=soak")
    assert client.head() == 200
    assert client.length_hash()[0] < SIZE


def leaves(client: Client) -> None:
    client.ask("GET", f"/bytes?size={64 * MIB}&key=soak")
    assert client.head() == 200


def malformed(client: Client) -> None:
    client.ask("GET", "/", "Content-Length: 1", "Content-Length: 2")
    assert client.head() == 400
    assert b"bad_request" in client.rest()


TRAFFIC: tuple[Callable[[Client], None], ...] = (download, upload, refused, cut, leaves, malformed)


def one_round(port: int) -> None:
    for part in TRAFFIC:
        with Client(port) as client:
            part(client)


def left_over(gateway: Gateway) -> float:
    states = [f'passerelle_upstream_connections{{upstream="origin",state="{state}"}}' for state in ("busy", "queued")]
    return sum(gateway.metric(line) for line in ("passerelle_requests_active", *states))


@pytest.mark.soak
@pytest.mark.timeout(SECONDS + 120)
def test_nothing_piles_up(tmp_path: Path) -> None:
    with peers.origin() as origin, peers.gateway(origin, tmp_path) as gateway:
        for _ in range(WARM_UP):
            one_round(gateway.port)
        before, rounds, end = gateway.memory(), 0, time.monotonic() + SECONDS
        while time.monotonic() < end:
            one_round(gateway.port)
            rounds += 1
        grown = gateway.memory() - before
        print(f"{rounds} rounds of {len(TRAFFIC)}: {grown / MIB:+.1f} MiB")
        assert rounds > 0
        assert grown < GROWTH
        patience = time.monotonic() + 5
        while (left := left_over(gateway)) and time.monotonic() < patience:
            continue
        assert left == 0
