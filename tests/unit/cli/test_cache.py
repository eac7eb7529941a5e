"""`passerelle cache` and a gateway in the same process, asked over its admin listener."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from plugins.cache.plugin import HttpCache
from proxy.cli.main import main
from proxy.message import Response
from proxy.testing import running

SETTINGS = """
    listen: [http://127.0.0.1:0]
    admin: {listen: http://127.0.0.1:0}
    upstreams: {app: {targets: ["${UPSTREAM}"]}}
    plugins: [{http_cache: {}}]
    routes: [{name: all, upstream: app}]
"""


async def test_statistics_purges_and_what_is_stored(capsys: pytest.CaptureFixture[str], monkeypatch: Any) -> None:
    monkeypatch.setattr("proxy.cli.admin.written", lambda file: ("http://127.0.0.1:1", ""))
    async with running(SETTINGS, plugins=[HttpCache]) as kit:
        fields = {"Cache-Control": "max-age=60", "Vary": "X-Lang", "Cache-Tag": "t"}
        kit.upstream.reply(Response.text(200, "hello", fields))
        for lang in ("de", "de", "en"):
            await kit.get("/a", {"X-Lang": lang})

        async def told(*arguments: str) -> list[str]:
            admin = ("--admin", str(kit.gateway.admin_url))
            code = await asyncio.to_thread(main, ["cache", *arguments, *admin])
            assert code == 0, capsys.readouterr().err
            return capsys.readouterr().out.splitlines()

        stats = await told("stats")
        assert stats[0] == "route all: 33.3% of 3 from the cache; 2 miss, 1 hit"
        assert stats[1].startswith("memory: 1 entries, 0.0 MiB, 0 evicted, ")
        assert any(
            " 50.0% of what went upstream: vary-miss on x-lang (mostly on all): vary on fewer fields" in line
            for line in stats
        )
        explained = await told("explain", "http://test/a", "-H", "X-Lang: en")
        assert explained[:2] == ["http://test/a", "route all: hit, 2 stored"]
        assert explained[2].startswith("> 200 identity, 5 bytes, fresh for ")
        assert explained[2].endswith(", x-lang: en")
        posted = await told("explain", "http://test/a", "-X", "post", "-d", "a question")
        assert posted == ["http://test/a", "route all: miss, 0 stored"]
        assert await told("purge", "--tag", "t", "--dry-run") == ["1 entry would be purged"]
        assert await told("purge", "http://test/a", "--soft") == ["1 entry made stale"]
        assert await told("purge", "http://test/a") == ["1 entry purged"]
        assert await told("purge", "--all") == ["0 entries purged"]


def test_a_purge_names_one_thing(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cache", "purge"]) == 2
    assert main(["cache", "purge", "http://a/", "--all"]) == 2
    assert "name one of" in capsys.readouterr().err
