"""Every path is answered as it should be, with no socket and no turn of the loop: what is counted is what is meant."""

from __future__ import annotations

import pytest

from benchmarks import counted
from benchmarks.counted import send
from benchmarks.memory_gateway import MemoryGateway, Unanswered
from benchmarks.paths import PATHS, CountedPath
from proxy.registry import Registry

REGISTRY = Registry.installed()
BY_NAME = {path.name: path for path in PATHS}


@pytest.mark.parametrize("name", [path.name for path in PATHS])
async def test_a_path_is_walked(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    marks: list[str] = []
    monkeypatch.setattr(counted, "mark", lambda: marks.append(name))
    await send(BY_NAME[name], REGISTRY)
    assert len(marks) == 2


async def test_another_answer_is_not_counted() -> None:
    wrong = CountedPath("wrong", "", route="{name: all, plugins: {respond: {status: 404}}}", answer=None)
    with pytest.raises(Unanswered, match=r"wrong: the client got b'HTTP/1\.1 404"):
        await send(wrong, REGISTRY)


async def test_a_miss_is_not_taken_for_a_hit() -> None:
    with pytest.raises(Unanswered, match="does not end without the loop"):
        await send(CountedPath("cold", "", stored=True), REGISTRY)


async def test_requests_differ_from_each_other() -> None:
    path = BY_NAME["forward"]
    assert path.request(1) != path.request(2)
    gateway = await MemoryGateway.open(path.config(), REGISTRY)
    await gateway.first(path.request(0), path.reply())
    assert gateway.heard(path.request(1), path.reply()).endswith(path.expected)
    await gateway.close()
