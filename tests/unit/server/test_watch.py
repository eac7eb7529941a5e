"""Files that change, and when that counts."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from proxy.server.watch import Watcher, picture
from proxy.settings import Trace


class Watched:
    """A watcher with short waits, and how often it has called."""

    def __init__(self, trace: Trace) -> None:
        self.trace = trace
        self.calls = 0
        self.looks = 0
        self.called = asyncio.Event()
        self.during: Callable[[], object] = lambda: None
        self.watcher = Watcher(lambda: self.trace, self.changed, every=0.01, quiet=0.01)

    async def changed(self) -> None:
        self.calls += 1
        during, self.during = self.during, lambda: None
        during()
        self.called.set()

    async def looked(self) -> None:
        """Wait until it has gone back to looking: two looks that began after now are over."""
        enough = self.looks + 3
        while self.looks < enough:
            await asyncio.sleep(0)

    async def next(self) -> None:
        async with asyncio.timeout(10):
            await self.called.wait()
        self.called.clear()


@pytest.fixture
async def watched(tmp_path: Path) -> AsyncIterator[Watched]:
    (tmp_path / "a.yaml").write_text("a")
    made = Watched(Trace({tmp_path / "a.yaml", tmp_path / "absent"}, {(tmp_path, "routes/*.yaml")}))
    looked = made.watcher._look
    ready = asyncio.Event()

    async def look() -> object:
        found = await looked()
        made.looks += 1
        ready.set()
        return found

    made.watcher._look = look  # type: ignore[method-assign,assignment]  # to know when the first look is over
    task = asyncio.create_task(made.watcher.run())
    await ready.wait()
    yield made
    task.cancel()


async def test_a_change_a_new_file_and_one_put_in_its_place_count(watched: Watched, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("ab")
    await watched.next()
    (tmp_path / "absent").write_text("here")
    await watched.next()
    (tmp_path / "routes").mkdir()
    (tmp_path / "routes" / "new.yaml").write_text("x")
    await watched.next()
    (tmp_path / "b.yaml").write_text("ab")
    (tmp_path / "b.yaml").replace(tmp_path / "a.yaml")
    await watched.next()
    (tmp_path / "a.yaml").unlink()
    await watched.next()
    assert watched.calls == 5


async def test_what_changes_while_it_is_read_counts_again(watched: Watched, tmp_path: Path) -> None:
    watched.during = lambda: (tmp_path / "a.yaml").write_text("abc")
    (tmp_path / "a.yaml").write_text("ab")
    await watched.next()
    await watched.next()
    assert watched.calls == 2


async def test_files_that_count_from_now_on_are_no_change(watched: Watched, tmp_path: Path) -> None:
    (tmp_path / "other.yaml").write_text("x")

    def look_at_more() -> None:
        watched.trace = Trace({*watched.trace.files, tmp_path / "other.yaml"})

    watched.during = look_at_more
    (tmp_path / "a.yaml").write_text("ab")
    await watched.next()
    await watched.looked()
    (tmp_path / "other.yaml").write_text("xy")
    await watched.next()
    assert watched.calls == 2


async def test_what_has_changed_before_it_looks_counts_too(tmp_path: Path) -> None:
    file, called = tmp_path / "a.yaml", asyncio.Event()
    file.write_text("a")
    trace = Trace({file})
    read = picture(trace)
    file.write_text("ab")

    async def changed() -> None:
        called.set()

    task = asyncio.create_task(Watcher(lambda: trace, changed, every=0.01, quiet=0.01, seen=read).run())
    async with asyncio.timeout(10):
        await called.wait()
    task.cancel()


def test_a_picture_tells_versions_apart(tmp_path: Path) -> None:
    file = tmp_path / "a"
    trace = Trace({file})
    assert picture(trace) == {file: None}
    file.write_text("1")
    first = picture(trace)
    file.write_text("22")
    assert picture(trace) != first


def test_a_configmap_that_kubernetes_puts_in_its_place_is_another_picture(tmp_path: Path) -> None:
    """The file is a link into a directory that is a link itself, and that one is exchanged; all else may be alike."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "p.yaml").write_text("the same\n")
        os.utime(tmp_path / name / "p.yaml", (0, 0))
    (tmp_path / "..data").symlink_to("one")
    (tmp_path / "p.yaml").symlink_to("..data/p.yaml")
    trace = Trace(files={tmp_path / "p.yaml"})
    before = picture(trace)
    (tmp_path / "..next").symlink_to("two")
    (tmp_path / "..next").rename(tmp_path / "..data")
    assert picture(trace) != before
    assert list(picture(trace)) == list(before)
