"""Samples are told apart by layer, and add up."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks import budget
from benchmarks.budget import LAYERS, drawn, layer, main, shares, table
from benchmarks.paths import PATHS

ROOT = Path(__file__).parent.parent.parent.parent
NAMES = {name for name, _ in LAYERS}


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("proxy/frontend/head.py", "heads of requests"),
        ("proxy/frontend/http1.py", "client connection"),
        ("proxy/upstream/pool.py", "upstream connection"),
        ("plugins/request_id.py", "plugins"),
        ("proxy/waiting.py", "the rest"),
        ("benchmarks/budget.py", None),
    ],
)
def test_a_file_belongs_to_a_layer(file: str, name: str | None) -> None:
    assert layer(str(ROOT / file)) == name


def test_other_code_belongs_to_none() -> None:
    assert layer("/usr/lib/python3/asyncio/events.py") is None


def test_every_layer_has_files() -> None:
    for name, files in LAYERS:
        for file in files:
            assert (ROOT / file).exists() or list(ROOT.glob(f"{file}*")), f"{name}: {file} is no more"


async def test_shares_of_a_real_path_add_up() -> None:
    found = await shares(PATHS[0], 0.5)
    assert sum(found.values()) == pytest.approx(1)
    assert {"heads of requests", "heads of answers", "client connection"} <= found.keys() <= NAMES


def test_a_share_of_what_was_counted() -> None:
    text = table({"engine": 0.25, "routing": 0.125}, 1_000_000)
    assert "| engine  |   25% |      250,000 |" in text
    assert "-" in table({"engine": 1.0}, None).splitlines()[-1]


def test_the_drawing_names_every_layer() -> None:
    picture = ElementTree.fromstring(drawn(PATHS[0], {"engine": 0.6, "routing": 0.4}))
    texts = [one.text for one in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert texts[2:] == ["engine", "60", "routing", "40"]


def test_it_prints_and_draws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "docs" / "img").mkdir(parents=True)
    monkeypatch.setattr(budget, "_ROOT", tmp_path)
    assert main(["--only", "respond", "--seconds", "0.3", "--write"]) == 0
    assert "| heads of requests" in capsys.readouterr().out
    assert (tmp_path / "docs" / "img" / "budget-respond.svg").read_text(encoding="utf-8").startswith("<svg")
