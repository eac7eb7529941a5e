"""The seam between a cache and what is kept in it: how a value is sized, written and read.

Memory is bounded in bytes, so somebody must know what a value takes; a shared store holds bytes, so somebody must write
and read them. Only the owner of the values can do either well: the cache itself never looks into them.
"""

from __future__ import annotations

from typing import Any, Protocol, TypeVar, runtime_checkable

T = TypeVar("T")


class CorruptEntry(Exception):
    """What was stored cannot be read: it is cut, altered, or of a version that is not understood."""


@runtime_checkable
class Softening(Protocol):
    """What a codec has besides, whose values are of use even when they are outdated: a soft purge keeps them."""

    def softened(self, value: Any) -> Any:
        """The value, marked as outdated; values that are so marked already come back equal."""
        ...


class Codec(Protocol[T]):
    """How values of one kind are sized, written and read."""

    def size(self, value: T) -> int:
        """Bytes that it takes in memory, truthfully: what would be free again without it."""
        ...

    def encode(self, value: T) -> bytes:
        """Compact and versioned; never a pickle, which would let whoever writes to the store run code here."""
        ...

    def decode(self, data: bytes) -> T:
        """What `encode` was given. :raises CorruptEntry: for anything else."""
        ...
