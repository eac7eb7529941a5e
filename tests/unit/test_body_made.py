"""Bodies made by code: closed in every order, read into memory, and broken by what makes them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import NoReturn

import pytest

from proxy.body import Body
from proxy.errors import BodyTooLarge, ClientLeft
from proxy.headers import Headers
from proxy.stream import Stream


class Peer:
    """A source that nothing is asked of but to be there."""

    def __init__(self) -> None:
        self.abandoned = False

    def pause(self) -> None:
        """It may."""

    def resume(self) -> None:
        """It may."""

    def wanted(self) -> None:
        """It will come."""

    def abandon(self) -> None:
        self.abandoned = True


class Forever:
    """An iterable that never ends, and tells how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __aiter__(self) -> Forever:
        return self

    async def __anext__(self) -> bytes:
        self.asked += 1
        return b"x"


async def upper(parts: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    async for part in parts:
        yield part.upper()


def broken(parts: AsyncIterator[bytes]) -> NoReturn:
    raise ValueError("no filter at all")


class Unusable:
    """No iterable of bytes after all."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        raise ValueError("not today")


async def whole(body: Body) -> bytes:
    return b"".join([part async for part in body])


def fed(*parts: bytes, trailers: Headers | None = None) -> tuple[Stream, Peer]:
    peer = Peer()
    stream = Stream(peer, None)
    for part in parts:
        stream.feed(part)
    stream.finish(trailers)
    return stream, peer


async def test_a_stream_that_was_read_is_in_memory_and_can_be_taken_again() -> None:
    trailers = Headers([("Digest", "x")])
    body, _ = fed(b"abc", b"def", trailers=trailers)
    assert await body.read(6) == b"abcdef"
    assert (body.data, body.size, body.trailers) == (b"abcdef", 6, trailers)
    assert await body.read(6) == b"abcdef"
    assert await whole(body) == b"abcdef"
    assert await whole(body.through(upper)) == b"ABCDEF"


@pytest.mark.parametrize("made", ["generated", "filtered"])
async def test_a_made_body_that_was_read_is_in_memory_and_can_be_taken_again(made: str) -> None:
    source, _ = fed(b"abc")
    body = Body.of(source) if made == "generated" else source.through(upper)
    expected = b"abc" if made == "generated" else b"ABC"
    assert await body.read(3) == expected
    assert (body.data, body.size) == (expected, 3)
    assert await whole(body) == expected


async def test_a_body_over_the_limit_does_not_come_into_memory() -> None:
    body, _ = fed(b"abc", b"def")
    with pytest.raises(BodyTooLarge):
        await body.read(5)
    assert body.data is None


async def test_who_pulls_a_closed_body_comes_to_an_end() -> None:
    source = Forever()
    body = Body.of(source)
    pieces = aiter(body)
    assert await anext(pieces) == b"x"
    body.close()
    with pytest.raises(ClientLeft):
        await anext(pieces)
    assert source.asked == 2


async def test_who_pulls_a_closed_filtered_body_comes_to_an_end() -> None:
    source = Forever()
    body = Body.of(source).through(upper)
    pieces = aiter(body)
    assert await anext(pieces) == b"X"
    body.close()
    with pytest.raises(ClientLeft):
        await anext(pieces)
    assert source.asked == 2


async def test_a_filter_that_cannot_begin_ends_the_body_and_closes_what_it_rests_on() -> None:
    peer = Peer()
    stream = Stream(peer, None)
    body = stream.through(broken)
    ended: list[bool] = []
    body.on_end(lambda: ended.append(True))
    with pytest.raises(ValueError, match="no filter at all"):
        await whole(body)
    assert ended == [True]
    assert peer.abandoned


async def test_an_iterable_that_cannot_begin_ends_the_body() -> None:
    body = Body.of(Unusable())
    ended: list[bool] = []
    body.on_end(lambda: ended.append(True))
    with pytest.raises(ValueError, match="not today"):
        await whole(body)
    assert ended == [True]
