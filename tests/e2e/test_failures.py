"""Ends that go, die, stall or lie, with real processes: what the other end gets, and that nothing is left behind."""

from __future__ import annotations

import json
import struct
import time
from collections.abc import Iterator
from socket import SO_LINGER, SOL_SOCKET

import pytest

from tests.e2e import peers
from tests.e2e.origin_app import content_hash
from tests.e2e.peers import MIB, Client, Gateway, Origin

WAIT = 0.5  # seconds that an upstream may be silent, as configured for the gateway here


@pytest.fixture(scope="module")
def origin() -> Iterator[Origin]:
    with peers.origin() as running:
        yield running


@pytest.fixture(scope="module")
def gateway(origin: Origin, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with peers.gateway(origin, tmp_path_factory.mktemp("gateway"), wait=f"{WAIT}s") as running:
        yield running


@pytest.fixture(autouse=True)
def _nothing_is_left(gateway: Gateway) -> Iterator[None]:
    """After each test no exchange runs and no connection to an upstream is busy."""
    yield
    deadline = time.monotonic() + 20
    while (left := busy(gateway)) and time.monotonic() < deadline:
        continue
    assert left == 0


def busy(gateway: Gateway) -> float:
    return gateway.metric("passerelle_requests_active") + sum(
        gateway.metric(f'passerelle_upstream_connections{{upstream="{name}",state="{state}"}}')
        for name in ("origin", "nobody", "nowhere")
        for state in ("busy", "queued")
    )


def left_count(gateway: Gateway) -> float:
    return gateway.metric('passerelle_requests_total{route="all",status="499"}')


def wait_for_left(gateway: Gateway, count: float) -> None:
    """The gateway has counted that many clients that left."""
    deadline = time.monotonic() + 20
    while left_count(gateway) != count and time.monotonic() < deadline:
        continue
    assert left_count(gateway) == count


# clients that leave


@pytest.mark.parametrize("abruptly", [False, True], ids=["fin", "reset"])
@pytest.mark.parametrize("framing", ["", "&chunked=1"], ids=["length", "chunked"])
def test_a_client_leaves_in_the_middle_of_a_download(
    framing: str, abruptly: bool, origin: Origin, gateway: Gateway
) -> None:
    key, before = f"left-down{abruptly}{framing[:4]}".replace("&", "-"), left_count(gateway)
    with Client(gateway.port) as client:
        client.ask("GET", f"/bytes?size={512 * MIB}&key={key}{framing}")
        assert client.head() == 200
        leave(client, abruptly)
    began = time.monotonic()
    assert origin.facts(key, "gone")["gone"]
    assert time.monotonic() - began < 2
    assert origin.facts(key)["sent"] < 512 * MIB
    wait_for_left(gateway, before + 1)


@pytest.mark.parametrize("abruptly", [False, True], ids=["fin", "reset"])
@pytest.mark.parametrize("framing", ["Content-Length: 999999999", "Transfer-Encoding: chunked"])
def test_a_client_leaves_in_the_middle_of_an_upload(
    framing: str, abruptly: bool, origin: Origin, gateway: Gateway
) -> None:
    key, before = f"left-up{abruptly}{framing[:4]}", left_count(gateway)
    with Client(gateway.port) as client:
        client.ask("POST", f"/sink?key={key}", framing)
        client.sock.sendall(b"100000\r\n" + b"x" * 1000000)
        origin.facts(key, "began")
        leave(client, abruptly)
    began = time.monotonic()
    assert origin.facts(key, "gone")["gone"]
    assert time.monotonic() - began < 2
    wait_for_left(gateway, before + 1)


def test_a_client_leaves_while_its_answer_is_awaited(origin: Origin, gateway: Gateway) -> None:
    before = left_count(gateway)
    with Client(gateway.port) as client:
        client.ask("GET", "/silent?key=left-waiting")
        origin.facts("left-waiting", "began")
    origin.release("left-waiting")
    assert origin.facts("left-waiting", "gone")["gone"]
    wait_for_left(gateway, before + 1)


def leave(client: Client, abruptly: bool) -> None:
    if abruptly:
        client.sock.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
    client.sock.close()


# upstreams that die


@pytest.mark.parametrize("target", ["/die/chunked", "/die/length"])
def test_an_answer_that_dies_in_its_body_is_cut(target: str, gateway: Gateway) -> None:
    with Client(gateway.port) as client:
        client.ask("GET", target)
        assert client.head() == 200
        assert client.rest() == (b"5\r\nhello\r\n" if target == "/die/chunked" else b"hello")


def test_an_answer_that_is_reset_in_its_body_is_cut(origin: Origin, gateway: Gateway) -> None:
    with Client(gateway.port) as client:
        client.ask("GET", "/reset?key=reset")
        assert client.head() == 200
        origin.release("reset")
        assert client.rest() == b"hello"


def test_a_large_answer_is_cut_behind_what_came(origin: Origin, gateway: Gateway) -> None:
    with Client(gateway.port) as client:
        client.ask("GET", f"/bytes?size={8 * MIB}&die=1&key=half")
        assert client.head() == 200
        got = client.length_hash()
    assert got == (4 * MIB, content_hash(4 * MIB))


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("target", ["/die/head", "/die/silently"])
def test_dying_before_the_head_is_whole(method: str, target: str, gateway: Gateway) -> None:
    problem(gateway, method, target, 502, "upstream_reset", "connection_terminated")


def test_never_answering(gateway: Gateway) -> None:
    began = time.monotonic()
    problem(gateway, "GET", "/silent", 504, "upstream_timeout", "http_response_timeout")
    assert WAIT <= time.monotonic() - began < WAIT + 2


def test_an_answer_that_stops_is_cut(gateway: Gateway) -> None:
    with Client(gateway.port) as client:
        client.ask("GET", "/stalls")
        assert client.head() == 200
        assert client.rest() == b"5\r\nhello\r\n"


def test_refusing_connections(gateway: Gateway) -> None:
    problem(gateway, "POST", "/nobody", 502, "connection_refused", "connection_refused")


def test_a_name_without_an_address(gateway: Gateway) -> None:
    problem(gateway, "GET", "/nowhere", 502, "dns_error", "dns_error")


def problem(gateway: Gateway, method: str, target: str, status: int, code: str, error: str) -> None:
    """The gateway answers for the upstream, in words for people and machines, and the connection goes on."""
    with Client(gateway.port) as client:
        client.ask(method, target)
        assert client.head() == status
        assert client.fields["proxy-status"].startswith(f"passerelle; error={error};")
        assert client.fields["content-type"] == "application/problem+json"
        said = client.small()
        assert (said["status"], said["code"], said["request_id"]) == (status, code, client.fields["x-request-id"])
        client.held = b""
        client.ask("GET", "/small")
        assert client.head() == 200


def test_ceasing_to_read_an_upload(gateway: Gateway) -> None:
    with Client(gateway.port) as client:
        client.ask("POST", "/silent?key=unread-upload", f"Content-Length: {64 * MIB}")
        client.sock.settimeout(0.1)
        with pytest.raises((TimeoutError, ConnectionError)):
            client.upload(64 * MIB)
        client.sock.settimeout(10)
        assert client.head() == 504
        assert client.fields["connection"] == "close"
        assert json.loads(client.rest())["code"] == "write_timeout"


@pytest.mark.parametrize("size", [1 * MIB, 512 * MIB])
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_an_early_answer_to_an_upload(size: int, chunked: bool, gateway: Gateway) -> None:
    with Client(gateway.port) as client:
        client.ask("POST", "/early", "Transfer-Encoding: chunked" if chunked else f"Content-Length: {size}")
        client.sock.sendall(b"10000\r\n" + b"x" * 10000)
        assert client.head() == 413
        assert client.fields["connection"] == "close"
        assert client.rest() == b"big"
