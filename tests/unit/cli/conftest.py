"""A place with a configuration, and the command run in it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from proxy.cli.main import main

TEXT = """
admin: {token: s3cret}
upstreams: {app: {targets: [http://127.0.0.1:9001]}}
routes:
  - {name: api, match: {path: /api/*}, path: {strip: /api}, upstream: app}
  - {name: gone, match: {path: /old}, plugins: {respond: {status: 410}}}
tests:
  - {request: GET http://a/old, expect: {status: 410}}
"""


class Ended(NamedTuple):
    """How the command ended."""

    code: int
    out: str
    err: str


Command = Callable[..., Ended]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory, with a good configuration in `good.yaml`."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "good.yaml").write_text(TEXT)
    return tmp_path


@pytest.fixture
def command(place: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Command]:
    """Runs the command in this process."""
    root = logging.getLogger()
    before = root.level, root.handlers[:]

    def runs(*arguments: str) -> Ended:
        try:
            code = main(arguments)
        except SystemExit as ended:  # argparse
            code = int(ended.code or 0)
        return Ended(code, *capsys.readouterr())

    yield runs
    root.setLevel(before[0])
    root.handlers[:] = before[1]
