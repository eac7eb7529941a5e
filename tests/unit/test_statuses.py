"""Statuses are called as RFC 9110 calls them."""

from __future__ import annotations

import pytest

from proxy.statuses import title


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (404, "Not Found"),
        (413, "Content Too Large"),
        (414, "URI Too Long"),
        (416, "Range Not Satisfiable"),
        (422, "Unprocessable Content"),
        (499, "Client Closed Request"),
        (599, "Error"),
        (0, "Error"),
    ],
)
def test_titles(status: int, words: str) -> None:
    assert title(status) == words
