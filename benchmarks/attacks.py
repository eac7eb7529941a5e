"""`python -m benchmarks.attacks`: what a normal client notices of an attack on others' connections.

The gateway alone has core 0. On core 1 a paced client takes its p99 before, during and after each attack, and the
attacker runs beside it with the lowest priority. Printed is the ratio of the p99 during the attack to that of the
quieter of the two calm runs, with the gateway's share of its core and the memory that it held at most. Each attack
takes a few seconds. A ratio near 1 means that nobody else notices; the exit code is always 0, for bars are for people.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from benchmarks.attackers import ATTACKS
from benchmarks.load import run_load
from benchmarks.machine import placement
from benchmarks.origin import running_origin
from benchmarks.peers import PEERS
from benchmarks.probe import wait_for
from benchmarks.process import LOAD_CORE, Child
from benchmarks.sample import RunFailed, Sample
from benchmarks.scenarios import SMALL_BODY, SUBJECT, Scenario

_ROOT = Path(__file__).parent.parent
_LEAD = 1.0  # seconds that an attack has before its effect is measured
CLIENT = Scenario("attacked", "A normal client", "/json", len(SMALL_BODY), (SUBJECT,), rate=300, connections=10)


@dataclass(frozen=True, slots=True)
class Finding:
    """What one attack did.

    :ivar calm: p99 without it, milliseconds.
    :ivar during: p99 under it, milliseconds; None when the client's requests failed.
    :ivar busy: share of its core that the gateway used.
    :ivar peak_mib: the most memory that the gateway held.
    :ivar trouble: why the client's requests failed.
    """

    name: str
    calm: float
    during: float | None
    busy: float | None
    peak_mib: float | None
    trouble: str = ""

    @property
    def ratio(self) -> float | None:
        """How many times slower the slowest hundredth is."""
        return None if self.during is None else self.during / self.calm


def table(findings: Sequence[Finding]) -> str:
    """Return the findings as a table in Markdown."""
    rows = ["| attack | p99 calm, ms | p99 attacked, ms | ratio | core | memory, MiB |", "|---|---|---|---|---|---|"]
    for one in findings:
        during = f"failed: {one.trouble}" if one.during is None else f"{one.during:.2f}"
        ratio = "" if one.ratio is None else f"{one.ratio:.2f}"
        busy = "" if one.busy is None else f"{one.busy:.0%}"
        peak = "" if one.peak_mib is None else f"{one.peak_mib:.0f}"
        rows.append(f"| {one.name} | {one.calm:.2f} | {during} | {ratio} | {busy} | {peak} |")
    return "\n".join(rows)


def peak_mib(pid: int) -> float | None:
    """Return the most memory that a process has held, from proc(5); None where that is absent."""
    status = Path(f"/proc/{pid}/status")
    if not status.exists():
        return None
    lines = status.read_text(encoding="utf-8").splitlines()
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")), None)


def measure(name: str, child: Child, port: int, home: Path, seconds: int) -> Finding:
    """Take the client's times before, during and after one attack."""
    calm = [run_load(CLIENT, port, seconds, child.cpu_seconds).p99_ms]
    argv = [sys.executable, "-m", "benchmarks.attackers", name, str(port), str(seconds + 4 * _LEAD)]
    trouble, during = "", None
    with Child(argv, core=LOAD_CORE, log=home / "attacker.log", env={"PYTHONPATH": str(_ROOT)}):
        with suppress(RunFailed):  # an attack that begins with a burst is measured behind it
            run_load(CLIENT, port, round(_LEAD), child.cpu_seconds)
        try:
            during = run_load(CLIENT, port, seconds, child.cpu_seconds)
        except RunFailed as error:
            trouble = str(error)
    calm.append(run_load(CLIENT, port, seconds, child.cpu_seconds).p99_ms)
    return _finding(name, min(calm), during, peak_mib(child.pid), trouble)


def _finding(name: str, calm: float, during: Sample | None, peak: float | None, trouble: str) -> Finding:
    if during is None:
        return Finding(name, calm, None, None, peak, trouble)
    return Finding(name, calm, during.p99_ms, during.busy, peak)


def main(argv: Sequence[str] | None = None) -> int:
    """Attack, and print what came of it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.attacks", description=__doc__.splitlines()[0])
    parser.add_argument("--only", action="append", choices=list(ATTACKS), metavar="NAME", help=", ".join(ATTACKS))
    parser.add_argument("--seconds", type=int, default=3, help="length of each run (default 3)")
    chosen = parser.parse_args(argv)
    print(placement(), flush=True)
    findings = []
    with tempfile.TemporaryDirectory() as directory:
        home = Path(directory)
        with running_origin(home) as origin:
            for name in chosen.only or ATTACKS:
                with PEERS[SUBJECT].running(home, origin, "forward") as (child, port):  # each begins with a fresh one
                    wait_for(child, port, CLIENT.path, CLIENT.answer)
                    findings.append(measure(name, child, port, home, chosen.seconds))
                print(f"{name}: {ATTACKS[name].about}", flush=True)
    print(f"\n{table(findings)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
