from __future__ import annotations

import pytest

from proxy.cache.purge import Purge, Purges, Scope


@pytest.mark.parametrize(
    ("scope", "what", "meets"),
    [
        ("key", b"/a/b", True),
        ("key", b"/a", False),
        ("tag", b"red", True),
        ("tag", b"re", False),
        ("prefix", b"/a", True),
        ("prefix", b"", True),
        ("prefix", b"/b", False),
    ],
)
def test_a_purge_meets_what_it_names(scope: Scope, what: bytes, meets: bool) -> None:
    assert Purge(b"n", scope, what).meets(b"/a/b", ("red", "round")) is meets


def test_only_purges_since_the_mark_count() -> None:
    purges = Purges()
    purges.add(Purge(b"n", "key", b"a"))
    mark = purges.mark
    assert not purges.met(mark, b"a", ())
    purges.add(Purge(b"n", "key", b"b"))
    purges.add(Purge(b"n", "tag", b"red"))
    assert [purges.met(mark, key, ()) for key in (b"a", b"b")] == [False, True]
    assert purges.met(mark, b"c", ("red",))
    assert not purges.met(purges.mark, b"b", ("red",))


def test_what_is_too_long_ago_to_know_counts_as_purged() -> None:
    purges = Purges(kept=2)
    mark = purges.mark
    for key in (b"x", b"y", b"z"):
        purges.add(Purge(b"n", "key", key))
    assert purges.met(mark, b"a", ())
    assert not purges.met(mark + 1, b"a", ())
