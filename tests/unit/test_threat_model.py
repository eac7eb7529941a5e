"""What the threat model names as proof is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")
ROWS = [line for line in TEXT.splitlines() if line.startswith("| ") and not line.startswith("| attempt ")]
PROOF = re.compile(r"`([\w./-]+)(?:::(\w+))?`")


def proofs() -> list[tuple[str, str]]:
    return sorted({found for row in ROWS for found in PROOF.findall(row.split(" | ")[2])})


def test_every_row_has_a_proof() -> None:
    assert len(ROWS) > 50
    assert [row for row in ROWS if not PROOF.search(row.split(" | ")[2])] == []


@pytest.mark.parametrize(("path", "name"), proofs())
def test_every_proof_is_there(path: str, name: str) -> None:
    text = (ROOT / path).read_text(encoding="utf-8")
    assert not name or re.search(rf"^\s*(?:async )?(?:def|class) {name}\b", text, re.MULTILINE)
