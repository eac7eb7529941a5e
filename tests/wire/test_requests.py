"""What clients send, byte for byte: what they get, and what the origin sees of it.

The invariant under every case: the origin sees well-formed requests that the gateway accepted, one for each, or none.
"""

from __future__ import annotations

import pytest

from tests.wire.cases import Arrived, RequestCase, requests
from tests.wire.client import Client
from tests.wire.origin import Origin, Record
from tests.wire.strict import Message

pytestmark = pytest.mark.asyncio(loop_scope="module")

AFTER = b"GET /after HTTP/1.1\r\nHost: example.test\r\n\r\n"
PROBE = b"GET /probe HTTP/1.1\r\nHost: example.test\r\nConnection: close\r\n\r\n"
OURS = ("GET /after", "GET /probe")

CASES = requests()
SHORT = [case for case in CASES if len(case.send) <= 400]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
async def test_sent_at_once(case: RequestCase, origin: Origin, gateway: int) -> None:
    await play(case, [case.send], origin, gateway)


@pytest.mark.parametrize("case", SHORT, ids=lambda case: case.id)
async def test_split_at_every_byte(case: RequestCase, origin: Origin, gateway: int) -> None:
    await play(case, [case.send[i : i + 1] for i in range(len(case.send))], origin, gateway)


async def test_the_corpus_is_whole() -> None:
    assert len(CASES) >= 200
    assert len({case.id for case in CASES}) == len(CASES)
    assert all(case.reason for case in CASES)


async def play(case: RequestCase, pieces: list[bytes], origin: Origin, port: int) -> None:
    record = origin.fresh()
    async with Client(port) as client:
        await client.send(pieces)
        methods = case.methods or ("GET",) * len(case.expect)
        statuses = [(await client.answer(method)).status for method in methods]
        assert all(got in allowed for got, allowed in zip(statuses, case.expect, strict=True)), statuses
        if case.closed:
            assert await client.closed() == b""
        else:
            await client.send([AFTER])
            assert (await client.answer()).body == b"ok"
    await probe(port)
    assert [m.line for m in record.requests].count("GET /after") == (not case.closed)
    check_arrivals(case, record)


async def probe(port: int) -> None:
    """Another client's request: it gets its own answer, and whatever the gateway did before has reached the origin."""
    async with Client(port) as client:
        await client.send([PROBE])
        assert (await client.answer()).body == b"ok"
        assert await client.closed() == b""


def check_arrivals(case: RequestCase, record: Record) -> None:
    assert record.malformed == []
    arrived = [message for message in record.requests if message.line not in OURS]
    if case.origin == "unfinished":
        assert arrived == []
        return
    assert record.unfinished == []
    expected = () if case.origin == "nothing" else case.origin
    assert [message.line for message in arrived] == [entry.line for entry in expected if isinstance(entry, Arrived)]
    for message, entry in zip(arrived, expected, strict=True):
        assert isinstance(entry, Arrived)
        check_arrival(message, entry)


def check_arrival(message: Message, entry: Arrived) -> None:
    assert message.body.decode("latin-1") == entry.body
    fields = [f"{name}: {value}" for name, value in message.fields]
    wanted = [field for field in fields if field in entry.has]
    assert wanted == list(entry.has), fields
    names = {name.lower() for name, _ in (*message.fields, *message.trailers)}
    assert names.isdisjoint({name.lower() for name in entry.lacks}), fields
    assert [f"{name}: {value}" for name, value in message.trailers] == list(entry.trailers)
