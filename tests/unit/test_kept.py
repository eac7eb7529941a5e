"""Uploads that can be sent again: what is kept, what is not, and that the account is right."""

from __future__ import annotations

import pytest

from proxy.errors import ClientLeft, GatewayError
from proxy.headers import Headers
from proxy.kept import Allowance, Kept
from proxy.stream import HIGH_WATER, Stream


class Source:
    """A client's connection."""

    def __init__(self) -> None:
        self.paused = False
        self.abandoned = False

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    def wanted(self) -> None:
        """Nobody pulls here."""

    def abandon(self) -> None:
        self.abandoned = True


class Sink:
    """An upstream's connection."""

    def __init__(self) -> None:
        self.data = b""
        self.ended = False
        self.error: GatewayError | None = None

    def body_data(self, data: bytes) -> None:
        self.data += data

    def body_end(self, trailers: Headers | None) -> None:
        self.ended = True

    def body_failed(self, error: GatewayError) -> None:
        self.error = error


def upload(limit: int = 100, most: int = 1000) -> tuple[Source, Stream, Kept, Allowance]:
    source, room = Source(), Allowance(most)
    inner = Stream(source, None)
    return source, inner, Kept(inner, limit, room), room


def test_what_was_passed_on_is_passed_on_again_and_the_rest_after_it() -> None:
    _, inner, kept, room = upload()
    first, second = Sink(), Sink()
    kept.attach(first)
    inner.feed(b"abc")
    assert (first.data, room.used, kept.whole) == (b"abc", 3, True)
    assert kept.rewind()
    inner.feed(b"def")  # between two tries
    kept.attach(second)
    inner.feed(b"ghi")
    inner.finish()
    assert (first.data, second.data, second.ended, first.ended) == (b"abc", b"abcdefghi", True, False)


def test_a_whole_upload_is_passed_on_again() -> None:
    _, inner, kept, _ = upload()
    kept.attach(Sink())
    inner.feed(b"abc")
    inner.finish()
    assert kept.rewind()
    kept.attach(second := Sink())
    assert (second.data, second.ended) == (b"abc", True)


@pytest.mark.parametrize(("limit", "most"), [(5, 1000), (1000, 5)])
def test_beyond_the_limit_it_flows_on_and_is_not_kept(limit: int, most: int) -> None:
    _, inner, kept, room = upload(limit, most)
    kept.attach(sink := Sink())
    inner.feed(b"abc")
    inner.feed(b"def")
    assert (sink.data, room.used, kept.whole, kept.rewind()) == (b"abcdef", 0, False, False)


def test_the_source_waits_for_the_next_sink() -> None:
    source, inner, kept, _ = upload(2 * HIGH_WATER, 2 * HIGH_WATER)
    kept.attach(Sink())
    kept.pause()  # the sink is full, and then gone
    states = [source.paused]
    assert kept.rewind()
    states.append(source.paused)
    kept.attach(Sink())
    states.append(source.paused)
    kept.rewind()
    inner.feed(b"x" * HIGH_WATER)
    assert [*states, source.paused] == [True, True, False, True]
    kept.attach(sink := Sink())
    assert (len(sink.data), source.paused) == (HIGH_WATER, False)


def test_settling_lets_what_flows_flow_and_ends_what_nobody_takes() -> None:
    source, inner, kept, room = upload()
    kept.attach(sink := Sink())
    inner.feed(b"abc")
    kept.settle()
    inner.feed(b"def")
    assert (sink.data, room.used, source.abandoned) == (b"abcdef", 0, False)
    source, inner, kept, room = upload()
    kept.attach(Sink())
    inner.feed(b"abc")
    kept.rewind()
    kept.settle()
    assert (room.used, source.abandoned) == (0, True)


def test_a_client_that_leaves_cannot_be_repeated() -> None:
    _, inner, kept, room = upload()
    kept.attach(sink := Sink())
    inner.feed(b"abc")
    inner.fail(ClientLeft())
    assert (room.used, kept.whole, type(sink.error)) == (0, False, ClientLeft)


async def test_it_can_be_read() -> None:
    _, inner, kept, _ = upload()
    inner.feed(b"abc")
    inner.finish()
    assert await kept.read(10) == b"abc"
