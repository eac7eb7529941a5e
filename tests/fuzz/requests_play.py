"""One fuzzed case from a client: played, and held to the invariant.

The origin sees a strict parse of what was accepted, or nothing: each request that the reference reads, once, in order,
with its own method, target, fields and content. The client gets a well-formed answer to each, its own, and one refusal
at most, behind which the connection is closed. Nothing hangs, nothing is logged as a warning, nothing is left behind.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from tests.fuzz import reference
from tests.fuzz.memory import MemoryClient, Stage
from tests.fuzz.reference import Read
from tests.wire import strict

AFTER = b"GET /after HTTP/1.1\r\nHost: example.test\r\n\r\n"
REFUSALS = (400, 405, 414, 417, 431, 501, 505)
_OURS = {
    "host",
    "via",
    "x-request-id",
    "traceparent",
    "tracestate",
    "x-real-ip",
    "forwarded",
    "expect",
    "max-forwards",
    *reference.HOP,
}


@dataclass(frozen=True)
class Sent:
    """What a client does.

    :ivar pieces: what it sends, as segments.
    :ivar turns: of the loop between two of them.
    :ivar leaves: whether it goes away at once behind the last.
    """

    pieces: tuple[bytes, ...]
    turns: int = 1
    leaves: bool = False

    @property
    def data(self) -> bytes:
        """All of it."""
        return b"".join(self.pieces)


class Findings(AssertionError):
    """The invariant does not hold."""


def check(holds: object, *said: object) -> None:
    """:raises Findings: unless it holds."""
    if not holds:
        raise Findings(" ".join(str(part) for part in said))


async def play(stage: Stage, sent: Sent) -> list[Read]:
    """Play a case; gives what the reference read in it.

    :raises Findings: when the invariant does not hold.
    """
    stage.fresh()
    await stage.settle()
    reads = reference.stream(sent.data)
    client = MemoryClient(stage)
    for piece in sent.pieces:
        client.transport.feed(piece)
        for _ in range(sent.turns):
            await asyncio.sleep(0)
    if sent.leaves:
        client.transport.finish()
    await stage.settle()
    if not sent.leaves:
        await _stay(stage, client, reads)
    check_arrivals(stage, reads, whole=not sent.leaves and not any(read.either for read in reads))
    await check_nothing_left(stage, client)
    return reads


async def _stay(stage: Stage, client: MemoryClient, reads: list[Read]) -> None:
    rest = check_answers(stage, client, reads)
    last = reads[-1] if reads else None
    if client.over and not rest and any(read.either for read in reads):
        return
    if last is not None and last.kind == "partial":
        await _starve(stage, client, rest, last.method)
    elif last is not None and (last.kind in ("refuse", "broken") or last.close):
        check(client.over, "the connection stays open behind", last)
        check(rest == b"", "bytes behind the last answer", rest)
    elif last is None or last.kind == "forward":
        await _go_on(stage, client, rest)
    elif not client.over:
        check(rest == b"", "bytes behind the last answer", rest)


async def _starve(stage: Stage, client: MemoryClient, rest: bytes, method: str) -> None:
    """A message that never becomes whole: refused by now, or in time."""
    before = len(client.data)
    if not client.over:
        await stage.pass_time(11)
        await stage.pass_time(61)
        await stage.pass_time(3)
    check(client.over, "a message that is not whole holds the connection for ever")
    rest += client.data[before:]
    if rest:
        answer, rest = _strictly(rest, method, ended=client.over == "end")
        check(answer.status in (*REFUSALS, 408), "an answer to half a request", answer)
    check(rest == b"", "bytes behind the last answer", rest)


async def _go_on(stage: Stage, client: MemoryClient, rest: bytes) -> None:
    """The connection is in order: it serves the next request, and closes without a word when it is idle."""
    check(rest == b"", "bytes behind the last answer", rest)
    check(not client.over, "a connection in order was closed")
    await stage.pass_time(30)
    check(not client.over, "an idle connection was closed early")
    before = len(client.data)
    client.transport.feed(AFTER)
    await stage.settle()
    answer, rest = _strictly(client.data[before:], "GET", ended=False)
    check(answer.status == 200 and rest == b"", "the next request got", answer, rest)
    mark, message = next(pair for wire in stage.wires for pair in wire.requests if pair[1].line == "GET /after")
    check(answer.values("x-mark") == [mark] and answer.body.decode() == mark, "another's answer", answer, message)
    before = len(client.data)
    await stage.pass_time(80)
    check(client.over == "end" and len(client.data) == before, "idleness ended with", client.data[before:])


def check_answers(stage: Stage, client: MemoryClient, reads: list[Read]) -> bytes:
    """Each request that is whole has its answer; gives the bytes behind them."""
    marks = {message.line: [] for wire in stage.wires for _, message in wire.requests}  # type: dict[str, list[str]]
    for wire in stage.wires:
        for mark, message in wire.requests:
            marks[message.line].append(mark)
    data, gave_up = client.data, False
    for read in reads:
        if read.kind == "partial" or (gave_up and client.over and not data):
            break
        gave_up = gave_up or read.either
        method = read.method
        answer, data = _strictly(data, method, ended=client.over == "end")
        if read.kind == "forward":
            line = f"{read.method} {read.target}"
            check(answer.status == 200, "refused without reason:", read, answer)
            check(answer.values("x-mark")[0] in marks.get(line, ()), "another's answer:", read, answer)
        else:
            check(answer.status in REFUSALS, "not refused:", read, answer)
    return data


def _strictly(data: bytes, method: str, *, ended: bool) -> tuple[strict.Message, bytes]:
    try:
        return strict.answer(data, method, ended)
    except (strict.Malformed, strict.Unfinished) as error:
        raise Findings(f"no well-formed answer ({error!r}): {data!r}") from error


def check_arrivals(stage: Stage, reads: list[Read], *, whole: bool) -> None:
    """The origin saw what the reference reads, and nothing else."""
    for wire in stage.wires:
        check(not wire.malformed, "malformed at the origin:", wire.malformed)
        check(wire.over or not wire.held, "half a request, and its connection stays open:", wire.held)
    half = [wire for wire in stage.wires if wire.held]
    last = reads[-1].kind if reads else ""
    check(not half or (len(half) == 1 and (last in ("broken", "partial") or not whole)), "half a request", half)
    pairs = sorted((pair for wire in stage.wires for pair in wire.requests), key=lambda pair: int(pair[0][1:]))
    arrived = [message for _, message in pairs if message.line != "GET /after"]
    expected = [read for read in reads if read.kind == "forward" and read.target != "/after"]
    check(len(arrived) == len(expected) if whole else len(arrived) <= len(expected), "arrived:", arrived)
    for message, read in zip(arrived, expected, strict=False):
        check_same(message, read)


def check_same(message: strict.Message, read: Read) -> None:
    """One request at the origin is the one that was read."""
    check(message.line == f"{read.method} {read.target}", "another request line:", message, read)
    check(message.body == read.body, "another body:", message, read)
    fields = [pair for pair in message.fields if not _ours(pair[0])]
    check(fields == [pair for pair in read.fields if not _ours(pair[0])], "other fields:", message, read)
    check(message.trailers == read.trailers, "other trailers:", message, read)
    if read.host:
        check(message.values("host") == [read.host], "another Host:", message, read)
    options = {option.strip().lower() for value in message.values("connection") for option in value.split(",")}
    check(options <= {"te", "upgrade"} and message.values("te") in ([], ["trailers"]), "hop-by-hop:", message)
    offered = {one.strip().partition("/")[0].lower() for value in message.values("upgrade") for one in value.split(",")}
    check(offered.isdisjoint({"h2c", "h2", "http", "tls"}), "an upgrade past the gateway:", message)


def _ours(name: str) -> bool:
    return name.lower() in _OURS or name.lower().startswith("x-forwarded-")


async def check_nothing_left(stage: Stage, client: MemoryClient) -> None:
    """When the client has gone nothing of the case is left, and another client is served."""
    client.transport.reset()
    await stage.settle()
    engine, pool = stage.gateway.engine, stage.pool
    check(engine.active == 0, "exchanges that never end:", engine.active)
    check(pool.open == pool.idle, "connections that are never given back:", pool.open, pool.idle)
    other = MemoryClient(stage)
    other.transport.feed(AFTER)
    await stage.settle()
    answer, rest = _strictly(other.data, "GET", ended=False)
    check(answer.status == 200 and rest == b"", "another client got", answer, rest)
    check(answer.body.decode() == f"m{stage.serial}", "another client got another's answer", answer)
    other.transport.reset()
    await stage.settle()
    check(not stage.troubles.found, "logged:", stage.troubles.found)
