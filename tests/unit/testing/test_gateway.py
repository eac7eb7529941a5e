"""The gateway of the kit: both its ends, what it captures, and that it tells of what is left over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from proxy.clock import ManualClock
from proxy.exchange import Exchange
from proxy.message import Body, Response
from proxy.plugin import Plugin, PluginConfig, Services
from proxy.registry import PluginNotUsable
from proxy.settings import SettingsError, settings_for
from proxy.testing import Conversation, Cut, Leak, Local, running
from proxy.testing.gateway import names_of


class Config(PluginConfig):
    word: str = "default"


class LoudTag(Plugin[Config]):
    def on_request(self, exchange: Exchange) -> None:
        exchange.request.headers.add("X-Tag", self.config.word)


async def test_both_ends_of_a_gateway_with_a_plugin() -> None:
    async with running(plugins=[LoudTag, (LoudTag, {"word": "a ${literal} $"})]) as kit:
        reply = await kit.request("POST", "/path?a=b", {"X-Mine": "1"}, b"data")
        assert (reply.status, reply.text) == (200, "ok")
        (seen,) = kit.upstream.seen
        assert (seen.method, seen.target, seen.body, seen.whole) == ("POST", "/path?a=b", b"data", True)
        assert seen.headers.getall("x-tag") == ["default", "a ${literal} $"]
        assert seen.headers["x-mine"] == "1"
        assert kit.counted("all", 200) == 1
        assert kit.counted("all", 404) == 0
        assert kit.plugin("loud_tag_2").config.word == "a ${literal} $"
        kit.upstream.forget()
        assert kit.upstream.seen == []


def test_classes_are_named_as_yaml_would_have_them() -> None:
    assert list(names_of([LoudTag, (LoudTag, {}), LoudTag])) == ["loud_tag", "loud_tag_2", "loud_tag_3"]


def test_a_local_registry_knows_what_is_installed_too() -> None:
    registry = Local({"headers": LoudTag, "mine": LoudTag})
    assert registry.get("mine") is registry.get("headers") is LoudTag
    assert registry.get("events").__name__ == "Events"
    with pytest.raises(PluginNotUsable):
        registry.get("absent")


async def test_yaml_finds_the_upstream_and_further_variables() -> None:
    text = (
        "listen: [http://127.0.0.1:0]\nadmin: false\nplugins: [loud_tag: {word: '${WORD}'}]\n"
        "upstreams: {app: {targets: ['${UPSTREAM}']}}\n"
    )
    async with running(text, plugins=[LoudTag], env={"WORD": "given"}) as kit:
        await kit.get("/")
        assert kit.upstream.seen[0].headers["x-tag"] == "given"


async def test_settings_are_taken_as_they_are() -> None:
    made = settings_for("http://127.0.0.1:1", "http://127.0.0.1:0")
    settings = made.model_copy(update={"admin": None, "plugins": ()})
    async with running(settings) as kit:
        assert (await kit.get("/")).status == 502


async def test_what_cannot_be_built_is_refused_and_leaves_nothing() -> None:
    with pytest.raises(SettingsError, match="wrod"):
        async with running(plugins=[(LoudTag, {"wrod": "x"})]):
            raise AssertionError("it started")


async def test_answers_are_given_one_after_the_other_and_by_target() -> None:
    async with running() as kit:
        kit.upstream.reply(Response.text(201, "one"), b"HTTP/1.1 202 Two\r\nContent-Length: 0\r\n\r\n")
        kit.upstream.reply(Response(200, {}, Body.of(_parts())), to="/flow")
        assert [(await kit.get("/")).status for _ in range(3)] == [201, 202, 202]
        assert (await kit.get("/flow")).text == "onetwo"


async def _parts() -> AsyncIterator[bytes]:
    yield b"one"
    yield b"two"


async def test_the_upstream_answers_head_and_304_without_a_body() -> None:
    async with running() as kit:
        head = await kit.request("HEAD", "/")
        assert (head.status, head.body, head.headers["content-length"]) == (200, b"", "2")
        kit.upstream.reply(Response(304))
        assert (await kit.get("/")).body == b""


async def test_a_script_may_misbehave() -> None:
    async def half(conversation: Conversation) -> None:
        await conversation.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf")
        conversation.close()

    async with running() as kit:
        kit.upstream.reply(half)
        with pytest.raises(Cut) as cut:
            await kit.get("/")
        assert cut.value.received.endswith(b"half")


async def test_an_upstream_may_refuse() -> None:
    async with running() as kit:
        assert (await kit.get("/")).status == 200
        kit.upstream.refuse()
        assert (await kit.get("/")).status == 502


async def test_deadlines_are_the_tests_own() -> None:
    clock = ManualClock()

    async def never(conversation: Conversation) -> None:
        asked.set()
        await conversation.left()

    async with running(clock=clock) as kit:
        asked = asyncio.Event()
        kit.upstream.reply(never)
        waiting = asyncio.create_task(kit.get("/"))
        await asyncio.wait_for(asked.wait(), 5)
        kit.advance(61)
        assert (await waiting).status == 504


async def test_the_real_clock_cannot_be_moved() -> None:
    async with running() as kit:
        with pytest.raises(TypeError, match="real clock"):
            kit.advance(1)


async def test_events_are_captured() -> None:
    class Fails(Plugin[PluginConfig]):
        def on_request(self, exchange: Exchange) -> None:
            raise ValueError("here")

    async with running(plugins=[Fails]) as kit:
        await kit.get("/")
        (event,) = kit.events_of("plugin.error")
        assert event.data()["error"] == "ValueError: here"
        assert kit.events_of("request.completed") == []


async def test_what_is_left_under_way_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proxy.testing.gateway.PATIENCE", 0.05)

    async def never(conversation: Conversation) -> None:
        asked.set()
        await conversation.left()

    asked = asyncio.Event()
    with pytest.raises(Leak, match="1 exchanges, busy connections to app"):
        async with running() as kit:
            kit.upstream.reply(never)
            async with kit.wire() as wire:
                await wire.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                await asyncio.wait_for(asked.wait(), 5)
                await kit.settled()


async def test_a_task_that_is_left_is_told() -> None:
    left: list[asyncio.Task[bool]] = []

    class Forgets(Plugin[PluginConfig]):
        async def start(self, services: Services) -> None:
            left.append(asyncio.create_task(asyncio.Event().wait()))

    with pytest.raises(Leak, match="tasks are left"):
        async with running(plugins=[Forgets]):
            """Nothing is asked."""
    left[0].cancel()


async def test_a_script_that_fails_is_told() -> None:
    async def fails(conversation: Conversation) -> None:
        raise KeyError("in the script")

    with pytest.raises(ExceptionGroup) as failed:
        async with running() as kit:
            kit.upstream.reply(fails)
            assert (await kit.get("/")).status == 502
    assert isinstance(failed.value.exceptions[0], KeyError)


@pytest.mark.parametrize("admin", ["", "admin: {names: [gateway.example]}"], ids=["unwritten", "without an address"])
async def test_gateways_without_addresses_run_beside_one_another(admin: str) -> None:
    settings = f"{admin}\nroutes: [{{name: all, plugins: {{respond: {{status: 200}}}}}}]"
    async with running(settings) as one, running(settings) as other:
        assert one.url != other.url
        assert "127.0.0.1:8080" not in f"{one.url} {other.url}"
        assert one.gateway.admin_url != other.gateway.admin_url
        assert "127.0.0.1:9090" not in f"{one.gateway.admin_url} {other.gateway.admin_url}"
