from __future__ import annotations

import gzip
from typing import Any

from plugins.cache.selecting import CODINGS
from plugins.compress import Compress
from plugins.compress.coders import LEVELS

TEXT = "all work and no play " * 200


async def test_what_is_stored_plainly_is_coded_and_not_fetched_again(cached: Any, fresh: Any, until: Any) -> None:
    async with cached(Compress) as kit:
        kit.upstream.reply(fresh(TEXT, ETag='"a"'))
        assert (await kit.get("/")).text == TEXT
        kit.advance(7)
        for _ in range(2):
            got = await kit.get("/", {"Accept-Encoding": "gzip"})
            assert gzip.decompress(got.body).decode() == TEXT
            assert got.headers["Content-Encoding"] == "gzip"
            assert got.headers["Age"] == "7"
            assert got.headers["ETag"] == 'W/"a"'
            assert got.headers["Cache-Status"] == "passerelle; hit; ttl=53"
        plain = await kit.get("/")
        assert (plain.text, plain.headers["ETag"]) == (TEXT, '"a"')
        assert len(kit.upstream.seen) == 1
        entry = kit.plugin("http_cache")._parts.shelf.cache.peek("http://test/ all ")
        assert sorted(one.coding for one in entry.variants) == ["", "gzip"]


async def test_what_is_not_coded_is_tried_once(cached: Any, fresh: Any) -> None:
    async with cached(Compress) as kit:
        kit.upstream.reply(fresh("small"))
        await kit.get("/")
        for _ in range(2):
            got = await kit.get("/", {"Accept-Encoding": "gzip"})
            assert (got.text, "Content-Encoding" in got.headers) == ("small", False)
        (stored,) = kit.plugin("http_cache")._parts.shelf.cache.peek("http://test/ all ").variants
        assert stored.memo["plain"] == {("gzip",)}
        assert len(kit.upstream.seen) == 1


async def test_who_takes_another_coding_is_tried_for_himself(cached: Any, fresh: Any) -> None:
    async with cached((Compress, {"codings": ["gzip"]})) as kit:
        kit.upstream.reply(fresh(TEXT))
        await kit.get("/")
        assert (await kit.get("/", {"Accept-Encoding": "br"})).text == TEXT
        assert "gzip" in (await kit.get("/", {"Accept-Encoding": "gzip"})).headers["Content-Encoding"]
        assert len(kit.upstream.seen) == 1


async def test_what_forbids_to_be_transformed_is_stored_and_given_as_it_is(cached: Any, fresh: Any) -> None:
    async with cached(Compress) as kit:
        kit.upstream.reply(fresh(TEXT), fresh(TEXT, Cache_Control="max-age=60, no-transform"))
        for target in ("/", "/as-it-is"):
            await kit.get(target)
        for field in ("gzip", "br", "gzip, br, zstd, deflate"):
            got = await kit.get("/as-it-is", {"Accept-Encoding": field})
            assert (got.text, "hit" in got.headers["Cache-Status"]) == (TEXT, True)


def test_what_is_liked_equally_is_taken_in_the_order_of_the_chain() -> None:
    assert tuple(LEVELS) == CODINGS


async def test_a_hit_of_a_coded_answer_costs_no_compression(cached: Any, fresh: Any) -> None:
    async with cached(Compress) as kit:
        kit.upstream.reply(fresh(TEXT))
        first = await kit.get("/", {"Accept-Encoding": "gzip"})
        second = await kit.get("/", {"Accept-Encoding": "gzip;q=0.8, identity;q=0.1"})
        assert first.body == second.body
        assert len(kit.upstream.seen) == 1


async def test_a_chain_may_prefer_other_codings(cached: Any, fresh: Any) -> None:
    both = {"Accept-Encoding": "br, gzip"}
    for codings in (["gzip", "br"], ["br", "gzip"]):
        async with cached((Compress, {"codings": codings})) as kit:
            kit.upstream.reply(fresh(TEXT))
            for coding in ("gzip", "br", "br;q=1, gzip;q=0.5"):
                await kit.get("/", {"Accept-Encoding": coding})
            got = [await kit.get("/", {**both, **more}) for more in ({}, {"Pragma": "x"})]  # short way, long way
            assert {one.headers["Content-Encoding"] for one in got} == {codings[0]}
            assert len(kit.upstream.seen) == 2  # what was coded as it came is all that there is of it
