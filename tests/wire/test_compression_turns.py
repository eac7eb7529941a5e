"""Many answers that arrive together: each turn of the loop codes a few of them, and who leaves is not waited for."""

from __future__ import annotations

import asyncio
import gzip
import threading
import zlib
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import ClassVar

import pytest

from plugins.compress import Compress, Config
from plugins.compress.coders import Coder
from plugins.compress.turns import Turns
from proxy.body import Body
from proxy.headers import Headers
from proxy.message import Response
from proxy.testing import GatewayKit, running
from proxy.testing.client import Wire, request_bytes

KIB = 1024
A_SECOND = 80 * KIB * 1000  # bytes that are coded in a second of the clock here, on the loop
PATIENCE = 50
GET = request_bytes("GET", "/", {"Accept-Encoding": "gzip"})


class Metered(Compress):
    """Its turns go by a clock that is moved by what is coded, and by nothing else."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self._turns = Turns(lambda: Meter.coded / A_SECOND)


class Standing(Turns):
    """Has room for nothing until it is told to go: whatever comes has to wait."""

    def __init__(self) -> None:
        super().__init__()
        self.goes = False

    def room(self, size: int) -> bool:
        return self.goes and super().room(size)

    def _arm(self) -> None:
        if self.goes:
            super()._arm()

    def go(self) -> None:
        self.goes = True
        self._arm()

    async def until(self, number: int) -> None:
        """Wait until so many stand in line."""
        async with asyncio.timeout(PATIENCE):
            while len(self._line) < number:
                await asyncio.sleep(0)


class Waiting(Compress):
    """What it codes waits for the test."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self._turns = self.standing = Standing()


class Meter:
    """Counts the bytes that are coded on the loop, and the turns of the loop."""

    coded = 0
    turns = 0
    in_turn: ClassVar[Counter[int]] = Counter()
    elsewhere = 0

    @classmethod
    def count(cls, size: int) -> None:
        if threading.current_thread() is threading.main_thread():
            cls.coded += size
            cls.in_turn[cls.turns] += size
        else:
            cls.elsewhere += size

    @classmethod
    async def turning(cls) -> None:
        while True:
            cls.turns += 1
            await asyncio.sleep(0)


@pytest.fixture
def meter(monkeypatch: pytest.MonkeyPatch) -> type[Meter]:
    Meter.coded = Meter.turns = Meter.elsewhere = 0
    Meter.in_turn = Counter()
    compress, stream = zlib.compress, Coder.stream

    def metered_compress(data: bytes, *how: int) -> bytes:
        Meter.count(len(data))
        return compress(data, *how)

    def metered_stream(self: Coder, size: int | None) -> object:
        made = stream(self, size)
        encode = made.encode

        def counted(data: bytes) -> bytes:
            Meter.count(len(data))
            return encode(data)

        made.encode = counted  # type: ignore[method-assign]  # of the one instance
        return made

    monkeypatch.setattr(zlib, "compress", metered_compress)
    monkeypatch.setattr(Coder, "stream", metered_stream)
    return Meter


@asynccontextmanager
async def clients(kit: GatewayKit, number: int) -> AsyncIterator[list[Wire]]:
    async with AsyncExitStack() as stack:
        yield [await stack.enter_async_context(kit.wire()) for _ in range(number)]


def bodies(number: int, size: int) -> list[bytes]:
    return [(b'{"number": %d, "name": "a footbridge"}\n' % n * (size // 30))[:size] for n in range(number)]


def json(body: bytes | Body) -> Response:
    return Response(200, Headers({"Content-Type": "application/json"}), body)


async def flowing(data: bytes) -> AsyncIterator[bytes]:
    for at in range(0, len(data), 16 * KIB):
        yield data[at : at + 16 * KIB]


@pytest.mark.parametrize(("number", "size", "flows"), [(32, 64, False), (100, 256, False), (32, 64, True)])
async def test_no_turn_codes_more_than_its_share(meter: type[Meter], number: int, size: int, flows: bool) -> None:
    sent = bodies(number, size * KIB)
    async with running(plugins=[Metered]) as kit, clients(kit, number) as wires:
        kit.upstream.reply(*(json(Body.of(flowing(data)) if flows else data) for data in sent))
        turning = asyncio.create_task(meter.turning())
        await asyncio.gather(*(wire.send(GET) for wire in wires))
        async with asyncio.timeout(PATIENCE):
            replies = [await wire.reply() for wire in wires]
        turning.cancel()
    assert {gzip.decompress(reply.body) for reply in replies} == set(sent)
    assert all(reply.headers["content-encoding"] == "gzip" for reply in replies)
    assert meter.coded + meter.elsewhere >= number * size * KIB
    assert max(meter.in_turn.values(), default=0) / A_SECOND <= 0.002


def standing(kit: GatewayKit) -> Standing:
    plugin = kit.plugin("waiting")
    assert isinstance(plugin, Waiting)
    return plugin.standing


@pytest.mark.parametrize("flows", [False, True])
async def test_who_leaves_while_waiting_is_not_coded_for(meter: type[Meter], flows: bool) -> None:
    sent = bodies(4, 8 * KIB)
    async with running(plugins=[Waiting]) as kit, clients(kit, 4) as wires:
        kit.upstream.reply(*(json(Body.of(flowing(data), len(data)) if flows else data) for data in sent))
        for number, wire in enumerate(wires, 1):
            await wire.send(GET)
            await standing(kit).until(number)
        wires[1].leave()
        async with asyncio.timeout(PATIENCE):
            while kit.gateway.engine.active > 3:
                await asyncio.sleep(0)
        assert kit.counted("all", 499) == 1
        assert meter.coded == 0
        standing(kit).go()
        replies = [await wires[at].reply() for at in (0, 2, 3)]
        assert [gzip.decompress(reply.body) for reply in replies] == [sent[0], sent[2], sent[3]]
        assert meter.coded == 3 * 8 * KIB


async def test_a_shutdown_waits_for_those_who_wait(meter: type[Meter]) -> None:
    sent = bodies(3, 8 * KIB)
    async with running(plugins=[Waiting]) as kit, clients(kit, 3) as wires:
        kit.upstream.reply(*map(json, sent))
        for number, wire in enumerate(wires, 1):
            await wire.send(GET)
            await standing(kit).until(number)
        plugin, draining = standing(kit), asyncio.create_task(kit.gateway.drain())
        await asyncio.sleep(0)
        plugin.go()
        replies = [await wire.reply() for wire in wires]
        assert [gzip.decompress(reply.body) for reply in replies] == sent
        async with asyncio.timeout(PATIENCE):
            await draining


async def test_a_shutdown_that_waits_no_longer_forgets_them(meter: type[Meter]) -> None:
    async with running(plugins=[Waiting]) as kit, clients(kit, 3) as wires:
        kit.upstream.reply(*map(json, bodies(3, 8 * KIB)))
        for number, wire in enumerate(wires, 1):
            await wire.send(GET)
            await standing(kit).until(number)
        plugin = standing(kit)
        await kit.gateway.stop()
        plugin.go()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert meter.coded == 0


async def test_a_stream_keeps_its_order_while_others_wait() -> None:
    sent = bodies(1, 400 * KIB)[0]
    async with running(plugins=[Metered]) as kit, clients(kit, 9) as wires:
        others = bodies(8, 64 * KIB)
        kit.upstream.reply(json(Body.of(flowing(sent))), *map(json, others))
        for wire in wires:
            await wire.send(GET)
        replies = [gzip.decompress((await wire.reply()).body) for wire in wires]
        assert sorted(replies) == sorted([sent, *others])  # whose request came first gets the stream
