"""Every limit on what a client may send and on how long it may take: the status, and what becomes of the connection."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import hostile
from tests.e2e.hostile import SHORT, Hostile
from tests.e2e.peers import Client, Gateway

READER = '''
from proxy.api import Answer, Body, Exchange, Plugin, PluginConfig, Response, Services

class Whole(Plugin[PluginConfig]):
    """Holds bodies as a whole, both ways."""

    async def start(self, services: Services) -> None:
        self.limit = services.buffered_body

    async def on_request(self, exchange: Exchange) -> Answer:
        request = exchange.request
        request.body = Body(await request.body.read(self.limit))
        return None

    async def on_response(self, exchange: Exchange) -> Answer:
        response = exchange.response
        if response is not None:
            response.body = Body(await response.body.read(self.limit))
        return None
'''


@pytest.fixture(scope="module")
def origin() -> Iterator[Hostile]:
    with hostile.origin() as running:
        yield running


@pytest.fixture(scope="module")
def gateway(origin: Hostile, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with hostile.gateway(origin, tmp_path_factory.mktemp("gateway")) as running:
        yield running


def head(*, target: str = "/fixed", fields: int = 0, size: int = 0, last: str = "") -> bytes:
    """A request of `size` bytes and `fields` fields, Host included, as far as they are given."""
    lines = [f"GET {target} HTTP/1.1", "Host: example.test"]
    lines += [f"X-{number}: x" for number in range(fields - 1)]
    if size:
        text = "\r\n".join([*lines, "X-Long: ", "", last])
        lines.append("X-Long: " + "x" * (size - len(text)))
    return "\r\n".join([*lines, "", last]).encode()


def refused(gateway: Gateway, said: bytes, status: int, code: str) -> None:
    """The gateway answers with a problem and closes, in good order."""
    with Client(gateway.port) as client:
        client.sock.sendall(said)
        assert client.head() == status
        assert client.fields["connection"] == "close"
        assert client.fields["proxy-status"].startswith("passerelle; error=http_request_")
        problem = json.loads(client.rest())
    assert (problem["status"], problem["code"], problem["request_id"]) == (status, code, client.fields["x-request-id"])


def accepted(gateway: Gateway, said: bytes) -> None:
    with Client(gateway.port) as client:
        client.sock.sendall(said)
        assert client.head() == 200
        assert "connection" not in client.fields


def test_a_head_of_32_kib(gateway: Gateway) -> None:
    accepted(gateway, head(size=32768))
    refused(gateway, head(size=32769), 431, "head_too_large")


def test_a_head_that_is_too_large_is_refused_before_it_ends(gateway: Gateway) -> None:
    refused(gateway, head(size=33000)[:-4], 431, "head_too_large")


def test_a_hundred_fields(gateway: Gateway) -> None:
    accepted(gateway, head(fields=100))
    refused(gateway, head(fields=101), 431, "head_too_large")


def test_a_target_of_8_kib(gateway: Gateway) -> None:
    accepted(gateway, head(target="/fixed?" + "x" * (8192 - 7)))
    refused(gateway, head(target="/fixed?" + "x" * (8193 - 7)), 414, "target_too_long")


def test_a_target_that_is_too_long_is_refused_before_it_ends(gateway: Gateway) -> None:
    refused(gateway, b"GET /" + b"x" * 9000, 414, "target_too_long")


@pytest.mark.parametrize("said", [b"G", b"GET /fixed HTTP/1.1\r\nHost: example.test\r\n"])
def test_a_head_that_does_not_come(said: bytes, gateway: Gateway) -> None:
    began = time.monotonic()
    refused(gateway, said, 408, "request_timeout")
    assert SHORT <= time.monotonic() - began < SHORT + 3


@pytest.mark.parametrize(
    "said",
    [b"Content-Length: 10\r\n\r\nhello", b"Content-Length: 10\r\n\r\n", b"Transfer-Encoding: chunked\r\n\r\n5\r\nhel"],
)
def test_a_body_that_stops(said: bytes, origin: Hostile, gateway: Gateway) -> None:
    origin.handlers["/taken"] = hostile.swallow
    refused(gateway, b"POST /taken HTTP/1.1\r\nHost: example.test\r\n" + said, 408, "request_timeout")


def test_a_whole_upload_may_take_longer_than_a_pause(origin: Hostile, gateway: Gateway) -> None:
    origin.handlers["/patient/upload"] = hostile.take(6)
    began = time.monotonic()
    with Client(gateway.port) as client:
        client.ask("POST", "/patient/upload", "Content-Length: 6")
        client.sock.settimeout(SHORT / 3)
        for _ in range(6):
            with pytest.raises(TimeoutError):  # as nothing comes back, this is the pause between two bytes
                client.sock.recv(1)
            client.sock.sendall(b"x")
        client.sock.settimeout(10)
        assert client.head() == 200
    assert time.monotonic() - began > 1.5 * SHORT


def test_an_idle_connection_is_not_timed_by_the_limit_for_heads(gateway: Gateway) -> None:
    with Client(gateway.port) as client:
        client.sock.settimeout(2 * SHORT)
        with pytest.raises(TimeoutError):
            client.sock.recv(1)
        client.ask("GET", "/fixed")
        assert client.head() == 200


@pytest.fixture(scope="module")
def reading(origin: Hostile, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway with a plugin that holds bodies whole, up to 1000 bytes."""
    home: Path = tmp_path_factory.mktemp("reading")
    (home / "whole.py").write_text('"""Reads bodies."""\n' + READER)
    with hostile.gateway(origin, home, more="limits: {buffered_body: 1000B}", plugins="./whole.py") as running:
        yield running


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
@pytest.mark.parametrize(("size", "status"), [(1000, 200), (1001, 413)])
def test_a_body_that_a_plugin_holds(size: int, status: int, chunked: bool, reading: Gateway) -> None:
    with Client(reading.port) as client:
        client.ask("POST", "/patient/x", "Transfer-Encoding: chunked" if chunked else f"Content-Length: {size}")
        client.sock.sendall(b"%x\r\n%b\r\n0\r\n\r\n" % (size, b"x" * size) if chunked else b"x" * size)
        assert client.head() == status
        if status == 413:
            assert client.small()["code"] == "body_too_large"


@pytest.mark.parametrize(("size", "status"), [(1000, 200), (1001, 502)])
def test_an_answer_that_a_plugin_holds(size: int, status: int, origin: Hostile, reading: Gateway) -> None:
    said = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (size, b"x" * size)
    origin.handlers["/sized"] = lambda sock, head: sock.sendall(said)
    with Client(reading.port) as client:
        client.ask("GET", "/sized")
        assert client.head() == status
        if status == 502:
            assert client.small()["code"] == "response_too_large"
            assert "error=http_response_body_size" in client.fields["proxy-status"]
