"""A whole gateway in the test's own loop, between real sockets."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from importlib.metadata import EntryPoint
from typing import Any, TypeAlias

import yaml

from proxy.clock import Clock, ManualClock
from proxy.events import Event
from proxy.plugin import Plugin
from proxy.registry import GROUP, Registry, installed
from proxy.server.gateway import Gateway
from proxy.settings import Listener, Loaded, Settings, load_text
from proxy.testing.client import PATIENCE, Reply, Wire, request_bytes
from proxy.testing.upstream import FakeUpstream

PluginSpec: TypeAlias = type[Plugin[Any]] | tuple[type[Plugin[Any]], Mapping[str, Any]]

_CONFIG = """
listen: [http://127.0.0.1:0]
admin: false
upstreams: {app: {targets: ["${UPSTREAM}"], retry: false}}
routes: [{name: all, upstream: app}]
"""
_FREE = "http://127.0.0.1:0"
_TURNS = 10  # of the loop
_LOOK_EVERY = 0.002  # seconds between two looks at a gateway that is to come to rest


class Leak(AssertionError):
    """Something was left over when everything should have ended."""


class Local(Registry):
    """A registry that knows some classes by name, and beside them what is installed."""

    def __init__(self, classes: Mapping[str, type[Plugin[Any]]]) -> None:
        local = [EntryPoint(name, f"{cls.__module__}:{cls.__name__}", GROUP) for name, cls in classes.items()]
        super().__init__([*local, *(point for point in installed() if point.name not in classes)])
        self._local = dict(classes)

    def get(self, name: str) -> type[Plugin[Any]]:
        """:see: `proxy.registry.Registry.get`."""
        return self._local[name] if name in self._local else super().get(name)


class GatewayKit:
    """A gateway that runs, and both its ends.

    :ivar upstream: the upstream; set what it answers, look at what it saw.
    :ivar events: every event since the start, oldest first.
    :ivar clock: the clock that was handed in, or the real one.
    """

    def __init__(self, gateway: Gateway, upstream: FakeUpstream, clock: Clock) -> None:
        self.gateway = gateway
        self.upstream = upstream
        self.clock = clock
        self.events: list[Event] = []

    @property
    def url(self) -> str:
        """Where it listens."""
        return self.gateway.urls[0]

    def wire(self) -> Wire:
        """A new connection to it, for an `async with`."""
        return Wire("127.0.0.1", int(self.url.rpartition(":")[2]))

    async def request(
        self, method: str, target: str, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Reply:
        """Send one request on a connection of its own.

        :raises Cut: when the answer did not become whole.
        """
        async with self.wire() as wire:
            await wire.send(request_bytes(method, target, headers, body))
            return await wire.reply(method)

    async def get(self, target: str, headers: Mapping[str, str] | None = None) -> Reply:
        """`request` with GET."""
        return await self.request("GET", target, headers)

    def plugin(self, id: str) -> Plugin[Any]:  # noqa: A002 (the word for it)
        """The started instance of that id."""
        return next(link.plugin for link in self.gateway.built.links if link.id == id)

    def events_of(self, type: str) -> list[Event]:  # noqa: A002 (the word for it)
        """Those events of one type, oldest first."""
        return [event for event in self.events if event.type == type]

    def counted(self, route: str, status: int) -> int:
        """How many exchanges of a route ended with a status."""
        counter = self.gateway.metrics.counter("passerelle_requests_total", "", ("route", "status"))
        return sum(int(child.value) for labels, child in counter.children() if labels == (route, str(status)))

    def advance(self, seconds: float) -> None:
        """Let time pass on a manual clock, and call the deadlines that come up.

        :raises TypeError: when the gateway runs by the real clock.
        """
        if not isinstance(self.clock, ManualClock):
            raise TypeError("this gateway runs by the real clock; hand a ManualClock to running()")
        self.clock.advance(seconds)
        self.gateway.runtime.wheel.advance()

    def leftovers(self) -> list[str]:
        """What is under way: exchanges, busy connections. Idle connections to the upstream are none."""
        active = self.gateway.engine.active or abs(self.gateway.engine.snapshot.active)
        pools = {name: one.pool for name, one in self.gateway.built.snapshot.upstreams.items()}
        busy = [name for name, pool in pools.items() if pool.open != pool.idle or pool.queued]
        return [*([f"{active} exchanges"] if active else []), *(f"busy connections to {name}" for name in busy)]

    async def settled(self) -> None:
        """Wait until nothing is under way, and clients that went away are known to have gone.

        :raises Leak: when that does not come about within some seconds.
        """
        for _ in range(int(PATIENCE / _LOOK_EVERY)):
            if not self.leftovers():
                return
            await asyncio.sleep(_LOOK_EVERY)
        raise Leak(f"still under way: {', '.join(self.leftovers())}")


@asynccontextmanager
async def running(
    settings: str | Settings | None = None,
    *,
    plugins: Sequence[PluginSpec] = (),
    clock: Clock | None = None,
    env: Mapping[str, str] | None = None,
) -> AsyncIterator[GatewayKit]:
    """A gateway on a free port of the loopback, before an upstream that answers what the test sets.

    :param settings: YAML, in which `${UPSTREAM}` is the upstream's URL, or Settings. None: one route that sends
        everything to the upstream, and the chain made of `plugins`. Listeners whose addresses are not written get
        free ports.
    :param plugins: classes, or pairs of a class and its options as they would be written. YAML names them by their
        class's name in lower case with `_` between its words; a second one of that name has `_2` behind it.
    :param clock: a ManualClock makes deadlines and durations the test's own.
    :param env: further variables of the YAML.
    :raises SettingsError: when the gateway would refuse the configuration.
    :raises Leak: at the end, when an exchange, a connection or a task is left over.
    """
    before = asyncio.all_tasks()
    upstream = FakeUpstream()
    await upstream.start()
    try:
        async with _gateway(upstream, settings, names_of(plugins), clock or Clock(), env or {}) as kit:
            yield kit
            await kit.settled()
    finally:
        await upstream.stop()
    _check(upstream, before)


@asynccontextmanager
async def _gateway(
    upstream: FakeUpstream,
    settings: str | Settings | None,
    named: Mapping[str, tuple[type[Plugin[Any]], Mapping[str, Any]]],
    clock: Clock,
    env: Mapping[str, str],
) -> AsyncIterator[GatewayKit]:
    loaded = _beside_others(_loaded(settings, named, {"UPSTREAM": upstream.url, **env}))
    gateway = Gateway(loaded, Local({name: cls for name, (cls, _) in named.items()}), clock=clock)
    kit = GatewayKit(gateway, upstream, clock)
    await gateway.start()
    try:
        gateway.runtime.events.subscribe("*", kit.events.append)
        yield kit
    finally:
        await gateway.stop()
        await _closed(gateway)


def names_of(plugins: Sequence[PluginSpec]) -> dict[str, tuple[type[Plugin[Any]], Mapping[str, Any]]]:
    """Classes and options by the name that YAML has for them, in order."""
    named: dict[str, tuple[type[Plugin[Any]], Mapping[str, Any]]] = {}
    for spec in plugins:
        cls, options = spec if isinstance(spec, tuple) else (spec, {})
        base = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).lower().strip("_")
        alike = sum(1 for name in named if re.fullmatch(rf"{base}(_\d+)?", name))
        named[f"{base}_{alike + 1}" if alike else base] = (cls, options)
    return named


def _loaded(
    settings: str | Settings | None,
    named: Mapping[str, tuple[type[Plugin[Any]], Mapping[str, Any]]],
    env: Mapping[str, str],
) -> Loaded:
    if isinstance(settings, Settings):
        return Loaded.of(settings)
    if settings is None:
        chain = [{name: dict(options)} for name, (_, options) in named.items()]
        settings = _CONFIG + yaml.safe_dump({"plugins": chain}, allow_unicode=True).replace("$", "$$")
    return load_text(settings, env)


def _beside_others(loaded: Loaded) -> Loaded:
    """Listeners whose addresses are not written on free ports, for other tests run gateways too."""
    settings, changes = loaded.settings, dict[str, Any]()
    if "listen" not in settings.model_fields_set:
        changes["listen"] = (Listener(url=_FREE),)
    if settings.admin is not None and "listen" not in settings.admin.model_fields_set:
        changes["admin"] = settings.admin.model_copy(update={"listen": _FREE})
    return replace(loaded, settings=settings.model_copy(update=changes)) if changes else loaded


async def _closed(gateway: Gateway) -> None:
    """Sockets that were told to close do so in the next turns of the loop."""
    for _ in range(_TURNS):
        await asyncio.sleep(0)
        if not gateway.connections:
            return


def _check(upstream: FakeUpstream, before: set[asyncio.Task[Any]]) -> None:
    """:raises Leak: when tasks are left, or a script failed."""
    left = [task for task in asyncio.all_tasks() - before if not task.done()]
    if left:
        raise Leak(f"tasks are left: {left}")
    if upstream.failures:
        raise ExceptionGroup("scripts of the upstream failed", upstream.failures)
