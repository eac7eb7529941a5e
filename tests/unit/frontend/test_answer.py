"""What the head of an answer says that no upstream said."""

from __future__ import annotations

from email.utils import formatdate

import pytest

from tests.unit.frontend.stage import Stage, fetch, get, plays, staged
from tests.wire.client import Client

TOLD = b"HTTP/1.1 200 OK\r\nDate: Tue, 15 Nov 1994 08:12:31 GMT\r\nContent-Length: 0\r\n\r\n"


@pytest.mark.parametrize("target", ["/", "/fixed", "/a%00"])
async def test_date_is_added_where_it_is_missing(target: str, stage: Stage) -> None:
    for _ in range(2):
        reply = await fetch(stage, get(target))
        assert reply.values("date") == [formatdate(int(stage.clock.time()), usegmt=True)]
        stage.pass_time(61)


async def test_date_is_kept_where_it_is_not(stage: Stage) -> None:
    stage.script("/told", plays(TOLD))
    assert (await fetch(stage, get("/told"))).values("date") == ["Tue, 15 Nov 1994 08:12:31 GMT"]


@pytest.mark.parametrize(
    "plugin",
    ["headers: {response: {set: {Date: now}}}", "respond: {body: x, headers: {date: now}}"],
    ids=["set", "own"],
)
async def test_date_is_not_added_to_one_that_a_plugin_wrote(plugin: str) -> None:
    async with staged(plugins=f"{{{plugin}}}") as stage:
        stage.script("/undated", plays(TOLD.replace(b"Date", b"X-Date")))
        for _ in range(2):
            assert (await fetch(stage, get("/undated"))).values("date") == ["now"]


async def test_the_id_is_echoed_and_the_same_one_the_upstream_gets(stage: Stage) -> None:
    reply = await fetch(stage, get("/"))
    assert reply.values("x-request-id") == stage.origin.record.requests[-1].values("x-request-id")


@pytest.mark.parametrize(("method", "status"), [("TRACE", 405), ("CONNECT", 405)])
async def test_methods_that_are_refused_are_told_which_are_not(method: str, status: int, stage: Stage) -> None:
    target = "example.test:80" if method == "CONNECT" else "/"
    reply = await fetch(stage, get(target, method=method))
    assert reply.status == status
    assert "GET" in reply.values("allow")[0]
    assert method not in reply.values("allow")[0]
    assert reply.values("connection") == ["close"]


HINTED = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + TOLD
FLOWING = TOLD.replace(b"Content-Length: 0", b"Transfer-Encoding: chunked") + b"1\r\na\r\n0\r\n\r\n"


@pytest.mark.parametrize(
    ("method", "first"),
    [("GET", TOLD), ("HEAD", TOLD), ("GET", FLOWING), ("GET", HINTED)],
    ids=["small", "head", "flowing", "hinted"],
)
async def test_hints_reach_the_next_request_on_a_connection_too(method: str, first: bytes, stage: Stage) -> None:
    stage.script("/first", plays(first))
    stage.script("/hinted", plays(HINTED))
    async with Client(stage.port) as client:
        for _ in range(2):
            await client.send([get("/first", method=method)])
            assert (await client.answer(method)).status == 200
            await client.send([get("/hinted")])
            reply = await client.answer()
            assert (reply.interim, reply.status) == ([103], 200)
