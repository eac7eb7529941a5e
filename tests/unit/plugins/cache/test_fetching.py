from __future__ import annotations

import asyncio
from typing import Any

import pytest

from plugins.cache.fetching import flight_key, variant_key
from plugins.cache.stored import BY_CODING, Entry, Stored
from proxy.message import Headers, Response
from proxy.testing import Conversation, Cut

NOW = 1_700_000_000.0


async def test_one_asks_for_all(cached: Any, fresh: Any, gate: Any, until: Any) -> None:
    async with cached() as kit:
        origin = gate(fresh("one"))
        kit.upstream.reply(origin)
        clients = [asyncio.create_task(kit.get("/")) for _ in range(20)]
        await until(lambda: kit.gateway.engine.active == 20)
        origin.open.set()
        got = await asyncio.gather(*clients)
        assert {one.text for one in got} == {"one"}
        assert len(kit.upstream.seen) == 1
        told = sorted(one.headers["Cache-Status"] for one in got)
        assert told.count("passerelle; fwd=uri-miss; ttl=60; collapsed") == 19


async def test_those_who_wait_get_the_stream_as_it_arrives(cached: Any, fresh: Any, gate: Any, until: Any) -> None:
    async with cached() as kit:
        origin = gate(fresh(), parts=(b"begin", b"end"))
        kit.upstream.reply(origin)
        origin.open.set()
        async with kit.wire() as first, kit.wire() as second, kit.wire() as third:
            for wire in (first, second):
                await wire.send(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
                await wire.until(b"begin")
            await third.send(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
            await third.until(b"begin")
            origin.goes_on.set()
            assert {(await wire.reply()).text for wire in (first, second, third)} == {"beginend"}
        assert (await kit.get("/")).headers["Cache-Status"] == "passerelle; hit; ttl=60"
        assert len(kit.upstream.seen) == 1


async def test_a_fill_outlives_its_client(cached: Any, fresh: Any, gate: Any, until: Any) -> None:
    async with cached() as kit:
        origin = gate(fresh(), parts=(b"begin", b"end"))
        kit.upstream.reply(origin)
        origin.open.set()
        async with kit.wire() as wire:
            await wire.send(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
            await wire.until(b"begin")
        await until(lambda: kit.gateway.engine.active == 0)
        origin.goes_on.set()
        shelf = kit.plugin("http_cache")._parts.shelf
        await until(lambda: shelf.cache.stats.l1.entries == 1)
        assert (await kit.get("/")).text == "beginend"
        assert len(kit.upstream.seen) == 1


async def test_a_leader_that_leaves_takes_nothing_with_it(cached: Any, fresh: Any, gate: Any, until: Any) -> None:
    async with cached() as kit:
        origin = gate(fresh("x"))
        kit.upstream.reply(origin)
        async with kit.wire() as leader:
            await leader.send(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
            await origin.asked.wait()
            waiter = asyncio.create_task(kit.get("/"))
            await until(lambda: kit.gateway.engine.active == 2)
        origin.open.set()
        assert (await waiter).text == "x"
        assert len(kit.upstream.seen) == 1
        await kit.settled()


async def test_a_leader_that_leaves_before_anybody_waits_stops_its_work(cached: Any, fresh: Any, gate: Any) -> None:
    async with cached() as kit:
        origin = gate(fresh("x"))

        async def first(conversation: Conversation) -> None:
            origin.asked.set()
            await conversation.left()

        kit.upstream.reply(first, fresh("y"))
        async with kit.wire() as leader:
            await leader.send(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
            await origin.asked.wait()
        await kit.settled()
        assert (await kit.get("/")).text == "y"


async def test_waiters_of_another_variant_ask_for_it_together(cached: Any, fresh: Any, gate: Any, until: Any) -> None:
    async with cached() as kit:

        async def origin(conversation: Conversation) -> None:
            await go.wait()
            await conversation.answer(fresh(conversation.seen.headers["Foo"], Vary="Foo"))

        go = asyncio.Event()
        kit.upstream.reply(origin)
        clients = [asyncio.create_task(kit.get("/", {"Foo": str(number % 3)})) for number in range(12)]
        await until(lambda: kit.gateway.engine.active == 12)
        go.set()
        got = await asyncio.gather(*clients)
        assert sorted(one.text for one in got) == sorted("012" * 4)
        assert len(kit.upstream.seen) == 3


async def test_what_is_uncacheable_keeps_nobody_waiting(cached: Any, gate: Any, until: Any) -> None:
    async with cached() as kit:
        origin = gate(Response.text(200, "mine", {"Cache-Control": "private"}))
        kit.upstream.reply(origin)
        clients = [asyncio.create_task(kit.get("/")) for _ in range(5)]
        await until(lambda: kit.gateway.engine.active == 5)
        await origin.asked.wait()
        assert origin.count == 1
        origin.open.set()
        await asyncio.gather(*clients)
        assert origin.count == 5
        origin.open.clear()
        clients = [asyncio.create_task(kit.get("/")) for _ in range(5)]
        await until(lambda: origin.count == 10)  # it is remembered: all ask at once
        origin.open.set()
        await asyncio.gather(*clients)


async def test_a_failing_origin_is_asked_twice_and_not_by_everybody(cached: Any, gate: Any, until: Any) -> None:
    async with cached() as kit:
        origin = gate(Response.text(503, "no"))
        kit.upstream.reply(origin)
        clients = [asyncio.create_task(kit.get("/")) for _ in range(10)]
        await until(lambda: kit.gateway.engine.active == 10)
        origin.open.set()
        got = await asyncio.gather(*clients)
        assert {one.status for one in got} == {503}
        assert origin.count == 2


async def test_an_origin_that_cannot_be_reached_fails_everybody(cached: Any, gate: Any, until: Any) -> None:
    async with cached() as kit:
        origin = gate(Response(200))

        async def breaks(conversation: Conversation) -> None:
            origin.count += 1
            await origin.open.wait()
            conversation.abort()

        kit.upstream.reply(breaks)
        clients = [asyncio.create_task(kit.get("/")) for _ in range(6)]
        await until(lambda: kit.gateway.engine.active == 6)
        origin.open.set()
        assert {one.status for one in await asyncio.gather(*clients)} == {502}
        assert origin.count == 2


async def test_nobody_waits_for_ever(cached: Any, fresh: Any, gate: Any) -> None:
    async with cached(wait="20ms") as kit:
        slow = gate(fresh("slow"))
        kit.upstream.reply(slow, fresh("quick"))
        first = asyncio.create_task(kit.get("/"))
        await slow.asked.wait()
        assert (await kit.get("/")).text == "quick"
        slow.open.set()
        assert (await first).text == "slow"


async def test_a_large_object_passes_through_and_is_not_stored(cached: Any, fresh: Any) -> None:
    async with cached(max_object="100KiB") as kit:
        told = fresh("x" * 200_000)
        kit.upstream.reply(told)
        got = await kit.get("/")
        assert (len(got.body), got.headers["Cache-Status"]) == (200_000, "passerelle; fwd=uri-miss; detail=too-large")

        async def untold(conversation: Conversation) -> None:
            head = b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n"
            await conversation.send(head, *([b"4000\r\n" + bytes(0x4000) + b"\r\n"] * 20), b"0\r\n\r\n")

        kit.upstream.reply(untold)
        assert len((await kit.get("/b")).body) == 20 * 0x4000
        shelf = kit.plugin("http_cache")._parts.shelf
        assert shelf.cache.stats.l1.entries == 0
        assert shelf.budget.used == 0
        assert shelf.flights.active == 0


async def test_a_body_that_is_cut_is_not_stored(cached: Any, fresh: Any) -> None:
    async with cached() as kit:

        async def cut(conversation: Conversation) -> None:
            await conversation.send(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 10\r\n\r\nabc")
            conversation.close()

        kit.upstream.reply(cut, fresh("whole"))
        with pytest.raises(Cut):
            await kit.get("/")
        assert (await kit.get("/")).text == "whole"


async def test_trailers_pass_and_are_a_reason_not_to_store(cached: Any) -> None:
    async with cached() as kit:
        head = b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n"
        kit.upstream.reply(head + b"2\r\nok\r\n0\r\nSum: 1\r\n\r\n")
        for _ in range(2):
            assert (await kit.get("/")).trailers == Headers({"Sum": "1"})
        assert len(kit.upstream.seen) == 2


# what is stale


def stale(body: str = "old", **fields: str) -> Response:
    named = {name.replace("_", "-"): value for name, value in fields.items()}
    return Response.text(200, body, {"Cache-Control": "max-age=1", "ETag": '"a"', **named})


async def test_what_is_stale_is_validated(cached: Any) -> None:
    async with cached() as kit:
        kit.upstream.reply(
            stale(Last_Modified="Sun, 06 Nov 1994 08:49:37 GMT", Test="A"),
            Response(304, {"Cache-Control": "max-age=60", "Test": "B", "ETag": '"a"'}),
        )
        await kit.get("/")
        kit.advance(5)
        got = await kit.get("/")
        assert (got.status, got.text, got.headers["Test"], got.headers["Age"]) == (200, "old", "B", "0")
        assert got.headers["Cache-Status"] == "passerelle; fwd=stale; fwd-status=304; ttl=60; stored"
        sent = kit.upstream.seen[1].headers
        assert (sent["If-None-Match"], sent["If-Modified-Since"]) == ('"a"', "Sun, 06 Nov 1994 08:49:37 GMT")
        assert (await kit.get("/")).headers["Cache-Status"] == "passerelle; hit; ttl=60"
        assert len(kit.upstream.seen) == 2


async def test_a_clients_own_condition_is_answered_after_validation(cached: Any) -> None:
    async with cached() as kit:
        kit.upstream.reply(stale(), Response(304, {"Cache-Control": "max-age=60"}), stale("new", ETag='"b"'))
        await kit.get("/")
        kit.advance(5)
        assert (await kit.get("/", {"If-None-Match": '"a"', "Range": "bytes=0-1"})).status == 304
        assert kit.upstream.seen[1].headers.getall("if-none-match") == ['"a"']
        assert "Range" not in kit.upstream.seen[1].headers
        kit.advance(61)
        assert (await kit.get("/", {"If-None-Match": '"a"'})).text == "new"


async def test_a_304_about_another_answer_makes_it_fetch_the_whole(cached: Any) -> None:
    async with cached() as kit:
        kit.upstream.reply(stale(), Response(304, {"ETag": '"b"'}), stale("new", ETag='"b"'))
        asks = {"Surrogate-Capability": 'x="ESI/1.0"'}
        await kit.get("/", asks)
        kit.advance(5)
        assert (await kit.get("/", asks)).text == "new"
        assert "If-None-Match" not in kit.upstream.seen[2].headers
        told = {seen.headers["Surrogate-Capability"] for seen in kit.upstream.seen}
        assert told == {'passerelle="Surrogate/1.0"'}
        await kit.settled()


async def test_validation_is_done_once_for_all(cached: Any, gate: Any, until: Any) -> None:
    async with cached() as kit:
        origin = gate(Response(304, {"Cache-Control": "max-age=60"}))
        kit.upstream.reply(stale(), origin)
        await kit.get("/")
        kit.advance(5)
        clients = [asyncio.create_task(kit.get("/")) for _ in range(5)]
        await until(lambda: kit.gateway.engine.active == 5)
        origin.open.set()
        assert {one.text for one in await asyncio.gather(*clients)} == {"old"}
        assert origin.count == 1


async def test_no_cache_is_validated_each_time(cached: Any) -> None:
    async with cached() as kit:
        kit.upstream.reply(stale(Cache_Control="no-cache"), Response(304))
        for _ in range(3):
            assert (await kit.get("/")).text == "old"
        assert [seen.headers.get("if-none-match") for seen in kit.upstream.seen] == [None, '"a"', '"a"']


@pytest.mark.parametrize("control", ["max-age=1, stale-if-error=60", "max-age=1"])
@pytest.mark.parametrize("broken", [Response(503), b"garbage\r\n\r\n"])
async def test_stale_if_error(cached: Any, control: str, broken: Response | bytes) -> None:
    async with cached(grace="60s" if control == "max-age=1" else "0s") as kit:
        kit.upstream.reply(stale(Cache_Control=f"{control}, stale-while-revalidate=0"), broken)
        await kit.get("/")
        kit.advance(5)
        got = await kit.get("/")
        assert (got.status, got.text) == (200, "old")
        assert got.headers["Cache-Status"] == "passerelle; hit; ttl=-4; detail=stale-if-error"
        kit.advance(60)
        assert (await kit.get("/")).status >= 500


@pytest.mark.parametrize("control", ["must-revalidate", "proxy-revalidate", "s-maxage=1", "no-cache"])
async def test_nothing_stale_where_that_is_forbidden(cached: Any, control: str) -> None:
    async with cached(grace="60s") as kit:
        kit.upstream.reply(stale(Cache_Control=f"max-age=1, {control}"), Response(503))
        await kit.get("/")
        kit.advance(5)
        assert (await kit.get("/")).status == 503


async def test_cookies_of_a_confirmation_are_for_who_asked(cached: Any) -> None:
    async with cached() as kit:
        kit.upstream.reply(stale(), Response(304, {"Cache-Control": "max-age=60", "Set-Cookie": "session=1"}))
        await kit.get("/")
        kit.advance(5)
        assert (await kit.get("/")).headers["Set-Cookie"] == "session=1"
        assert "Set-Cookie" not in (await kit.get("/")).headers
        assert len(kit.upstream.seen) == 2


async def test_a_confirmation_that_makes_it_private_takes_it_out(cached: Any, until: Any) -> None:
    async with cached() as kit:
        kit.upstream.reply(stale(), Response(304, {"Cache-Control": "private, max-age=60"}), stale("new"))
        await kit.get("/")
        kit.advance(5)
        assert (await kit.get("/")).text == "old"
        await until(lambda: kit.plugin("http_cache")._parts.shelf.cache.stats.l1.entries == 0)
        assert (await kit.get("/")).text == "new"


# HEAD


async def test_head_renews_what_is_stored(cached: Any) -> None:
    async with cached() as kit:
        kit.upstream.reply(stale(Test="A"), stale(Test="B", Cache_Control="max-age=60"))
        await kit.get("/")
        kit.advance(5)
        assert (await kit.request("HEAD", "/")).headers["Test"] == "B"
        assert kit.upstream.seen[1].method == "HEAD"
        got = await kit.get("/")
        assert (got.text, got.headers["Test"]) == ("old", "B")
        assert len(kit.upstream.seen) == 2


async def test_head_shows_that_what_is_stored_is_old(cached: Any, fresh: Any) -> None:
    async with cached() as kit:
        kit.upstream.reply(fresh("old", ETag='"a"'), Response(200, {"ETag": '"b"'}), fresh("new", ETag='"b"'))
        await kit.get("/")
        await kit.request("HEAD", "/", {"Cache-Control": "no-cache"})
        assert (await kit.get("/")).text == "new"


async def test_a_head_alone_stores_nothing(cached: Any, fresh: Any) -> None:
    async with cached() as kit:
        kit.upstream.reply(fresh("x"))
        await kit.request("HEAD", "/")
        await kit.get("/")
        assert [seen.method for seen in kit.upstream.seen] == ["HEAD", "GET"]


async def test_a_part_is_not_taken_for_the_whole(cached: Any, fresh: Any) -> None:
    async with cached() as kit:
        part = Response.text(206, "01", {"Cache-Control": "max-age=60", "Content-Range": "bytes 0-1/10"})
        kit.upstream.reply(part, fresh("0123456789"))
        assert (await kit.get("/", {"Range": "bytes=0-1"})).status == 206
        assert (await kit.get("/")).text == "0123456789"


def test_what_requests_that_wait_have_in_common() -> None:
    like = Stored(200, "", (), b"", NOW, 0, 60, selecting=(("foo", "1"),), flags=BY_CODING)
    one, two = (
        Headers({"Foo": "1", "Accept-Encoding": "gzip"}),
        Headers({"Foo": " 1 ", "Accept-Encoding": "gzip;q=0.5"}),
    )
    assert variant_key("k", like, one) == variant_key("k", like, two) != "k"
    assert variant_key("k", like, Headers({"Foo": "2", "Accept-Encoding": "gzip"})) != variant_key("k", like, one)
    assert flight_key("k", None, one) == "k"
    assert flight_key("k", Entry((like,)), one) == variant_key("k", like, one)
