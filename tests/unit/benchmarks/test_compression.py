"""What is made of the figures of the benchmark of compression."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks.compression import (
    LEVEL,
    Findings,
    NginxGzip,
    PasserelleCompress,
    Row,
    load_table,
    measured,
    plot,
    really_coded,
    report,
    table,
)
from benchmarks.corpus import KINDS, Document
from benchmarks.peers import Plan
from benchmarks.sample import RunFailed, Sample
from plugins.compress.coders import Coder
from proxy.settings import load

DOCUMENTS = [Document(kind, "a", b'{"a": 1}' * 500) for kind in KINDS]


def sample(rate: int) -> Sample:
    return Sample(rate, 1.0, rate * 100, p50_ms=1.0, p90_ms=1.0, p99_ms=5.0, max_ms=9.0, cpu_seconds=0.5)


@pytest.fixture
def findings() -> Findings:
    sizes = {"JSON": (1000, 200), "HTML": (1000, 400), "JS": (1000, 500), "CSS": (1000, 500)}
    rows = [Row(f"gzip {LEVEL}", sizes, 0.00004), Row("br 4", sizes, 0.00008)]
    return Findings(rows, {"passerelle": [sample(90), sample(95)], "nginx": [sample(100), sample(100)]})


def test_rows_are_shares_and_costs(findings: Findings) -> None:
    row = findings.rows[0]
    assert (row.saved("JSON"), row.saved("HTML")) == pytest.approx((0.8, 0.6))
    assert row.saved_of_all == pytest.approx(0.6)
    assert row.cost == pytest.approx(10.0)


def test_claims_are_held_against_them(findings: Findings) -> None:
    json, html, load = findings.verdicts()
    assert json.startswith("met: JSON")
    assert html.startswith("MISSED: HTML")
    assert load.startswith("met: 64 KiB")
    findings.load["passerelle"] = [sample(80)]
    assert findings.verdicts()[-1].startswith("MISSED: 64 KiB")
    findings.load["passerelle"] = [replace(sample(100), cpu_seconds=0.6)]  # as many, and for more of the processor
    assert findings.verdicts()[-1].startswith("MISSED: 64 KiB")
    findings.load.clear()
    assert findings.verdicts()[-1] == "not judged: no load"


def test_the_page_names_all_of_it(findings: Findings) -> None:
    page = report(findings, DOCUMENTS, (3, 2))
    assert table(findings.rows) in page
    assert load_table(findings) in page
    assert "- JSON: a" in page
    assert all(line in page for line in findings.verdicts())


def test_the_plot_is_a_picture(findings: Findings) -> None:
    assert ElementTree.fromstring(plot(findings.rows)).tag.endswith("svg")
    assert f"gzip {LEVEL} (10 ms/MB)" in plot(findings.rows)


def test_a_coder_is_measured() -> None:
    row = measured(Coder("gzip", 1), DOCUMENTS, 2)
    assert row.name == "gzip 1"
    assert row.sizes["JSON"][0] == 4000
    assert row.sizes["JSON"][1] == len(Coder("gzip", 1).whole(DOCUMENTS[0].data))
    assert row.seconds > 0


@pytest.mark.parametrize(("level", "codes"), [(0, False), (5, True)])
def test_nginx_codes_or_does_not(tmp_path: Path, level: int, codes: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.compression.program", lambda name: name)
    plan = Plan(tmp_path, 1, 2, "forward")
    NginxGzip(level).argv(plan)
    text = (tmp_path / "nginx.conf").read_text()
    assert ("gzip on" in text) is codes
    assert (f"gzip_comp_level {level};" in text) is codes


def test_the_gateway_that_is_measured_compresses(tmp_path: Path) -> None:
    argv = PasserelleCompress().argv(Plan(tmp_path, 1, 2, "forward"))
    assert [entry.name for entry in load(argv[-1], {}).settings.plugins] == ["compress"]


def test_answers_that_were_not_coded_are_no_figures() -> None:
    small = replace(sample(100), bytes=1_100_000, requests=100)
    assert really_coded(small) is small
    with pytest.raises(RunFailed, match="65836 bytes each"):
        really_coded(replace(small, bytes=6_583_600))
