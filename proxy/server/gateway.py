"""A whole gateway in one process: built, started, drained.

The command runs one; tests run as many as they like in one loop.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from contextlib import suppress

from proxy import __version__
from proxy.build import Built, Runtime, build
from proxy.build.clients import client_limits
from proxy.build.selftests import run_tests
from proxy.clock import Clock
from proxy.engine import Engine
from proxy.events import SystemDraining, SystemStarted
from proxy.frontend.accept import Room
from proxy.frontend.identity import Trust
from proxy.frontend.listener import Listener
from proxy.metrics import Metrics
from proxy.registry import Registry
from proxy.server.admin import AdminRoutes, AdminServer
from proxy.server.sockets import CannotBind, bind, url_of
from proxy.server.views import Views
from proxy.settings import Loaded, Settings, SettingsError

log = logging.getLogger("passerelle")

_ANNOUNCE_EVERY = 60.0  # seconds
_LOOK_EVERY = 0.02  # seconds, while draining


class Gateway:
    """One configuration being served.

    :ivar urls: where clients reach it, with the ports really bound; set by `start`.
    :ivar ready: whether it takes new work; what `/readyz` tells.
    """

    def __init__(self, loaded: Loaded, registry: Registry, *, clock: Clock | None = None) -> None:
        self._loaded = loaded
        self._registry = registry
        self._clock = clock
        self._listeners: list[Listener] = []
        self._bound: list[socket.socket] = []
        self._began = 0.0
        self._admin: AdminServer | None = None
        self._ticker: asyncio.Task[None] | None = None
        self.routes = AdminRoutes()
        Views(self).register()
        self.ready = False
        self.urls: list[str] = []
        self.runtime: Runtime
        self.engine: Engine
        self.built: Built

    @property
    def settings(self) -> Settings:
        """What it was started with."""
        return self._loaded.settings

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

    @property
    def admin_url(self) -> str | None:
        """Where the admin listener is, or None when there is none."""
        return None if self._admin is None else self._admin.url

    @property
    def probes_url(self) -> str | None:
        """Where only the probes are answered, or None."""
        return None if self._admin is None else self._admin.probes_url

    async def start(self) -> None:
        """Build everything, run the configuration's own tests, bind, start plugins, listen; all of it or nothing.

        :raises SettingsError: when the configuration cannot be built, a test of its own fails, or a plugin does not
            start.
        :raises CannotBind: when an address is taken or not ours.
        """
        self.runtime = runtime = Runtime(self.routes, clock=self._clock)
        try:
            self.built = build(self._loaded, self._registry, runtime)
            for warning in self.built.warnings:
                log.warning("%s", warning.render())
            problems = await run_tests(self.built, runtime)
            if problems:
                raise SettingsError(problems)
            await self._start(self._bind())
        except BaseException:
            await self._undo()
            raise

    def _bind(self) -> list[tuple[str, list[socket.socket]]]:
        """Take every address, before anything with effects: by URL, the sockets of each listener."""
        bound = []
        for said in self.settings.listen:
            sockets = bind(said.host, said.port)
            self._bound += sockets
            bound.append((url_of(said.host, sockets[0]), sockets))
        if self.settings.admin is not None:
            self._admin = AdminServer(self, self.settings.admin)
            self._admin.bind()
        return bound

    async def _start(self, bound: list[tuple[str, list[socket.socket]]]) -> None:
        runtime = self.runtime
        self.engine = Engine(
            self.built.snapshot,
            events=runtime.events,
            clock=runtime.clock,
            metrics=runtime.metrics,
            spawn=runtime.spawn,
            randomness=runtime.random,
        )
        self._began = runtime.clock.monotonic()
        await self.built.start()
        if self._admin is not None:
            await self._admin.start()
        self._ticker = asyncio.get_running_loop().create_task(self._tick())
        self._room = Room(self.settings.limits.connections, runtime.metrics)
        for url, sockets in bound:
            listener = self._listener(url)
            await listener.start(sockets)
            self._listeners.append(listener)
            self.urls.append(listener.url)
        self.ready = True
        runtime.events.publish(SystemStarted(__version__, self.built.snapshot.revision, tuple(self.urls)))

    def _listener(self, url: str) -> Listener:
        settings, runtime = self.settings, self.runtime
        return Listener(
            url,
            self.engine,
            wheel=runtime.wheel,
            spawn=runtime.spawn,
            trust=Trust(settings.trusted_proxies),
            limits=client_limits(settings),
            token=runtime.token,
            flusher=runtime.flusher,
            room=self._room,
        )

    async def _tick(self) -> None:
        """Turn the wheel of deadlines, and tell of lost events now and then."""
        wheel, events, turns = self.runtime.wheel, self.runtime.events, 0
        while True:
            await asyncio.sleep(wheel.resolution)
            wheel.advance()
            turns += 1
            if turns * wheel.resolution >= _ANNOUNCE_EVERY:
                turns = 0
                events.announce_drops()

    @property
    def connections(self) -> int:
        """Client connections open now."""
        return sum(map(len, self._listeners))

    async def drain(self) -> None:
        """End gracefully: not ready, no new connections, exchanges end, what is left after the timeout is cut."""
        settings = self.settings.drain
        self.ready = False
        self.runtime.events.publish(SystemDraining(self.engine.active, settings.timeout))
        if settings.delay:
            await asyncio.sleep(settings.delay)
        for listener in self._listeners:
            listener.stop_accepting()
            listener.drain()
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
        for listener in self._listeners:
            listener.stop_accepting()
            listener.abort()
        await self._undo()

    async def _undo(self) -> None:
        if self._ticker is not None:
            self._ticker.cancel()
            with suppress(asyncio.CancelledError):
                await self._ticker
        for sock in self._bound:
            sock.close()
        if self._admin is not None:
            await self._admin.stop()
        if hasattr(self, "built"):
            await self.built.stop()
        if hasattr(self, "runtime"):
            await self.runtime.close()


__all__ = ["CannotBind", "Gateway"]
