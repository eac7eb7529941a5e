"""What many requests in one read cost."""

from __future__ import annotations

from typing import Any, SupportsIndex

import pytest

from tests.unit.frontend.stage import Stage, get, until
from tests.wire.client import Client

COUNT = 2000
LENGTH = b"POST /fixed HTTP/1.1\r\nHost: example.test\r\nContent-Length: 5\r\n\r\nhello"
CHUNKED = b"POST /fixed HTTP/1.1\r\nHost: example.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
TRAPPED = CHUNKED.replace(b"5\r\nhello", b"7\r\n0\r\n\r\nhi")  # what looks like the end stands inside of a chunk


class Counted(bytes):
    """Bytes that know how many of them were copied out."""

    copied = 0

    def __getitem__(self, key: SupportsIndex | slice) -> Any:
        taken = super().__getitem__(key)
        if isinstance(taken, int):  # one byte was looked at
            return taken
        if len(taken) == len(self):
            return self
        Counted.copied += len(taken)
        return Counted(taken)


@pytest.mark.parametrize("request_bytes", [get("/fixed"), b"\r\n" + get("/fixed"), LENGTH, CHUNKED, TRAPPED])
async def test_taking_a_request_does_not_copy_those_behind_it(request_bytes: bytes, stage: Stage) -> None:
    pipeline = request_bytes * COUNT
    Counted.copied = 0
    async with Client(stage.port) as client:
        await until(lambda: stage.ends)
        stage.ends[0].data_received(Counted(pipeline))
        for _ in range(COUNT):
            assert (await client.answer()).body == b"fixed"
        assert Counted.copied <= 2 * len(pipeline)


async def test_a_head_in_pieces_behind_others_is_found(stage: Stage) -> None:
    async with Client(stage.port) as client:
        whole = get("/fixed", "X-Long: " + "x" * 100)
        for cut in range(1, len(whole), 7):
            await client.send([whole + whole[:cut], whole[cut:]])
            assert [(await client.answer()).body for _ in range(2)] == [b"fixed", b"fixed"]
