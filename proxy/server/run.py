"""The process around a gateway: the loop, limits of the system, signals."""

from __future__ import annotations

import asyncio
import gc
import importlib
import logging
import resource
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from logging.handlers import WatchedFileHandler
from typing import Any

from proxy.registry import Registry
from proxy.server.gateway import Gateway
from proxy.server.source import Source
from proxy.server.watch import Watcher
from proxy.settings import Loaded

log = logging.getLogger("passerelle")

_COLLECT = (20_000, 20, 50)  # containers, and generations, between two looks for cycles
_FEW_FILES = 4096
_LAST_MOMENT = 1.0  # seconds for plugins and sockets to end after a second signal

Loop = Callable[[], asyncio.AbstractEventLoop]
Ready = Callable[[Gateway], None]


def run(
    loaded: Loaded,
    registry: Registry,
    ready: Ready | None = None,
    *,
    source: Source | None = None,
    watch: bool = False,
) -> int:
    """Serve a configuration until TERM or INT.

    :param ready: called once it serves, in place of `announce`.
    :param source: where the configuration is read again from on HUP; None when it came from no file.
    :param watch: read it again also when one of its files has changed.
    :returns: the exit code 0.
    :raises SettingsError: when the configuration cannot be built, or a plugin does not start.
    :raises CannotBind: when an address is taken or not ours.
    """
    raise_file_limit()
    with asyncio.Runner(loop_factory=fast_loop()) as runner:
        return runner.run(serve(Gateway(loaded, registry, source=source), ready or announce, source if watch else None))


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


async def serve(gateway: Gateway, ready: Ready, watched: Source | None = None) -> int:
    """Start the gateway, tell that it is ready, reload it and end it when a signal says so.

    :param ready: called once it serves.
    :param watched: reload it also when a file of this one has changed.
    :returns: the exit code 0.
    :raises SettingsError: see `run`.
    :raises CannotBind: see `run`.
    """
    signals = Signals()
    signals.listen()
    if not await _unless(gateway.start(), signals.first):
        return 0
    settle_memory()
    ready(gateway)
    async with _beside(_reloads(gateway, signals), *([_watches(gateway, watched)] if watched is not None else [])):
        await signals.first.wait()
    log.info("told to end")
    if not await _unless(gateway.drain(), signals.second):
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


async def _reloads(gateway: Gateway, signals: Signals) -> None:
    """Reload for every HUP; those that come while one is under way are one more together."""
    while True:
        await signals.hangup.wait()
        signals.hangup.clear()
        await gateway.reload("signal")


async def _watches(gateway: Gateway, source: Source) -> None:
    await Watcher(lambda: source.trace, lambda: gateway.reload("file")).run()


def settle_memory() -> None:
    """Spare the collector what lives as long as the process, and let it look for cycles less often.

    Exchanges are freed by their reference counts. The collector finds next to nothing in them, and would look through
    every class and setting for it again and again.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECT)


async def _unless(work: Coroutine[Any, Any, None], stop: asyncio.Event) -> bool:
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


def announce(gateway: Gateway) -> None:
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

    def listen(self) -> None:
        """Take the signals of this process, in the running loop."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGUSR1, reopen_logs)
        loop.add_signal_handler(signal.SIGHUP, self.hangup.set)

    def stop(self) -> None:
        """TERM or INT."""
        (self.second if self.first.is_set() else self.first).set()


def reopen_logs() -> None:
    """Open log files anew after they were moved away."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler, WatchedFileHandler):
            handler.reopenIfNeeded()
