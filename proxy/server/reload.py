"""From the configuration that serves to another one, without a request noticing.

Everything that can fail happens first, beside what serves: read, build, the file's own tests, addresses, plugins.
Then one reference is swapped. If anything fails, what was begun is undone, and nothing has changed.
"""

from __future__ import annotations

import asyncio
import gc
import logging
from collections.abc import Iterable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from proxy.build import Built, build
from proxy.build.selftests import run_tests
from proxy.events import ConfigRejected, ConfigReloaded
from proxy.server.changes import changes, fixed, taken
from proxy.server.doors import Change
from proxy.server.figures import ReloadFigures
from proxy.server.scrub import Scrub
from proxy.server.sockets import CannotBind
from proxy.server.source import Source, preload
from proxy.settings import Problem, SettingsError, Severity

if TYPE_CHECKING:
    from proxy.server.gateway import Gateway

log = logging.getLogger("passerelle")

_STARTING = 60.0  # seconds for reading, tests and plugins; a plugin that hangs must not block every later reload
_ENDING = 3600.0  # seconds that exchanges may keep the plugins of the configuration that they began on
_LOOK_EVERY = 0.05  # seconds, while they do
_DRAINING = "the server is draining"


@dataclass(frozen=True, slots=True)
class Reload:
    """What came of one.

    :ivar cause: `signal`, `admin` or `file`; `start` for the very first configuration.
    :ivar at: when it was over, seconds since the epoch.
    :ivar seconds: how long it took.
    :ivar revision: of what is served since.
    :ivar previous: of what was served before.
    :ivar changes: what is different, a line each.
    :ivar problems: why it was refused; empty when it was not, but for warnings.
    """

    ok: bool
    cause: str
    at: float
    seconds: float
    revision: str
    previous: str
    changes: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = field(default=())


class Reloader:
    """Reloads one gateway, one at a time.

    :ivar last: what came of the last one; None before the first.
    :ivar generations: configurations on which exchanges still run, the one being served included.
    """

    def __init__(self, gateway: Gateway, source: Source | None) -> None:
        self._gateway = gateway
        self._source = source
        self._turn = asyncio.Lock()
        self._next: asyncio.Task[Reload] | None = None
        self._under_way: set[asyncio.Task[Reload]] = set()
        self._retiring: dict[Built, asyncio.Task[None]] = {}
        self._closed = False
        self._figures = ReloadFigures(gateway.metrics, lambda: gateway.revision, lambda: self.generations)
        self.last: Reload | None = None

    def started(self) -> None:
        """The first configuration is served."""
        self._figures.started(self._gateway.runtime.clock.time())

    @property
    def generations(self) -> int:
        """Configurations that are in use."""
        return 1 + len(self._retiring)

    async def reload(self, cause: str) -> Reload:
        """Read the configuration again and serve it, if it is sound.

        Whoever asks while one is under way waits for the next one, which reads the files anew, and shares it with all
        who have asked meanwhile.
        """
        if self._next is None:
            task = self._next = asyncio.get_running_loop().create_task(self._in_turn(cause))
            self._under_way.add(task)
            task.add_done_callback(self._under_way.discard)
        return await asyncio.shield(self._next)

    async def close(self) -> None:
        """Break off what is under way; nothing is reloaded any more."""
        self._closed = True
        tasks = list(self._under_way)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def stop(self) -> None:
        """Let go of earlier configurations, whatever still runs on them."""
        retiring = list(self._retiring.items())
        for _, task in retiring:
            task.cancel()
        await asyncio.gather(*(task for _, task in retiring), return_exceptions=True)
        for built, _ in retiring:
            await built.stop()

    async def _in_turn(self, cause: str) -> Reload:
        async with self._turn:
            self._next = None  # who asks from now on wants the files read after this moment
            began = self._gateway.runtime.clock.monotonic()
            try:
                return await self._try(cause, began)
            except SettingsError as error:
                return self._refused(cause, began, error.problems)
            except asyncio.CancelledError:
                if not self._closed:
                    raise
                return self._refused(cause, began, [Problem((), _DRAINING)])
            except TimeoutError:
                return self._refused(cause, began, [Problem((), f"it is not ready to serve within {_STARTING:g} s")])
            except Exception as error:
                log.exception("the reload failed")
                return self._refused(cause, began, [Problem((), f"internal error: {type(error).__name__}: {error}")])

    async def _try(self, cause: str, began: float) -> Reload:
        gateway, before = self._gateway, self._gateway.built
        async with AsyncExitStack() as undo:
            async with asyncio.timeout(_STARTING):
                built, change = await self._prepare(before, undo)
            undo.pop_all()
        gateway.swap(built, change)  # from here to the end of this method nothing waits and nothing fails
        self._retire(before)
        return self._done(cause, began, before, built)

    async def _prepare(self, before: Built, undo: AsyncExitStack) -> tuple[Built, Change]:
        """Everything that can fail; `undo` takes it back.

        :raises SettingsError: with all that is wrong.
        """
        gateway, source = self._gateway, self._source
        if self._closed:
            raise SettingsError([Problem((), _DRAINING)])
        if source is None:
            raise SettingsError([Problem((), "there is no file to read again", "start it with a file")])
        loaded = await asyncio.to_thread(source.load)
        problems = fixed(before.loaded.settings, loaded)
        if problems:
            raise SettingsError([*loaded.warnings, *problems])
        await asyncio.to_thread(preload, gateway.registry, loaded.settings)
        built = build(loaded, gateway.registry, gateway.runtime, before)
        undo.push_async_callback(built.stop)
        try:
            return built, await self._started(built, before, undo)
        except SettingsError as error:
            raise SettingsError(_without_secrets(error.problems, Scrub(built))) from error

    async def _started(self, built: Built, before: Built, undo: AsyncExitStack) -> Change:
        """Try it out, take its addresses and start its plugins."""
        gateway, loaded = self._gateway, built.loaded
        problems = await run_tests(built, gateway.runtime)
        if problems:
            raise SettingsError([*built.warnings, *problems])
        try:
            change = gateway.doors.prepare(loaded.settings.listen, built.certificates)
        except CannotBind as error:
            raise SettingsError([taken(gateway.settings, loaded, error)]) from error
        undo.callback(change.undo)
        await built.start(before)
        await change.open()
        return change

    def _retire(self, built: Built) -> None:
        self._retiring[built] = asyncio.get_running_loop().create_task(self._outlived(built))

    async def _outlived(self, built: Built) -> None:
        """Let go of an earlier configuration once the last exchange on it is over."""
        snapshot = built.snapshot
        try:
            async with asyncio.timeout(_ENDING):
                while snapshot.active:  # noqa: ASYNC110 (counted on the hot path, which need not tell of it)
                    await asyncio.sleep(_LOOK_EVERY)
        except TimeoutError:
            words = "%d exchanges still run on configuration %s after %g s; what only they use is stopped now"
            log.warning(words, snapshot.active, snapshot.revision, _ENDING)
        await built.stop()
        del self._retiring[built]
        del built, snapshot
        asyncio.get_running_loop().call_soon(gc.collect)  # what it was made of refers to itself; see settle_memory

    # what came of it

    def _done(self, cause: str, began: float, before: Built, built: Built) -> Reload:
        revision, previous = built.loaded.revision, before.loaded.revision
        different = changes(before, built)
        done = Reload(True, cause, *self._times(began), revision, previous, different, built.warnings)
        self._tell(done)
        for warning in built.warnings:
            log.warning("%s", warning.render())
        log.info("configuration %s is served (%s): %s", revision, cause, "; ".join(different) or "nothing is different")
        self._gateway.runtime.events.publish(ConfigReloaded(revision, previous, different))
        return done

    def _refused(self, cause: str, began: float, problems: Iterable[Problem]) -> Reload:
        revision, problems = self._gateway.revision, tuple(_without_secrets(problems, self._gateway.scrub))
        refused = Reload(False, cause, *self._times(began), revision, revision, (), problems)
        self._tell(refused)
        for problem in problems:
            log.log(_level(problem), "the configuration is refused: %s", problem.render())
        log.error("configuration %s is served on (%s)", revision, cause)
        said = tuple(problem.render() for problem in problems if problem.severity is Severity.ERROR)
        self._gateway.runtime.events.publish(ConfigRejected(revision, said))
        return refused

    def _times(self, began: float) -> tuple[float, float]:
        clock = self._gateway.runtime.clock
        return clock.time(), clock.monotonic() - began

    def _tell(self, reload: Reload) -> None:
        self.last = reload
        self._figures.count(ok=reload.ok, at=reload.at)


def _without_secrets(problems: Iterable[Problem], scrub: Scrub) -> Iterator[Problem]:
    """What a plugin says of its failure is its own words, which may quote anything."""
    for problem in problems:
        yield replace(problem, message=scrub.text(problem.message), remedy=scrub.text(problem.remedy))


def _level(problem: Problem) -> int:
    return logging.ERROR if problem.severity is Severity.ERROR else logging.WARNING
