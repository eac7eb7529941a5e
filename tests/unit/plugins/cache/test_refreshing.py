from __future__ import annotations

import asyncio
from typing import Any

import pytest

from proxy.message import Response


def stale(body: str = "old", **fields: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    control = "max-age=1, stale-while-revalidate=60"
    return Response.text(200, body, {"Cache-Control": control, "ETag": '"a"', **named})


async def calm(kit: Any, until: Any) -> None:
    await until(lambda: not kit.plugin("http_cache")._parts.shelf.refreshing)


@pytest.mark.parametrize(
    ("renewal", "expected"),
    [
        (Response(304, {"Cache-Control": "max-age=60"}), "old"),
        (Response.text(200, "new", {"Cache-Control": "max-age=60"}), "new"),
    ],
)
async def test_what_is_stale_is_used_and_renewed_behind(
    cached: Any, until: Any, renewal: Response, expected: str
) -> None:
    async with cached() as kit:
        kit.upstream.reply(stale(), renewal)
        await kit.get("/")
        kit.advance(5)
        got = await kit.get("/", {"If-None-Match": '"other"'})
        assert (got.text, got.headers["Cache-Status"]) == ("old", "passerelle; hit; ttl=-4; detail=stale")
        await calm(kit, until)
        assert kit.upstream.seen[1].headers.getall("if-none-match") == ['"a"']
        got = await kit.get("/")
        assert (got.text, got.headers["Cache-Status"]) == (expected, "passerelle; hit; ttl=60")


async def test_one_renewal_for_all_who_are_served_stale(cached: Any, gate: Any, until: Any) -> None:
    async with cached() as kit:
        origin = gate(Response(304, {"Cache-Control": "max-age=60"}))
        kit.upstream.reply(stale(), origin)
        await kit.get("/")
        kit.advance(5)
        got = await asyncio.gather(*(kit.get("/") for _ in range(5)))
        assert {one.text for one in got} == {"old"}
        await origin.asked.wait()
        origin.open.set()
        await calm(kit, until)
        assert origin.count == 1


async def test_renewals_are_bounded(cached: Any, until: Any) -> None:
    async with cached(refreshes=0) as kit:
        kit.upstream.reply(stale())
        await kit.get("/")
        kit.advance(5)
        assert (await kit.get("/")).text == "old"
        await calm(kit, until)
        assert len(kit.upstream.seen) == 1


async def test_a_renewal_that_fails_leaves_the_stale_one_in_use(cached: Any, until: Any) -> None:
    async with cached() as kit:
        kit.upstream.reply(stale(), Response(500), b"garbage\r\n\r\n")
        await kit.get("/")
        for _ in range(3):
            kit.advance(5)
            assert (await kit.get("/")).text == "old"
            await calm(kit, until)


async def test_a_renewal_that_is_nobody_elses_takes_the_stale_one_out(cached: Any, until: Any) -> None:
    async with cached() as kit:
        private = Response.text(200, "mine", {"Cache-Control": "private"})
        kit.upstream.reply(stale(), private, Response.text(200, "last", {"Cache-Control": "max-age=60"}))
        await kit.get("/")
        kit.advance(5)
        await kit.get("/")
        await calm(kit, until)
        assert (await kit.get("/")).text == "last"


async def test_head_lets_the_whole_be_renewed(cached: Any, until: Any) -> None:
    async with cached() as kit:
        kit.upstream.reply(stale(), Response.text(200, "new", {"Cache-Control": "max-age=60"}))
        await kit.get("/")
        kit.advance(5)
        assert (await kit.request("HEAD", "/")).status == 200
        await calm(kit, until)
        assert kit.upstream.seen[1].method == "GET"
        assert (await kit.get("/")).text == "new"


async def test_a_post_is_renewed_without_a_condition(cached: Any, until: Any) -> None:
    async with cached(methods=["GET", "POST"]) as kit:
        kit.upstream.reply(stale(), Response.text(200, "new", {"Cache-Control": "max-age=60"}))
        await kit.request("POST", "/", body=b"q")
        kit.advance(5)
        assert (await kit.request("POST", "/", body=b"q")).text == "old"
        await calm(kit, until)
        assert "if-none-match" not in kit.upstream.seen[1].headers  # which would have made it a 412
        assert (await kit.request("POST", "/", body=b"q")).text == "new"
