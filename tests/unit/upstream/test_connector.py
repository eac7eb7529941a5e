"""How connections are opened: by address, by name, over a Unix socket."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.frontend.stage import fetch, get, plays, staged
from tests.wire.origin import OK, Origin


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "app.sock"


async def test_a_unix_socket(path: Path) -> None:
    async with staged(origin=Origin(path=path)) as stage:
        for _ in range(3):
            assert (await fetch(stage, get("/"))).body == b"ok"
        assert (stage.pool.created, stage.pool.reused) == (1, 2)
        assert stage.origin.record.requests[0].values("host") == ["example.test"]


@pytest.mark.parametrize(("host", "sent"), [("upstream", "localhost"), ("app.internal", "app.internal")])
async def test_the_host_that_is_sent_over_a_unix_socket(host: str, sent: str, path: Path) -> None:
    async with staged(upstream=f"host: {host}", origin=Origin(path=path)) as stage:
        await fetch(stage, get("/"))
        assert stage.origin.record.requests[0].values("host") == [sent]


async def test_a_socket_that_is_not_there_is_tried_elsewhere(tmp_path: Path, path: Path) -> None:
    targets = f"unix:{tmp_path / 'none.sock'}, unix:{path}"
    async with staged(upstream="retry: {attempts: 1}", targets=targets, origin=Origin(path=path)) as stage:
        for _ in range(4):
            assert (await fetch(stage, get("/"))).status == 200
        assert stage.figure("errors_total", kind="connection_refused") >= 2


async def test_a_bad_answer_over_a_unix_socket_is_tried_again(path: Path) -> None:
    async with staged(upstream="retry: {attempts: 1}", origin=Origin(path=path)) as stage:
        answers = iter([b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n", OK])

        async def script(wire: object) -> bool:
            return await plays(next(answers))(wire)  # type: ignore[arg-type]  # a Wire

        stage.script("/", script)
        assert (await fetch(stage, get("/"))).status == 200


async def test_nobody_at_a_socket(path: Path) -> None:
    async with staged(targets=f"unix:{path}") as stage:
        answer = await fetch(stage, get("/"))
    assert (answer.status, "error=connection_refused" in answer.values("proxy-status")[0]) == (502, True)
