"""The measuring instrument itself: what it takes, what it refuses, and that it waits for what is not whole."""

from __future__ import annotations

import pytest

from tests.wire import strict

HEAD = b"POST /a HTTP/1.1\r\nHost: example.test\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


def test_a_request_by_length_and_what_follows() -> None:
    message, rest = strict.request(HEAD + b"Content-Length: 5\r\n\r\nhelloGET")
    assert (message.line, message.body, rest) == ("POST /a", b"hello", b"GET")
    assert message.values("HOST") == ["example.test"]


def test_a_request_in_chunks() -> None:
    message, rest = strict.request(CHUNKED + b"5\r\nhello\r\na\r\n0123456789\r\n0\r\nA: b\r\n\r\nGET")
    assert (message.body, message.trailers, rest) == (b"hello0123456789", [("A", "b")], b"GET")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        HEAD,
        HEAD + b"\r",
        HEAD + b"Content-Length: 5\r\n\r\nhell",
        CHUNKED,
        CHUNKED + b"5\r\nhello",
        CHUNKED + b"0\r\n",
        CHUNKED + b"0\r\nA: b\r\n",
    ],
)
def test_what_is_not_whole(data: bytes) -> None:
    with pytest.raises(strict.Unfinished):
        strict.request(data)


@pytest.mark.parametrize(
    "data",
    [
        b"GET /a HTTP/1.1\r\n\r\n",
        HEAD + b"Host: other.test\r\n\r\n",
        HEAD + b"X : b\r\n\r\n",
        HEAD + b"X: a\r\n b\r\n\r\n",
        HEAD + b"X: a\nb\r\n\r\n",
        HEAD + b"X: a\x00",
        b"get /a HTTP/1.1\r\nHost: h\r\n\r\n",
        b"GET /a b HTTP/1.1\r\nHost: h\r\n\r\n",
        HEAD + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\n",
        HEAD + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        HEAD + b"Content-Length: +5\r\n\r\n",
        HEAD + b"Transfer-Encoding: Chunked\r\n\r\n",
        CHUNKED + b"5;a\r\n",
        CHUNKED + b"\r\n",
        CHUNKED + b"1\r\nxy\r\n",
        CHUNKED + b"0\r\nA : b\r\n\r\n",
    ],
)
def test_what_no_gateway_may_send(data: bytes) -> None:
    with pytest.raises(strict.Malformed):
        strict.request(data)


def test_an_answer_after_interim_ones() -> None:
    data = b"HTTP/1.1 103 Early Hints\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok!"
    message, rest = strict.answer(data, "GET", False)
    assert (message.status, message.interim, message.body, rest) == (200, [103], b"ok", b"!")


def test_an_answer_until_close() -> None:
    data = b"HTTP/1.1 200 OK\r\n\r\nhello"
    with pytest.raises(strict.Unfinished):
        strict.answer(data, "GET", False)
    assert strict.answer(data, "GET", True)[0].body == b"hello"


@pytest.mark.parametrize(("method", "status"), [("HEAD", b"200"), ("GET", b"304")])
def test_answers_without_a_body(method: str, status: bytes) -> None:
    message, rest = strict.answer(b"HTTP/1.1 " + status + b" X\r\nContent-Length: 5\r\n\r\nnext", method, False)
    assert (message.body, rest) == (b"", b"next")


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.0 200 OK\r\n\r\n",
        b"HTTP/1.1 200\r\n\r\n",
        b"HTTP/1.1 700 OK\r\n\r\n",
        b"HTTP/1.1 204 OK\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 103 OK\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_what_no_gateway_may_answer(data: bytes) -> None:
    with pytest.raises(strict.Malformed):
        strict.answer(data, "GET", True)
