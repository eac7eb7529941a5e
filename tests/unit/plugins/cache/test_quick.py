from __future__ import annotations

from typing import Any, ClassVar

import pytest

from plugins.cache.config import Config
from plugins.cache.keys import key_of
from plugins.cache.plugin import HttpCache
from plugins.cache.quick import Quick, _rendered
from plugins.cache.stored import Stored
from plugins.headers import HeaderRules
from proxy.api import Plugin, PluginConfig, Rank
from proxy.exchange import Exchange
from proxy.message import Request, Response
from proxy.peer import Peer
from proxy.testing import running

NOW = 1_700_000_000.0


async def ways(kit: Any) -> list[str]:
    """Which way each hit takes from now on."""
    plugin, taken = kit.plugin("http_cache"), []
    answer = plugin._quick.answer

    def watched(*arguments: Any) -> Any:
        found = answer(*arguments)
        taken.append("short" if isinstance(found, Response) else "long")
        return found

    plugin._quick.answer = watched
    return taken


@pytest.mark.parametrize(
    ("fields", "way"),
    [
        ({}, "short"),
        ({"Accept": "*/*", "Cookie": "a=b", "Accept-Encoding": "gzip"}, "short"),
        ({"Cache-Control": "max-age=100"}, "long"),
        ({"Pragma": "x"}, "long"),
        ({"If-None-Match": '"a"'}, "long"),
        ({"RANGE": "bytes=0-0"}, "long"),
        ({"X-Original-URL": "/"}, "long"),
        ({"X-Debug": "1"}, "long"),
    ],
)
async def test_only_requests_that_say_nothing_go_the_short_way(
    cached: Any, fresh: Any, fields: dict[str, str], way: str
) -> None:
    async with cached(bypass=["x-debug"]) as kit:
        kit.upstream.reply(fresh())
        await kit.get("/")
        taken = await ways(kit)
        await kit.get("/", fields)
        await kit.get("/", fields)
        assert taken == [way] * 2


async def test_both_ways_lead_to_the_same_answer(cached: Any, fresh: Any) -> None:
    async with cached() as kit:
        kit.upstream.reply(fresh("0123", ETag='"a"', Date="Tue, 14 Nov 2023 22:13:20 GMT"))
        await kit.get("/")
        for method in ("GET", "HEAD"):
            short, long = await kit.request(method, "/"), await kit.request(method, "/", {"Pragma": "x"})
            assert short.body == long.body
            names = ("Age", "Cache-Status", "ETag", "Date", "Content-Length", "Content-Type", "Cache-Control")
            assert [short.headers[name] for name in names] == [long.headers[name] for name in names]


async def test_age_goes_on_and_what_is_stale_is_left_to_the_long_way(cached: Any, fresh: Any) -> None:
    async with cached() as kit:
        kit.upstream.reply(fresh("1"), fresh("2"))
        await kit.get("/")
        for passes, age in ((0, 0), (5, 5), (54, 59)):
            kit.advance(passes)
            assert (await kit.get("/")).headers["Age"] == str(age)
        kit.advance(1)
        assert (await kit.get("/")).text == "2"


async def test_codings_are_chosen_and_remembered(cached: Any, fresh: Any) -> None:
    async with cached() as kit:
        kit.upstream.reply(
            fresh("g", Vary="Accept-Encoding", Content_Encoding="gzip"), fresh("i", Vary="Accept-Encoding")
        )
        await kit.get("/", {"Accept-Encoding": "gzip"})
        await kit.get("/")
        taken = await ways(kit)
        for _ in range(2):
            assert (await kit.get("/", {"Accept-Encoding": "gzip"})).text == "g"
            assert (await kit.get("/")).text == "i"
        assert taken == ["short"] * 4


async def test_variants_by_other_fields_take_the_long_way(cached: Any, fresh: Any) -> None:
    async with cached() as kit:
        kit.upstream.reply(fresh("1", Vary="Foo"), fresh("2", Vary="Foo"))
        assert [(await kit.get("/", {"Foo": value})).text for value in "abab"] == ["1", "2", "1", "2"]


async def test_what_a_plugin_outside_adds_to_one_answer_is_in_no_other(fresh: Any) -> None:
    from plugins.cache.plugin import HttpCache
    from proxy.clock import ManualClock
    from proxy.testing import running

    adds = {"response": {"add": {"X-Id": "${exchange.id}"}}}
    async with running(plugins=[(HeaderRules, adds), HttpCache], clock=ManualClock()) as kit:
        kit.upstream.reply(fresh())
        got = [(await kit.get("/")).headers.getall("x-id") for _ in range(4)]
        assert len(kit.upstream.seen) == 1
        assert len({value for values in got for value in values}) == 4
        assert all(len(values) == 1 for values in got)


async def test_names_are_remembered_up_to_a_bound(monkeypatch: Any) -> None:
    from plugins.cache.config import Config

    monkeypatch.setattr("plugins.cache.quick._NAMES", 2)
    quick = Quick(Config())
    for number in range(5):
        quick._learn(b"x-%d" % number)
    assert len(quick._kinds) <= 2
    assert not Quick(Config.model_validate({"key": {"cookies": ["a"]}})).able


@pytest.mark.parametrize("trusted", [False, True])
@pytest.mark.parametrize(
    ("scheme", "host", "target"),
    [("http", "Shop.example:80", "/a?b=1"), ("https", "a:443", "/\xe9"), ("http", "", "*")],
)
def test_the_key_of_the_short_way_is_the_key(scheme: str, host: str, target: str, trusted: bool) -> None:
    config = Config()
    quick, request = Quick(config), Request("GET", target, scheme=scheme, host=host)
    peer = Peer("127.0.0.1", 1, trusted=trusted)
    x = Exchange("1", request, peer, Any, 0.0)  # type: ignore[arg-type]  # nobody is told
    x.route = "all"
    expected = key_of(request, "all", config, trusted=trusted)
    assert [quick._key(x, request) for _ in range(2)] == [expected] * 2


async def test_hits_are_counted_by_route(cached: Any, fresh: Any) -> None:
    async with cached() as kit:
        kit.upstream.reply(fresh("12345"))
        for _ in range(4):
            await kit.get("/")
        summary = kit.plugin("http_cache")._parts.counts.summary()
        assert summary == {"routes": [{"name": "all", "results": {"hit": 3, "miss": 1}}], "bytes_served": 15}


def test_an_age_is_of_its_second_and_a_clock_that_is_set_back_makes_nothing_younger() -> None:
    stored = Stored(200, "OK", (), b"x", NOW, 5, 60)

    def age(now: float) -> str | None:
        found = _rendered(stored, now)
        return None if found is None else found.headers["Age"]

    assert [age(NOW + after) for after in (0, 0.9, 1, 1.5, 10, -30, 54.9, 55)] == [
        *("5", "5", "6", "6", "15", "5", "59"),
        None,
    ]


async def test_a_forced_lifetime_takes_nothing_from_the_short_way(cached: Any) -> None:
    async with cached(force_ttl="30s") as kit:
        kit.upstream.reply(Response.text(200, "x", {"Cache-Control": "no-store, max-age=0"}))
        await kit.get("/")
        taken = await ways(kit)
        assert (await kit.get("/")).headers["Cache-Status"] == "passerelle; hit; ttl=30"
        kit.advance(31)
        assert "fwd=" in (await kit.get("/")).headers["Cache-Status"]
        assert taken == ["short", "long"]


async def test_a_request_that_says_nothing_goes_on_unread(cached: Any) -> None:
    class Looks(Plugin[PluginConfig]):
        seen: ClassVar[list[bool]] = []

        def on_request(self, exchange: Exchange) -> None:
            self.seen.append(exchange.request.headers.wire is not None)

        def on_response(self, exchange: Exchange) -> None:
            assert exchange.response is not None
            self.seen.append(exchange.response.headers.wire is not None)

    class Outside(Looks):
        rank: ClassVar[Rank] = Rank.REWRITE

    async with running(plugins=[Outside, (HttpCache, {}), Looks]) as kit:
        kit.upstream.reply(Response.text(200, "x", {"Cache-Control": "no-store"}))
        assert "no-store" in (await kit.get("/")).headers["Cache-Status"]
        assert Looks.seen == [True, True, True, True]
