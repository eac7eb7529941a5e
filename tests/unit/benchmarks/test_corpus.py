"""What the benchmark of compression codes."""

from __future__ import annotations

import pytest

from benchmarks.corpus import KINDS, PIECE, Document, of_size, sources

DOCUMENTS = [Document("JSON", "b", b"[1]" * 10), Document("JSON", "a", b"[2]" * 10), Document("CSS", "c", b"a{}")]


def test_sources_are_named_by_kind() -> None:
    assert sources(DOCUMENTS) == {"JSON": ["a", "b"], "HTML": [], "JS": [], "CSS": ["c"]}


def test_an_answer_of_any_length() -> None:
    assert of_size(DOCUMENTS, "JSON", 32) == b"[1]" * 10 + b"[2"[:2]
    with pytest.raises(ValueError, match="only 3 bytes of CSS"):
        of_size(DOCUMENTS, "CSS", 4)


def test_every_kind_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks import corpus

    monkeypatch.setattr(corpus, "_MOST", 40_000)
    monkeypatch.setattr(corpus, "_MODULES", ("json",))
    found = corpus.corpus()
    assert [kind for kind in KINDS if any(one.kind == kind for one in found)] == list(KINDS)
    assert all(1024 <= len(one.data) <= PIECE for one in found)
