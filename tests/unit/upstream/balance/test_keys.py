"""What is hashed of a request."""

from __future__ import annotations

import pytest

from proxy.upstream.balance import key_of
from tests.unit.upstream.crew import exchange


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("header:X-User", "ann"),
        ("header:x-user", "ann"),
        ("header:X-None", ""),
        ("cookie:sid", "s1"),
        ("cookie:quoted", "q"),
        ("cookie:si", ""),
        ("query:page", "2"),
        ("query:name", "a b"),
        ("query:none", ""),
        ("client", "192.0.2.9"),
        ("path", "/x/y"),
    ],
)
def test_the_key(said: str, expected: str) -> None:
    headers = {"X-User": "ann", "Cookie": 'other=1; sid=s1; quoted="q"'}
    assert key_of(said)(exchange("/x/y?page=2&name=a%20b&page=3", headers, client="192.0.2.9")) == expected


@pytest.mark.parametrize("said", ["", "header:", "header", "clients", "body:x"])
def test_what_is_no_key(said: str) -> None:
    with pytest.raises(ValueError, match="nothing to hash by"):
        key_of(said)
