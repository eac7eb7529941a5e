"""Webhooks of the real command with much to do: a backlog after a restart, an endpoint that is slow beside many.

The usual run asserts what holds on any machine; `make soak` takes the full sizes, and holds the figures against what is
promised of a machine that has nothing else to do.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from plugins.webhook.envelope import body, envelope, new_id
from proxy.events import RequestCompleted
from proxy.store import NewEvent, StoreUnavailable
from proxy.store.sqlite import SqliteStore
from tests.e2e.conftest import Process, Run
from tests.e2e.receiver import SECRET, Traffic, configured, get, until
from tests.e2e.tally import Tally, tallying

FULL = "SOAK_SECONDS" in os.environ
BACKLOG = 100_000 if FULL else 3000
PHASES, SECONDS = (8, 15.0) if FULL else (1, 1.0)
MIB = 1024 * 1024

ENDPOINT = """\
        - id: {id}
          url: {url}
          secret: {secret}
          allow_private: true
          events: [request.completed]
          pace: {{in_flight: {in_flight}, per_second: 100000}}
          timeouts: {{total: {total}}}
"""


def told(tally: Tally, *names: str, total: str = "15s", in_flight: int = 10) -> list[str]:
    """Endpoints, each with a path of its own."""
    return [
        ENDPOINT.format(id=name, url=f"{tally.url}/{name}", secret=SECRET, total=total, in_flight=in_flight)
        for name in names
    ]


class Owed:
    """Events of yesterday, for an outbox."""

    def __init__(self, count: int, endpoint: str) -> None:
        self._left = count
        self._endpoint = endpoint
        self.ids: list[str] = []
        self._given: list[NewEvent] = []

    def take(self, sequence: int) -> Sequence[NewEvent]:
        if not self._given:
            self._given = [self._made(sequence + number) for number in range(min(200, self._left))]
        return self._given

    def settled(self, error: StoreUnavailable | None) -> None:
        assert error is None
        self._left -= len(self._given)
        self._given = []

    def _made(self, sequence: int) -> NewEvent:
        event = RequestCompleted(f"{sequence:032x}", "hello", "GET", 200, "app", 1.25, 0.5, 0, 1024)
        event.time = time.time() - 86400
        name = new_id()
        self.ids.append(name)
        content = body(envelope(event, name, "/passerelle"), sequence)
        return NewEvent(name, event.type, event.subject, event.time, content, {self._endpoint: event.time})


async def owe(directory: Path, count: int, endpoint: str) -> set[str]:
    """Leave an outbox with so many deliveries that are due. :returns: their ids."""
    store, owed = SqliteStore(directory / "state" / "webhooks.sqlite3"), Owed(count, endpoint)
    store.events.feed(owed)
    await store.close()
    assert len(owed.ids) == count
    return set(owed.ids)


def figures(process: Process) -> tuple[float, float]:
    """Seconds of CPU that a process has used, and the most memory that it has had, in MiB."""
    place = Path(f"/proc/{process.popen.pid}")
    fields = (place / "stat").read_text().rpartition(")")[2].split()
    peak = next(line for line in (place / "status").read_text().splitlines() if line.startswith("VmHWM"))
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK"), int(peak.split()[1]) / 1024


class Start:
    """A start of the command, measured."""

    def __init__(self, run: Run, file: Path) -> None:
        began = time.monotonic()
        self.gateway = run("serve", "-c", str(file))
        self.gateway.ready()
        self.seconds = time.monotonic() - began
        self.cpu, self.memory = figures(self.gateway)

    def __str__(self) -> str:
        return f"ready after {self.seconds:.2f} s ({self.cpu:.2f} s of CPU) with {self.memory:.0f} MiB"


@pytest.mark.soak
@pytest.mark.timeout(900 if FULL else 120)
async def test_a_backlog_is_delivered_after_a_restart(run: Run, tmp_path: Path) -> None:
    ids = await owe(tmp_path, BACKLOG, "ops")
    with tallying() as tally:
        file = configured(tmp_path, *told(tally, "ops", in_flight=100, total="1s"))
        start = Start(run, file)
        if FULL:
            assert until(lambda: len(tally.notes) > BACKLOG / 2, 300)
            start.gateway.kill()
            print(f"{start}; killed after {len(tally.notes)} deliveries")
            start = Start(run, file)
        before, began = len(tally.notes), time.monotonic()
        assert until(lambda: tally.ids() >= ids, 300 if FULL else 100)
        seconds, (cpu, peak) = time.monotonic() - began, figures(start.gateway)
        count = len(tally.notes) - before
        each = (cpu - start.cpu) / count
        print(
            f"{start}; {count} delivered at {count / seconds:.0f}/s ({each * 1e6:.0f} us of CPU each), {peak:.0f} MiB"
        )
        assert tally.ids() == ids
        assert len(tally.notes) <= BACKLOG + (400 if FULL else 0), "only what a kill left unwritten is sent twice"
        assert peak - start.memory < 50
        assert each < (1e-3 if FULL else 5e-3), "a core delivers a thousand a second"
        assert not FULL or start.cpu < 2.0, "a core is ready in two seconds"


def p99(values: Sequence[float]) -> float:
    return sorted(values)[int(len(values) * 0.99)]


class Phase:
    """Some seconds of traffic, and what it took until clients and endpoints had their own."""

    def __init__(self, url: str, tally: Tally, quick: Sequence[str]) -> None:
        first = len(tally.notes)
        traffic = Traffic(url, 0.05)
        assert until(lambda: len(traffic.answered) >= 20)
        time.sleep(SECONDS)  # what is measured is so much traffic
        traffic.stop()
        asked = traffic.answered

        def came() -> list[float]:
            notes = [one for one in tally.notes[first:] if one.path in quick and one.request in asked]
            return [note.at - asked[note.request] for note in notes]

        assert until(lambda: len(came()) >= len(asked) * len(quick))
        self.delivery, self.proxy = p99(came()), p99(traffic.took)


@pytest.mark.soak
@pytest.mark.timeout(900 if FULL else 120)
def test_one_slow_endpoint_of_twenty_holds_up_nobody(run: Run, tmp_path: Path) -> None:
    names = [f"e{number}" for number in range(20)]
    quick = [f"/{name}" for name in names[1:]]
    with tallying() as tally:
        gateway = run("serve", "-c", str(configured(tmp_path, *told(tally, *names, total="300s"))))
        url = gateway.ready()
        get(url)
        phases: dict[bool, list[Phase]] = {False: [], True: []}
        for _ in range(PHASES):
            for is_slow in (False, True):
                tally.delays = {"/e0": 5.0 if FULL else 200.0} if is_slow else {}
                assert is_slow or until(lambda: len(tally.of("/e0")) == len(tally.of("/e1")), 100)
                phases[is_slow].append(Phase(url, tally, quick))
        even, slow = (
            [statistics.median(getattr(phase, name) for phase in phases[is_slow]) for name in ("delivery", "proxy")]
            for is_slow in (False, True)
        )
        for name, one, other in zip(("delivery", "proxy"), even, slow, strict=True):
            print(
                f"p99 of {name}: {one * 1000:.1f} ms, beside a slow endpoint {other * 1000:.1f} ms: {other / one:.2f}"
            )
        assert len(tally.of("/e0")) < len(tally.of("/e1")), "the slow one is behind"
        if FULL:
            assert slow[0] <= 1.5 * even[0]
            assert slow[1] <= 1.05 * even[1]
