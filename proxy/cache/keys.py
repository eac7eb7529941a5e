"""Names that cannot collide, however they are chosen.

A bare prefix lets the cache "a" with the key "bc" meet the cache "ab" with the key "c". With its length before it a
name ends where it says.
"""

from __future__ import annotations


def namespace(*names: str) -> bytes:
    """One name of several: `namespace("cache", "http")` is `b"5:cache4:http"`.

    Distinct sequences give distinct names, and none of equal length is the beginning of another.
    """
    parts = [name.encode("utf-8", "surrogateescape") for name in names]
    return b"".join(b"%d:%b" % (len(part), part) for part in parts)


def raw(key: str | bytes) -> bytes:
    """A key as bytes; text in UTF-8."""
    return key if isinstance(key, bytes) else key.encode("utf-8", "surrogateescape")
