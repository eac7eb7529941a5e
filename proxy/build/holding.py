"""What several configurations use one after the other, and that ends with the last of them.

A reload keeps the upstreams and plugins that are as they were. Exchanges still run on the configuration before it and
on the one before that, so none of these alone can say when such a thing is done with: each holds it, and whoever lets
go last ends it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Held(Generic[T]):
    """Something with holders.

    :ivar thing: what is held.
    :ivar origin: what it was made of; something made of the same need not be made anew.
    :ivar holders: how many configurations use it.
    """

    __slots__ = ("_end", "holders", "origin", "thing")

    def __init__(self, thing: T, end: Callable[[], Awaitable[None]], origin: object = None) -> None:
        self.thing = thing
        self.origin = origin
        self.holders = 0
        self._end = end

    def hold(self) -> Held[T]:
        """Use it; to be followed by one `release`."""
        self.holders += 1
        return self

    async def release(self) -> None:
        """Be done with it; ends it when nobody else uses it."""
        self.holders -= 1
        if not self.holders:
            await self._end()
