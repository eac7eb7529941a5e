"""Tables, remarks, JSON and plots, made from figures."""

from __future__ import annotations

import json
from dataclasses import replace
from xml.etree import ElementTree

from benchmarks.report import as_json, markdown_table, plot, remarks, report, scenario_section, scenario_table
from benchmarks.results import PeerResult, ScenarioResult
from benchmarks.sample import Sample
from benchmarks.scenarios import RateBar, Scenario

SCENARIO = Scenario("forward", "Forward", "/json", 565, ("passerelle", "caddy", "nginx"), (RateBar("caddy", 1.5),))


def peer(name: str, rate: int, cpu: float | None = 5.0) -> PeerResult:
    samples = {0: Sample(rate * 5, 5.0, 10**9, 1.0, 2.0, 3.0, 4.0, cpu)}
    return PeerResult(name, version="1.0", samples=samples)


def result(scenario: Scenario = SCENARIO) -> ScenarioResult:
    absent = PeerResult("nginx", absent="not installed")
    peers = [peer("passerelle", 1200), peer("caddy", 1000), absent]
    return ScenarioResult(scenario, {one.name: one for one in peers})


def cells(table: str, row: int) -> list[str]:
    return [cell.strip() for cell in table.splitlines()[row].strip("|").split("|")]


def test_markdown_table_is_aligned_and_ruled() -> None:
    assert markdown_table(["a", "count"], [["long name", "1"]]).splitlines() == [
        "| a         | count |",
        "| --------- | ----: |",
        "| long name |     1 |",
    ]


def test_rates_ratios_and_cpu_stand_in_the_row() -> None:
    table = scenario_table(result())
    expected = ["caddy", "1,000", "1,000-1,000", "1.20 x", "1.20-1.20", "1.00", "3.00", "100%", "1000.0"]
    assert cells(table, 3) == expected


def test_an_absent_peer_keeps_an_empty_row() -> None:
    assert cells(scenario_table(result()), 4) == ["nginx", *["-"] * 8]


def test_large_answers_are_also_counted_in_bytes() -> None:
    table = scenario_table(result(replace(SCENARIO, answer=64 << 10)))
    assert cells(table, 0)[-2:] == ["MB/s", "CPU s/GB"]
    assert cells(table, 2)[-2:] == ["200", "5.00"]


def test_a_fixed_rate_shows_what_is_added() -> None:
    found = result(replace(SCENARIO, rate=1000, bars=()))
    direct = PeerResult("direct", samples={0: Sample(5000, 5.0, 1, 0.4, 0.5, 0.6, 1.0)})
    table = scenario_table(ScenarioResult(found.scenario, {"direct": direct, **found.peers}))
    assert cells(table, 2) == ["direct", "0.400", "0.500", "0.600", "-", "-", "-"]
    assert cells(table, 3)[:6] == ["passerelle", "1.000", "2.000", "3.000", "0.600", "2.400"]


def test_remarks_hide_nothing() -> None:
    found = result()
    found.peers["caddy"].failures.append("errors: 2 status")
    found.peers["caddy"].crashed = True
    assert remarks(found) == [
        "MISSED: forward vs caddy 1.20 < 1.5",
        "FAILED: forward: caddy: errors: 2 status",
        "CRASHED: forward: caddy",
        "left out of forward: nginx: not installed",
    ]
    assert all(f"- {line}" in scenario_section(found) for line in remarks(found))


def test_report_names_the_machine_and_every_scenario() -> None:
    text = report([result()], {"machine": "a small one"}, "5 alternating runs")
    assert "- machine: a small one" in text
    assert "\n## forward\n" in text
    assert "5 alternating runs" in text


def test_json_keeps_every_sample() -> None:
    loaded = json.loads(as_json([result()], {"machine": "a small one"}))
    assert loaded["scenarios"]["forward"]["caddy"]["samples"][0]["requests"] == 5000
    assert loaded["scenarios"]["forward"]["nginx"] == {
        "samples": [],
        "failures": [],
        "absent": "not installed",
        "crashed": False,
    }


def test_plot_has_a_bar_for_each_peer_with_figures() -> None:
    picture = plot(result())
    assert picture is not None
    texts = [element.text for element in ElementTree.fromstring(picture).iter("{http://www.w3.org/2000/svg}text")]
    assert texts == ["Forward", "answers a second, more is better", "passerelle", "1,200", "caddy", "1,000"]


def test_no_figures_no_plot() -> None:
    assert plot(ScenarioResult(SCENARIO, {"nginx": PeerResult("nginx", absent="not installed")})) is None
