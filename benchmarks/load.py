"""The load on its own core: wrk as fast as answers come, or the paced load at a fixed rate.

Both run as children that print one line (see sample.py), and around both the proxy's CPU time is read.
"""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from benchmarks.process import LOAD_CORE, pinned
from benchmarks.sample import RunFailed, Sample, parse_result
from benchmarks.scenarios import GIB, MIB, Scenario

_SCRIPT = Path(__file__).parent / "lua" / "load.lua"
_PACED = Path(__file__).parent / "paced.py"
_GRACE = 30.0  # seconds that the load may take beyond the length of the run

Gauge = Callable[[], float | None]


def missing_tool() -> str | None:
    """Return what must be installed before anything can be measured; None when all is there."""
    return None if shutil.which("wrk") else "wrk is not installed: the load needs it"


def run_load(scenario: Scenario, port: int, seconds: int, gauge: Gauge) -> Sample:
    """Put the scenario's load on `port` for `seconds` and return what came of it.

    `gauge` tells the CPU seconds that the proxy has used so far.

    Raises:
        RunFailed: when the load breaks off, or for what `parse_result` refuses.
    """
    argv, env = command(scenario, port, seconds)
    before = gauge()
    output = _run(argv, env, seconds + _GRACE)
    after = gauge()
    few = scenario.answer >= MIB
    sample = parse_result(output, parts=few)
    if few:  # so few that those cut off by the run's end would make steps of the rate
        sample = replace(sample, requests=sample.bytes / scenario.answer)
    return sample if before is None or after is None else replace(sample, cpu_seconds=after - before)


def command(scenario: Scenario, port: int, seconds: int) -> tuple[list[str], dict[str, str]]:
    """Return the load's command and what its environment needs; each call has its own seed for varying heads."""
    seed = secrets.token_hex(4)
    if scenario.rate is not None:
        values = (port, scenario.path, scenario.rate, seconds, scenario.connections, seed)
        return [sys.executable, str(_PACED), *map(str, values)], {}
    env = {
        "BENCH_HEADS": scenario.heads,
        "BENCH_METHOD": scenario.method,
        "BENCH_BODY": str(scenario.body),
        "BENCH_SEED": seed,
    }
    url = f"http://127.0.0.1:{port}{scenario.path}"
    patience = "10s" if scenario.answer < GIB else "60s"
    size = ["-t1", f"-c{scenario.connections}", f"-d{seconds}s", "--timeout", patience]
    fields = ["-H", f"Accept-Encoding: {scenario.accept_encoding}"] if scenario.accept_encoding else []
    return ["wrk", *size, *fields, "-s", str(_SCRIPT), url], env


def _run(argv: list[str], env: Mapping[str, str], limit: float) -> str:
    whole = {**os.environ, **env}
    try:
        done = subprocess.run(
            pinned(LOAD_CORE, argv), capture_output=True, text=True, timeout=limit, env=whole, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise RunFailed(f"the load did not end within {limit:.0f} s") from error
    except OSError as error:
        raise RunFailed(f"the load cannot be started: {error}") from error
    if done.returncode:
        raise RunFailed(f"the load ended with {done.returncode}: {done.stderr.strip()[-200:]}")
    return done.stdout
