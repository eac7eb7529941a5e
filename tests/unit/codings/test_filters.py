from __future__ import annotations

import gzip
from collections.abc import AsyncIterator

import pytest

from proxy.body import Body
from proxy.codings import Limits, Whose, decoded, decoding
from proxy.errors import BadRequest, BadResponse, BodyTooLarge, GatewayError, ResponseTooLarge
from proxy.headers import Headers
from tests.unit.turns import beside_others

TEXT = b"a line of text\n" * 1000
GZIP = Headers({"Content-Encoding": "gzip"})


async def pieces(data: bytes, size: int) -> AsyncIterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


async def test_a_body_flows_through() -> None:
    body = decoded(GZIP, Body.of(pieces(gzip.compress(TEXT), 10)), Limits(), "request")
    assert body.size is None
    assert await body.read(10**6) == TEXT


async def test_a_body_without_codings_is_left_alone() -> None:
    body = Body(TEXT)
    assert decoded(Headers(), body, Limits(), "request") is body


@pytest.mark.parametrize(
    ("whose", "malformed", "bomb"), [("request", BadRequest, BodyTooLarge), ("response", BadResponse, ResponseTooLarge)]
)
async def test_who_is_to_blame(whose: Whose, malformed: type[GatewayError], bomb: type[GatewayError]) -> None:
    with pytest.raises(malformed, match=f"the {whose}'s content could not be decoded"):
        await decoded(GZIP, Body(b"text"), Limits(), whose).read(100)
    with pytest.raises(bomb, match="over the limit of 100 bytes"):
        await decoded(GZIP, Body(gzip.compress(TEXT)), Limits(size=100), whose).read(10**6)


@pytest.mark.parametrize("data", [gzip.compress(bytes(20_000_000)), gzip.compress(b"") * 3000])
async def test_others_get_their_turn_meanwhile(data: bytes) -> None:
    body = Body(data).through(decoding(["gzip"], Limits(ratio=10**6), "response"))
    _, turns = await beside_others(drain(body))
    assert turns > 20


async def drain(body: Body) -> None:
    async for _ in body:
        pass
