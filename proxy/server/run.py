"""The process around a gateway: the loop, limits of the system, signals."""

from __future__ import annotations

import asyncio
import gc
import importlib
import logging
import os
import resource
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager, suppress
from typing import Any, Protocol

from proxy.registry import Registry
from proxy.server.gateway import Gateway
from proxy.server.reload import Reload
from proxy.server.source import Source
from proxy.server.systemd import Binder, Notifier, activated
from proxy.server.watch import Watcher
from proxy.settings import Loaded

log = logging.getLogger("passerelle")

_COLLECT = (20_000, 20, 50)  # containers, and generations, between two looks for cycles
_FEW_FILES = 4096
_LAST_MOMENT = 1.0  # seconds for plugins and sockets to end after a second signal

Loop = Callable[[], asyncio.AbstractEventLoop]
Ready = Callable[["Server"], None]


class Server(Protocol):
    """What serves: one process, or a supervisor with several."""

    @property
    def urls(self) -> list[str]: ...
    @property
    def admin_url(self) -> str | None: ...
    @property
    def revision(self) -> str: ...
    async def start(self) -> None: ...
    async def drain(self) -> None: ...
    async def stop(self) -> None: ...
    async def reload(self, cause: str) -> Reload: ...
    def reopen_logs(self) -> None: ...


def run(
    loaded: Loaded,
    registry: Registry,
    ready: Ready | None = None,
    *,
    source: Source | None = None,
    watch: bool = False,
    worker: Sequence[str] = (),
) -> int:
    """Serve a configuration until TERM or INT.

    :param ready: called once it serves, in place of `announce`.
    :param source: where the configuration is read again from on HUP; None when it came from no file.
    :param watch: read it again also when one of its files has changed.
    :param worker: what a worker process is started with, for configurations that ask for several.
    :returns: the exit code 0.
    :raises SettingsError: when the configuration cannot be built, or a plugin does not start.
    :raises CannotBind: when an address is taken or not ours.
    """
    raise_file_limit()
    binder = Binder(activated(os.environ))
    with asyncio.Runner(loop_factory=fast_loop()) as runner:
        server = _server(loaded, registry, source, binder, worker)

        def up(server: Server) -> None:
            binder.close()
            (ready or announce)(server)

        return runner.run(serve(server, up, source if watch else None, Notifier(os.environ)))


def _server(loaded: Loaded, registry: Registry, source: Source | None, binder: Binder, worker: Sequence[str]) -> Server:
    if worker and loaded.settings.workers != 1:
        from proxy.server.supervisor import Supervisor

        return Supervisor(loaded, worker, source=source, bind=binder.bind)
    return Gateway(loaded, registry, source=source, bind=binder.bind)


def fast_loop() -> Loop | None:
    """uvloop's loop where it is installed; None for asyncio's own."""
    with suppress(ImportError):
        made: Loop = importlib.import_module("uvloop").new_event_loop
        return made
    return None


def raise_file_limit() -> None:
    """Let the process open as many files as the system allows it; every connection is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # macOS has a hard limit that it does not grant
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        soft = hard
    if soft != resource.RLIM_INFINITY and soft < _FEW_FILES:
        log.warning("only %d files may be open at once (ulimit -n), and every connection is one", soft)


async def serve(gateway: Server, ready: Ready, watched: Source | None = None, notifier: Notifier | None = None) -> int:
    """Start the gateway, tell that it is ready, reload it and end it when a signal says so.

    :param ready: called once it serves.
    :param watched: reload it also when a file of this one has changed.
    :param notifier: tells the service manager.
    :returns: the exit code 0.
    :raises SettingsError: see `run`.
    :raises CannotBind: see `run`.
    """
    notifier = notifier or Notifier({})
    signals = Signals()
    signals.listen(gateway.reopen_logs)
    if not await unless(gateway.start(), signals.first):
        return 0
    settle_memory()
    ready(gateway)
    notifier.ready(_status(gateway))
    beside = [_reloads(gateway, signals, notifier), _lives(notifier)]
    if watched is not None:
        beside.append(_watches(gateway, watched))
    async with _beside(*beside):
        await signals.first.wait()
    log.info("told to end")
    notifier.stopping()
    if not await unless(gateway.drain(), signals.second):
        with suppress(TimeoutError):
            async with asyncio.timeout(_LAST_MOMENT):
                await gateway.stop()
    return 0


@asynccontextmanager
async def _beside(*works: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Let these run meanwhile."""
    tasks = [asyncio.ensure_future(work) for work in works]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _reloads(gateway: Server, signals: Signals, notifier: Notifier) -> None:
    """Reload for every HUP; those that come while one is under way are one more together."""
    while True:
        await signals.hangup.wait()
        signals.hangup.clear()
        notifier.reloading(time.monotonic())
        try:
            await gateway.reload("signal")
        except Exception:  # whatever becomes of one reload, the next HUP is heard
            log.exception("the reload failed")
        notifier.ready(_status(gateway))


async def _lives(notifier: Notifier) -> None:
    """Give the watchdog its signs of life: a loop that is stuck gives none, and the manager restarts the process."""
    while notifier.watchdog is not None:
        notifier.alive()
        await asyncio.sleep(notifier.watchdog)


def _status(gateway: Server) -> str:
    return f"serving configuration {gateway.revision} on {', '.join(gateway.urls)}"


async def _watches(gateway: Server, source: Source) -> None:
    await Watcher(lambda: source.trace, lambda: gateway.reload("file"), seen=source.seen).run()


def settle_memory() -> None:
    """Spare the collector what lives as long as the process, and let it look for cycles less often.

    Exchanges are freed by their reference counts. The collector finds next to nothing in them, and would look through
    every class and setting for it again and again. It does not look before, either: a start leaves it
    some 2,000 objects, and to find them would be a twentieth of that start.
    """
    gc.freeze()
    gc.set_threshold(*_COLLECT)


async def unless(work: Coroutine[Any, Any, None], stop: asyncio.Event) -> bool:
    """Do it to its end, or break it off when `stop` is set; tells whether it was done."""
    doing = asyncio.ensure_future(work)
    stopping = asyncio.ensure_future(stop.wait())
    await asyncio.wait({doing, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not doing.done():
        doing.cancel()
        await asyncio.wait({doing}, timeout=_LAST_MOMENT)
        return False
    doing.result()
    return True


def announce(gateway: Server) -> None:
    """Tell on stderr that it is ready; whoever started the process may wait for this line."""
    if gateway.admin_url is not None:
        log.info("admin on %s", gateway.admin_url)
    for url in gateway.urls:
        print(f"passerelle listening on {url}", file=sys.stderr, flush=True)


class Signals:
    """What the process was told.

    :ivar first: TERM or INT came: drain.
    :ivar second: another one came: end at once.
    :ivar hangup: HUP came, once or more, since this was cleared: reload.
    """

    def __init__(self) -> None:
        self.first = asyncio.Event()
        self.second = asyncio.Event()
        self.hangup = asyncio.Event()

    def listen(self, reopen: Callable[[], None]) -> None:
        """Take the signals of this process, in the running loop.

        :param reopen: called on USR1.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGUSR1, reopen)
        loop.add_signal_handler(signal.SIGHUP, self.hangup.set)

    def stop(self) -> None:
        """TERM or INT."""
        (self.second if self.first.is_set() else self.first).set()
