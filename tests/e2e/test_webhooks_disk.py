"""Webhooks of the real command while the disk fails: requests go on, one alarm is given, and it heals by itself."""

from __future__ import annotations

import os
import resource
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from tests.e2e.conftest import COMMAND, Process, Run
from tests.e2e.receiver import Receiver, Traffic, configured, endpoint, get, receiving, until

ALARM, RECOVERED = "the store cannot be used", "the store can be used again"
# Root may write what is read-only (CAP_DAC_OVERRIDE, 1), but for a program without that right (PR_CAPBSET_DROP, 24).
AS_OTHERS = "import ctypes, os, sys; ctypes.CDLL(None).prctl(24, 1, 0, 0, 0); os.execv(sys.argv[1], sys.argv[1:])"


@contextmanager
def unprivileged(*arguments: str) -> Iterator[Process]:
    """The command, for which permissions count."""
    prefix = [sys.executable, "-c", AS_OTHERS] if os.geteuid() == 0 else []
    process = Process(*prefix, str(COMMAND), *arguments)
    try:
        yield process
    finally:
        process.kill()


def outbox(directory: Path) -> Path:
    """Where it is kept."""
    return directory / "state" / "webhooks.sqlite3"


def delivering(gateway: Process, receiver: Receiver) -> str:
    """The gateway's URL, once it serves and has delivered something."""
    url = gateway.ready()
    get(url)
    assert until(lambda: len(receiver.got) > 0)
    return url


def make_read_only(place: Path) -> None:
    """Put a copy that nobody may write in the place of a file."""
    copy = place.with_name("copy")
    with closing(sqlite3.connect(place)) as connection:
        connection.execute("VACUUM INTO ?", (str(copy),))
    copy.chmod(0o400)
    for suffix in ("-wal", "-shm"):
        Path(f"{place}{suffix}").unlink(missing_ok=True)
    copy.replace(place)


def test_a_file_that_may_not_be_written_stops_no_request_and_is_recovered_from(tmp_path: Path) -> None:
    with receiving() as receiver, unprivileged("serve", "-c", str(configured(tmp_path, endpoint(receiver)))) as gateway:
        url = delivering(gateway, receiver)
        make_read_only(outbox(tmp_path))
        traffic = Traffic(url, 0.005)
        assert "readonly" in gateway.line(ALARM)
        during = len(traffic.answered)
        assert until(lambda: len(traffic.answered) > during + 50)
        outbox(tmp_path).chmod(0o600)
        gateway.line(RECOVERED)
        traffic.stop()
        assert until(lambda: traffic.answered.keys() <= receiver.request_ids())
        assert len([line for line in gateway.told if ALARM in line]) == 1


def test_a_log_that_is_overwritten_stops_no_request_and_is_recovered_from(run: Run, tmp_path: Path) -> None:
    with receiving() as receiver:
        gateway = run("serve", "-c", str(configured(tmp_path, endpoint(receiver))))
        url = delivering(gateway, receiver)
        log = Path(f"{outbox(tmp_path)}-wal")
        with log.open("r+b") as file:
            file.write(os.urandom(log.stat().st_size))
        traffic = Traffic(url, 0.005)
        gateway.line("is corrupt")
        gateway.line("were saved from")
        seen = time.monotonic()
        assert until(lambda: any(at > seen for at in traffic.answered.values()))
        traffic.stop()
        late = {name for name, at in traffic.answered.items() if at > seen}
        assert until(lambda: late <= receiver.request_ids())
        assert len([line for line in gateway.told if ALARM in line]) <= 1


def limit(process: Process, size: int) -> None:
    resource.prlimit(process.popen.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def test_a_disk_that_is_full_stops_no_request_and_is_recovered_from(run: Run, tmp_path: Path) -> None:
    with receiving() as receiver:
        gateway = run("serve", "-c", str(configured(tmp_path, endpoint(receiver))))
        url = delivering(gateway, receiver)
        limit(gateway, 1)
        traffic = Traffic(url, 0.005)
        gateway.line("the store cannot be used")
        during = len(traffic.answered)
        assert until(lambda: len(traffic.answered) > during + 50)
        limit(gateway, resource.RLIM_INFINITY)
        gateway.line("the store can be used again")
        traffic.stop()
        assert until(lambda: traffic.answered.keys() <= receiver.request_ids())
        alarms = [line for line in gateway.told if "the store cannot be used" in line]
        assert len(alarms) == 1


def test_a_file_that_is_broken_or_locked_stops_no_request(run: Run, tmp_path: Path) -> None:
    with receiving() as receiver:
        gateway = run("serve", "-c", str(configured(tmp_path, endpoint(receiver))))
        url = delivering(gateway, receiver)
        place = outbox(tmp_path)
        other = sqlite3.connect(place, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        traffic = Traffic(url, 0.005)
        assert until(lambda: len(traffic.answered) > 100)
        other.execute("ROLLBACK")
        other.close()
        assert until(lambda: len(receiver.got) > 50)
        broken = tmp_path / "broken"
        broken.write_bytes(b"this is no database" * 1000)
        for part in ("-wal", "-shm"):
            place.with_name(f"{place.name}{part}").unlink(missing_ok=True)
        broken.replace(place)
        gateway.line("is corrupt")
        seen = time.monotonic()
        assert until(lambda: any(at > seen for at in traffic.answered.values()))
        traffic.stop()
        late = {name for name, at in traffic.answered.items() if at > seen}
        assert until(lambda: late <= receiver.request_ids())
        assert len(list(place.parent.glob("*.corrupt-*[0-9]"))) == 1
