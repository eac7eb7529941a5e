"""One fuzzed answer of an upstream: played, and held to the invariant.

The client gets what the reference reads in the upstream's bytes, or a 502 or 504 of ours, or an answer that is cut in a
way that it can see; never a byte more. Whatever the upstream said, the next request on the client's connection and a
new client get exactly their own answers.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from tests.fuzz import reference
from tests.fuzz.memory import MemoryClient, Stage
from tests.fuzz.origin import End, Said
from tests.fuzz.reference import Read
from tests.fuzz.requests_play import AFTER, check, check_nothing_left
from tests.wire import strict

OURS = (502, 504)
TARGET = "/fuzzed"
_MADE = {"via", "x-request-id", "date", "server", *reference.HOP}


@dataclass(frozen=True)
class Told:
    """What an upstream does when it is asked.

    :ivar request: what the client sends for it.
    :ivar pieces: the answer, as segments.
    :ivar end: what becomes of the connection behind it.
    :ivar late: bytes that it sends when the client has its answer.
    :ivar greeting: bytes that it sends before it is asked.
    :ivar follow: whether the client's next request is there already, pipelined.
    """

    request: bytes
    pieces: tuple[bytes, ...]
    end: End = "keep"
    late: bytes = b""
    greeting: bytes = b""
    follow: bool = False

    @property
    def data(self) -> bytes:
        """The whole answer."""
        return b"".join(self.pieces)

    @property
    def method(self) -> str:
        """Of the request."""
        return self.request.partition(b" ")[0].decode()


async def play(stage: Stage, told: Told) -> Read:
    """Play a case; gives what the reference read in it.

    :raises Findings: when the invariant does not hold.
    """
    stage.fresh()
    await stage.settle()
    stage.greeting = told.greeting
    stage.scripts[TARGET] = lambda message: Said(told.pieces, told.end)
    interim, read = reference.answer(told.data, told.method, closed=told.end == "close")
    client = MemoryClient(stage)
    client.transport.feed(told.request + (AFTER if told.follow else b""))
    await stage.settle()
    if told.late and read.kind != "partial":  # else it would only be more of the answer
        for wire in stage.wires:
            wire.transport.feed(told.late)
        await stage.settle()
    await _outcome(stage, client, told, read, interim)
    for wire in stage.wires:
        check(not wire.malformed, "malformed at the origin:", wire.malformed)
    await check_nothing_left(stage, client)
    return read


async def _outcome(stage: Stage, client: MemoryClient, told: Told, read: Read, interim: list[int]) -> None:
    if read.kind == "partial" and not _answered(client, told):
        for _ in range(3):  # it stops in the middle: time ends it
            await stage.pass_time(61)
    answer, rest = _taken(client, told)
    if answer is None:
        check(client.over, "an answer that is not whole, on an open connection:", client.data)
        check_cut(client, told, read)
        return
    if told.greeting:
        check(answer.status in OURS, "an answer from before the request:", answer)
    else:
        check_answer(answer, read, interim, ended=client.over == "end")
    await _go_on(stage, client, told, rest, doubtful=bool(told.follow and read.behind))


def _answered(client: MemoryClient, told: Told) -> bool:
    return _taken(client, told)[0] is not None


def _taken(client: MemoryClient, told: Told) -> tuple[strict.Message | None, bytes]:
    """The client's answer and what follows; None when it is not whole."""
    try:
        return strict.answer(client.data, told.method, client.over == "end")
    except strict.Unfinished:
        return None, b""
    except strict.Malformed as error:
        check(False, f"no well-formed answer ({error}):", client.data)
        raise


def check_answer(answer: strict.Message, read: Read, interim: list[int], *, ended: bool) -> None:
    """The answer is what the upstream said, or ours because that was broken."""
    if read.kind == "forward":
        check(answer.status == read.status, "another status:", answer, read)
        check(answer.body == read.body, "another body:", answer, read)
        check(_foreign(answer.fields) == _foreign(read.fields), "other fields:", answer, read)
        check(answer.trailers in ([], read.trailers), "other trailers:", answer, read)
        check(answer.interim in ([], interim), "other interim answers:", answer, interim)
    else:
        check(answer.status in OURS, "a broken answer was passed on:", answer, read)
        check(answer.interim == interim[: len(answer.interim)], "other interim answers:", answer, interim)


def _foreign(fields: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in fields if name.lower() not in _MADE]


def check_cut(client: MemoryClient, told: Told, read: Read) -> None:
    """What the client has of a cut answer is the beginning of what the upstream said."""
    if read.kind == "forward" and told.end == "reset":
        return  # the reset may have come before the end was read
    check(read.kind in ("broken", "partial"), "a whole answer was cut:", read, client.data)
    data = client.data
    while data.startswith(b"HTTP/1.1 1"):
        data = data.partition(b"\r\n\r\n")[2]
    try:
        body = strict.content_so_far(data)
    except strict.Unfinished:
        return
    check(read.body.startswith(body), "content that nobody sent:", body, read)


async def _go_on(stage: Stage, client: MemoryClient, told: Told, rest: bytes, *, doubtful: bool) -> None:
    """The next request on this connection, if it goes on, gets its own answer and nothing else.

    Bytes behind an answer may come when the connection has been given to the next request: then that is refused.
    """
    if not told.follow:
        check(rest == b"", "bytes behind the answer:", rest)
        if client.over:
            return
        before = len(client.data)
        client.transport.feed(AFTER)
        await asyncio.sleep(0)
        await stage.settle()
        rest = client.data[before:]
    elif not rest:
        check(client.over, "the pipelined request is never answered")
        return
    answer, rest = strict.answer(rest, "GET", client.over == "end")
    if doubtful and answer.status == 502:
        return
    check(answer.status == 200 and rest == b"", "the next request got", answer, rest)
    marks = [mark for wire in stage.wires for mark, message in wire.requests if message.line == "GET /after"]
    check(marks == [answer.body.decode()], "the next request got another's answer:", answer, marks)
