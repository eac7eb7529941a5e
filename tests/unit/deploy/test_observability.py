"""The dashboard and the alerts ask for what gateways measure, in words that Prometheus takes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from proxy.server.sample import application
from tests.unit.deploy import metrics

ROOT = Path(__file__).parents[3]
PLACE = ROOT / "deploy"


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((PLACE / "grafana/dashboards/passerelle.json").read_text())
    return found


def panels() -> list[dict[str, Any]]:
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((PLACE / "prometheus/rules.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def expressions() -> Iterator[str]:
    yield from (target["expr"] for panel in panels() for target in panel["targets"])
    yield from (rule["expr"] for rule in rules())


async def test_every_metric_and_label_that_is_asked_for_is_measured(tmp_path: Path) -> None:
    measured = await metrics.measured(tmp_path)
    assert len(measured) > 60
    assert {text: wrong for text in expressions() if (wrong := metrics.unknown(text, measured))} == {}


def test_what_nobody_measures_is_found() -> None:
    known = metrics.known('# HELP passerelle_a A.\npasserelle_a{route="x"} 1\n')
    assert metrics.unknown("sum by (route) (rate(passerelle_a[5m])) / up", known) == []
    assert metrics.unknown('passerelle_a{upstream="x"} + passerelle_b', known) == [
        "passerelle_a{upstream}",
        "passerelle_b",
    ]
    with pytest.raises(ValueError, match="unclosed"):
        metrics.unknown("sum by route (x", known)


def test_what_the_supervisor_counts_is_named_as_it_names_it() -> None:
    source = (ROOT / "proxy/server/supervisor.py").read_text()
    assert [name for name in metrics.SUPERVISED if f'"{name}"' not in source] == []


def test_panels_stand_beside_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard()["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
    ids = [panel["id"] for panel in dashboard()["panels"]]
    assert len(ids) == len(set(ids))


def test_grafana_finds_the_dashboard_and_its_source() -> None:
    (provider,) = yaml.safe_load((PLACE / "grafana/provisioning/dashboards/passerelle.yaml").read_text())["providers"]
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text())
    mounted = dict(volume.split(":")[:2] for volume in compose["services"]["grafana"]["volumes"])
    assert mounted["./deploy/grafana/dashboards"] == provider["options"]["path"]
    (source,) = yaml.safe_load((PLACE / "grafana/provisioning/datasources/prometheus.yaml").read_text())["datasources"]
    (variable, *_) = dashboard()["templating"]["list"]
    assert (variable["name"], variable["current"]["value"]) == ("datasource", source["uid"])


def test_every_alert_says_what_is_wrong_and_how_bad_it_is() -> None:
    names = [rule["alert"] for rule in rules()]
    assert len(names) == len(set(names))
    for rule in rules():
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert rule["annotations"]["summary"]


def test_what_an_alert_tells_of_is_among_its_labels() -> None:
    for rule in rules():
        told = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
        kept = re.findall(r"\bby \(([^)]*)\)", rule["expr"])
        if kept:
            assert told <= {label.strip() for label in kept[0].split(",")}, rule["alert"]


def test_load_asks_for_what_the_sample_has() -> None:
    text = (PLACE / "load/locustfile.py").read_text()
    asked = re.findall(r"client\.(get|post)\(f?\"([^\"]+)\"", text)
    assert len(asked) == 7
    routes = [(route.method, route.get_info()) for route in application().router.routes()]
    for method, url in asked:
        path = re.sub(r"\{[^}]*\}", "1", url).partition("?")[0]
        fits = [
            info
            for verb, info in routes
            if verb == method.upper()
            and (info.get("path") == path or ("pattern" in info and info["pattern"].fullmatch(path)))
        ]
        assert fits, path
