"""A connection that leads nowhere, for requests that only an explanation is wanted of."""

from __future__ import annotations

import asyncio


class Wire(asyncio.Transport):
    """What is written to it is gone."""

    def __init__(self) -> None:
        super().__init__()
        self._closing = False

    def write(self, data: bytes | bytearray | memoryview[int]) -> None:
        """Take bytes."""

    def close(self) -> None:
        """Nobody is there to be told."""
        self._closing = True

    def abort(self) -> None:
        """As `close`."""
        self._closing = True

    def is_closing(self) -> bool:
        """Whether it was closed."""
        return self._closing

    def can_write_eof(self) -> bool:
        """There are no two sides to close one by one."""
        return False

    def get_write_buffer_size(self) -> int:
        """Nothing is ever held."""
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """There is nothing to limit."""

    def pause_reading(self) -> None:
        """Nothing more would come."""

    def resume_reading(self) -> None:
        """Nothing more comes."""
