"""A legacy upstream, byte for byte: what is put right, for whom, and what never is."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from proxy.errors import BadResponse, ResponseHeadTooLarge
from proxy.upstream.lenient import Straightener, straight
from tests.unit.frontend.stage import Stage, fetch, get, plays, staged
from tests.wire.client import Client
from tests.wire.origin import Script, Wire

START = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n"
RIGHT = {
    "bare-lf": (b"HTTP/1.1 200 OK\nContent-Length: 2\nX: a\n\nok", "a"),
    "mixed-line-ends": (b"HTTP/1.1 200 OK\nContent-Length: 2\r\nX: a\n\r\nok", "a"),
    "folded": (START + b"X: a\r\n  b\r\n\tc\r\n\r\nok", "a b c"),
    "folded-by-lf": (START + b"X: a\n b\r\n\r\nok", "a b"),
    "space-before-colon": (START + b"X : a\r\n\r\nok", "a"),
    "control": (START + b"X: a\x01b\x7fc\r\n\r\nok", "a b c"),
    "bare-cr": (START + b"X: a\rSet-Cookie: b\r\n\r\nok", "a Set-Cookie: b"),
    "control-in-reason": (START.replace(b"OK", b"O\x01K") + b"X: a\r\n\r\nok", "a"),
    "interim": (b"HTTP/1.1 103 Early Hints\nLink: x\n\n" + START + b"X : a\n\nok", "a"),
    "as-it-should-be": (START + b"X: a\r\n\r\nok", "a"),
}
WRONG = {
    "nul": START + b"X: a\0b\r\n\r\nok",
    "nul-in-reason": START.replace(b"OK", b"O\0K") + b"\r\nok",
    "length-and-chunks": START + b"Transfer-Encoding: chunked\n\n0\r\n\r\n",
    "two-lengths": START + b"Content-Length: 2\n\nok",
    "length-folded": b"HTTP/1.1 200 OK\r\nContent-Length: \r\n 2\r\n\r\nok",
    "length-with-space": b"HTTP/1.1 200 OK\r\nContent-Length : 2\r\n\r\nok",
    "length-with-control": b"HTTP/1.1 200 OK\r\nContent-Length: 2\x01\r\n\r\nok",
    "coding-with-space": b"HTTP/1.1 200 OK\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "coding-folded": b"HTTP/1.1 200 OK\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "coding-behind-bare-cr": START + b"X: a\rb\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "connection-with-control": START + b"Connection: clo\x01se\r\n\r\nok",
    "folded-status-line": b"HTTP/1.1 200 OK\r\n Content-Length: 2\r\n\r\nok",
    "no-colon": START + b"X\r\n\r\nok",
    "name-no-token": START + b"X(Y): a\r\n\r\nok",
    "not-http": b"SSH-2.0\n\n",
    "chunks-by-lf": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\nok\n0\n\n",
    "endless": b"HTTP/1.1 200 OK\n" + b"X: a\n" * 20000,
}


@pytest_asyncio.fixture
async def stage() -> AsyncIterator[Stage]:
    async with staged(upstream="strict: false") as one:
        yield one


def in_pieces(answer: bytes) -> Script:
    async def script(wire: Wire) -> bool:
        for at in range(len(answer)):
            await wire.send(answer[at : at + 1])
            await asyncio.sleep(0)
        return True

    return script


@pytest.mark.parametrize("split", [False, True], ids=["at-once", "byte-by-byte"])
@pytest.mark.parametrize(("answer", "value"), RIGHT.values(), ids=RIGHT)
async def test_clients_get_in_order_what_a_legacy_server_wrote_carelessly(
    answer: bytes, value: str, split: bool, stage: Stage
) -> None:
    stage.script("/legacy", in_pieces(answer) if split else plays(answer))
    async with Client(stage.port) as client:
        for _ in range(2):  # its connection serves the next request too
            await client.send([get("/legacy")])
            reply = await client.answer()
            assert (reply.status, reply.body, reply.values("x")) == (200, b"ok", [value])
            assert reply.values("set-cookie") == []
    assert len(stage.origin.record.wires) == 1


@pytest.mark.parametrize("answer", WRONG.values(), ids=WRONG)
async def test_what_leaves_a_doubt_is_refused_all_the_same(answer: bytes, stage: Stage) -> None:
    stage.script("/legacy", plays(answer))
    async with Client(stage.port) as client:
        await client.send([get("/legacy")])
        await client.head()
        assert client.data[9:12] in (b"502", b"200")
        if client.data[9:12] == b"200":  # the fault stands in the body: it is cut
            assert b"chunked" in answer
            assert not (await client.closed()).endswith(b"0\r\n\r\n")
    assert (await fetch(stage, get("/next"))).body == b"ok"


async def test_a_strict_upstream_gets_no_such_help() -> None:
    async with staged() as stage:
        for name, (answer, _) in RIGHT.items():
            stage.script("/legacy", plays(answer))
            assert (await fetch(stage, get("/legacy"))).status == (200 if name == "as-it-should-be" else 502)


def test_a_head_that_was_cut_is_not_the_beginning_of_the_next() -> None:
    refused: list[BadResponse] = []
    straightener = Straightener(refused.append)
    assert straightener.feed(b"HTTP/1.1 200 OK\nX: ") == b""
    straightener.begin()
    assert straightener.feed(b"HTTP/1.1 204 No\n\nrest") == b"HTTP/1.1 204 No\r\n\r\nrest"
    assert refused == []


def test_what_it_makes_has_no_careless_byte_left() -> None:
    made = straight(b"HTTP/1.1 200 \x02\nA : b\n c\nC: \x0b\r\x1f")
    assert re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|(?<!\r)\n|\r(?!\n)", made) is None


def test_what_it_refuses_it_tells_of() -> None:
    for head in (b"HTTP/1.1 200 OK\n" + b"X: a\n" * 20000, b"HTTP/1.1 200 OK\n b\n\n", b"HTTP/1.1 200 OK\nX: \0\n\n"):
        refused: list[BadResponse] = []
        assert Straightener(refused.append).feed(head) == b""
        assert len(refused) == 1
        assert isinstance(refused[0], ResponseHeadTooLarge) is (len(head) > 65536)
