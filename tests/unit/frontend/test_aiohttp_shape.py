"""What the front end takes from aiohttp's server, so that an upgrade that changes it says which module to adapt."""

from __future__ import annotations

import asyncio
import importlib
import inspect
from typing import Any

import pytest
from aiohttp import web_protocol, web_server
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import HttpRequestParser, RawRequestMessage
from aiohttp.web_protocol import RequestHandler
from aiohttp.web_request import BaseRequest

from proxy.frontend.http1 import Connection
from proxy.frontend.line import Line

C_PARSER = importlib.import_module("aiohttp._http_parser")
HTTP1, LISTENER, HEAD = (
    "adapt proxy/frontend/http1.py and line.py",
    "adapt proxy/frontend/listener.py",
    "adapt proxy/frontend/head.py",
)


def make_parser(**changes: Any) -> Any:
    """A parser made as the listener makes it."""
    wanted = {
        "max_line_size": 8190,
        "max_field_size": 8190,
        "max_headers": 100,
        "auto_decompress": False,
        "response_with_body": False,
    }
    return HttpRequestParser(None, asyncio.get_running_loop(), 65536, **(wanted | changes))


def test_the_handler_is_made_with_these_arguments() -> None:
    parameters = inspect.signature(RequestHandler.__init__).parameters
    assert list(parameters)[:2] == ["self", "manager"], HTTP1
    assert {"loop", "access_log", "keepalive_timeout"} <= set(parameters), HTTP1
    assert all(parameters[name].kind is inspect.Parameter.KEYWORD_ONLY for name in ("loop", "access_log")), HTTP1


@pytest.mark.parametrize(
    "name",
    [
        "connection_made",
        "connection_lost",
        "eof_received",
        "data_received",
        "pause_writing",
        "resume_writing",
        "close",
    ],
)
def test_what_is_overridden_is_there(name: str) -> None:
    assert callable(getattr(RequestHandler, name, None)), f"RequestHandler has no {name}: {HTTP1}"
    assert name in vars(Connection) or name in vars(Line), (
        f"{name} is aiohttp's own again, which starts its task: {HTTP1}"
    )


def test_the_protocol_has_slots_and_a_transport() -> None:
    slots = {slot for kind in RequestHandler.__mro__ for slot in getattr(kind, "__slots__", ())}
    assert "transport" in slots, HTTP1
    taken = slots & {*Connection.__slots__, *Line.__slots__}
    assert not taken, f"aiohttp has slots of these names now: {taken}; {HTTP1}"
    assert issubclass(RequestHandler, BaseProtocol), HTTP1


def test_no_task_is_begun_but_by_connection_made() -> None:
    """The handler's own task is made there and nowhere else, and ours does not call it."""
    makers = [
        name
        for name, function in vars(RequestHandler).items()
        if inspect.isfunction(function) and "_task_handler = " in inspect.getsource(function)
    ]
    assert "connection_made" in makers, HTTP1
    assert set(makers) <= {"connection_made", "connection_lost", "shutdown", "start"}, HTTP1


async def test_the_server_makes_handlers_by_being_called() -> None:
    async def handler(request: BaseRequest) -> Any:
        raise AssertionError(request)

    server = web_server.Server(handler)
    made = server()
    assert isinstance(made, web_protocol.RequestHandler), LISTENER
    assert server._loop is asyncio.get_running_loop(), LISTENER
    server.connection_lost(made)  # one that was never announced, as ours are not: no error
    assert server.connections == [], LISTENER


async def test_the_parser_is_the_one_in_c() -> None:
    assert HttpRequestParser is C_PARSER.HttpRequestParser, f"aiohttp fell back to its parser in Python: {LISTENER}"


async def test_the_parser_reads_head_after_head_and_no_body() -> None:
    parser = make_parser()
    for length in (b"Content-Length: 5", b"Transfer-Encoding: chunked", b"X-None: 1"):
        messages, upgraded, tail = parser.feed_data(b"POST /a?b HTTP/1.1\r\nHost: h\r\n" + length + b"\r\n\r\n")
        assert (len(messages), upgraded, tail) == (1, False, b""), f"bodies are skipped no more: {LISTENER}"


async def test_what_a_parsed_head_tells() -> None:
    messages, _, _ = make_parser().feed_data(b"PUT /a%C3%A9?b HTTP/1.0\r\nHost: h\r\nX-A:  \xff \r\n\r\n")
    message = messages[0][0]
    assert isinstance(message, RawRequestMessage), HEAD
    assert (message.method, message.version.major, message.version.minor) == ("PUT", 1, 0), HEAD
    assert message.path == "/a%C3%A9?b", f"the target is not lossless: {HEAD}"
    assert message.raw_headers == ((b"Host", b"h"), (b"X-A", b"\xff")), HEAD
    assert message.should_close is True, HEAD


async def test_keep_alive_as_the_parser_tells_it() -> None:
    def close(head: bytes) -> bool:
        return bool(make_parser().feed_data(head)[0][0][0].should_close)

    assert not close(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"), HEAD
    assert close(b"GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"), HEAD
    assert not close(b"GET / HTTP/1.0\r\nHost: h\r\nConnection: keep-alive\r\n\r\n"), HEAD


@pytest.mark.parametrize(
    "head",
    [b"GET / HTTP/1.1\nHost: h\r\n\r\n", b"NOSUCH / HTTP/1.1\r\nHost: h\r\n\r\n", b"GET / HTTP/1.1\r\nA : b\r\n\r\n"],
)
async def test_refusals_are_raised(head: bytes) -> None:
    with pytest.raises(HttpProcessingError):
        make_parser().feed_data(head)
