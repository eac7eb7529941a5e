"""A few hundred bent cases over real sockets, where segments, ends and resets are the system's own.

`tests/fuzz` does the same in memory, many thousands of times; here it is checked that memory does not lie.
"""

from __future__ import annotations

from random import Random

import pytest

from tests.fuzz import draw, reference
from tests.fuzz.reference import Read
from tests.fuzz.requests_play import REFUSALS, check_same
from tests.wire.client import Client
from tests.wire.origin import Origin, Record
from tests.wire.test_requests import AFTER, OURS, probe

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("seed", range(0, 300, 20))
async def test_bent_requests(seed: int, origin: Origin, gateway: int) -> None:
    for number in range(seed, seed + 20):
        sent = draw.sent(Random(f"wire {number}"))
        reads = reference.stream(sent.data)
        record = origin.fresh()
        try:
            await play(list(sent.pieces), reads, gateway)
            check_record(record, reads)
        except Exception as error:
            error.add_note(f"{sent}\n{draw.request_case(sent, 'found', str(error)[:80])}")
            raise


async def play(pieces: list[bytes], reads: list[Read], port: int) -> None:
    async with Client(port) as client:
        await client.send(pieces)
        for read in reads:
            if read.kind == "partial":
                break
            answer = await client.answer(read.method)
            assert answer.status in ((200,) if read.kind == "forward" else REFUSALS), (answer, read)
        last = reads[-1] if reads else Read("forward")
        if last.kind in ("refuse", "broken") or (last.close and last.kind == "forward"):
            assert await client.closed() == b""
        elif last.kind == "forward":
            await client.send([AFTER])
            assert (await client.answer()).body == b"ok"
    await probe(port)


def check_record(record: Record, reads: list[Read]) -> None:
    assert record.malformed == []
    assert not record.unfinished or reads[-1].kind in ("broken", "partial")
    arrived = [message for message in record.requests if message.line not in OURS]
    expected = [read for read in reads if read.kind == "forward"]
    assert len(arrived) == len(expected), (arrived, expected)
    for message, read in zip(arrived, expected, strict=True):
        check_same(message, read)
