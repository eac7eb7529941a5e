"""Reloads and what has files of its own: plugins that stay, that are others, and error pages."""

from __future__ import annotations

from typing import Any

from proxy.events import ConfigReloaded
from proxy.plugin import AdminRequest
from proxy.server.gateway import Gateway
from tests.unit.server.served import Served

PLUGIN = """
from proxy.api import *

class Config(PluginConfig):
    word: str = "a"
    fails: bool = False

class Told(Plugin[Config]):
    instances = []

    async def start(self, services):
        if self.config.fails:
            raise OSError("no database")
        self.instances.append(self)
        self.stopped = False
        self.task = services.spawn(self.forever())
        services.admin.route("GET", "told", self.answer, "What it was told")
        services.metrics.gauge("passerelle_told", "Told.", function=lambda: float(len(self.config.word)))

    async def forever(self):
        import asyncio
        await asyncio.Event().wait()

    async def answer(self, request):
        return Response.text(200, self.config.word)

    async def stop(self):
        self.stopped = True

    def on_response(self, exchange):
        exchange.response.headers["X-Told"] = self.config.word
"""


async def test_an_exchange_ends_on_the_configuration_that_it_began_on(served: Served) -> None:
    (served.file.parent / "told.py").write_text(PLUGIN)
    await served.reload(("[request_id, events]", "[request_id, ./told.py: {word: old}]"))
    old = served.gateway.built
    url = f"{served.gateway.urls[0]}/stream?events=2&ms=200"
    async with served.client.get(url) as answer:
        await answer.content.readany()
        await served.reload(("word: old", "word: new"))
        plugin: Any = old.plugins["told"].thing.link.plugin
        assert (old.snapshot.active, plugin.stopped, served.gateway.reloader.generations) == (1, False, 2)
        assert answer.headers["X-Told"] == "old"
        assert b'"tick": 2' in await answer.content.read()
    await served.settled()
    assert (old.snapshot.active, plugin.stopped, plugin.task.cancelled()) == (0, True, True)


async def test_plugins_that_are_as_they_were_go_on(served: Served) -> None:
    (served.file.parent / "told.py").write_text(PLUGIN)
    await served.reload(("[request_id, events]", "[request_id, ./told.py]"))
    plugin: Any = served.gateway.built.plugins["told"].thing.link.plugin
    done = await served.reload(("body: one", "body: two"))
    assert done.changes == ("plugin respond restarted", "route hello changed")
    await served.settled()
    after: Any = served.gateway.built.plugins["told"].thing.link.plugin
    assert after is plugin
    assert (plugin.stopped, plugin.task.done(), len(plugin.instances)) == (False, False, 1)


async def test_a_plugin_file_that_has_changed_is_another_plugin(served: Served) -> None:
    file = served.file.parent / "told.py"
    file.write_text(PLUGIN)
    await served.reload(("[request_id, events]", "[request_id, ./told.py]"))
    file.write_text(PLUGIN.replace('word: str = "a"', 'word: str = "b"'))  # as long, and within the same second
    done = await served.reload()
    assert done.changes == ("plugin told restarted",)
    async with served.client.get(f"{served.gateway.urls[0]}/hello") as answer:
        assert answer.headers["X-Told"] == "b"


async def test_a_plugin_file_that_has_changed_is_another_revision(served: Served) -> None:
    file = served.file.parent / "told.py"
    file.write_text(PLUGIN)
    first = await served.reload(("[request_id, events]", "[request_id, ./told.py]"))
    file.write_text(PLUGIN.replace('word: str = "a"', 'word: str = "b"'))
    second = await served.reload()
    assert (second.previous, second.revision) == (first.revision, served.gateway.revision)
    assert served.gateway.built.snapshot.revision == second.revision != first.revision
    event = served.events[-1]
    assert isinstance(event, ConfigReloaded)
    assert (event.revision, event.previous) == (second.revision, first.revision)
    file.write_text(PLUGIN)
    assert (await served.reload()).revision == first.revision


async def test_an_error_page_that_has_changed_is_told_of_and_another_revision(served: Served) -> None:
    page = served.file.parent / "404.txt"
    page.write_text("one")
    more = "  - {name: none, match: {path: /none}, plugins: {respond: {status: 404}}}\nerrors: {404: {file: 404.txt}}\n"
    first = await served.reload(("{name: site,", "{name: site, match: {path: /site},"), more=more)
    assert await served.get("/else") == (404, "one")
    page.write_text("two")
    second = await served.reload()
    assert second.changes == (f"error page {page} changed",)
    assert second.revision != first.revision
    assert await served.get("/else") == (404, "two")


async def test_a_plugin_takes_its_admin_route_and_gauge_over_from_the_one_before(served: Served) -> None:
    (served.file.parent / "told.py").write_text(PLUGIN)
    await served.reload(("[request_id, events]", "[request_id, ./told.py]"))
    assert await told(served.gateway) == "a"
    refused = await served.reload(("./told.py", "./told.py: {word: bbb}"), ("request_id,", "request_id, ./bad.py: {},"))
    assert (refused.ok, await told(served.gateway)) == (False, "a")
    (served.file.parent / "bad.py").write_text(PLUGIN.replace("fails: bool = False", "fails: bool = True"))
    refused = await served.reload(("./bad.py: {}, ./told.py: {word: bbb}", "./told.py: {word: bbb}, ./bad.py"))
    (problem,) = refused.problems
    assert problem.render().endswith('the plugin "bad" does not start: OSError: no database')
    assert problem.line == 5
    gauge = served.gateway.metrics.gauge("passerelle_told", "Told.")
    assert (await told(served.gateway), gauge.readings()) == ("a", [((), 1.0)])
    assert (await served.reload((", ./bad.py", ""))).ok
    assert (await told(served.gateway), gauge.readings()) == ("bbb", [((), 3.0)])
    assert (await served.reload(("./told.py: {word: bbb}", "events"))).ok
    assert served.gateway.routes.find("GET", "/api/v1/told") is None


async def told(gateway: Gateway) -> str:
    found = gateway.routes.find("GET", "/api/v1/told")
    assert found is not None
    answer = await found[0].handler(AdminRequest("GET", "/api/v1/told", {}, {}, b""))
    return (await answer.body.read(100)).decode()
