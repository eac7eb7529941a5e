from __future__ import annotations

import json
from typing import Any

import pytest

from plugins.cache.control import Wanted
from plugins.cache.plugin import HttpCache
from proxy.api import AdminRequest
from proxy.clock import ManualClock
from proxy.message import Response
from proxy.testing import GatewayKit, running


async def asked(kit: GatewayKit, what: str, body: dict[str, Any]) -> tuple[int, Any]:
    control: Any = kit.plugin("http_cache")._parts.control  # type: ignore[attr-defined]  # the cache's
    handler = control._checked(getattr(control, what))
    answer: Response = await handler(AdminRequest("POST", what, {}, {}, json.dumps(body).encode()))
    return answer.status, json.loads(answer.body.data or b"null")


@pytest.mark.parametrize(
    ("wanted", "left"),
    [
        ({"url": "http://test/a"}, {"/a?x=1", "/b"}),
        ({"url": "http://TEST:80/a?x=1"}, {"/a", "/b"}),
        ({"prefix": "http://test/a"}, {"/b"}),
        ({"tag": "t1"}, {"/b"}),
        ({"all": True}, set[str]()),
        ({"all": True, "dry_run": True}, {"/a", "/a?x=1", "/b"}),
    ],
)
async def test_purges(cached: Any, fresh: Any, wanted: dict[str, Any], left: set[str]) -> None:
    targets = {"/a": "t1 t2", "/a?x=1": "t1", "/b": "t3"}
    async with cached() as kit:
        for target, tags in targets.items():
            kit.upstream.reply(fresh(target, Surrogate_Key=tags))
            await kit.get(target)
        status, told = await asked(kit, "purge", wanted)
        met = 3 if wanted.get("dry_run") else 3 - len(left)
        assert (status, told["purged"]) == (200, met)
        found = {target for target in targets if "hit" in (await kit.get(target)).headers["Cache-Status"]}
        assert found == left
        events = [(event.scope.split()[0], event.count) for event in kit.events_of("cache.purged")]
        assert events == ([] if wanted.get("dry_run") else [(told["scope"], met)])


@pytest.mark.parametrize("wanted", [{"url": "http://test/a", "soft": True}, {"tag": "t1", "soft": True}])
async def test_a_soft_purge_has_it_validated(cached: Any, fresh: Any, wanted: dict[str, Any]) -> None:
    async with cached() as kit:
        kit.upstream.reply(fresh("a", Surrogate_Key="t1", ETag='"1"'), Response(304), fresh("new"))
        await kit.get("/a")
        kit.advance(1)
        assert (await asked(kit, "purge", wanted))[1]["purged"] == 1
        kit.advance(1)
        got = await kit.get("/a")
        assert (got.text, kit.upstream.seen[1].headers["If-None-Match"]) == ("a", '"1"')
        assert "hit" in (await kit.get("/a")).headers["Cache-Status"]


@pytest.mark.parametrize(
    "wanted",
    [{}, {"url": "http://a/", "tag": "t"}, {"url": "/a"}, {"url": "ftp://a/"}, {"prefix": "http://a/", "soft": True}],
)
async def test_purges_of_nothing_in_particular_are_refused(cached: Any, wanted: dict[str, Any]) -> None:
    async with cached() as kit:
        assert (await asked(kit, "purge", wanted))[0] == 422


def test_scopes() -> None:
    assert Wanted(tag="t").scope == "tag"
    with pytest.raises(ValueError, match="one of"):
        Wanted()


async def test_what_is_stored_for_a_url(cached: Any, fresh: Any) -> None:
    async with cached() as kit:
        kit.upstream.reply(fresh("g", Vary="Accept-Encoding", Content_Encoding="gzip", Surrogate_Key="t"))
        await kit.get("/a", {"Accept-Encoding": "gzip"})
        kit.advance(5)
        question = {"url": "http://test/a", "headers": {"Accept-Encoding": "gzip"}}
        status, told = await asked(kit, "explain", question)
        (entry,) = told["entries"]
        assert (status, entry["route"], entry["verdict"]) == (200, "all", "hit")
        (variant,) = entry["variants"]
        assert (variant["coding"], variant["age"], variant["fresh_for"], variant["tags"]) == ("gzip", 5, 55, ["t"])
        assert (await asked(kit, "explain", {"url": "http://test/a"}))[1]["entries"][0]["verdict"] == "miss"
        assert (await asked(kit, "explain", {"url": "a"}))[0] == 422


async def test_statistics(cached: Any, fresh: Any) -> None:
    async with cached() as kit:
        kit.upstream.reply(fresh())
        for _ in range(3):
            await kit.get("/a")
        status, told = await asked(kit, "stats", {})
        assert status == 200
        assert told["routes"] == [{"name": "all", "results": {"hit": 2, "miss": 1}}]
        assert told["levels"]["memory"]["entries"] == 1
        assert told["levels"]["redis"] is None
        assert told["losses"][0]["name"] == "uri-miss"
        assert told["under_way"] == {"fetching": 0, "refreshing": 0, "filling": 0}


async def test_purge_by_method_from_where_it_is_allowed(cached: Any, fresh: Any) -> None:
    async with cached(purgers=["127.0.0.0/8"]) as kit:
        kit.upstream.reply(fresh("1", Cache_Tag="t"), fresh("2", Cache_Tag="t"), fresh("3"))
        await kit.get("/a")
        assert json.loads((await kit.request("PURGE", "/a")).text) == {"purged": 1}
        assert (await kit.get("/a")).text == "2"
        assert json.loads((await kit.request("PURGE", "/", {"Surrogate-Key": "t"})).text) == {"purged": 1}
        assert (await kit.get("/a")).text == "3"
        assert {seen.method for seen in kit.upstream.seen} == {"GET"}


async def test_purge_by_method_from_elsewhere(cached: Any, fresh: Any) -> None:
    async with cached(purgers=["10.0.0.0/8"]) as kit:
        kit.upstream.reply(fresh("1"), fresh("2"))
        await kit.get("/a")
        assert (await kit.request("PURGE", "/a")).status == 403
        assert (await kit.get("/a")).text == "1"


async def test_it_tells_what_it_would_do(cached: Any, fresh: Any) -> None:
    from proxy.exchange import Exchange
    from proxy.message import Headers, Request
    from proxy.peer import Peer

    async with cached() as kit:
        plugin: Any = kit.plugin("http_cache")

        def exchange(method: str = "GET", headers: dict[str, str] | None = None) -> Exchange:
            request = Request(method, "/a", host="test", headers=Headers(headers or {}))
            made = Exchange("1", request, Peer("127.0.0.1", 1), Any, 0.0)  # type: ignore[arg-type]  # nobody is told
            made.route = "all"
            return made

        assert plugin.describe(exchange()) == "key http://test/a all; miss (uri-miss)"
        assert plugin.forecast(exchange()) == "eligible"
        assert plugin.describe(exchange("POST")) == "stands aside: method"
        assert plugin.forecast(exchange("POST")) == "bypass"
        kit.upstream.reply(fresh())
        await kit.get("/a")
        assert plugin.forecast(exchange()) == "hit"
        assert plugin.describe(exchange(headers={"Cache-Control": "no-cache"})).endswith("; validate (request)")


FORMS = """
    listen: [http://127.0.0.1:0]
    upstreams: {app: {targets: ["${UPSTREAM}"]}}
    plugins: [{http_cache: {}}]
    routes:
      - {name: bare, match: {path: /bare}, upstream: app, plugins: {http_cache: {key: {query: none}}}}
      - {name: some, match: {path: /some}, upstream: app, plugins: {http_cache: {key: {query: {deny: [utm]}}}}}
      - {name: site, match: {path: /site}, upstream: app, plugins: {http_cache: {key: {host: false}}}}
      - {name: posts, match: {path: /posts}, upstream: app, plugins: {http_cache: {methods: [GET, POST]}}}
"""
ASKED = ["/bare?a=1", "/some?a=1&utm=x", "/site?a=1"]


@pytest.mark.parametrize("target", ASKED)
@pytest.mark.parametrize("scope", ["url", "prefix"])
async def test_a_url_is_purged_however_its_route_spells_it(fresh: Any, target: str, scope: str) -> None:
    async with running(FORMS, plugins=[HttpCache], clock=ManualClock()) as kit:
        kit.upstream.reply(fresh("1"), fresh("2"))
        await kit.get(target)
        what = target if scope == "url" else target.partition("?")[0]
        assert (await asked(kit, "purge", {scope: f"http://test{what}"}))[1]["purged"] == 1
        assert (await kit.get(target)).text == "2"


@pytest.mark.parametrize("target", ASKED)
async def test_a_url_is_invalid_after_a_change_however_its_route_spells_it(fresh: Any, target: str) -> None:
    async with running(FORMS, plugins=[HttpCache], clock=ManualClock()) as kit:
        kit.upstream.reply(fresh("1"), Response(204), fresh("2"))
        await kit.get(target)
        await kit.request("DELETE", target)
        assert (await kit.get(target)).text == "2"


@pytest.mark.parametrize("target", ASKED)
async def test_what_is_stored_is_found_however_its_route_spells_it(fresh: Any, target: str) -> None:
    async with running(FORMS, plugins=[HttpCache], clock=ManualClock()) as kit:
        kit.upstream.reply(fresh("1"))
        await kit.get(target)
        (entry,) = (await asked(kit, "explain", {"url": f"http://test{target}"}))[1]["entries"]
        assert (entry["verdict"], len(entry["variants"])) == ("hit", 1)


async def test_what_is_stored_for_a_body(fresh: Any) -> None:
    async with running(FORMS, plugins=[HttpCache], clock=ManualClock()) as kit:
        kit.upstream.reply(fresh("1"))
        await kit.request("POST", "/posts", {"Content-Type": "text/plain"}, b"question")
        question = {"url": "http://test/posts", "method": "POST", "headers": {"Content-Type": "text/plain"}}
        for body, verdict in (("question", "hit"), ("another", "miss")):
            (entry,) = (await asked(kit, "explain", {**question, "body": body}))[1]["entries"]
            assert entry["verdict"] == verdict


async def test_no_credential_is_shown(cached: Any, fresh: Any) -> None:
    async with cached() as kit:
        kit.upstream.reply(fresh(Vary="Authorization, X-Lang", Cache_Control="public, max-age=60"))
        fields = {"Authorization": "Bearer s3cret", "X-Lang": "de"}
        await kit.get("/a", fields)
        told = (await asked(kit, "explain", {"url": "http://test/a", "headers": fields}))[1]
        assert told["entries"][0]["variants"][0]["vary"] == {"authorization": "***", "x-lang": "de"}
        assert "s3cret" not in json.dumps(told)
