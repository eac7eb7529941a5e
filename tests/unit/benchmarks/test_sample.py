"""What a load prints, read back; and the runs that must be refused."""

from __future__ import annotations

import json

import pytest

from benchmarks.sample import MARK, RunFailed, Sample, parse_result

FIGURES = {
    "requests": 50_000,
    "microseconds": 5_000_000,
    "bytes": 36_100_000,
    **dict.fromkeys(("connect", "read", "write", "status", "timeout"), 0),
    "p50": 1000,
    "p90": 2000,
    "p99": 4250,
    "max": 9000,
}


def printed(**changes: int) -> str:
    return f"Running 5s test @ http://127.0.0.1:1/\n{MARK}{json.dumps({**FIGURES, **changes})}\nTransfer/sec: 1\n"


def test_figures_become_seconds_and_milliseconds() -> None:
    sample = parse_result(printed())
    assert sample == Sample(50_000, 5.0, 36_100_000, 1.0, 2.0, 4.25, 9.0)
    assert sample.rate == 10_000


@pytest.mark.parametrize("kind", ["connect", "read", "write", "status", "timeout"])
def test_any_error_voids_the_run(kind: str) -> None:
    with pytest.raises(RunFailed, match=f"errors: 3 {kind}"):
        parse_result(printed(**{kind: 3}))


def test_no_answer_at_all_voids_the_run() -> None:
    with pytest.raises(RunFailed, match="not one request"):
        parse_result(printed(requests=0))


def test_output_without_a_result_is_quoted() -> None:
    with pytest.raises(RunFailed, match="unable to connect"):
        parse_result("unable to connect to 127.0.0.1:1")


def test_cpu_is_reckoned_by_core_answer_and_volume() -> None:
    sample = Sample(10_000, 5.0, 2_000_000_000, 1, 2, 3, 4, cpu_seconds=4.0)
    assert (sample.busy, sample.cpu_per_request_us, sample.cpu_per_gb) == (0.8, 400.0, 2.0)


def test_cpu_that_cannot_be_read_is_not_guessed() -> None:
    sample = parse_result(printed())
    assert (sample.busy, sample.cpu_per_request_us, sample.cpu_per_gb) == (None, None, None)


def test_json_holds_the_fields_and_the_rate() -> None:
    assert parse_result(printed()).as_json() == {
        "requests": 50_000,
        "seconds": 5.0,
        "bytes": 36_100_000,
        "p50_ms": 1.0,
        "p90_ms": 2.0,
        "p99_ms": 4.25,
        "max_ms": 9.0,
        "cpu_seconds": None,
        "rate": 10_000.0,
    }
