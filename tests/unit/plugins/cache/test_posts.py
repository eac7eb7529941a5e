"""Answers to POST, as of an API that is paid by the call: what is kept, for whom, and what passes by."""

from __future__ import annotations

from typing import Any

from plugins.cache.plugin import HttpCache
from proxy.message import Response
from proxy.testing import running


async def test_a_stale_post_is_asked_again_without_a_condition(cached: Any, fresh: Any) -> None:
    async with cached(methods=["GET", "POST"]) as kit:
        kit.upstream.reply(fresh("old", ETag='"a"'), fresh("new"))
        await kit.request("POST", "/", body=b"q")
        kit.advance(61)
        assert (await kit.request("POST", "/", body=b"q")).text == "new"
        assert "if-none-match" not in kit.upstream.seen[1].headers  # which would have made it a 412


async def test_a_body_too_large_to_be_part_of_a_key_passes_by(fresh: Any) -> None:
    settings = """
        listen: [http://127.0.0.1:0]
        limits: {buffered_body: 64KiB}
        upstreams: {app: {targets: ["${UPSTREAM}"]}}
        plugins: [{http_cache: {methods: [GET, POST]}}]
        routes: [{name: all, upstream: app}]
    """
    async with running(settings, plugins=[HttpCache]) as kit:
        kit.upstream.reply(fresh("1"), fresh("2"))
        for text in ("1", "2"):
            got = await kit.request("POST", "/", body=b"x" * 65537)
            told = "passerelle; fwd=bypass; detail=too-large"
            assert (got.status, got.text, got.headers["Cache-Status"]) == (200, text, told)


async def test_each_credential_has_answers_of_its_own_where_it_is_part_of_the_key(cached: Any) -> None:
    async with cached(methods=["GET", "POST"], ttl="60s", key={"headers": ["Authorization"]}) as kit:
        kit.upstream.reply(*(Response.text(200, f"{number}") for number in range(3)))
        mine, others = {"Authorization": "Bearer mine"}, {"Authorization": "Bearer other"}
        told = [(await kit.request("POST", "/", fields, b"q")).text for fields in (mine, mine, others, {}, mine)]
        assert told == ["0", "0", "1", "2", "0"]


async def test_private_stays_private_although_the_credential_is_part_of_the_key(cached: Any) -> None:
    async with cached(key={"headers": ["Authorization"]}) as kit:
        kit.upstream.reply(
            *(Response.text(200, f"{number}", {"Cache-Control": "private, max-age=60"}) for number in "01")
        )
        assert [(await kit.get("/", {"Authorization": "x"})).text for _ in "01"] == ["0", "1"]
