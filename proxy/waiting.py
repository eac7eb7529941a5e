"""Awaiting what a hook gave, so that whatever comes of it is a value."""

from __future__ import annotations

import asyncio
from inspect import isawaitable
from typing import Any

# Whatever a plugin raises is its failure: also a CancelledError that comes out of a hook which does not wait, or out
# of something that a hook waited for, while nobody has cancelled the exchange.
FAILURES = (Exception, asyncio.CancelledError)


class Failed:
    """A hook that waited has raised."""

    __slots__ = ("error",)

    def __init__(self, error: BaseException) -> None:
        self.error = error


async def outcome(given: Any) -> Any:
    """What a hook's awaitable gives, or Failed; a hook that gave no awaitable at all has given that."""
    try:
        return await given if isawaitable(given) else given
    except FAILURES as error:
        return Failed(error)
