"""Turns of the loop: long work has to leave some to others, and a test that counts them needs no clock."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

T = TypeVar("T")


async def beside_others(work: Awaitable[T]) -> tuple[T, int]:
    """What comes of it, and how many turns somebody else had meanwhile."""
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    try:
        return await work, turns
    finally:
        task.cancel()
