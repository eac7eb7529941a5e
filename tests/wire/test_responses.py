"""What upstreams answer, byte for byte: what the client gets, and that nothing of it ever reaches another."""

from __future__ import annotations

import asyncio

import pytest

from tests.wire.cases import ResponseCase, responses
from tests.wire.client import PATIENCE, Client
from tests.wire.origin import Origin, Script, Wire
from tests.wire.strict import Message, Unfinished, content_so_far

pytestmark = pytest.mark.asyncio(loop_scope="module")

PROBE = b"GET /probe HTTP/1.1\r\nHost: example.test\r\n\r\n"

CASES = responses()
SHORT = [case for case in CASES if sum(len(piece or b"") for piece in case.upstream) <= 400]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
async def test_sent_at_once(case: ResponseCase, origin: Origin, gateway: int) -> None:
    await play(case, list(case.upstream), origin, gateway)


@pytest.mark.parametrize("case", SHORT, ids=lambda case: case.id)
async def test_split_at_every_byte(case: ResponseCase, origin: Origin, gateway: int) -> None:
    pieces: list[bytes | None] = []
    for piece in case.upstream:
        pieces += [None] if piece is None else [piece[i : i + 1] for i in range(len(piece))]
    await play(case, pieces, origin, gateway)


class Stage:
    """One case on the stage: the origin's part, told by events what the client has seen."""

    def __init__(self, case: ResponseCase, pieces: list[bytes | None]) -> None:
        self.case = case
        self.pieces = pieces
        self.head_seen = asyncio.Event()
        self.answered = asyncio.Event()
        self.wires: list[Wire] = []

    async def script(self, wire: Wire) -> bool:
        self.wires.append(wire)
        for piece in self.pieces:
            if piece is None:
                await self.head_seen.wait()
            else:
                await wire.send(piece)
                await asyncio.sleep(0)
        if self.case.late:
            await self.answered.wait()
            await wire.send(self.case.late)
        if self.case.after == "reset":
            wire.abort()
        elif self.case.after == "close":
            wire.close()
        return self.case.after == "keep"


async def play(case: ResponseCase, pieces: list[bytes | None], origin: Origin, port: int) -> None:
    record = origin.fresh()
    stage = Stage(case, pieces)
    script: Script = stage.script
    origin.scripts[f"/{case.id}"] = script
    async with Client(port) as client:
        await client.send([case.request.replace(b"TARGET", f"/{case.id}".encode())])
        await client.head()
        stage.head_seen.set()
        answer = await take(case, client)
        stage.answered.set()
        if answer is not None:
            check_answer(case, answer)
        if case.reused is False:
            async with asyncio.timeout(PATIENCE):
                await stage.wires[-1].gone.wait()
        await probe(port)
        if case.reused:
            assert not stage.wires[-1].gone.is_set()
    assert record.malformed == []


async def take(case: ResponseCase, client: Client) -> Message | None:
    """The client's answer, or None when it was rightly cut."""
    try:
        answer = await client.answer(case.method)
    except Unfinished:
        assert client.data.startswith(b"HTTP/1.1 200 "), client.data
        assert case.cut or case.in_body, client.data
        if case.body:
            assert content_so_far(client.data) == case.body
        return None
    assert not case.cut, answer
    return answer


def check_answer(case: ResponseCase, answer: Message) -> None:
    assert answer.status in case.expect, answer
    if case.body is not None:
        assert answer.body == case.body
    assert case.any_interim or answer.interim == list(case.interim)
    fields = [f"{name}: {value}" for name, value in answer.fields]
    assert [field for field in fields if field in case.has] == list(case.has), fields
    names = {name.lower() for name, _ in (*answer.fields, *answer.trailers)}
    assert names.isdisjoint({name.lower() for name in case.lacks}), fields
    if case.trailers is not None:
        assert [f"{name}: {value}" for name, value in answer.trailers] == list(case.trailers)


async def probe(port: int) -> None:
    """The next client gets its own answer."""
    async with Client(port) as client:
        await client.send([PROBE])
        answer = await client.answer()
        assert (answer.status, answer.body, client.data) == (200, b"ok", b"")
