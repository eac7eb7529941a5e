"""The command of each kind of load."""

from __future__ import annotations

import sys
from dataclasses import replace

from benchmarks.load import command
from benchmarks.scenarios import Scenario

POST = Scenario("post", "Post", "/post", 15, ("passerelle",), method="POST", body=4096, connections=7)


def test_wrk_is_told_everything() -> None:
    argv, env = command(POST, 8080, 3)
    assert argv[:6] == ["wrk", "-t1", "-c7", "-d3s", "--timeout", "10s"]
    assert argv[-1] == "http://127.0.0.1:8080/post"
    assert (env["BENCH_METHOD"], env["BENCH_BODY"], env["BENCH_HEADS"]) == ("POST", "4096", "varying")


def test_no_two_runs_send_the_same_heads() -> None:
    assert command(POST, 1, 1)[1]["BENCH_SEED"] != command(POST, 1, 1)[1]["BENCH_SEED"]


def test_a_rate_takes_the_paced_load() -> None:
    argv, env = command(replace(POST, rate=1000), 8080, 3)
    assert argv[0] == sys.executable
    assert argv[1].endswith("paced.py")
    assert argv[2:7] == ["8080", "/post", "1000", "3", "7"]
    assert env == {}
