"""The client of plugins: a whole answer or a stream, and every failure as an error of ours."""

from __future__ import annotations

import socket

import pytest

from proxy.errors import (
    BadResponse,
    BodyTooLarge,
    ConnectFailed,
    DnsFailed,
    GatewayError,
    UpstreamReset,
    UpstreamTimeout,
)
from tests.unit.frontend.stage import Holding, Stage, plays


def url(stage: Stage, path: str) -> str:
    return f"http://127.0.0.1:{stage.origin.port}{path}"


async def test_an_answer_is_read_whole(stage: Stage) -> None:
    stage.script("/a%20b?c", plays(b"HTTP/1.1 404 Gone Fishing\r\nX-A: 1\r\nX-A: 2\r\nContent-Length: 3\r\n\r\nabc"))
    answer = await stage.gateway.runtime.http.get(url(stage, "/a%20b?c"), headers={"X-B": "3"})
    assert (answer.status, answer.reason, answer.body.data) == (404, "Gone Fishing", b"abc")
    assert answer.headers.getall("x-a") == ["1", "2"]
    (message,) = stage.origin.record.requests
    assert (message.line, message.values("x-b"), message.values("user-agent")) == ("GET /a%20b?c", ["3"], [])


async def test_a_body_is_posted(stage: Stage) -> None:
    assert (await stage.gateway.runtime.http.post(url(stage, "/"), b"hello")).status == 200
    (message,) = stage.origin.record.requests
    assert (message.line, message.body) == ("POST /", b"hello")


async def test_redirects_are_not_followed_and_cookies_not_kept(stage: Stage) -> None:
    stage.script("/from", plays(b"HTTP/1.1 302 Found\r\nLocation: /to\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n"))
    http = stage.gateway.runtime.http
    assert (await http.get(url(stage, "/from"))).status == 302
    await http.get(url(stage, "/next"))
    assert [message.line for message in stage.origin.record.requests] == ["GET /from", "GET /next"]
    assert stage.origin.record.requests[-1].values("cookie") == []


async def test_encoded_bodies_stay_encoded(stage: Stage) -> None:
    stage.script("/", plays(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc"))
    assert (await stage.gateway.runtime.http.get(url(stage, "/"))).body.data == b"abc"


async def test_connections_are_shared_and_reused(stage: Stage) -> None:
    for _ in range(3):
        await stage.gateway.runtime.http.get(url(stage, "/"))
    assert len(stage.wires) == 1


async def test_a_stream_is_read_piece_by_piece(stage: Stage) -> None:
    holding = Holding(b"world", first=b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello")
    stage.script("/", holding)
    async with stage.gateway.runtime.http.stream("GET", url(stage, "/")) as answer:
        pieces = aiter(answer.body)
        assert (answer.body.size, await anext(pieces)) == (10, b"hello")
        holding.let_go()
        assert b"".join([piece async for piece in pieces]) == b"world"


async def test_more_than_the_limit_is_refused(stage: Stage) -> None:
    stage.script("/", plays(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"))
    with pytest.raises(BodyTooLarge):
        await stage.gateway.runtime.http.request("GET", url(stage, "/"), limit=4)


async def test_silence_is_a_timeout(stage: Stage) -> None:
    stage.script("/", holding := Holding())
    with pytest.raises(UpstreamTimeout):
        await stage.gateway.runtime.http.get(url(stage, "/"), timeout=0.05)
    holding.let_go()


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (b"", UpstreamReset),
        (b"nonsense\r\n\r\n", BadResponse),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", BadResponse),
    ],
    ids=["nothing", "nonsense", "half"],
)
async def test_broken_answers(answer: bytes, error: type[GatewayError], stage: Stage) -> None:
    stage.script("/", plays(answer, then="close"))
    with pytest.raises(error):
        await stage.gateway.runtime.http.get(url(stage, "/"))


async def test_no_connection(stage: Stage) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        with pytest.raises(ConnectFailed) as raised:
            await stage.gateway.runtime.http.get(f"http://127.0.0.1:{sock.getsockname()[1]}/")
    assert not isinstance(raised.value, DnsFailed)


async def test_no_address(stage: Stage) -> None:
    with pytest.raises(DnsFailed):
        await stage.gateway.runtime.http.get("http://no-such-name.invalid/")


@pytest.mark.parametrize("url", ["no url", "/path", "ftp://127.0.0.1/"])
async def test_what_is_no_url(url: str, stage: Stage) -> None:
    with pytest.raises(GatewayError):
        await stage.gateway.runtime.http.get(url)
