"""Reloads of a gateway that serves: what changes, what stays, and what a refusal leaves alone."""

from __future__ import annotations

import asyncio
import gc
import socket
import weakref
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import ClientConnectionError, ClientSession

from proxy.events import ConfigRejected, ConfigReloaded
from proxy.server.gateway import Gateway
from tests.unit.server.served import Served, until

SLOW = """
import asyncio
from proxy.api import *

class Slow(Plugin[PluginConfig]):
    async def start(self, services):
        going = asyncio.Event()
        services.spawn(self.later(going))
        await going.wait()

    async def later(self, going):
        await asyncio.sleep(0.1)
        going.set()
"""
ENDLESS = """
import asyncio
from proxy.api import *

class Endless(Plugin[PluginConfig]):
    async def start(self, services):
        services.spawn(asyncio.sleep(3600))
        await asyncio.Event().wait()
"""


async def test_a_changed_file_is_served(served: Served) -> None:
    before = served.gateway.revision
    done = await served.reload(("body: one", "body: two"))
    assert await served.get("/hello") == (200, "two")
    assert (done.ok, done.previous, done.changes) == (True, before, ("plugin respond restarted", "route hello changed"))
    assert done.revision == served.gateway.revision != before
    (event,) = served.events
    assert isinstance(event, ConfigReloaded)
    assert event.data() == {"revision": done.revision, "previous": before, "summary": done.changes}
    assert served.gateway.reloader.last is done


async def test_what_is_wrong_leaves_everything_as_it_was(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    before, built = served.gateway.revision, served.gateway.built
    refused = await served.reload(("upstream: app", "upstraem: app"), ("body: one", "body: two"))
    assert await served.get("/hello") == (200, "one")
    assert (refused.ok, refused.revision, served.gateway.built) == (False, before, built)
    said = [problem.render() for problem in refused.problems]
    assert any("p.yaml:8:" in line and 'did you mean "upstream"?' in line for line in said)
    assert all(line in caplog.text for line in said)
    (event,) = served.events
    assert isinstance(event, ConfigRejected)
    assert event.data() == {"revision": before, "summary": tuple(line for line in said if "warning" not in line)}
    again = await served.reload(("upstraem", "upstream"))
    assert (again.ok, await served.get("/hello")) == (True, (200, "two"))


async def test_reloads_are_counted_and_the_revision_is_told(served: Served) -> None:
    await served.reload(("body: one", "body: two"))
    await served.reload(("status: 200", "status: 2000"))
    await served.settled()
    text = served.gateway.metrics.exposition()[0].decode()
    for outcome in ("done", "refused"):
        assert f'passerelle_config_reloads_total{{outcome="{outcome}"}} 1.0' in text
    assert f'passerelle_config_info{{revision="{served.gateway.revision}"}} 1.0' in text
    assert "passerelle_config_last_reload_good 0.0" in text
    assert "passerelle_config_generations 1.0" in text
    seconds = served.gateway.metrics.gauge("passerelle_config_last_success_seconds", "").child().value
    assert seconds == pytest.approx(served.gateway.runtime.clock.time(), abs=60)


async def test_a_failing_test_of_its_own_refuses_it(served: Served) -> None:
    refused = await served.reload(more="tests: [{request: GET http://a/hello, expect: {status: 201}}]\n")
    (problem,) = refused.problems
    assert "status 200, not status 201" in problem.message
    assert (problem.line, problem.path) == (9, ("tests", 0, "expect", "status"))


async def test_upstreams_that_are_as_they_were_keep_their_connections(served: Served, upstream: str) -> None:
    await served.get("/users")
    app = served.gateway.built.snapshot.upstreams["app"]
    await served.reload(("body: one", "body: two"))
    await served.get("/users")
    await served.settled()
    assert served.gateway.built.snapshot.upstreams["app"] is app
    assert (app.pool.created, app.pool.reused) == (1, 1)
    await served.reload(("]}}", "], timeouts: {connect: 1s}}}"))
    await served.settled()
    assert served.gateway.built.snapshot.upstreams["app"] is not app
    assert app.pool.open == 0  # its idle connection ended with the last configuration that used it


async def test_a_file_named_by_a_secret_is_read_again(served: Served) -> None:
    secret = served.file.parent / "word"
    secret.write_text("one\n")
    assert (await served.reload(("body: one", 'body: "${file:word}"'))).ok
    assert await served.get("/hello") == (200, "one")
    secret.write_text("two\n")
    assert (await served.reload()).ok
    assert await served.get("/hello") == (200, "two")


async def test_listeners_come_and_go(served: Served) -> None:
    first = served.gateway.urls[0]
    await served.get("/hello")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    done = await served.reload(("[http://127.0.0.1:0]", f"[http://127.0.0.1:0, 'http://127.0.0.1:{port}']"))
    assert done.changes == (f"listener http://127.0.0.1:{port} added",)
    assert served.gateway.urls == [first, f"http://127.0.0.1:{port}"]
    assert await served.get("/hello", served.gateway.urls[1]) == (200, "one")
    async with served.client.get(f"{first}/stream?events=2&ms=100") as answer:
        await answer.content.readany()
        await served.reload(("[http://127.0.0.1:0, ", "["))
        async with ClientSession() as other:
            with pytest.raises(ClientConnectionError):
                await other.get(f"{first}/hello")
        assert b'"tick": 2' in await answer.content.read()
    assert served.gateway.urls == [f"http://127.0.0.1:{port}"]
    await until(lambda: served.gateway.connections == 1)
    assert await served.get("/hello") == (200, "one")


async def test_an_address_that_is_taken_refuses_it(served: Served) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = await served.reload(
            ("[http://127.0.0.1:0]", f"[http://127.0.0.1:0, 'http://127.0.0.1:{port}']"), ("body: one", "body: two")
        )
    (problem,) = refused.problems
    assert (problem.path, problem.line) == (("listen", 1), 2)
    assert problem.message == f"cannot listen on 127.0.0.1:{port}: Address already in use"
    assert await served.get("/hello") == (200, "one")


async def test_limits_trust_and_token_count_from_then_on_also_for_open_connections(served: Served) -> None:
    url, headers = served.gateway.urls[0], {"X-Long": "a" * 2000, "X-Forwarded-For": "192.0.2.7"}
    accepted = served.gateway.metrics.counter("passerelle_connections_accepted_total", "").child()
    async with served.client.get(f"{url}/echo", headers=headers) as answer:
        assert ["X-Real-IP", "127.0.0.1"] in (await answer.json())["headers"]
    done = await served.reload(("token: t0", "token: t1"), more="trusted_proxies: [127.0.0.0/8]\n")
    assert done.changes == ("admin changed", "trusted_proxies changed")
    async with served.client.get(f"{url}/echo", headers=headers) as answer:
        assert ["X-Real-IP", "192.0.2.7"] in (await answer.json())["headers"]
    assert accepted.value == 1
    await served.reload(more="limits: {head: 1KiB, connections: 7}\n")
    assert served.gateway.metrics.gauge("passerelle_connections_limit", "").readings() == [((), 7)]
    async with served.client.get(f"{url}/echo", headers=headers) as answer:
        assert answer.status == 431
    for token, status in (("t0", 401), ("t1", 200)):
        async with served.client.get(
            f"{served.gateway.admin_url}/api/v1/status", headers={"Authorization": f"Bearer {token}"}
        ) as answer:
            assert answer.status == status


@pytest.mark.parametrize(
    ("old", "new", "path"),
    [
        ("{listen: http://127.0.0.1:0, token: t0}", "false", ("admin",)),
        ("listen: http://127.0.0.1:0,", "listen: http://127.0.0.1:1,", ("admin", "listen")),
        ("token: t0", "token: t0, probes: http://127.0.0.1:0", ("admin", "probes")),
        ("admin:", "state: elsewhere\nadmin:", ("state",)),
    ],
)
async def test_what_takes_a_restart_is_refused_by_name(
    served: Served, old: str, new: str, path: tuple[str, ...]
) -> None:
    refused = await served.reload((old, new))
    (problem,) = refused.problems
    assert (problem.path, problem.message) == (path, "cannot change while the server runs")
    assert problem.line


async def test_two_at_once_are_done_one_after_the_other_and_the_later_ones_together(served: Served) -> None:
    (served.file.parent / "told.py").write_text(SLOW)
    served.change(("[request_id, events]", "[request_id, ./told.py]"))
    first = asyncio.ensure_future(served.gateway.reload("signal"))
    await until(lambda: bool(served.gateway.runtime._tasks))
    served.change(("body: one", "body: two"))
    second, third = (asyncio.ensure_future(served.gateway.reload("admin")) for _ in range(2))
    assert (await first).ok
    assert await second is await third
    assert (await second).previous == (await first).revision
    assert await served.get("/hello") == (200, "two")


async def test_a_drain_breaks_it_off(served: Served) -> None:
    (served.file.parent / "told.py").write_text(ENDLESS)
    reload = asyncio.ensure_future(served.reload(("[request_id, events]", "[request_id, ./told.py]")))
    await until(lambda: bool(served.gateway.runtime._tasks))
    await served.gateway.drain()
    refused = await reload
    assert [problem.message for problem in refused.problems] == ["the server is draining"]
    assert not (await served.gateway.reload("signal")).ok


async def test_without_a_file_there_is_nothing_to_reload(start: Callable[..., Awaitable[Gateway]]) -> None:
    refused = await (await start()).reload("signal")
    assert [problem.message for problem in refused.problems] == ["there is no file to read again"]


async def test_nothing_of_earlier_configurations_is_left(served: Served) -> None:
    await served.get("/users")
    earlier = []
    for number in range(5):
        await served.reload((f"body: {number - 1 if number else 'one'}", f"body: {number}"))
        earlier.append(weakref.ref(served.gateway.built))
    await served.reload(("body: 4", "body: last"))
    await served.settled()
    await asyncio.sleep(0)
    gc.collect()
    assert [ref() for ref in earlier] == [None] * 5
