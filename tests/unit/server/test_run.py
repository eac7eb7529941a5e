"""The process around a gateway, seen from inside; signals themselves are tested from outside."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import signal
from collections.abc import Iterator
from logging.handlers import WatchedFileHandler
from pathlib import Path
from typing import Any, cast

import pytest

from proxy.registry import Registry
from proxy.server.gateway import CannotBind, Gateway
from proxy.server.logs import reopen_logs
from proxy.server.run import Loop, Server, Signals, announce, fast_loop, raise_file_limit, serve, unless
from proxy.settings import load_text

TEXT = """
listen: {listen}
admin: {admin}
routes: [{{name: a, plugins: {{respond: {{status: 200}}}}}}]
"""

SLOW = """
import asyncio
from proxy.api import Plugin, PluginConfig

class Slow(Plugin[PluginConfig]):
    async def start(self, services):
        await asyncio.Event().wait()
"""


def gateway(listen: str = "http://127.0.0.1:0", admin: str = "false") -> Gateway:
    return Gateway(load_text(TEXT.format(listen=listen, admin=admin), {}), Registry.installed())


async def test_it_says_where_it_listens_and_ends_when_told(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Signals] = []

    def listen(signals: Signals, _reopen: object) -> None:
        made.append(signals)

    monkeypatch.setattr(Signals, "listen", listen)
    served = gateway(admin="{listen: http://127.0.0.1:0}")

    def ready(gateway: Server) -> None:
        announce(gateway)
        assert served.ready
        made[0].stop()

    assert await serve(served, ready) == 0
    assert not served.ready
    assert capsys.readouterr().err == f"passerelle listening on {served.urls[0]}\n"


async def test_a_signal_during_the_start_breaks_it_off(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    text = TEXT.format(listen="http://127.0.0.1:0", admin="false") + "plugins: [./slow.py]\n"
    monkeypatch.setattr(Signals, "listen", lambda signals, _reopen: signals.stop())
    served = Gateway(load_text(text, {}, tmp_path / "p.yaml"), Registry.installed())
    assert await serve(served, lambda _: pytest.fail("it must not get ready")) == 0
    assert not served.ready


async def test_a_start_that_fails_is_told_to_the_caller(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Signals, "listen", lambda _, _reopen: None)
    with pytest.raises(CannotBind):
        await serve(gateway(listen="http://192.0.2.1:0"), announce)


async def test_work_is_done_unless_it_is_stopped() -> None:
    stop, going = asyncio.Event(), asyncio.Event()

    async def short() -> None:
        going.set()

    async def endless() -> None:
        stop.set()
        await asyncio.Event().wait()

    assert await unless(short(), stop)
    assert going.is_set()
    assert not await unless(endless(), stop)


def test_the_second_signal_is_another_one() -> None:
    signals = Signals()
    signals.stop()
    assert (signals.first.is_set(), signals.second.is_set()) == (True, False)
    signals.stop()
    assert signals.second.is_set()


class Reading:
    """A server whose reload reads a file as it begins, and then takes as long as the test says.

    :ivar read: what reloads have found in the file.
    :ivar go: lets the reload under way end; an error that it is given, by raising that.
    """

    urls: tuple[str, ...] = ()
    revision = "abc"

    def __init__(self, file: Path) -> None:
        self.file = file
        self.read: asyncio.Queue[str] = asyncio.Queue()
        self.go: asyncio.Queue[Exception | None] = asyncio.Queue()

    async def start(self) -> None: ...
    async def drain(self) -> None: ...
    def reopen_logs(self) -> None: ...

    async def reload(self, _: str) -> None:
        self.read.put_nowait(self.file.read_text())
        error = await self.go.get()
        if error is not None:
            raise error


def hang_up(served: Reading, text: str) -> None:
    """Change the file, then tell this process, as an operator would."""
    served.file.write_text(text)
    os.kill(os.getpid(), signal.SIGHUP)


async def _hangs_up(served: Reading) -> None:
    up = asyncio.Event()
    serving = asyncio.ensure_future(serve(cast("Any", served), lambda _: up.set()))
    await up.wait()
    hang_up(served, "1")
    assert await served.read.get() == "1"
    hang_up(served, "2")  # the file was read already, and the reload goes on
    hang_up(served, "3")
    served.go.put_nowait(ValueError("it breaks"))
    assert await served.read.get() == "3"
    hang_up(served, "4")
    served.go.put_nowait(None)
    assert await served.read.get() == "4"
    served.go.put_nowait(None)
    os.kill(os.getpid(), signal.SIGTERM)
    assert await serving == 0
    assert served.read.empty(), "two signals during one reload are one reload more"


@pytest.mark.parametrize("loop", [None, fast_loop()], ids=["asyncio", "uvloop"])
def test_a_hangup_during_a_reload_leads_to_another_one_with_the_newest_file(loop: Loop | None, tmp_path: Path) -> None:
    async def main() -> None:
        async with asyncio.timeout(10):
            await _hangs_up(Reading(tmp_path / "p.yaml"))

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(main())


@pytest.fixture
def file_limits() -> Iterator[tuple[int, int]]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield before
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_as_many_files_may_be_open_as_the_system_allows(file_limits: tuple[int, int]) -> None:
    hard = file_limits[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))
    raise_file_limit()
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (hard, hard)


def test_a_low_limit_is_warned_of(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 1024))
    monkeypatch.setattr(resource, "setrlimit", lambda _, __: None)
    raise_file_limit()
    assert "only 1024 files may be open at once" in caplog.text


def test_uvloop_is_used_where_it_is_installed() -> None:
    made = fast_loop()
    assert made is not None
    loop = made()
    loop.close()
    assert type(loop).__module__.startswith("uvloop")


def test_log_files_are_opened_anew(tmp_path: Path) -> None:
    file = tmp_path / "log"
    handler = WatchedFileHandler(file)
    logger = logging.getLogger()
    logger.addHandler(handler)
    try:
        logger.error("before")
        file.rename(tmp_path / "log.1")
        reopen_logs()
        assert file.read_text() == ""
    finally:
        logger.removeHandler(handler)
        handler.close()
