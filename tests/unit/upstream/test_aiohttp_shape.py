"""What the transport takes from aiohttp's client, so that an upgrade that changes it says which module to adapt."""

from __future__ import annotations

import asyncio
import importlib
import inspect

import pytest
from aiohttp import ClientTimeout, TCPConnector
from aiohttp.client_exceptions import (
    ClientConnectorCertificateError,
    ClientConnectorDNSError,
    ClientConnectorError,
    ClientSSLError,
)
from aiohttp.client_proto import ResponseHandler
from aiohttp.client_reqrep import ClientRequest
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import HttpResponseParser
from yarl import URL

from proxy.upstream.connector import Connector
from proxy.upstream.head import new_parser
from proxy.upstream.http1 import Connection

C_PARSER = importlib.import_module("aiohttp._http_parser")
HTTP1, CONNECTOR, HEAD = (
    "adapt proxy/upstream/http1.py",
    "adapt proxy/upstream/connector.py",
    "adapt proxy/upstream/head.py",
)


def test_connections_are_made_by_this_method() -> None:
    parameters = inspect.signature(TCPConnector._create_connection).parameters
    assert list(parameters) == ["self", "req", "traces", "timeout"], CONNECTOR
    assert inspect.iscoroutinefunction(TCPConnector._create_connection), CONNECTOR


async def test_connections_are_made_by_the_factory() -> None:
    plain = TCPConnector()
    assert isinstance(plain._factory(), ResponseHandler), CONNECTOR
    await plain.close()
    assert "self._factory" in inspect.getsource(TCPConnector._create_direct_connection), CONNECTOR
    ours = Connector()
    assert isinstance(ours._factory(), Connection), CONNECTOR
    await ours.close()


def test_closing_gives_what_must_be_waited_for() -> None:
    assert list(inspect.signature(TCPConnector._close).parameters) == ["self", "abort_ssl"], CONNECTOR


def test_the_request_that_says_where_to() -> None:
    parameters = inspect.signature(ClientRequest.__init__).parameters
    assert list(parameters)[1:3] == ["method", "url"], CONNECTOR
    assert {"loop", "ssl"} <= set(parameters), CONNECTOR


async def test_what_the_connector_needs_of_that_request() -> None:
    request = ClientRequest("GET", URL("https://h:1"), loop=asyncio.get_running_loop(), ssl=True)
    assert (request.host, request.port, request.is_ssl(), request.proxy) == ("h", 1, True, None), CONNECTOR


def test_errors_are_told_apart() -> None:
    assert issubclass(ClientConnectorDNSError, ClientConnectorError), CONNECTOR
    assert issubclass(ClientConnectorError, OSError), CONNECTOR
    assert issubclass(ClientConnectorCertificateError, ClientSSLError), CONNECTOR


async def test_a_real_connection_is_ours() -> None:
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    url = URL(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    connector = Connector()
    request = ClientRequest("GET", url, loop=asyncio.get_running_loop(), ssl=True)
    made = await connector._create_connection(request, [], ClientTimeout(total=None))
    assert isinstance(made, Connection), CONNECTOR
    made.close()
    await connector.close()
    server.close()


@pytest.mark.parametrize(
    "name",
    ["data_received", "connection_lost", "pause_writing", "resume_writing", "close", "abort", "closed"],
)
def test_what_the_handler_has(name: str) -> None:
    assert hasattr(ResponseHandler, name), f"ResponseHandler has no {name}: {HTTP1}"


async def test_the_handler_holds_what_came_before_anybody_asked() -> None:
    handler = ResponseHandler(asyncio.get_running_loop())
    assert handler.transport is None, HTTP1
    handler.data_received(b"HTTP/1.1 200 OK\r\n")
    assert handler._tail == b"HTTP/1.1 200 OK\r\n", f"`adopt` cannot see that the upstream spoke first: {HTTP1}"
    taken = {"_pool", "_member", "_held", "_silent", "_reader", "_stream", "_gap", "_keep", "_uses", "_stopped"}
    assert not taken & set(vars(handler)), f"aiohttp has attributes of these names now: {HTTP1}"
    assert not {"_sender", "_watch", "_http"} & set(vars(handler)), (
        f"aiohttp has attributes of these names now: {HTTP1}"
    )


def test_the_parser_is_the_one_in_c() -> None:
    assert HttpResponseParser is C_PARSER.HttpResponseParser, f"aiohttp fell back to its parser in Python: {HEAD}"


def test_the_flag_for_strictness() -> None:
    assert C_PARSER.DEBUG in (True, False), f"there is no flag for strictness any more: {HEAD}"
    before = C_PARSER.DEBUG
    new_parser()
    assert C_PARSER.DEBUG is before, HEAD


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\nA: b\n\n",
        b"HTTP/1.1 200 OK\r\nA: b\r\n c\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: b\x01\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n",
    ],
    ids=["bare-lf", "folded", "control", "space-before-colon"],
)
def test_the_flag_makes_the_parser_strict(head: bytes) -> None:
    with pytest.raises(HttpProcessingError):
        new_parser().feed_data(head)
        pytest.fail(f"the parser is lax: {HEAD}")


def test_the_parser_takes_a_thousand_fields_and_no_more() -> None:
    head = b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 1000
    ((message, _),), _, _ = new_parser().feed_data(head + b"\r\n")
    assert len(message.raw_headers) == 1000
    with pytest.raises(HttpProcessingError, match="Too many headers"):
        new_parser().feed_data(head + b"A: b\r\n\r\n")


def test_the_parser_reads_head_after_head_and_no_body() -> None:
    parser = new_parser()
    for length in (b"Content-Length: 5", b"Transfer-Encoding: chunked", b"X-None: 1"):
        messages, upgraded, tail = parser.feed_data(b"HTTP/1.1 200 Fine\r\n" + length + b"\r\n\r\n")
        assert (len(messages), upgraded, tail) == (1, False, b""), f"bodies are skipped no more: {HEAD}"
        message = messages[0][0]
        assert (message.code, message.reason, message.version.minor) == (200, "Fine", 1), HEAD
        assert message.raw_headers == (tuple(length.split(b": ")),), HEAD
