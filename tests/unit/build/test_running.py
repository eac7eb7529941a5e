"""A started plugin gives back what it was lent."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

import proxy.build.running
from proxy.build import Runtime
from proxy.build.running import Running
from proxy.chain import Link
from proxy.message import Response
from proxy.plugin import AdminRequest, Plugin, PluginConfig, Services
from proxy.store import Store, StoreUnavailable


class Busy(Plugin[PluginConfig]):
    """Leaves something behind."""

    hangs = False
    raises = False
    lingers = False

    async def start(self, services: Services) -> None:
        if self.lingers:
            await self.forever()
        services.admin.route("GET", "busy", self.answer)
        self.task = services.spawn(self.forever())

    async def forever(self) -> None:
        await asyncio.Event().wait()

    async def answer(self, request: AdminRequest) -> Response:
        return Response(204)

    async def stop(self) -> None:
        if self.raises:
            raise OSError("no")
        if self.hangs:
            await self.forever()


def running(runtime: Runtime, plugin: Busy) -> Running:
    return Running(Link("busy", "busy", plugin), runtime, [])


async def test_a_start_that_hangs_is_given_up(runtime: Runtime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proxy.build.running, "_STARTING", 0.01)
    plugin = Busy(PluginConfig())
    plugin.lingers = True
    with pytest.raises(TimeoutError, match=r"it has not started within 0\.01 s"):
        await running(runtime, plugin).start()


async def test_a_start_that_waits_in_vain_for_something_else_says_so(runtime: Runtime) -> None:
    class Impatient(Busy):
        async def start(self, services: Services) -> None:
            raise TimeoutError("of its own")

    with pytest.raises(TimeoutError, match="of its own"):
        await running(runtime, Impatient(PluginConfig())).start()


async def test_its_tasks_end_with_it(runtime: Runtime) -> None:
    plugin = Busy(PluginConfig())
    one = running(runtime, plugin)
    await one.start()
    await one.stop()
    assert plugin.task.cancelled()


@pytest.mark.parametrize("fault", ["hangs", "raises"])
async def test_whatever_its_stop_does(
    runtime: Runtime, fault: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(proxy.build.running, "_STOPPING", 0.01)
    plugin = Busy(PluginConfig())
    setattr(plugin, fault, True)
    one = running(runtime, plugin)
    await one.start()
    await one.stop()
    assert plugin.task.cancelled()
    assert "the plugin busy did not stop" in caplog.text


async def test_its_admin_routes_are_its_own_until_they_are_shown(runtime: Runtime) -> None:
    first, second = running(runtime, Busy(PluginConfig())), running(runtime, Busy(PluginConfig()))
    await first.start()
    await second.start()  # of another configuration: the same routes are no conflict
    third = Running(Link("other", "busy", Busy(PluginConfig())), runtime, [first.routes])
    with pytest.raises(ValueError, match="is taken"):
        await third.start()
    for one in (first, second):
        await one.stop()


class Keeping(Plugin[PluginConfig]):
    """Opens a store, and does not close it."""

    name = "outbox"

    async def start(self, services: Services) -> None:
        self.store: Store = services.store(self.name)


async def test_a_store_is_below_the_directory_for_state_and_closed_in_the_end(runtime: Runtime, tmp_path: Path) -> None:
    plugin = Keeping(PluginConfig())
    one = Running(Link("keeping", "keeping", plugin), runtime, state=tmp_path / "state")
    await one.start()
    await plugin.store.endpoints.save("a", "")
    assert (tmp_path / "state" / "outbox.sqlite3").exists()
    await one.stop()
    with pytest.raises(StoreUnavailable):
        await plugin.store.endpoints.save("a", "")


async def test_a_store_has_a_name_that_leads_nowhere_else(runtime: Runtime, tmp_path: Path) -> None:
    plugin = Keeping(PluginConfig())
    plugin.name = "../outbox"
    with pytest.raises(ValueError, match="not a name"):
        await Running(Link("keeping", "keeping", plugin), runtime, state=tmp_path).start()
