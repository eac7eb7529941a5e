"""Several processes as one server: one binds, decides and answers operators, the others serve.

The supervisor holds the listening sockets, so that a worker's death closes none of them, and the configuration that was
accepted last, so that a successor serves what the others do even while the file is being edited. It forwards nothing
itself and loads no plugin; a configuration is tried by the first worker before the others see it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from typing import Any

from proxy import __version__
from proxy.build import Marks
from proxy.clock import Clock
from proxy.events import ConfigRejected, ConfigReloaded, Event, SystemDraining, SystemStarted, WorkerDied
from proxy.metrics import Metrics
from proxy.server.admin import AdminServer
from proxy.server.changes import fixed, taken
from proxy.server.channel import ChannelClosed, Refused
from proxy.server.crew import Crew, Member, cores, reason
from proxy.server.doors import Bind, bind_listener
from proxy.server.figures import ReloadFigures
from proxy.server.held import Held, Sockets, close
from proxy.server.levels import ROOT, levels
from proxy.server.logs import reopen_logs
from proxy.server.models import Level
from proxy.server.operators import Operators
from proxy.server.orders import Order, Outcome, Question
from proxy.server.relay import Relay
from proxy.server.reload import Reload
from proxy.server.sockets import CannotBind
from proxy.server.source import Source
from proxy.server.steering import Steering
from proxy.server.wide import Once
from proxy.settings import Loaded, Problem, Settings, SettingsError

log = logging.getLogger("passerelle")

_STARTING = 65.0  # seconds for a worker to serve, or to go over to another configuration, for which it has 60 itself
_PATIENCE = 10.0  # seconds for a worker to come up that could try a configuration
_TRIES = 2  # workers that may die over a configuration, before it is to blame
_CLOSING = 5.0  # seconds beyond the drain's own timeout, for a worker to end


def wanted(settings: Settings) -> int:
    """How many workers a configuration asks for."""
    return cores() if settings.workers == "auto" else settings.workers


class Supervisor:
    """A server of several processes.

    :param source: where the configuration is read again from; None when it came from no file.
    :param command: what a worker is started with; see `Crew`.
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
        self.loaded = loaded
        self._ready = False
        self.last: Reload | None = None
        self._source = source
        self._marks = Marks.new()
        self._leader: Member | None = None  # who probes targets for all
        self._clock = clock or Clock()
        self._began = 0.0
        self._levels: dict[str, Level | None] = {ROOT: levels()[ROOT]}
        self._steering: Steering = {}
        self._turn = asyncio.Lock()
        self._held = Held(bind)
        self._admin: AdminServer | None = None
        self._refused: Outcome | None = None  # why the first worker would not serve
        self._metrics = Metrics()
        self._once = Once(self._clock, self._publish)
        self._crew = Crew(command, wanted(loaded.settings), self._clock, prepare=self._prepare, died=self._died)
        self.routes = Relay(self._crew)
        self._operators = Operators(self, self._crew, self.routes)
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
    def ready(self) -> bool:
        """Whether it takes new work; what `/readyz` tells."""
        return self._ready and bool(self._crew.serving)

    @property
    def urls(self) -> list[str]:
        """Where clients reach it, with the ports really bound."""
        return [self._held.url(said) for said in self.settings.listen]

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
            self._held.keep(self.settings.listen, self._held.lacking(self.settings.listen))
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
        self._ready = True
        self._figures.started(self._clock.time())
        self._publish(SystemStarted(__version__, self.revision, tuple(self.urls)))

    async def drain(self) -> None:
        """End gracefully: see `Gateway.drain`; every worker does the same."""
        self._ready = False
        limits = self.settings.drain
        self._once.close()
        self._publish(SystemDraining(0, limits.timeout))
        self._held.close()
        await self._crew.drain(limits.delay + limits.timeout + _CLOSING)
        await self.stop()

    async def stop(self) -> None:
        """End at once."""
        self._ready = False
        self._held.close()
        await self._crew.kill()
        self.routes.close()
        if self._admin is not None:
            await self._admin.stop()

    def reopen_logs(self) -> None:
        """Have every process open its log files anew."""
        reopen_logs()
        for member in self._crew.serving:
            member.channel.tell("reopen")

    # workers

    async def _prepare(self, member: Member) -> None:
        if self._leader is None:
            self._leader = member
        self.routes.welcome(member)
        self._operators.ledger.welcome(member)

        async def heard(event: Event) -> None:
            self._once.heard(event)

        member.channel.on("event", heard)
        member.channel.on("found", self._crew.others(member, "heard"))
        member.channel.on("purge", self._crew.others(member, "purged"))
        flows = self.routes.open()
        streams = tuple(flow.question for flow in flows)
        outcome = await self._order("serve", member, self.loaded, self._held.all, "start", streams)
        await self.routes.join(member, zip(flows, outcome.replies, strict=False))
        while outcome.ok and member.holds is not self.loaded:  # the others went over to another one meanwhile
            outcome = await self._order("reload", member, self.loaded, self._held.all, "start")
        if not outcome.ok:
            self._refused = outcome
            raise Refused("\n".join(problem.render() for problem in outcome.problems))
        self._tell_wishes(member)

    async def _order(
        self,
        subject: str,
        member: Member,
        loaded: Loaded,
        sockets: Sockets,
        cause: str,
        streams: tuple[Question, ...] = (),
    ) -> Outcome:
        """Have a worker go over to a configuration; the sockets that it lacks are handed over before the order arrives.

        :raises OSError: when they cannot be.
        """
        before = member.holds, member.urls
        urls = frozenset(said.url for said in loaded.settings.listen)
        member.holds = loaded
        counts = []
        for url in sorted(urls - member.urls):
            member.hand_over(sockets[url])
            counts.append((url, len(sockets[url])))
        member.urls = urls
        order = Order(
            loaded,
            self._marks,
            self._leader is member,
            tuple(counts),
            wanted(loaded.settings),
            tuple(self._levels.items()),
            cause,
            self._steering,
            streams,
        )
        outcome: Outcome = await member.channel.ask(subject, order, _STARTING)
        if not outcome.ok:
            member.holds, member.urls = before
        return outcome

    def _tell_wishes(self, member: Member) -> None:
        """What operators asked for while it began."""
        member.channel.tell("steer", self._steering)
        for level in self._levels.items():
            member.channel.tell("level", level)

    def _died(self, member: Member, code: int) -> None:
        self._deaths.value += 1
        self.routes.forget(member)
        self._operators.ledger.forget(member)
        if self._leader is member:
            self._leader = next(iter(self._crew.serving), None)
            if self._leader is not None:
                self._leader.channel.tell("lead", True)
        self._publish(WorkerDied(member.index, member.pid, reason(code)))

    def _publish(self, event: Event) -> None:
        """Have it told once: by the first worker that serves."""
        for member in self._crew.lively[:1]:
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
                await self._log(error.problems)
            except Exception as error:
                log.exception("the reload failed")
                outcome = Outcome(False, (Problem((), f"internal error: {type(error).__name__}: {error}"),))
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
            added = self._held.lacking(loaded.settings.listen)
        except CannotBind as error:
            raise SettingsError([taken(self.settings, loaded, error)]) from error
        outcome = await self._tried(loaded, {**self._held.all, **added}, cause)
        if not outcome.ok:
            close(added)
            return outcome
        self._keep(loaded, added)
        await self._follow(cause)
        return outcome

    async def _tried(self, loaded: Loaded, sockets: Sockets, cause: str) -> Outcome:
        """What one worker makes of it; when that one dies meanwhile, which it may do for any reason, another one."""
        for _ in range(_TRIES):
            try:
                async with asyncio.timeout(_PATIENCE):
                    member = await self._crew.one()
            except TimeoutError:
                break
            try:
                return await self._order("reload", member, loaded, sockets, cause)
            except (ChannelClosed, OSError):
                log.warning("worker %d died while it tried the configuration", member.index)
                member.serving = False
            except (Refused, TimeoutError) as error:
                member.kill()  # nobody knows what it serves now; its successor begins with what was accepted
                reason = str(error) or f"it is not ready to serve within {_STARTING:g} s"
                return Outcome(False, (Problem((), f"worker {member.index} did not reload: {reason}"),))
        return Outcome(False, (Problem((), "no worker lived to try it", "try again"),))

    async def _follow(self, cause: str) -> None:
        """Have all the others go over to what one has accepted, those included that come up meanwhile."""
        while behind := [member for member in self._crew.serving if member.holds is not self.loaded]:
            await asyncio.gather(*(self._bring(member, cause) for member in behind))

    async def _bring(self, member: Member, cause: str) -> None:
        try:
            outcome = await self._order("reload", member, self.loaded, self._held.all, cause)
        except (Refused, ChannelClosed, TimeoutError, OSError) as error:
            log.error("worker %d cannot follow: %s", member.index, error or "it takes too long")
            outcome = Outcome(False)
        if not outcome.ok:
            log.error("worker %d is replaced", member.index)
            member.serving = False
            member.kill()

    def _keep(self, loaded: Loaded, added: Sockets) -> None:
        self.loaded = loaded
        self._held.keep(loaded.settings.listen, added)
        if self._admin is not None and loaded.settings.admin is not None:
            self._admin.renew(loaded.settings.admin)

    async def _log(self, problems: Iterable[Problem]) -> None:
        """Tell of what no worker has seen, without the secrets that they know by heart."""
        for text in await self._operators.scrubbed([problem.render() for problem in problems]):
            log.error("the configuration is refused: %s", text)
        log.error("configuration %s is served on", self.revision)

    def _tell(self, done: Reload) -> None:
        self._figures.count(ok=done.ok, at=done.at)
        if done.ok:
            self._publish(ConfigReloaded(done.revision, done.previous, done.changes))
        else:
            self._publish(ConfigRejected(done.revision, tuple(problem.render() for problem in done.problems)))

    # for operators

    async def exposition(self) -> tuple[bytes, str]:
        """Everybody's figures as one, in Prometheus's text format."""
        return await self._operators.exposition(self._metrics)

    def status(self) -> dict[str, Any]:
        """What the supervisor knows by itself."""
        now = self._clock.monotonic()
        workers = [
            {"index": member.index, "pid": member.pid, "uptime_seconds": round(now - member.began, 3)}
            for member in self._crew.serving
        ]
        return {"ready": self.ready, "uptime_seconds": round(now - self._began, 3), "workers": workers}

    def wish(self, *, levels: dict[str, Level | None] | None = None, steering: Steering | None = None) -> None:
        """What operators asked for holds for workers to come as well."""
        self._levels |= levels or {}
        self._steering = self._steering if steering is None else steering
        for member in self._crew.serving:
            self._tell_wishes(member)
