"""What is made of the figures of the pool's benchmark."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from benchmarks.pooling import Case, plot, report, table
from benchmarks.sample import Sample


def sample(rate: int, p99_ms: float) -> Sample:
    return Sample(rate, 1.0, rate * 100, p50_ms=1.0, p90_ms=1.0, p99_ms=p99_ms, max_ms=9.0)


@pytest.fixture
def case() -> Case:
    made = Case("https", 10)
    made.runs["pooled"] = [sample(1000, 20), sample(2000, 10), sample(1000, 30)]
    made.runs["new"] = [sample(400, 40), sample(200, 40), sample(250, 40)]
    return made


def test_the_mean_is_the_clients_time_over_their_answers(case: Case) -> None:
    pooled, new = case.mean("pooled"), case.mean("new")
    assert pooled is not None
    assert new is not None
    assert (pooled.low, pooled.median, pooled.high) == (5, 10, 10)
    assert new.median == 40


def test_savings_are_taken_round_by_round(case: Case) -> None:
    saved, late = case.saved(), case.saved_p99()
    assert saved is not None
    assert late is not None
    assert (saved.low, saved.median, saved.high) == pytest.approx((0.6, 0.75, 0.9))
    assert (late.low, late.median, late.high) == pytest.approx((0.25, 0.5, 0.75))


def test_the_claim_is_held_against_the_median(case: Case) -> None:
    assert case.verdict() == "met: TLS, 10 clients: 75% less, claimed are 50%"
    case.runs["new"] = [sample(900, 40)]
    assert case.verdict().startswith("MISSED: ")
    assert Case("http", 1).verdict() == "not judged: plain, 1 client: no figures"
    assert Case("https", 10, "nginx", case.runs).verdict() == "for comparison: nginx: TLS, 10 clients: 10% less"


def test_the_table_and_the_page(case: Case) -> None:
    row = table([case]).splitlines()[-1]
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    assert cells[:5] == ["TLS, 10 clients", "10.00 ms", "40.00 ms", "75%", "60% to 90%"]
    assert "met: TLS, 10 clients" in report([case], 3, 1)
    assert table([Case("http", 1)]).splitlines()[-1].count("-") == 8


def test_the_plot_shows_what_is_left(case: Case) -> None:
    texts = [one.text for one in ElementTree.fromstring(plot([case])).iter("{http://www.w3.org/2000/svg}text")]
    assert texts[2:] == ["TLS, 10 clients: mean", "25", "TLS, 10 clients: p99", "50"]
