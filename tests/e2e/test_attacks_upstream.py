"""Upstreams that mean harm: what the client gets, that memory stays bounded, and that others are served meanwhile."""

from __future__ import annotations

import json
import select
import socket
import time
from collections.abc import Callable, Iterator

import pytest

from tests.e2e import hostile
from tests.e2e.hostile import Hostile, bounded, serves
from tests.e2e.peers import Client, Gateway


@pytest.fixture(scope="module")
def origin() -> Iterator[Hostile]:
    with hostile.origin() as running:
        yield running


@pytest.fixture(scope="module")
def gateway(origin: Hostile, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    with hostile.gateway(origin, tmp_path_factory.mktemp("gateway")) as running:
        yield running


def endless(first: bytes, piece: bytes) -> hostile.Handler:
    """Says something, and then something else without end."""

    def handler(sock: socket.socket, head: bytes) -> None:
        sock.sendall(first)
        while True:
            sock.sendall(piece)

    return handler


def dripping(first: bytes, piece: bytes) -> hostile.Handler:
    """Says something, and then something else every 0.2 s."""

    def handler(sock: socket.socket, head: bytes) -> None:
        sock.sendall(first)
        while not select.select([sock], [], [], 0.2)[0]:
            sock.sendall(piece)

    return handler


def bad(origin: Hostile, gateway: Gateway, handler: hostile.Handler, status: int, code: str, error: str) -> None:
    """Any number of interim answers, then a problem; the client's connection goes on."""
    origin.handlers["/bad"] = handler
    with bounded(gateway), Client(gateway.port) as client:
        client.ask("GET", "/bad")
        while client.head() < 200:
            assert client.status in (102, 103)
        assert client.status == status
        assert client.fields["proxy-status"].startswith(f"passerelle; error={error};")
        assert client.small()["code"] == code
        client.held = b""
        client.ask("GET", "/fixed")
        assert client.head() == 200


def test_a_head_without_end(origin: Hostile, gateway: Gateway) -> None:
    handler = endless(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n" * 1000)
    bad(origin, gateway, handler, 502, "response_head_too_large", "http_response_header_section_size")


def test_a_line_without_end(origin: Hostile, gateway: Gateway) -> None:
    handler = endless(b"HTTP/1.1 200 ", b"x" * 65536)
    bad(origin, gateway, handler, 502, "response_head_too_large", "http_response_header_section_size")


@pytest.mark.parametrize("interim", [b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", b"HTTP/1.1 102 P\r\n\r\n"])
def test_interim_answers_without_end(interim: bytes, origin: Hostile, gateway: Gateway) -> None:
    bad(origin, gateway, endless(b"", interim * 50), 502, "bad_response", "http_protocol_error")


def test_interim_answers_for_a_client_that_does_not_read(origin: Hostile, gateway: Gateway) -> None:
    large = b"HTTP/1.1 103 Early Hints\r\nLink: " + b"x" * 60000 + b"\r\n\r\n"
    origin.handlers["/hints"] = endless(b"", large)
    with bounded(gateway), Client(gateway.port, receive_buffer=4096) as client:
        client.ask("GET", "/hints")
        serves(gateway)
        while client.head() == 103:
            pass
        assert client.status == 502


def test_a_head_that_drips(origin: Hostile, gateway: Gateway) -> None:
    """Bytes of a head do not renew the patience for it."""
    began = time.monotonic()
    handler = dripping(b"HTTP/1.1 200 OK\r\n", b"X-A: b\r\n")
    bad(origin, gateway, handler, 504, "upstream_timeout", "http_response_timeout")
    assert time.monotonic() - began < 5


def test_interim_answers_that_drip(origin: Hostile, gateway: Gateway) -> None:
    handler = dripping(b"", b"HTTP/1.1 102 Processing\r\n\r\n")
    bad(origin, gateway, handler, 504, "upstream_timeout", "http_response_timeout")


def test_a_body_that_drips_is_passed_on_as_it_comes(origin: Hostile, gateway: Gateway) -> None:
    """There is no limit on a whole answer; each byte arrives, and others are served between them."""
    origin.handlers["/drip"] = dripping(b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n", b"x")
    with bounded(gateway), Client(gateway.port) as client:
        client.ask("GET", "/drip")
        assert client.head() == 200
        for _ in range(8):
            assert client.receive() == b"x"
            serves(gateway, 2)


# a failure behind the head: the client can tell, by each framing

CUT: list[tuple[bytes, str, Callable[[bytes], bool]]] = [
    (b"Content-Length: 10\r\n\r\nhello", "1.1", lambda got: got == b"hello"),
    (b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n", "1.1", lambda got: got == b"5\r\nhello\r\n"),
    (b"Content-Length: 10\r\n\r\nhello", "1.0", lambda got: got == b"hello"),
]


@pytest.mark.parametrize(("said", "version", "is_cut"), CUT, ids=["length", "chunked", "length to 1.0"])
def test_an_answer_that_fails_is_cut(
    said: bytes, version: str, is_cut: Callable[[bytes], bool], origin: Hostile, gateway: Gateway
) -> None:
    """Shorter than its length, or without its last chunk: and nothing of an error page behind it."""
    origin.handlers["/cut"] = lambda sock, head: sock.sendall(b"HTTP/1.1 200 OK\r\n" + said)
    with Client(gateway.port) as client:
        client.sock.sendall(f"GET /cut HTTP/{version}\r\nHost: a\r\n\r\n".encode())
        assert client.head() == 200
        assert is_cut(client.rest())


def test_an_answer_until_close_that_fails_is_reset(origin: Hostile, gateway: Gateway) -> None:
    """To HTTP/1.0 a chunked answer goes until close: an orderly end would say that it is whole."""
    origin.handlers["/cut"] = lambda sock, head: sock.sendall(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"
    )
    with Client(gateway.port) as client:
        client.sock.sendall(b"GET /cut HTTP/1.0\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            while client.sock.recv(65536):
                pass


def test_an_answer_until_close_that_is_whole_ends_in_good_order(origin: Hostile, gateway: Gateway) -> None:
    origin.handlers["/whole"] = lambda sock, head: sock.sendall(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    )
    with Client(gateway.port) as client:
        client.sock.sendall(b"GET /whole HTTP/1.0\r\n\r\n")
        got = b""
        while data := client.sock.recv(65536):
            got += data
    assert got.endswith(b"\r\n\r\nhello")


def test_an_error_to_head_has_no_body(origin: Hostile, gateway: Gateway) -> None:
    origin.handlers["/dies"] = lambda sock, head: None
    with Client(gateway.port) as client:
        client.ask("HEAD", "/dies")
        assert client.head() == 502
        assert client.fields["content-type"] == "application/problem+json"
        assert int(client.fields["content-length"]) > 100
        client.ask("GET", "/fixed")
        assert client.head() == 200


def test_an_error_page_for_a_browser(origin: Hostile, gateway: Gateway) -> None:
    origin.handlers["/dies"] = lambda sock, head: None
    with Client(gateway.port) as client:
        client.ask("GET", "/dies", "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")
        assert client.head() == 502
        assert client.fields["content-type"] == "text/html; charset=utf-8"
        assert client.fields["x-request-id"].encode() in client.held
        client.held = b""
        client.ask("GET", "/dies", "Accept: application/json")
        assert client.head() == 502
        assert json.loads(client.held)["request_id"] == client.fields["x-request-id"]
