"""The client of plugins: a whole answer or a stream, and every failure as an error of ours."""

from __future__ import annotations

import asyncio
import gzip
import socket
import zlib
from collections.abc import Callable

import pytest

from proxy.build import Runtime
from proxy.errors import (
    BadResponse,
    BodyTooLarge,
    ConnectFailed,
    DnsFailed,
    GatewayError,
    PoolFull,
    UpstreamReset,
    UpstreamTimeout,
)
from proxy.message import Response
from proxy.server.admin_routes import AdminRoutes
from tests.unit.frontend.stage import Holding, Stage, fetch, get, plays, staged, until
from tests.wire.origin import OK, Wire


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


async def test_redirects_are_followed_when_asked(stage: Stage) -> None:
    stage.script("/from", plays(b"HTTP/1.1 302 Found\r\nLocation: /to\r\nSet-Cookie: a=b\r\nContent-Length: 0\r\n\r\n"))
    stage.script("/loop", plays(b"HTTP/1.1 302 Found\r\nLocation: /loop\r\nContent-Length: 0\r\n\r\n"))
    http = stage.gateway.runtime.http
    assert (await http.request("GET", url(stage, "/from"), redirects=1)).body.data == b"ok"
    assert stage.origin.record.requests[-1].values("cookie") == []
    with pytest.raises(BadResponse):
        await http.request("GET", url(stage, "/loop"), redirects=3)
    assert [message.line for message in stage.origin.record.requests[2:]] == ["GET /loop"] * 4


class TestDecoding:
    async def get(self, stage: Stage, body: bytes, coding: bytes = b"gzip", limit: int = 1000) -> Response:
        head = b"HTTP/1.1 200 OK\r\nContent-Encoding: %b\r\nContent-Length: %d\r\n\r\n" % (coding, len(body))
        stage.script("/", plays(head + body))
        return await stage.gateway.runtime.http.request("GET", url(stage, "/"), decode=True, limit=limit)

    @pytest.mark.parametrize(("make", "coding"), [(gzip.compress, b"gzip"), (zlib.compress, b"Deflate")])
    async def test_known_codings(self, make: Callable[[bytes], bytes], coding: bytes, stage: Stage) -> None:
        answer = await self.get(stage, make(b"hello"), coding)
        assert (answer.body.data, answer.headers.get("content-encoding")) == (b"hello", None)

    async def test_an_unknown_coding_stays(self, stage: Stage) -> None:
        answer = await self.get(stage, b"abc", b"br")
        assert (answer.body.data, answer.headers.get("content-encoding")) == (b"abc", "br")

    async def test_a_bomb(self, stage: Stage) -> None:
        with pytest.raises(BodyTooLarge):
            await self.get(stage, gzip.compress(b"0" * 10_000_000), limit=100_000)

    @pytest.mark.parametrize("body", [b"nonsense", gzip.compress(b"hello")[:-6]], ids=["nonsense", "cut"])
    async def test_what_is_not_what_it_says(self, body: bytes, stage: Stage) -> None:
        with pytest.raises(BadResponse):
            await self.get(stage, body)


class TestUpstreams:
    """`upstream://NAME/path` is answered by an upstream of the configuration, through its pool."""

    async def test_its_pool_is_shared_with_clients(self, stage: Stage) -> None:
        http = stage.gateway.runtime.http
        await fetch(stage, get("/"))
        answer = await http.request("PUT", "upstream://origin/a%2Fb?c", headers={"X-B": "3"}, body=b"hello")
        assert (answer.status, answer.body.data) == (200, b"ok")
        assert (stage.pool.created, stage.pool.reused) == (1, 1)
        message = stage.origin.record.requests[-1]
        assert (message.line, message.body, message.values("x-b")) == ("PUT /a%2Fb?c", b"hello", ["3"])
        assert message.values("host") == [f"127.0.0.1:{stage.origin.port}"]
        assert (await http.get("upstream://origin")).status == 200
        assert stage.origin.record.requests[-1].line == "GET /"
        assert stage.count(200) == 1, "a plugin's request is none of a client's"
        assert stage.gateway.engine.active == 0

    async def test_its_limits_and_retries_hold(self) -> None:
        async with staged(upstream="retry: {attempts: 1}, pool: {max_connections: 1, queue: 0}") as stage:
            http = stage.gateway.runtime.http
            answers = iter([b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", OK])

            async def script(wire: Wire) -> bool:
                await wire.send(next(answers))
                return True

            stage.script("/once", script)
            assert (await http.get("upstream://origin/once")).status == 200
            stage.script("/held", holding := Holding())
            async with http.stream("GET", "upstream://origin/") as first:
                assert first.status == 200
            held = asyncio.ensure_future(http.get("upstream://origin/held"))
            await until(lambda: holding.asked)
            with pytest.raises(PoolFull):
                await http.get("upstream://origin/")
            holding.let_go()
            assert (await held).body.data == b"held"

    async def test_what_fails_is_raised(self, stage: Stage) -> None:
        http = stage.gateway.runtime.http
        with pytest.raises(GatewayError, match="no upstream 'none'"):
            await http.get("upstream://none/")
        with pytest.raises(GatewayError, match="not followed"):
            await http.request("GET", "upstream://origin/", redirects=1)
        stage.script("/", plays(b"nonsense\r\n\r\n"))
        with pytest.raises(BadResponse):
            await http.get("upstream://origin/")
        stage.script("/held", holding := Holding())
        with pytest.raises(UpstreamTimeout):
            await http.get("upstream://origin/held", timeout=0.05)
        await until(lambda: stage.pool.open == 0)
        holding.let_go()

    async def test_a_stream_that_is_left_gives_its_connection_back(self, stage: Stage) -> None:
        stage.script("/", plays(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 200_000))
        async with stage.gateway.runtime.http.stream("GET", "upstream://origin/") as answer:
            assert await anext(aiter(answer.body))
            assert stage.pool.open == 1
        await until(lambda: stage.pool.open == 0)
        assert stage.gateway.engine.active == 0

    async def test_before_there_are_any(self) -> None:
        runtime = Runtime(AdminRoutes())
        with pytest.raises(GatewayError, match="not known"):
            await runtime.http.get("upstream://origin/")
        await runtime.close()


async def test_other_places_have_a_limit_of_their_own(stage: Stage) -> None:
    stage.script("/held", holding := Holding())
    http = stage.gateway.runtime.http
    waiting = [asyncio.ensure_future(http.get(url(stage, "/held"))) for _ in range(103)]
    await until(lambda: holding.asked == 100)
    assert (await fetch(stage, get("/"))).status == 200, "clients are not held up by what plugins do"
    assert holding.asked == 100
    holding.let_go(103)
    assert [answer.status for answer in await asyncio.gather(*waiting)] == [200] * 103
