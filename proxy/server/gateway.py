"""A whole gateway in one process: built, started, reloaded, drained.

The command runs one; tests run as many as they like in one loop.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Literal

from proxy import __version__
from proxy.build import Built, Marks, Runtime, build
from proxy.build.clients import client_limits, client_trust
from proxy.build.errands import errand
from proxy.build.selftests import run_tests
from proxy.clock import Clock
from proxy.engine import Engine
from proxy.events import Brake, Event, LogsRotated, SystemDraining, SystemStarted
from proxy.frontend.accept import Room
from proxy.frontend.identity import Trust
from proxy.frontend.listener import Listener
from proxy.metrics import Metrics
from proxy.registry import Registry
from proxy.server import own_routes
from proxy.server.admin import AdminRoutes, AdminServer
from proxy.server.doors import Bind, Change, Doors, bind_listener
from proxy.server.logs import reopen_logs
from proxy.server.reload import Reload, Reloader
from proxy.server.scrub import Scrub
from proxy.server.sockets import CannotBind
from proxy.server.source import Source
from proxy.server.streams import Streams
from proxy.server.wide import MERGE_EVERY, MERGE_HERE, SERVER_WIDE
from proxy.settings import Listener as ListenerSettings
from proxy.settings import Loaded, Settings, SettingsError
from proxy.upstream.probing import Probing
from proxy.upstream.resolve import Lookup

if TYPE_CHECKING:
    from proxy.frontend.preface import Prefaces
    from proxy.frontend.tls import Certificates

log = logging.getLogger("passerelle")

_ANNOUNCE_EVERY = 60.0  # seconds
_LOOK_EVERY = 0.02  # seconds, while draining


class Gateway:
    """One configuration being served, and those that follow it.

    :param source: where the configuration is read again from; None when it came from no file.
    :param lookup: asks for the addresses of a name; the system unless given.
    :param bind: gives the sockets for a listener.
    :param marks: those of the server that this is a process of.
    :param share: how many processes the server has.
    :param joins: given who probes, before anything is built.
    :param shown: awaited with the first configuration, before a listener accepts.
    :param upward: told of what concerns the whole server, when that is more than this process.
    :ivar doors: its listeners.
    :ivar reloader: what reloads it.
    :ivar ready: whether it takes new work; what `/readyz` tells.
    """

    def __init__(
        self,
        loaded: Loaded,
        registry: Registry,
        *,
        clock: Clock | None = None,
        source: Source | None = None,
        lookup: Lookup | None = None,
        bind: Bind = bind_listener,
        upward: Callable[[Event], None] | None = None,
        marks: Marks | None = None,
        share: int = 1,
        joins: Callable[[Probing], None] = lambda _: None,
        shown: Callable[[Built], Awaitable[None]] | None = None,
    ) -> None:
        self._loaded = loaded
        self._clock = clock
        self._source = source
        self._lookup = lookup
        self._upward = upward
        self._marks, self._share = marks, share
        self._joins = joins
        self._shown = shown
        self._began = 0.0
        self._admin: AdminServer | None = None
        self._ticker: asyncio.Task[None] | None = None
        self.registry = registry
        self.doors = Doors(self._listener, bind)
        self.routes = AdminRoutes()
        self.streams = Streams(lambda: self.scrub)
        own_routes.register(self)
        self._draining = False
        self.ready = False
        self.runtime: Runtime
        self.engine: Engine
        self.built: Built
        self.scrub: Scrub
        self.reloader: Reloader

    @property
    def settings(self) -> Settings:
        """What is served."""
        return self.loaded.settings

    @property
    def loaded(self) -> Loaded:
        """The configuration with its places and revision."""
        return self._loaded

    @property
    def revision(self) -> str:
        """Short hash of the configuration being served."""
        return self._loaded.revision

    @property
    def metrics(self) -> Metrics:
        """The figures of this process."""
        return self.runtime.metrics

    @property
    def uptime(self) -> float:
        """Seconds since it was started."""
        return self.runtime.clock.monotonic() - self._began

    async def exposition(self) -> tuple[bytes, str]:
        """The figures in Prometheus's text format, and its content type."""
        text, kind = self.metrics.exposition()
        return self.scrub.quoted(text.decode()).encode(), kind

    @property
    def urls(self) -> list[str]:
        """Where clients reach it, with the ports really bound."""
        return [listener.url for listener in self.doors.listeners]

    @property
    def admin_url(self) -> str | None:
        """Where the admin listener is, or None when there is none."""
        return None if self._admin is None else self._admin.url

    @property
    def probes_url(self) -> str | None:
        """Where only the probes are answered, or None."""
        return None if self._admin is None else self._admin.probes_url

    @property
    def state(self) -> Literal["starting", "serving", "draining"]:
        """What it is about."""
        return "serving" if self.ready else "draining" if self._draining else "starting"

    @property
    def requests(self) -> int:
        """Exchanges that are over."""
        counter = self.metrics.counter("passerelle_requests_total", "Exchanges completed.", ("route", "status"))
        return int(sum(child.value for _, child in counter.children()))

    @property
    def connections(self) -> int:
        """Client connections open now."""
        return self.doors.connections

    # start

    async def start(self) -> None:
        """Build everything, run the configuration's own tests, bind, start plugins, listen; all of it or nothing.

        :raises SettingsError: when the configuration cannot be built, a test of its own fails, or a plugin does not
            start.
        :raises CannotBind: when an address is taken or not ours.
        """
        self.runtime = runtime = Runtime(
            self.routes,
            clock=self._clock,
            lookup=self._lookup,
            marks=self._marks,
            redis=self.settings.redis,
            share=self._share,
        )
        self._joins(runtime.probing)
        self._heed(runtime.events.brake)
        runtime.events.merge(MERGE_EVERY if self._upward is None else MERGE_HERE)
        if self._upward is not None:
            runtime.events.divert(SERVER_WIDE, self._upward)
        try:
            self.built = build(self._loaded, self.registry, runtime)
            for warning in self.built.warnings:
                log.warning("%s", warning.render())
            problems = await run_tests(self.built, runtime)
            if problems:
                raise SettingsError(problems)
            self.engine = self._engine()
            self._room = Room(self.settings.limits.connections, runtime.metrics)
            await self._start(self._bind())
        except BaseException:
            await self._undo()
            raise

    def _heed(self, brake: Brake) -> None:
        """Have requests wait when events ask for it."""
        brake.apply = self.doors.hold
        self.metrics.gauge(
            "passerelle_events_held_requests_seconds",
            "For how long new requests have waited, ever, since events could not be kept as fast as they came.",
            function=lambda: brake.seconds,
        )

    def _engine(self) -> Engine:
        runtime = self.runtime
        engine = Engine(
            self.built.snapshot,
            events=runtime.events,
            clock=runtime.clock,
            metrics=runtime.metrics,
            spawn=runtime.spawn,
            randomness=runtime.random,
        )
        runtime.client.forward = partial(errand, engine)
        runtime.flusher.single = lambda: engine.active < 2
        return engine

    def _bind(self) -> Change:
        """Take every address, before anything with effects."""
        change = self.doors.prepare(self.settings.listen, self.built.certificates)
        try:
            if self.settings.admin is not None:
                self._admin = AdminServer(self, self.settings.admin)
                self._admin.bind()
        except BaseException:
            change.undo()
            raise
        return change

    async def _start(self, change: Change) -> None:
        runtime = self.runtime
        self._began = runtime.clock.monotonic()
        self.reloader = Reloader(self, self._source)
        try:
            await self.built.start()
            self.built.show()
            self.scrub = Scrub(self.built)
            if self._shown is not None:
                await self._shown(self.built)
            if self._admin is not None:
                await self._admin.start()
            self._ticker = asyncio.get_running_loop().create_task(self._tick())
            await change.open()
        except BaseException:
            change.undo()
            raise
        self.doors.commit(change, self.settings.drain.timeout)
        self.reloader.started()
        self.ready = True
        runtime.events.publish(SystemStarted(__version__, self.revision, tuple(self.urls)))

    def _listener(self, url: str, said: ListenerSettings, certificates: Certificates | None) -> Listener:
        runtime = self.runtime
        return Listener(
            url,
            self.engine,
            wheel=runtime.wheel,
            spawn=runtime.spawn,
            trust=client_trust(self.settings),
            limits=client_limits(self.settings),
            token=runtime.token,
            flusher=runtime.flusher,
            room=self._room,
            tls=certificates,
            prefaces=self._prefaces(said),
        )

    def _prefaces(self, said: ListenerSettings) -> Prefaces | None:
        if said.proxy_protocol is None:
            return None
        from proxy.frontend.preface import Prefaces  # loaded by those who have load balancers

        return Prefaces(Trust(said.proxy_protocol.senders), self.runtime.wheel, self.metrics)

    async def _tick(self) -> None:
        """Turn the wheel of deadlines, and tell of lost events now and then."""
        wheel, events, turns = self.runtime.wheel, self.runtime.events, 0
        while True:
            await asyncio.sleep(wheel.resolution)
            wheel.advance()
            events.advance()
            turns += 1
            if turns * wheel.resolution >= _ANNOUNCE_EVERY:
                turns = 0
                events.announce_drops()

    def reopen_logs(self) -> None:
        """Open log files anew after they were moved away, and tell plugins that write some."""
        reopen_logs()
        self.runtime.events.publish(LogsRotated())

    # another configuration

    async def reload(self, cause: str = "admin") -> Reload:
        """Read the configuration again and serve it if it is sound; see `Reloader.reload`."""
        return await self.reloader.reload(cause)

    def swap(self, built: Built, change: Change) -> None:
        """Serve another configuration from now on. Everything about it is started and bound; this cannot fail."""
        patience = self.settings.drain.timeout
        before, self.built = self.built, built
        self._loaded, self.scrub = built.loaded, Scrub(built)
        self.engine.snapshot = built.snapshot
        built.show(before)
        self.doors.commit(change, patience)
        self.doors.secure(built.certificates)
        trust, limits = client_trust(self.settings), client_limits(self.settings)
        self._room.resize(limits.connections)
        for listener in self.doors.listeners:
            listener.renew(trust, limits)
        if self._admin is not None and self.settings.admin is not None:
            self._admin.renew(self.settings.admin)

    # the end

    async def drain(self) -> None:
        """End gracefully: not ready, no new connections, exchanges end, what is left after the timeout is cut."""
        self.ready, self._draining = False, True
        await self.reloader.close()
        settings = self.settings.drain
        self.runtime.events.publish(SystemDraining(self.engine.active, settings.timeout))
        if settings.delay:
            await asyncio.sleep(settings.delay)
        self.doors.drain()
        log.info("draining: %d requests under way", self.engine.active)
        with suppress(TimeoutError):
            async with asyncio.timeout(settings.timeout):
                await self._emptied()
        await self.stop()

    async def _emptied(self) -> None:
        while self.connections or self.engine.active:  # noqa: ASYNC110 (their ends are many, and need not tell of it)
            await asyncio.sleep(_LOOK_EVERY)

    async def stop(self) -> None:
        """End at once."""
        self.ready = False
        await self._undo()

    async def _undo(self) -> None:
        if self._ticker is not None:
            self._ticker.cancel()
            with suppress(asyncio.CancelledError):
                await self._ticker
        if hasattr(self, "reloader"):
            await self.reloader.close()
        await self.doors.abort()
        self.streams.close()
        if self._admin is not None:
            await self._admin.stop()
        if hasattr(self, "reloader"):
            await self.reloader.stop()
        if hasattr(self, "runtime"):
            self.runtime.events.flush()
        if hasattr(self, "built"):
            await self.built.stop()
        if hasattr(self, "runtime"):
            await self.runtime.close()


__all__ = ["CannotBind", "Gateway"]
