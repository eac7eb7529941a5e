"""The command of each kind of load."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import pytest

from benchmarks import load
from benchmarks.load import command, run_load
from benchmarks.sample import ERRORS, MARK
from benchmarks.scenarios import Scenario

POST = Scenario("post", "Post", "/post", 15, ("passerelle",), method="POST", body=4096, connections=7)
FIGURES = {"requests": 2, "microseconds": 3_000_000, "bytes": 5 << 29}


def test_wrk_is_told_everything() -> None:
    argv, env = command(POST, 8080, 3)
    assert argv[:6] == ["wrk", "-t1", "-c7", "-d3s", "--timeout", "10s"]
    assert argv[-1] == "http://127.0.0.1:8080/post"
    assert (env["BENCH_METHOD"], env["BENCH_BODY"], env["BENCH_HEADS"]) == ("POST", "4096", "varying")


def test_no_two_runs_send_the_same_heads() -> None:
    assert command(POST, 1, 1)[1]["BENCH_SEED"] != command(POST, 1, 1)[1]["BENCH_SEED"]


def test_few_long_answers_have_time_and_count_by_their_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    said = MARK + json.dumps(dict.fromkeys((*ERRORS, "p50", "p90", "p99", "max"), 0) | FIGURES)
    monkeypatch.setattr(load, "_run", lambda argv, env, limit: said)
    huge = replace(POST, answer=1 << 30)
    assert "60s" in command(huge, 8080, 3)[0]
    assert run_load(huge, 8080, 3, lambda: None).requests == 2.5
    assert run_load(replace(POST, answer=1 << 16), 8080, 3, lambda: None).requests == 2


def test_a_rate_takes_the_paced_load() -> None:
    argv, env = command(replace(POST, rate=1000), 8080, 3)
    assert argv[0] == sys.executable
    assert argv[1].endswith("paced.py")
    assert argv[2:7] == ["8080", "/post", "1000", "3", "7"]
    assert env == {}
