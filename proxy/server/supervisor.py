"""Several processes as one server: one binds, decides and answers operators, the others serve.

The supervisor holds the listening sockets, so that a worker's death closes none of them, and the configuration that was
accepted last, so that a successor serves what the others do even while the file is being edited. It forwards nothing
itself and loads no plugin; a configuration is tried by the first worker before the others see it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import socket
from collections.abc import Iterable, Sequence
from contextlib import suppress
from typing import Any

from proxy import __version__
from proxy.build import Marks
from proxy.clock import Clock
from proxy.events import ConfigRejected, ConfigReloaded, Event, SystemDraining, SystemStarted, WorkerDied
from proxy.message import Response
from proxy.metrics import Metrics
from proxy.plugin import AdminRequest
from proxy.server.admin import AdminServer
from proxy.server.changes import fixed
from proxy.server.channel import Refused
from proxy.server.controls import take
from proxy.server.crew import Crew, Member, cores, reason
from proxy.server.doors import Bind, bind_listener
from proxy.server.figures import ReloadFigures
from proxy.server.levels import ROOT, levels, set_level
from proxy.server.logs import reopen_logs
from proxy.server.merge import exposition, merge
from proxy.server.models import Level, LevelWanted, ReloadAnswer
from proxy.server.orders import Order, Outcome
from proxy.server.relay import Relay, merged
from proxy.server.reload import Reload
from proxy.server.sockets import CannotBind, url_of
from proxy.server.source import Source
from proxy.server.views import reload_answer
from proxy.server.wide import Once
from proxy.settings import Listener, Loaded, Problem, Settings, SettingsError
from proxy.upstream.probing import Finding

log = logging.getLogger("passerelle")

_STARTING = 60.0  # seconds for a worker to serve, or to go over to another configuration
_CLOSING = 5.0  # seconds beyond the drain's own timeout, for a worker to end


def wanted(settings: Settings) -> int:
    """How many workers a configuration asks for."""
    return cores() if settings.workers == "auto" else settings.workers


class Supervisor:
    """A server of several processes.

    :param source: where the configuration is read again from; None when it came from no file.
    :param command: what a worker is started with; see `Crew`.
    :ivar ready: whether it takes new work; what `/readyz` tells.
    :ivar urls: where clients reach it, with the ports really bound.
    """

    def __init__(
        self,
        loaded: Loaded,
        command: Sequence[str],
        *,
        source: Source | None = None,
        clock: Clock | None = None,
        bind: Bind = bind_listener,
    ) -> None:
        self._bind = bind
        self.loaded = loaded
        self.ready = False
        self.last: Reload | None = None
        self._source = source
        self._marks = Marks.new()
        self._leader: Member | None = None  # who probes targets for all
        self._clock = clock or Clock()
        self._began = 0.0
        self._levels: dict[str, Level | None] = {ROOT: levels()[ROOT]}
        self._turn = asyncio.Lock()
        self._sockets: dict[str, list[socket.socket]] = {}
        self._admin: AdminServer | None = None
        self._refused: Outcome | None = None  # why the first worker would not serve
        self._metrics = Metrics()
        self._once = Once(self._clock, self._publish)
        self._crew = Crew(command, wanted(loaded.settings), self._clock, prepare=self._prepare, died=self._died)
        self.routes = Relay(self._crew)
        own = self.routes.own.route
        own("GET", "status", self._status)
        own("POST", "config/reload", self._asked_to_reload)
        own("PUT", "log-levels/{logger}", self._level)
        self._figures = ReloadFigures(self._metrics, lambda: self.revision, lambda: 1)
        self._metrics.gauge("passerelle_workers", "Processes that serve.", function=lambda: len(self._crew.serving))
        self._deaths = self._metrics.counter("passerelle_worker_deaths_total", "Workers that ended unasked.").child()

    @property
    def settings(self) -> Settings:
        """What is served."""
        return self.loaded.settings

    @property
    def revision(self) -> str:
        """Short hash of the configuration being served."""
        return self.loaded.revision

    @property
    def urls(self) -> list[str]:
        """Where clients reach it, with the ports really bound."""
        return [url_of(said.host, self._sockets[said.url][0], said.scheme) for said in self.settings.listen]

    @property
    def admin_url(self) -> str | None:
        """Where the admin listener is, or None when there is none."""
        return None if self._admin is None else self._admin.url

    # life

    async def start(self) -> None:
        """Bind everything, and have every worker serve.

        :raises SettingsError: when the configuration does not start.
        :raises CannotBind: when an address is taken or not ours.
        """
        self._began = self._clock.monotonic()
        try:
            self._sockets = self._bound(self.settings.listen, {})
            if self.settings.admin is not None:
                self._admin = AdminServer(self, self.settings.admin)
                self._admin.bind()
            await self._crew.start()
            if self._admin is not None:
                await self._admin.start()
        except Refused as refused:
            await self.stop()
            problems = self._refused.problems if self._refused is not None else (Problem((), str(refused)),)
            raise SettingsError(problems) from refused
        except BaseException:
            await self.stop()
            raise
        self.ready = True
        self._figures.started(self._clock.time())
        self._publish(SystemStarted(__version__, self.revision, tuple(self.urls)))

    async def drain(self) -> None:
        """End gracefully: see `Gateway.drain`; every worker does the same."""
        self.ready = False
        limits = self.settings.drain
        self._publish(SystemDraining(0, limits.timeout))
        self._close_sockets()
        await self._crew.drain(limits.delay + limits.timeout + _CLOSING)
        await self.stop()

    async def stop(self) -> None:
        """End at once."""
        self.ready = False
        self._close_sockets()
        await self._crew.kill()
        if self._admin is not None:
            await self._admin.stop()

    def _close_sockets(self) -> None:
        for sockets in self._sockets.values():
            for sock in sockets:
                sock.close()

    def reopen_logs(self) -> None:
        """Have every process open its log files anew."""
        reopen_logs()
        for member in self._crew.serving:
            member.channel.tell("reopen")

    def _bound(
        self, listeners: Iterable[Listener], known: dict[str, list[socket.socket]]
    ) -> dict[str, list[socket.socket]]:
        """Sockets for the listeners that have none yet, by URL as it is written.

        :raises CannotBind: with the index of what cannot be had; none is left bound then.
        """
        added: dict[str, list[socket.socket]] = {}
        for index, said in enumerate(listeners):
            if said.url in known:
                continue
            try:
                added[said.url] = self._bind(said)
            except CannotBind as error:
                for sockets in added.values():
                    _close(sockets)
                raise CannotBind(str(error), index) from error
        return added

    # workers

    async def _prepare(self, member: Member) -> None:
        if self._leader is None:
            self._leader = member
        self.routes.welcome(member)

        async def heard(event: Event) -> None:
            self._once.heard(event)

        async def found(finding: Finding) -> None:
            for other in self._crew.serving:
                if other is not member:
                    other.channel.tell("heard", finding)

        member.channel.on("event", heard)
        member.channel.on("found", found)
        outcome = await member.channel.ask("serve", self._order(member, self.loaded, self._sockets), _STARTING)
        if not outcome.ok:
            self._refused = outcome
            raise Refused("\n".join(problem.render() for problem in outcome.problems))

    def _order(
        self, member: Member, loaded: Loaded, sockets: dict[str, list[socket.socket]], cause: str = "start"
    ) -> Order:
        """An order, whose sockets are handed over before it arrives."""
        for found in sockets.values():
            member.hand_over(found)
        counts = tuple((url, len(found)) for url, found in sockets.items())
        return Order(
            loaded,
            self._marks,
            self._leader is member,
            counts,
            wanted(loaded.settings),
            tuple(self._levels.items()),
            cause,
        )

    def _died(self, member: Member, code: int) -> None:
        self._deaths.value += 1
        self.routes.forget(member)
        if self._leader is member:
            self._leader = next(iter(self._crew.serving), None)
            if self._leader is not None:
                self._leader.channel.tell("lead", True)
        self._publish(WorkerDied(member.index, member.pid, reason(code)))

    def _publish(self, event: Event) -> None:
        """Have it told once: by the first worker that serves."""
        for member in self._crew.serving[:1]:
            member.channel.tell("publish", event)

    # another configuration

    async def reload(self, cause: str = "admin") -> Reload:
        """Read the configuration again, and have every worker go over to it when the first one can.

        A worker that cannot follow the first is ended; its successor begins with the new configuration.
        """
        async with self._turn:
            began, before = self._clock.monotonic(), self.loaded
            try:
                outcome = await self._try(cause)
            except SettingsError as error:
                outcome = Outcome(False, tuple(error.problems))
            times = self._clock.time(), self._clock.monotonic() - began
            self.last = Reload(
                outcome.ok, cause, *times, self.revision, before.revision, outcome.changes, outcome.problems
            )
            self._tell(self.last)
            return self.last

    async def _try(self, cause: str) -> Outcome:
        if self._source is None:
            raise SettingsError([Problem((), "there is no file to read again", "start it with a file")])
        loaded = await asyncio.to_thread(self._source.load)
        problems = fixed(self.settings, loaded)
        if problems:
            raise SettingsError([*loaded.warnings, *problems])
        try:
            added = self._bound(loaded.settings.listen, self._sockets)
        except CannotBind as error:
            raise SettingsError([loaded.document.problem(("listen", error.index), str(error))]) from error
        outcome = await self._roll_out(loaded, added, cause)
        if not outcome.ok:
            for sockets in added.values():
                _close(sockets)
            return outcome
        self._keep(loaded, added)
        return outcome

    async def _roll_out(self, loaded: Loaded, added: dict[str, list[socket.socket]], cause: str) -> Outcome:
        outcome: Outcome | None = None
        found: Outcome
        for member in self._crew.serving:
            try:
                found = await member.channel.ask("reload", self._order(member, loaded, added, cause), _STARTING)
            except Exception as error:
                log.exception("worker %d did not reload", member.index)
                found = Outcome(False, (Problem((), f"worker {member.index} did not reload: {error}"),))
            if outcome is None:
                if not found.ok:
                    return found
                outcome = found
                self.loaded = loaded  # what a successor begins with from now on
            elif not found.ok:
                log.error("worker %d cannot follow, and is replaced", member.index)
                member.kill()
        return outcome or Outcome(False, (Problem((), "no worker serves now", "try again"),))

    def _keep(self, loaded: Loaded, added: dict[str, list[socket.socket]]) -> None:
        self.loaded = loaded
        self._sockets |= added
        urls = {said.url for said in loaded.settings.listen}
        for url in [url for url in self._sockets if url not in urls]:
            _close(self._sockets.pop(url))
        if self._admin is not None and loaded.settings.admin is not None:
            self._admin.renew(loaded.settings.admin)

    def _tell(self, done: Reload) -> None:
        self._figures.count(ok=done.ok, at=done.at)
        if done.ok:
            self._publish(ConfigReloaded(done.revision, done.previous, done.changes))
        else:
            self._publish(ConfigRejected(done.revision, tuple(problem.render() for problem in done.problems)))

    # for operators

    async def exposition(self) -> tuple[bytes, str]:
        """Everybody's figures as one, in Prometheus's text format."""
        parts: list[Any] = await self._crew.ask("metrics")
        return exposition(merge([*parts, list(self._metrics.collect())]))

    async def _status(self, request: AdminRequest) -> Response:
        """The workers' figures as one, and who they are."""
        response = merged([reply for _, reply in await self.routes.ask(request)])
        if response.status != 200:
            return response
        now = self._clock.monotonic()
        own = {
            "ready": self.ready,
            "uptime_seconds": round(now - self._began, 3),
            "reload": None if self.last is None else await self._scrubbed(reload_answer(self.last)),
            "workers": [
                {"index": member.index, "pid": member.pid, "uptime_seconds": round(now - member.began, 3)}
                for member in self._crew.serving
            ],
        }
        return Response.json(200, json.loads(response.body.data or b"{}") | own)

    async def _asked_to_reload(self, _: AdminRequest) -> Response:
        done = await self.reload("admin")
        return Response.json(200 if done.ok else 409, await self._scrubbed(reload_answer(done)))

    async def _scrubbed(self, answer: ReloadAnswer) -> Any:
        """An answer without secrets, which the workers know by heart."""
        data = answer.model_dump(mode="json", by_alias=True)
        for scrubbed in await self._crew.ask("scrub", data):
            data = scrubbed
        return data

    async def _level(self, request: AdminRequest) -> Response:
        """Set a logger's level in every process, and in those to come."""
        wanted = take(LevelWanted, request)
        response = await self.routes.relay(request)
        if response.status == 200:
            name = request.params["logger"]
            self._levels[name] = wanted.level
            with suppress(KeyError):  # a logger that only workers have
                set_level(name, wanted.level)
        return response


def _close(sockets: Iterable[socket.socket]) -> None:
    for sock in sockets:
        sock.close()
