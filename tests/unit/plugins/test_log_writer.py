from __future__ import annotations

import errno
import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from plugins._log_writer import LogWriter, Trouble
from proxy.clock import ManualClock

LOG = logging.getLogger("passerelle.plugin.access_log")


class Lost:
    """Counts lines that are lost, and tells when there is one."""

    def __init__(self) -> None:
        self.count = 0
        self.some = threading.Event()

    def __call__(self, lines: int) -> None:
        self.count += lines
        self.some.set()


class House:
    """A writer of a file, and what it lost."""

    def __init__(self, path: str, room: int = 1 << 20) -> None:
        self.dropped, self.failed = Lost(), Lost()
        self.writer = LogWriter(path, room, ManualClock(), LOG, self.dropped, self.failed)
        self.writer.start()


def written(path: Path, lines: int) -> bytes:
    """What the file holds once it has so many lines; the writer needs some hundredths of a second."""
    ended = threading.Event()
    for _ in range(400):
        data = path.read_bytes() if path.exists() else b""
        if data.count(b"\n") >= lines:
            return data
        ended.wait(0.01)
    raise AssertionError(f"{lines} lines were not written")


async def test_the_end_writes_all_that_is_left(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    house = House(str(path))
    lines = [b"%d\n" % number for number in range(100_000)]
    for line in lines:
        house.writer.put(line)
    await house.writer.close()
    assert path.read_bytes() == b"".join(lines)
    assert (house.dropped.count, house.failed.count) == (0, 0)
    assert path.stat().st_mode & 0o777 & ~0o640 == 0


async def test_lines_are_written_while_it_goes_on(tmp_path: Path) -> None:
    house = House(str(tmp_path / "a.log"))
    house.writer.put(b"one\n")
    assert written(tmp_path / "a.log", 1) == b"one\n"
    house.writer.put(b"two\n")
    assert written(tmp_path / "a.log", 2) == b"one\ntwo\n"
    await house.writer.close()


async def test_what_is_there_stays(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("before\n")
    house = House(str(tmp_path / "a.log"))
    house.writer.put(b"after\n")
    await house.writer.close()
    assert (tmp_path / "a.log").read_text() == "before\nafter\n"


async def test_what_does_not_fit_is_counted_and_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    house = House(str(tmp_path / "pipe"), room=200_000)
    for _ in range(30):  # more than the pipe and the queue hold, and nobody reads
        house.writer.put(b"x" * 9_999 + b"\n")
    assert house.dropped.count >= 10
    told = [record.getMessage() for record in caplog.records]
    assert told == ["1 lines of the access log are lost: they come faster than they can be written"]
    os.set_blocking(reader, True)
    found = 0
    while found < (30 - house.dropped.count) * 10_000:
        found += len(os.read(reader, 65536))
    await house.writer.close()
    os.close(reader)
    assert found == (30 - house.dropped.count) * 10_000


async def test_after_the_end_lines_are_lost_and_counted(tmp_path: Path) -> None:
    house = House(str(tmp_path / "a.log"))
    await house.writer.close()
    house.writer.put(b"late\n")
    assert house.dropped.count == 1


async def test_what_cannot_be_written_is_lost_and_says_so(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    house = House(str(tmp_path / "pipe"))
    os.close(reader)  # from now on each write fails, on every system
    house.writer.put(b"one\n")
    assert house.failed.some.wait(5)
    for line in (b"two\n", b"three\n"):
        house.writer.put(line)
    await house.writer.close()
    assert house.failed.count == 3
    assert [record.getMessage() for record in caplog.records] == ["1 lines of the access log are lost: broken pipe"]
    assert house.writer._put == house.writer._taken, "what is lost takes no room"


async def test_a_line_that_was_cut_is_ended_before_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.log"
    house = House(str(path))
    real: Callable[[int, bytes], int] = os.write
    results: list[int | None] = [5, None]  # takes so many bytes; has no room for any

    def write(file: int, data: bytes) -> int:
        if results and file == house.writer._file:
            size = results.pop(0)
            if size is None:
                raise OSError(errno.ENOSPC, "No space left on device")
            return real(file, data[:size])
        return real(file, data)

    monkeypatch.setattr(os, "write", write)
    house.writer.put(b"one\ntwo\n")
    assert house.failed.some.wait(5)
    house.writer.put(b"three\n")
    await house.writer.close()
    assert path.read_bytes() == b"one\nt\nthree\n"
    assert house.failed.count == 1


async def test_a_file_that_was_moved_away_is_made_anew(tmp_path: Path) -> None:
    path, old = tmp_path / "a.log", tmp_path / "a.log.1"
    house = House(str(path))
    house.writer.put(b"one\n")
    written(path, 1)
    path.rename(old)
    house.writer.put(b"two\n")
    assert written(path, 1) == b"two\n"
    assert old.read_bytes() == b"one\n"
    await house.writer.close()


async def test_it_is_opened_anew_when_told_although_nothing_is_written(tmp_path: Path) -> None:
    path = tmp_path / "a.log"
    house = House(str(path))
    path.unlink()
    house.writer.reopen()
    assert written(path, 0) == b""
    await house.writer.close()
    assert path.exists()


async def test_a_file_that_cannot_be_opened_anew_is_written_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place, moved = tmp_path / "place", tmp_path / "moved"
    place.mkdir()
    house = House(str(place / "a.log"))
    place.rename(moved)
    house.writer.put(b"one\n")
    assert written(moved / "a.log", 1) == b"one\n"
    place.mkdir()
    house.writer.put(b"two\n")
    assert written(place / "a.log", 1) == b"two\n"
    await house.writer.close()
    (record,) = caplog.records
    assert record.getMessage().endswith("the file cannot be opened anew: no such file or directory")


@pytest.mark.parametrize(
    ("path", "error"),
    [("no/such/place", FileNotFoundError), ("file/a.log", NotADirectoryError), (".", IsADirectoryError)],
)
def test_a_path_that_cannot_be_right_is_refused(tmp_path: Path, path: str, error: type[OSError]) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(error):
        House(str(tmp_path / path))


async def test_what_may_pass_is_tried_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    os.mkfifo(tmp_path / "pipe")
    house = House(str(tmp_path / "pipe"))  # nobody reads it yet: it cannot be opened
    assert "no such device or address" in caplog.text
    house.writer.put(b"lost\n")
    assert house.failed.some.wait(5)
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    house.writer.put(b"there\n")
    await house.writer.close()
    assert os.read(reader, 100) == b"there\n"
    os.close(reader)


async def test_a_pipe_is_written_in_pieces_that_stay_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    house = House(str(tmp_path / "pipe"))
    pieces: list[int] = []
    real: Callable[[int, bytes], int] = os.write

    def write(file: int, data: bytes) -> int:
        pieces.append(len(data))
        return real(file, data)

    monkeypatch.setattr(os, "write", write)
    for _ in range(100):
        house.writer.put(b"x" * 99 + b"\n")
    await house.writer.close()
    assert sum(pieces) == 10_000
    assert max(pieces) == 4_000
    os.close(reader)


async def test_a_dash_is_stdout(capfd: pytest.CaptureFixture[str]) -> None:
    house = House("-")
    house.writer.put(b"one\n")
    house.writer.reopen()
    await house.writer.close()
    assert capfd.readouterr().out == "one\n"


def test_trouble_is_told_once_in_a_while(caplog: pytest.LogCaptureFixture) -> None:
    clock = ManualClock()
    trouble = Trouble(clock, LOG)
    trouble.tell(1, "why")
    trouble.tell(2, "why")
    clock.advance(59)
    trouble.tell(3, "why")
    assert [record.getMessage() for record in caplog.records] == ["1 lines of the access log are lost: why"]
    clock.advance(1)
    trouble.tell(4, "why")
    assert caplog.records[-1].getMessage() == "9 lines of the access log are lost: why"
