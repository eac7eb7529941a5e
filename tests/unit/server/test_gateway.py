"""A gateway's life: all of it or nothing at the start, nothing lost at the end."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from aiohttp import ClientConnectionError, ClientSession

from proxy.events import LogsRotated, SystemDraining
from proxy.registry import Registry
from proxy.server.gateway import CannotBind, Gateway
from proxy.server.sockets import bind
from proxy.settings import SettingsError, load_text

Start = Callable[..., Awaitable[Gateway]]

PLAIN = """
listen: http://127.0.0.1:0
admin: {admin}
upstreams: {{a: {{targets: ["{upstream}"]}}}}
"""
LONE = """
listen: [http://127.0.0.1:0, "{taken}"]
admin: false
routes: [{{name: a, plugins: {{respond: {{status: 200}}}}}}]
"""
PLUGIN = """
from proxy.api import Plugin, PluginConfig

class Told(Plugin[PluginConfig]):
    async def start(self, services):
        self.file = open({file!r}, "a")
        self.file.write("started\\n")
        {fails}

    async def stop(self):
        self.file.write("stopped\\n")
        self.file.close()
"""


async def test_it_forwards_and_answers(start: Start, client: ClientSession) -> None:
    gateway = await start()
    async with client.get(f"{gateway.urls[0]}/api/users/3") as answer:
        assert (answer.status, (await answer.json())["name"]) == (200, "Donald")
    async with client.get(f"{gateway.urls[0]}/hello") as answer:
        assert await answer.text() == "hello"
    assert gateway.ready


async def test_a_drain_lets_requests_end_and_takes_no_new_ones(start: Start, client: ClientSession) -> None:
    gateway = await start()
    url = gateway.urls[0]
    draining: asyncio.Future[SystemDraining] = asyncio.get_running_loop().create_future()
    gateway.runtime.events.subscribe(SystemDraining, draining.set_result)
    async with client.get(f"{url}/stream?events=2&ms=300") as answer:
        assert b"tick" in await answer.content.readany()
        drain = asyncio.create_task(gateway.drain())
        assert (await draining).active == 1
        assert not gateway.ready
        async with ClientSession() as other:
            with pytest.raises(ClientConnectionError):
                await other.get(f"{url}/hello")
        assert b'"tick": 2' in await answer.content.read()
    await drain


async def test_what_runs_over_the_time_is_cut(start: Start, client: ClientSession) -> None:
    gateway = await start(text=PLAIN, admin="false", more="drain: {timeout: 100ms}\n")
    request = asyncio.create_task(client.get(f"{gateway.urls[0]}/slow?ms=30000"))
    while gateway.engine.active == 0:
        await asyncio.sleep(0)
    await gateway.drain()
    with pytest.raises(ClientConnectionError):
        await request


async def test_a_delay_keeps_serving_while_it_is_not_ready(start: Start, client: ClientSession) -> None:
    gateway = await start(text=PLAIN, more="drain: {delay: 30s}\n")
    drain = asyncio.create_task(gateway.drain())
    async with client.get(f"{gateway.admin_url}/readyz") as answer:
        assert answer.status == 503
    async with client.get(f"{gateway.urls[0]}/users") as answer:
        assert answer.status == 200
    assert not drain.done()
    drain.cancel()
    with pytest.raises(asyncio.CancelledError):
        await drain


async def test_a_failing_test_of_its_own_refuses_the_start(start: Start) -> None:
    with pytest.raises(SettingsError, match=r"p.yaml:\d+:\d+: tests\[0\].expect.route: .*the route is hello, not site"):
        await start(more="tests: [{request: GET http://a/hello, expect: {route: site}}]\n")


async def test_what_is_doubtful_is_logged(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    await start(text=PLAIN, more="routes: [{name: a, upstream: a}, {name: b, upstream: a}]\n")
    assert 'routes "a" and "b" take the same requests' in caplog.text


async def test_a_taken_address_leaves_nothing_behind(start: Start, tmp_path: Path) -> None:
    first = await start()
    text = LONE.format(taken=first.urls[0])
    second = Gateway(load_text(text, {}, tmp_path / "q.yaml"), Registry.installed())
    with pytest.raises(CannotBind):
        await second.start()
    assert not second.ready  # and the sockets of its first listener are closed, else the collector would warn


async def test_a_plugin_that_does_not_start_refuses_and_the_others_are_stopped(start: Start, tmp_path: Path) -> None:
    told = tmp_path / "told"
    (tmp_path / "good.py").write_text(PLUGIN.format(file=str(told), fails="pass"))
    (tmp_path / "bad.py").write_text(
        PLUGIN.format(file=str(tmp_path / "x"), fails="self.file.close(); raise OSError('no')")
    )
    with pytest.raises(SettingsError, match='the plugin "bad" does not start: OSError: no'):
        await start(text=PLAIN, more="plugins: [./good.py, ./bad.py]\n")
    assert told.read_text() == "started\nstopped\n"


async def test_sockets_are_free_after_a_stop(start: Start) -> None:
    gateway = await start()
    port = int(gateway.urls[0].rpartition(":")[2])
    await gateway.stop()
    for sock in bind("127.0.0.1", port):
        sock.close()


async def test_plugins_hear_that_log_files_were_moved_away(start: Start) -> None:
    gateway = await start()
    told: list[LogsRotated] = []
    gateway.runtime.events.subscribe(LogsRotated, told.append)
    gateway.reopen_logs()
    assert len(told) == 1
