"""The real command as a process of its own, and the sample upstream as another."""

from __future__ import annotations

import io
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from proxy.cli.main import main

COMMAND = Path(sys.executable).with_name("passerelle")
READY = "passerelle listening on "
_PATIENCE = 90.0  # seconds for anything that a process is waited for


class Process:
    """A process whose output can be waited for line by line."""

    def __init__(self, *arguments: str, cwd: Path | None = None, env: dict[str, str] | None = None) -> None:
        self._lines: queue.Queue[str | None] = queue.Queue()
        self.told: list[str] = []
        self.popen = subprocess.Popen(
            arguments,
            cwd=cwd,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        stream = self.popen.stdout
        assert stream is not None
        with stream:
            for line in stream:
                self._lines.put(line.rstrip("\n"))
        self._lines.put(None)

    def line(self, containing: str) -> str:
        """The next line that contains a text; what comes before it is kept in `told`."""
        while True:
            line = self._lines.get(timeout=_PATIENCE)
            if line is None:
                pytest.fail(f"it ended without {containing!r}: {self.told}")
            self.told.append(line)
            if containing in line:
                return line

    def ready(self) -> str:
        """The URL that it listens on."""
        return self.line(READY).removeprefix(READY)

    def admin(self) -> str:
        """The URL of its admin listener, which it tells before it is ready."""
        return self.line("admin on ").rpartition(" ")[2]

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.popen.send_signal(number)

    def ended(self) -> int:
        """Its exit code."""
        code = self.popen.wait(_PATIENCE)
        self._reader.join(_PATIENCE)
        while (line := self._lines.get_nowait()) is not None:
            self.told.append(line)
        return code

    def kill(self) -> None:
        """End it whatever it does."""
        if self.popen.poll() is None:
            self.popen.kill()
            self.popen.wait(_PATIENCE)
        self._reader.join(_PATIENCE)


Run = Callable[..., Process]


def command(*arguments: str) -> tuple[int, str]:
    """Run the command in this process, where loading the code is paid once: its exit code, and what it says."""
    said = io.StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        code = main(arguments)
    return code, said.getvalue()


@contextmanager
def running(folder: Path) -> Iterator[Run]:
    """Starts the command in a folder; what still runs in the end is killed."""
    with ExitStack() as stack:

        def runs(*arguments: str, cwd: Path = folder, env: dict[str, str] | None = None) -> Process:
            process = Process(str(COMMAND), *arguments, cwd=cwd, env=env)
            stack.callback(process.kill)
            return process

        yield runs


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    """Starts the command; what still runs after the test is killed."""
    with running(tmp_path) as runs:
        yield runs


@pytest.fixture(scope="module")
def module_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of one module's tests."""
    return tmp_path_factory.mktemp("module")


@pytest.fixture(scope="module")
def run_once(module_path: Path) -> Iterator[Run]:
    """As `run`, for what the tests of a module share: they leave it as it was, and count from what they found."""
    with running(module_path) as runs:
        yield runs


@pytest.fixture(scope="session")
def upstream() -> Iterator[str]:
    """The URL of a sample upstream."""
    process = Process(sys.executable, "-m", "proxy.server.sample")
    yield process.line("http://")
    process.send(signal.SIGTERM)
    assert process.ended() == 0


def written(folder: Path, upstream: str) -> Path:
    """A configuration on ports of the system's choosing."""
    file = folder / "gateway.yaml"
    file.write_text(
        "listen: http://127.0.0.1:0\nadmin: {listen: http://127.0.0.1:0}\n"
        f"upstreams: {{app: {{targets: ['{upstream}']}}}}\n"
        "routes:\n  - {name: hello, match: {path: /hello}, plugins: {respond: {status: 200, body: hello}}}\n"
        "  - {name: app, upstream: app}\n"
    )
    return file


@pytest.fixture
def config(tmp_path: Path, upstream: str) -> Path:
    """A configuration on ports of the system's choosing."""
    return written(tmp_path, upstream)
