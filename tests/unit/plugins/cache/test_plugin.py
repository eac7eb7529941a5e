from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from proxy.clock import ManualClock
from proxy.message import Response
from proxy.testing import running

CLIENT = "If-None-Match"


async def test_a_fresh_answer_is_used_again(cached: Any, fresh: Any) -> None:
    async with cached() as kit:
        kit.upstream.reply(fresh("first"), fresh("second"))
        first = await kit.get("/a")
        kit.advance(10)
        second = await kit.get("/a")
        assert (first.text, second.text) == ("first", "first")
        assert len(kit.upstream.seen) == 1
        assert first.headers["Cache-Status"] == "passerelle; fwd=uri-miss; stored"
        assert second.headers["Cache-Status"] == "passerelle; hit; ttl=50"
        assert second.headers["Age"] == "10"
        kit.advance(51)
        assert (await kit.get("/a")).text == "second"


async def test_a_hit_needs_no_task(cached: Any, fresh: Any) -> None:
    async with cached() as kit, kit.wire() as wire:
        kit.upstream.reply(fresh("x"))
        await kit.get("/a")
        before = asyncio.all_tasks()
        await wire.send(b"GET /a HTTP/1.1\r\nHost: test\r\n\r\n" * 3)
        for _ in range(3):
            assert (await wire.reply()).text == "x"
        assert not {task for task in asyncio.all_tasks() - before if not task.done()}
        assert len(kit.upstream.seen) == 1


async def test_keys_tell_urls_and_hosts_apart(cached: Any, fresh: Any) -> None:
    async with cached() as kit:
        kit.upstream.reply(*(fresh(str(number)) for number in range(9)))
        got = [(await kit.get(target)).text for target in ("/a", "/a?x=1", "/A", "/a", "/a?x=1")]
        assert got == ["0", "1", "2", "0", "1"]


async def test_variants(cached: Any, fresh: Any) -> None:
    async with cached() as kit:
        kit.upstream.reply(*(fresh(str(number), Vary="Foo") for number in range(9)))
        got = [(await kit.get("/", {"Foo": value})).text for value in ("a", "b", "a", "b", "A")]
        assert got == ["0", "1", "0", "1", "2"]
        assert (await kit.get("/")).headers["Cache-Status"] == "passerelle; fwd=vary-miss; stored"


async def test_coded_variants_are_kept_by_their_coding(cached: Any, fresh: Any) -> None:
    async with cached() as kit:
        kit.upstream.reply(
            fresh("g", Vary="Accept-Encoding", Content_Encoding="gzip"), fresh("i", Vary="Accept-Encoding")
        )
        spellings = ("gzip", "gzip, br", "GZIP;q=0.9,deflate", "br;q=0.1, gzip")
        assert {(await kit.get("/", {"Accept-Encoding": one})).text for one in spellings} == {"g"}
        assert (await kit.get("/")).text == "i"
        assert (await kit.get("/", {"Accept-Encoding": "br"})).text == "i"
        assert (await kit.get("/", {"Accept-Encoding": "gzip"})).text == "g"
        assert len(kit.upstream.seen) == 2


async def test_conditions_head_and_ranges_are_answered_from_the_cache(cached: Any, fresh: Any) -> None:
    async with cached() as kit:
        kit.upstream.reply(fresh("0123456789", ETag='"a"'))
        await kit.get("/")
        assert (await kit.get("/", {CLIENT: 'W/"a"'})).status == 304
        part = await kit.get("/", {"Range": "bytes=2-3"})
        assert (part.status, part.text, part.headers["Content-Range"]) == (206, "23", "bytes 2-3/10")
        head = await kit.request("HEAD", "/")
        assert (head.status, head.headers["Content-Length"], head.body) == (200, "10", b"")
        assert (await kit.get("/", {"Range": "bytes=99-"})).status == 416
        assert len(kit.upstream.seen) == 1


@pytest.mark.parametrize(
    ("fields", "detail"),
    [
        ({"Cache-Control": "no-store"}, "no-store"),
        ({"Cache-Control": "private, max-age=9"}, "private"),
        ({"Cache-Control": "max-age=9", "Set-Cookie": "a=b"}, "set-cookie"),
        ({"Cache-Control": "max-age=9", "Vary": "*"}, "vary-star"),
        ({}, "no-freshness"),
    ],
)
async def test_what_may_not_be_stored(cached: Any, fields: dict[str, str], detail: str) -> None:
    async with cached() as kit:
        kit.upstream.reply(Response.text(200, "x", fields))
        for _ in range(2):
            assert (await kit.get("/")).headers["Cache-Status"] == f"passerelle; fwd=uri-miss; detail={detail}"
        assert len(kit.upstream.seen) == 2


async def test_an_answer_to_credentials_is_nobody_elses(cached: Any, fresh: Any) -> None:
    async with cached() as kit:
        kit.upstream.reply(fresh("mine"), fresh("yours"))
        await kit.get("/", {"Authorization": "Basic eA=="})
        assert (await kit.get("/")).text == "yours"


async def test_only_if_cached(cached: Any, fresh: Any) -> None:
    async with cached() as kit:
        kit.upstream.reply(fresh())
        wants = {"Cache-Control": "only-if-cached"}
        refused = await kit.get("/", wants)
        assert (refused.status, refused.headers["content-type"]) == (504, "application/problem+json")
        told = json.loads(refused.text)
        assert (told["status"], told["code"]) == (504, "only_if_cached")
        assert told["request_id"] == refused.headers["x-request-id"]
        await kit.get("/")
        assert (await kit.get("/", wants)).status == 200
        assert len(kit.upstream.seen) == 1


async def test_a_client_may_ask_for_a_new_answer_unless_it_is_ignored(cached: Any, fresh: Any) -> None:
    for ignored in (False, True):
        async with cached(ignore_client_no_cache=ignored) as kit:
            kit.upstream.reply(fresh("1"), fresh("2"))
            await kit.get("/")
            assert (await kit.get("/", {"Cache-Control": "no-cache"})).text == ("1" if ignored else "2")


async def test_a_request_that_must_not_be_stored_leaves_no_trace(cached: Any, fresh: Any) -> None:
    async with cached() as kit:
        kit.upstream.reply(fresh("1"), fresh("2"))
        first = await kit.get("/", {"Cache-Control": "no-store"})
        assert first.headers["Cache-Status"] == "passerelle; fwd=request"
        assert (await kit.get("/")).text == "2"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "M-SEARCH"])
async def test_a_change_makes_what_is_stored_invalid(cached: Any, fresh: Any, method: str) -> None:
    async with cached() as kit:
        kit.upstream.reply(fresh("1"), Response(204), fresh("2"))
        await kit.get("/a")
        changed = await kit.request(method, "/a", body=b"x")
        assert changed.headers["Cache-Status"] == "passerelle; fwd=method"
        assert (await kit.get("/a")).text == "2"


async def test_an_error_changes_nothing(cached: Any, fresh: Any) -> None:
    async with cached() as kit:
        kit.upstream.reply(fresh("1"), Response(500), fresh("2"))
        await kit.get("/a")
        await kit.request("POST", "/a", body=b"x")
        assert (await kit.get("/a")).text == "1"


@pytest.mark.parametrize(
    ("field", "value", "gone"),
    [
        ("Location", "/b", True),
        ("Content-Location", "http://test/b", True),
        ("Location", "http://other/b", False),
        ("Content-Location", "https://test/b", False),
    ],
)
async def test_a_change_elsewhere(cached: Any, fresh: Any, field: str, value: str, gone: bool) -> None:
    async with cached() as kit:
        kit.upstream.reply(fresh("1"), Response(201, {field: value}), fresh("2"))
        await kit.get("/b")
        await kit.request("POST", "/a", body=b"x")
        assert (await kit.get("/b")).text == ("2" if gone else "1")


async def test_a_change_on_another_route_counts_too(fresh: Any) -> None:
    settings = """
        listen: [http://127.0.0.1:0]
        admin: false
        upstreams: {app: {targets: ["${UPSTREAM}"]}}
        plugins: [{http_cache: {}}]
        routes:
          - {name: reads, match: {path: /a, methods: [GET]}, upstream: app}
          - {name: writes, match: {path: /a, methods: [POST]}, upstream: app}
    """
    from plugins.cache.plugin import HttpCache

    async with running(settings, plugins=[HttpCache], clock=ManualClock()) as kit:
        kit.upstream.reply(fresh("1"), Response(204), fresh("2"))
        await kit.get("/a")
        await kit.request("POST", "/a", body=b"x")
        assert (await kit.get("/a")).text == "2"


async def test_a_change_finds_keys_with_further_parts(cached: Any, fresh: Any) -> None:
    async with cached(key={"headers": ["X-Lang"]}) as kit:
        kit.upstream.reply(fresh("de"), fresh("en"), Response(204), fresh("new"))
        assert (await kit.get("/", {"X-Lang": "de"})).text == "de"
        assert (await kit.get("/", {"X-Lang": "en"})).text == "en"
        assert (await kit.get("/", {"X-Lang": "de"})).text == "de"
        await kit.request("POST", "/", body=b"x")
        assert (await kit.get("/", {"X-Lang": "en"})).text == "new"


async def test_post_is_stored_by_its_body_where_that_is_asked_for(cached: Any, fresh: Any) -> None:
    async with cached(methods=["GET", "HEAD", "POST"]) as kit:
        kit.upstream.reply(*(fresh(str(number)) for number in range(5)))
        bodies = (b'{"query": "a"}', b'{"query": "b"}', b'{"query": "a"}')
        assert [(await kit.request("POST", "/graphql", body=body)).text for body in bodies] == ["0", "1", "0"]
        assert kit.upstream.seen[0].body == bodies[0]
        assert (await kit.get("/graphql")).text == "2"


@pytest.mark.parametrize("field", ["X-HTTP-Method-Override", "X-Original-URL", "X-Rewrite-URL", "X-Host"])
async def test_a_field_that_makes_another_request_of_it_poisons_nothing(cached: Any, fresh: Any, field: str) -> None:
    async with cached() as kit:
        kit.upstream.reply(fresh("evil"), fresh("good"))
        got = await kit.get("/", {field: "/admin"})
        assert got.headers["Cache-Status"] == "passerelle; fwd=bypass; detail=unkeyed"
        assert (await kit.get("/")).text == "good"


async def test_a_path_that_looks_static_makes_nothing_cacheable(cached: Any) -> None:
    async with cached() as kit:
        private = Response.text(200, "account", {"Cache-Control": "private"})
        kit.upstream.reply(private, Response.text(200, "account"), Response.text(200, "last"))
        for target in ("/account/x.css", "/account;x.js", "/account%2fx.png"):
            await kit.get(target)
            assert (await kit.get(target)).headers["Cache-Status"].startswith("passerelle; fwd=uri-miss; detail=")


async def test_the_gateways_own_field_stays_here(cached: Any) -> None:
    async with cached() as kit:
        fields = {
            "Passerelle-Cache-Control": "max-age=60",
            "Cache-Control": "no-store",
            "CDN-Cache-Control": "max-age=5",
        }
        kit.upstream.reply(Response.text(200, "x", fields), Response.text(201, "y", fields))
        for _ in range(2):
            got = await kit.get("/")
            assert "Passerelle-Cache-Control" not in got.headers
            assert got.headers["CDN-Cache-Control"] == "max-age=5"
        assert len(kit.upstream.seen) == 1
        assert "Passerelle-Cache-Control" not in (await kit.request("POST", "/", body=b"")).headers


async def test_levers(cached: Any, fresh: Any) -> None:
    async with cached(force_ttl="30s") as kit:
        kit.upstream.reply(Response.text(200, "1", {"Cache-Control": "no-store"}), fresh("2"))
        await kit.get("/")
        assert (await kit.get("/")).text == "1"
    async with cached(ttl="30s", bypass=["X-Debug"]) as kit:
        kit.upstream.reply(Response.text(200, "1"), Response.text(200, "2"), Response.text(200, "3"))
        await kit.get("/")
        assert (await kit.get("/")).text == "1"
        assert (await kit.get("/", {"X-Debug": "1"})).text == "2"
        kit.advance(31)
        assert (await kit.get("/")).text == "3"


async def test_a_route_has_options_of_its_own_and_can_switch_it_off(fresh: Any) -> None:
    settings = """
        listen: [http://127.0.0.1:0]
        admin: false
        upstreams: {app: {targets: ["${UPSTREAM}"]}}
        plugins: [{http_cache: {}}]
        routes:
          - {name: a, match: {path: /a}, upstream: app, plugins: {http_cache: {ttl: 30s}}}
          - {name: b, match: {path: /b}, upstream: app, plugins: {http_cache: false}}
    """
    from plugins.cache.plugin import HttpCache

    async with running(settings, plugins=[HttpCache], clock=ManualClock()) as kit:
        kit.upstream.reply(Response.text(200, "x"))
        await kit.get("/a")
        assert (await kit.get("/a")).headers["Cache-Status"] == "passerelle; hit; ttl=30"
        assert "Cache-Status" not in (await kit.get("/b")).headers


async def test_interim_answers_pass_and_the_final_one_is_stored(cached: Any) -> None:
    async with cached() as kit:
        hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n"
        kit.upstream.reply(hints + b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 2\r\n\r\nok")
        first, second = await kit.get("/"), await kit.get("/")
        assert (first.interim, second.interim) == ([103], [])
        assert len(kit.upstream.seen) == 1


async def test_fields_of_the_connection_and_unread_ones_are_not_stored(cached: Any) -> None:
    async with cached() as kit:
        lines = ['Cache-Control: max-age=60, no-cache="c"', "Connection: a, b", "a: 1", "b: 2", "c: 3", "d: 4"]
        head = "\r\n".join(["HTTP/1.1 200 OK", *lines, "Content-Length: 2", "", "ok"])
        kit.upstream.reply(head.encode())
        await kit.get("/")
        got = await kit.get("/")
        assert [name for name in got.headers if name in "abcd"] == ["d"]


async def test_completed_requests_tell_what_the_cache_did(cached: Any, fresh: Any) -> None:
    from plugins.events import Events

    async with cached(Events) as kit:
        kit.upstream.reply(fresh())
        for _ in range(2):
            await kit.get("/")
        assert [event.cache for event in kit.events_of("request.completed")] == ["miss", "hit"]
        told = kit.plugin("http_cache")._parts.counts
        assert told.summary()["routes"] == [{"name": "all", "results": {"hit": 1, "miss": 1}}]
        assert told.summary()["bytes_served"] == 2


async def test_pages_for_https_are_not_served_to_those_who_came_by_http(fresh: Any) -> None:
    from plugins.cache.plugin import HttpCache

    settings = """
        listen: [http://127.0.0.1:0]
        admin: false
        trusted_proxies: [127.0.0.1]
        upstreams: {app: {targets: ["${UPSTREAM}"]}}
        plugins: [{http_cache: {}}]
        routes: [{name: all, upstream: app}]
    """
    async with running(settings, plugins=[HttpCache], clock=ManualClock()) as kit:
        kit.upstream.reply(fresh("plain"), fresh("secure"), Response(204), fresh("new"))
        for proto, text in (("http", "plain"), ("https", "secure"), ("http", "plain"), ("https", "secure")):
            assert (await kit.get("/", {"X-Forwarded-Proto": proto})).text == text
        await kit.request("POST", "/", {"X-Forwarded-Proto": "https"}, b"x")
        assert (await kit.get("/", {"X-Forwarded-Proto": "https"})).text == "new"
        assert (await kit.get("/", {"X-Forwarded-Proto": "http"})).text == "plain"


async def test_an_answer_whose_age_cannot_be_told_is_not_used(cached: Any, fresh: Any) -> None:
    async with cached() as kit:
        kit.upstream.reply(fresh("old", Age="abc"), fresh("new"))
        first = await kit.get("/")
        assert first.headers["Cache-Status"] == "passerelle; fwd=uri-miss; detail=stale"
        assert (await kit.get("/")).text == "new"


async def test_surrogate_control_goes_before_cache_control(cached: Any, fresh: Any, until: Any) -> None:
    async with cached() as kit:
        told = "max-age=10+60;passerelle"
        kit.upstream.reply(
            fresh("a", Cache_Control="no-store", Surrogate_Control=told), fresh("b", Surrogate_Control="no-store")
        )
        await kit.get("/", {"Surrogate-Capability": 'x="ESI/1.0"'})
        got = await kit.get("/")
        assert (got.text, got.headers["Surrogate-Control"]) == ("a", told)
        kit.advance(20)
        assert (await kit.get("/")).text == "a"  # and is renewed behind it
        await until(lambda: len(kit.upstream.seen) == 2)
        for seen in kit.upstream.seen:
            assert seen.headers.getall("surrogate-capability") == ['passerelle="Surrogate/1.0"']
