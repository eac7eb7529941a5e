"""Sticky clients, ejection and the breaker in a whole gateway, as clients see them."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from proxy.build import Built, Runtime, build
from proxy.registry import Registry
from proxy.server.admin_routes import AdminRoutes
from proxy.settings import load_text
from tests.unit.frontend.stage import fetch, get, plays, staged, until
from tests.wire.origin import Wire

TWO = "http://127.0.0.1:{port}, http://localhost:{port}"
BAD = b"HTTP/1.1 503 X\r\nContent-Length: 3\r\n\r\nbad"


@pytest.fixture
def refusing() -> Iterator[str]:
    """The URL of a port that nobody listens on, and nobody else takes meanwhile."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"


async def test_a_client_is_told_where_to_stay_and_stays() -> None:
    async with staged(targets=TWO, upstream="balance: {sticky: {cookie: at}}, host: upstream") as stage:
        (cookie,) = (await fetch(stage, get("/"))).values("set-cookie")
        assert cookie.endswith("; Path=/; HttpOnly; SameSite=Lax")
        pair = cookie.partition(";")[0]
        for _ in range(4):
            assert (await fetch(stage, get("/", f"Cookie: {pair}"))).values("set-cookie") == []
        counts = [target.condition.answers for target in stage.upstream.targets]
        assert sorted(counts) == [0, 5]


PUBLIC = (
    b"HTTP/1.1 200 OK\r\nCache-Control: public, max-age=60, stale-while-revalidate=60\r\nContent-Length: 2\r\n\r\nok"
)


@pytest.mark.parametrize("said", [b"public", b"private"], ids=bytes.decode)
async def test_a_cache_keeps_the_answer_and_nobodys_cookie(said: bytes) -> None:
    sticky = "balance: {sticky: {cookie: at}}, host: upstream"
    async with staged(targets=TWO, upstream=sticky, plugins="cache") as stage:
        stage.origin.scripts["/"] = plays(PUBLIC.replace(b"public, ", b"" if said == b"private" else b"public, "))
        first, second = [await fetch(stage, get("/")) for _ in range(2)]
        assert [len(answer.values("set-cookie")) for answer in (first, second)] == [1, 0]
        assert second.values("cache-status") == ["passerelle; hit; ttl=60"]
        stage.clock.advance(61)
        assert "stale" in str((await fetch(stage, get("/"))).values("cache-status"))  # and is fetched anew behind it
        await until(lambda: len(stage.origin.record.requests) == 2)
        await until(lambda: stage.gateway.engine.active == 0)
        third = await fetch(stage, get("/"))
        assert (third.values("set-cookie"), third.values("cache-status")) == ([], ["passerelle; hit; ttl=60"])


async def test_the_cookie_is_of_the_target_that_answered_in_the_end() -> None:
    async with staged(targets=TWO, upstream="balance: {sticky: {cookie: at}}, retry: {attempts: 1}") as stage:
        answers = iter((BAD, PUBLIC))

        async def twice(wire: Wire) -> bool:
            await wire.send(next(answers))
            return True

        stage.origin.scripts["/"] = twice
        answer = await fetch(stage, get("/"))
        (cookie,) = answer.values("set-cookie")
        assert answer.status == 200
        stage.origin.scripts["/"] = plays(PUBLIC)
        served = {target.endpoint.url: target.condition.answers for target in stage.upstream.targets}
        assert (await fetch(stage, get("/", f"Cookie: {cookie.partition(';')[0]}"))).values("set-cookie") == []
        assert sorted(served.values()) == [1, 1]


async def test_an_error_page_sets_no_cookie(refusing: str) -> None:
    async with staged(targets=refusing, upstream="balance: {sticky: {cookie: at}}") as stage:
        answer = await fetch(stage, get("/"))
        assert (answer.status, answer.values("set-cookie")) == (502, [])


async def test_a_refusing_target_is_left_alone_by_default(refusing: str) -> None:
    async with staged(upstream="retry: {attempts: 1}", targets=f"{refusing}, http://127.0.0.1:{{port}}") as stage:
        for _ in range(20):
            assert (await fetch(stage, get("/"))).status == 200
        dead, alive = (target.condition for target in stage.upstream.targets)
        assert (dead.failures, dead.ejected, alive.well) == (5, True, True)


async def test_a_target_that_listens_again_is_back_within_seconds() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        dead_url = f"http://127.0.0.1:{sock.getsockname()[1]}"
        targets = f"{dead_url}, http://127.0.0.1:{{port}}"
        async with staged(upstream="retry: {attempts: 1, backoff: false}", targets=targets) as stage:
            dead = next(iter(stage.upstream.targets)).condition
            while not dead.ejected:
                assert (await fetch(stage, get("/"))).status == 200
            stage.pass_time(1.2)
            await until(lambda: not stage.gateway.runtime._tasks)
            assert dead.ejected  # nobody answered the knock
            sock.listen()
            stage.pass_time(1.2)
            await until(lambda: not dead.ejected)


async def test_the_last_resort_saves_requests_without_a_budget() -> None:
    """One target was ejected and is well again; the other one dies: nobody notices, and it is back."""
    async with staged(upstream="retry: {attempts: 1, budget: 0%, backoff: false}", targets=TWO) as stage:
        first, _ = stage.upstream.targets
        for _ in range(5):
            first.condition.failed(503)
        assert first.condition.ejected
        asked = 0

        async def dies_once(wire: Wire) -> bool:
            nonlocal asked
            asked += 1
            await wire.send(BAD if asked == 1 else BAD.replace(b"503", b"200"))
            return True

        stage.script("/once", dies_once)
        assert (await fetch(stage, get("/once"))).status == 200
        assert (asked, first.condition.ejected) == (2, False)


async def test_the_breaker_answers_at_once_and_lets_a_probe_through() -> None:
    async with staged(upstream="breaker: {of_at_least: 4, open: 5s}") as stage:
        stage.script("/x", plays(BAD))
        for _ in range(4):
            assert (await fetch(stage, get("/x"))).body == b"bad"
        refused = await fetch(stage, get("/x"))
        assert (refused.status, refused.values("retry-after")[0] in ("5", "6")) == (503, True)
        assert "destination_unavailable" in refused.values("proxy-status")[0]
        asked = len(stage.origin.record.requests)
        stage.script("/x", plays(BAD.replace(b"503", b"200")))
        assert (await fetch(stage, get("/x"))).status == 503
        assert len(stage.origin.record.requests) == asked
        stage.pass_time(5.6)
        assert [(await fetch(stage, get("/x"))).status for _ in range(3)] == [200] * 3


async def test_a_failure_that_opens_the_breaker_is_told_as_it_is() -> None:
    """There is no further try, which the breaker would refuse; nor is there one after a probe that failed."""
    policy = "breaker: {of_at_least: 4, open: 5s}, retry: {attempts: 3}"
    async with staged(upstream=policy, targets=TWO) as stage:
        stage.script("/x", plays(BAD))
        assert (await fetch(stage, get("/x"))).body == b"bad"
        assert len(stage.origin.record.requests) == 4
        assert (await fetch(stage, get("/x"))).body != b"bad"
        stage.pass_time(5.6)
        answer = await fetch(stage, get("/x"))
        assert (answer.status, answer.body, len(stage.origin.record.requests)) == (503, b"bad", 5)
        assert "circuit_open" in stage.gateway.metrics.exposition()[0].decode()
        assert [target.condition.active for target in stage.upstream.targets] == [0, 0]


async def test_a_reload_hands_on_what_is_known() -> None:
    """The upstream's settings have changed, so it is another object; its targets are the same ones."""
    runtime = Runtime(AdminRoutes())
    app = "{targets: [http://a:1, http://a:2], timeouts: {connect: %s}}"
    text = f"upstreams: {{app: {app}}}\nroutes: [{{name: r, upstream: app}}]"

    def made(connect: str, before: Built | None = None) -> Built:
        return build(load_text(text % connect, {}), Registry.installed(), runtime, before)

    old = made("1s")
    await old.start()
    old.show()
    ill, well = old.upstreams["app"].thing.targets
    for _ in range(5):
        ill.condition.failed(502)
    well.condition.active = 3
    new = made("2s", old)
    await new.start(old)
    new.show(old)
    await old.stop()
    one, two = new.upstreams["app"].thing.targets
    assert new.upstreams["app"].thing is not old.upstreams["app"].thing
    assert (one.condition, two.condition) == (ill.condition, well.condition)
    assert (one.condition.ejected, two.condition.active) == (True, 3)
    await new.stop()
    await runtime.close()
