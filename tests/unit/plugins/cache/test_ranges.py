from __future__ import annotations

import pytest

from plugins.cache.ranges import Unsatisfiable, span_of


@pytest.mark.parametrize(
    ("value", "span"),
    [
        ("bytes=0-1", (0, 2)),
        ("bytes=1-", (1, 11)),
        ("bytes=-1", (10, 11)),
        ("bytes=-99", (0, 11)),
        ("bytes=5-99", (5, 11)),
        ("BYTES=0-0", (0, 1)),
        ("bytes=0-1,3-4", None),
        ("bytes=5-2", None),
        ("bytes=-", None),
        ("bytes=a-b", None),
        ("lines=0-1", None),
        ("0-1", None),
    ],
)
def test_one_range(value: str, span: tuple[int, int] | None) -> None:
    assert span_of(value, 11) == span


@pytest.mark.parametrize(("value", "size"), [("bytes=11-", 11), ("bytes=11-12", 11), ("bytes=-0", 11), ("bytes=-5", 0)])
def test_behind_the_end(value: str, size: int) -> None:
    with pytest.raises(Unsatisfiable):
        span_of(value, size)
