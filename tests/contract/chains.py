"""Chains for the matrix: hooks that are plain or wait, made of the same decisions; and one run of a case."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from inspect import isawaitable
from random import Random
from typing import Any

from plugins.events import Events
from proxy.events import Event
from proxy.exchange import Exchange
from proxy.plugin import Plugin
from proxy.testing import Conversation, Cut, GatewayKit, Reply, Script, Seen, running

Act = Callable[[Exchange], Any]
Acts = Mapping[str, Any]  # hook name to what it does; `on_error` to the plugin's own

CONFIG = """
listen: [http://127.0.0.1:0]
admin: false
upstreams: {{app: {{targets: ["${{UPSTREAM}}"], retry: {retry}}}}}
plugins: [{chain}]
routes: [{{name: all, match: {{path: {path}}}, upstream: app}}]
"""

_HOOKS = ("on_request", "on_attempt", "on_response")
_WIRE = frozenset({"content-length", "transfer-encoding", "date", "expect"})  # what depends on how bytes arrived
_VARYING = (
    (re.compile(rb"00-[0-9a-f]{32}-[0-9a-f]{16}-"), b"00-<id>-<span>-"),
    (re.compile(rb"[0-9a-f]{32}"), b"<id>"),
    (re.compile(rb"\r\nDate: [^\r]+"), b"\r\nDate: <now>"),
    (re.compile(rb"X-Forwarded-Port: \d+"), b"X-Forwarded-Port: <port>"),
    (re.compile(rb"passerelle \([0-9a-f]+\)"), b"passerelle (<token>)"),
)
_UNTOLD = ("request_id", "duration_ms", "first_byte_ms", "first_request_id", "last_request_id")


@dataclass(frozen=True)
class Case:
    """One thing that can happen to a request.

    :ivar chain: what each plugin does, outermost first.
    :ivar answers: what the upstream gives, one after the other: bytes, or a script of its own.
    :ivar status: what the client gets; 0 when its answer is cut before the end.
    :ivar body: what the client gets; None where that does not matter.
    :ivar diary: the hooks that ran, in order; None where that does not matter.
    :ivar exact: whether the bytes are the same however the hooks wait; where bodies flow, their pieces may differ.
    :ivar whole: whether the request may be cut to pieces.
    """

    name: str
    chain: tuple[Acts, ...]
    request: bytes = b"GET /a?b=c HTTP/1.1\r\nHost: example.test\r\n\r\n"
    answers: tuple[bytes | Script, ...] = (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",)
    status: int = 200
    body: bytes | None = b"ok"
    diary: str | None = None
    events: tuple[str, ...] = ("request.completed",)
    retry: str = "false"
    path: str = "/*"
    refused: bool = False
    exact: bool = True
    whole: bool = False

    @property
    def method(self) -> str:
        return self.request.partition(b" ")[0].decode()


@dataclass
class Outcome:
    """What became of it, without what differs from one run to the next."""

    reply: tuple[object, ...]
    raw: tuple[bytes, ...]
    upstream: list[tuple[object, ...]]
    events: list[tuple[str, dict[str, Any]]]
    counted: dict[tuple[str, ...], float]
    diary: list[str]
    got: Reply | None = None
    seen: list[Seen] = field(default_factory=list)

    @property
    def told(self) -> tuple[object, ...]:
        """What must be the same in every way."""
        return (self.reply, self.upstream, self.events, self.counted, self.diary)


class Way:
    """How the hooks of a chain run: by plugin and hook, whether it waits first."""

    def __init__(self, name: str, waits: Callable[[int, str], bool], cut: int | None = None) -> None:
        self.name = name
        self.waits = waits
        self.cut = cut

    def pieces(self, data: bytes) -> list[bytes]:
        """The data as it is sent: whole, or cut at random places."""
        if self.cut is None or len(data) < 2:
            return [data]
        chance = Random(self.cut)
        cuts = sorted(chance.sample(range(1, len(data)), k=min(12, len(data) - 1)))
        return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]


WAYS = (
    Way("plain", lambda index, hook: False),
    Way("waits", lambda index, hook: True),
    Way("even ones wait", lambda index, hook: (index + _HOOKS.index(hook)) % 2 == 0),
    Way("odd ones wait", lambda index, hook: (index + _HOOKS.index(hook)) % 2 == 1),
    Way("cut, plain", lambda index, hook: False, 1),
    Way("cut, waits", lambda index, hook: True, 2),
    Way("cut, mixed", lambda index, hook: index % 2 == 0, 3),
)


def plugin(index: int, acts: Acts, way: Way, diary: list[str]) -> type[Plugin[Any]]:
    """A plugin class that does what `acts` says, in the way asked for."""

    def hook(name: str) -> Callable[..., Any]:
        act = acts.get(name, lambda exchange: None)

        def plain(self: object, exchange: Exchange) -> Any:
            diary.append(f"{index} {name.removeprefix('on_')}")
            return act(exchange)

        async def waiting(self: object, exchange: Exchange) -> Any:
            await asyncio.sleep(0)
            given = plain(self, exchange)
            return await given if isawaitable(given) else given

        return waiting if name in _HOOKS and way.waits(index, name) else plain

    names = (*_HOOKS, "on_complete")
    members = {name: hook(name) for name in names} | {"on_error": acts.get("on_error", "fail")}
    return type(f"P{index}", (Plugin,), members)


async def play(case: Case, way: Way) -> Outcome:
    """Send the case's request through a whole gateway; it must leave nothing behind."""
    diary: list[str] = []
    classes = [plugin(index, acts, way, diary) for index, acts in enumerate(case.chain)]
    chain = ", ".join([*(f"p{index}" for index in range(len(classes))), "events"])
    text = CONFIG.format(retry=case.retry, chain=chain, path=case.path)
    async with running(text, plugins=[*classes, Events]) as kit:
        kit.upstream.reply(*(_script(answer, way) for answer in case.answers))
        if case.refused:
            kit.upstream.refuse()
        got, cut = await _ask(kit, case, way)
        await kit.settled()
        return _outcome(kit, got, cut, diary)


async def _ask(kit: GatewayKit, case: Case, way: Way) -> tuple[Reply | None, bytes]:
    async with kit.wire() as wire:
        await wire.send(*(way.pieces(case.request) if not case.whole else [case.request]))
        try:
            return await wire.reply(case.method), b""
        except Cut as cut:
            return None, cut.received


def _script(answer: bytes | Script, way: Way) -> Script:
    if not isinstance(answer, bytes):
        return answer

    async def play(conversation: Conversation) -> None:
        await conversation.upload()
        await conversation.send(*way.pieces(answer))

    return play


def _outcome(kit: GatewayKit, got: Reply | None, cut: bytes, diary: list[str]) -> Outcome:
    counter = kit.gateway.metrics.counter("passerelle_requests_total", "", ("route", "status"))
    return Outcome(
        reply=("cut",)
        if got is None
        else (got.status, _fields(got.headers), same(got.body), got.interim, got.trailers),
        raw=(same(got.raw if got else cut), *(same(seen.raw) for seen in kit.upstream.seen)),
        upstream=[_request(seen) for seen in kit.upstream.seen],
        events=[_event(event) for event in kit.events],
        counted={labels: child.value for labels, child in counter.children()},
        diary=diary,
        got=got,
        seen=list(kit.upstream.seen),
    )


def _reply(got: Reply | None) -> tuple[object, ...]:
    if got is None:
        return ("cut",)
    return got.status, _fields(got.headers), same(got.body), got.interim, got.trailers


def same(data: bytes) -> bytes:
    """The bytes without ids, dates and ports."""
    for pattern, stand_in in _VARYING:
        data = pattern.sub(stand_in, data)
    return data


def _fields(headers: Any) -> list[tuple[str, bytes]]:
    told = [(name, value) for name, value in headers.items() if name.lower() not in _WIRE]
    return [(name, same(f"X: {value}".encode()) if "port" not in name.lower() else b"") for name, value in told]


def _request(seen: Seen) -> tuple[object, ...]:
    return seen.method, seen.target, _fields(seen.headers), seen.body, seen.trailers, seen.whole


def _event(event: Event) -> tuple[str, dict[str, Any]]:
    return event.type, {name: value for name, value in event.data().items() if name not in _UNTOLD}


async def upper(parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """A filter that changes bytes and keeps their number."""
    async for part in parts:
        yield part.upper()


async def breaks(parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """A filter that raises behind the second byte, wherever the pieces end."""
    left = 2
    async for part in parts:
        yield part[:left]
        left -= len(part[:left])
        if not left:
            raise ValueError("the filter broke")
