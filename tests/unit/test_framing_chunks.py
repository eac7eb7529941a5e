"""Chunks by tables: every case whole, byte by byte and cut at random, always with the same outcome."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.fields import may_trail
from proxy.framing import ChunkedReader, FramingError, Incomplete, LengthReader, Limits, Reader


class Outcome(NamedTuple):
    """What became of the bytes: `error` stands alone, since what came before it depends on the cut."""

    content: bytes = b""
    done: bool = False
    rest: bytes = b""
    trailers: list[tuple[str, str]] | None = None
    error: str = ""


def outcome(reader: Reader, pieces: list[bytes]) -> Outcome:
    try:
        content = b"".join([reader.feed(piece) for piece in pieces])
    except FramingError as error:
        return Outcome(error=error.reason)
    trailers = None if reader.trailers is None else reader.trailers.items()
    return Outcome(content, reader.done, reader.rest, trailers)


def cut(data: bytes, points: list[int]) -> list[bytes]:
    bounds = [0, *sorted(points), len(data)]
    return [data[a:b] for a, b in pairwise(bounds)]


def singles(data: bytes) -> list[bytes]:
    return [data[i : i + 1] for i in range(len(data))]


# ---- chunks ----

END = b"0\r\n\r\n"
GOOD_CHUNKS = {
    "empty": (END, Outcome(b"", True)),
    "one": (b"5\r\nhello\r\n" + END, Outcome(b"hello", True)),
    "several": (b"5\r\nhello\r\n1\r\n!\r\n" + END, Outcome(b"hello!", True)),
    "hexadecimal, both cases": (
        b"a\r\n0123456789\r\nB\r\n0123456789X\r\n" + END,
        Outcome(b"0123456789" * 2 + b"X", True),
    ),
    "leading zeros": (b"0000000000000005\r\nhello\r\n" + END, Outcome(b"hello", True)),
    "a long zero": (b"0000000000000000\r\n\r\n", Outcome(b"", True)),
    "content that looks like framing": (b"7\r\n\r\n0\r\n\r\n\r\n" + END, Outcome(b"\r\n0\r\n\r\n", True)),
    "extension": (b"5;a\r\nhello\r\n" + END, Outcome(b"hello", True)),
    "extensions": (b"5;a=b;c=d;e\r\nhello\r\n0;last\r\n\r\n", Outcome(b"hello", True)),
    "bad whitespace that the grammar has": (b"5 \t; a\t= b ;c\r\nhello\r\n" + END, Outcome(b"hello", True)),
    "quoted value": (b'5;a="b;c=\\"d\\\\ \t\xff"\r\nhello\r\n' + END, Outcome(b"hello", True)),
    "empty quoted value": (b'5;a=""\r\nhello\r\n' + END, Outcome(b"hello", True)),
    "rest": (b"1\r\na\r\n" + END + b"\r\nGET / HTTP/1.1\r\n", Outcome(b"a", True, b"\r\nGET / HTTP/1.1\r\n")),
    "trailers": (
        b"1\r\na\r\n0\r\nDigest: x\r\ndigest:y \t\r\nX-E:\r\n\r\nGET",
        Outcome(b"a", True, b"GET", [("Digest", "x"), ("digest", "y"), ("X-E", "")]),
    ),
    "obs-text in trailers": (b"0\r\nA: \xe9 b\r\n\r\n", Outcome(b"", True, b"", [("A", "\xe9 b")])),
    "forbidden trailers are dropped": (
        b"0\r\nHost: evil\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\nX-Forwarded-For: 1\r\nA: b\r\n\r\n",
        Outcome(b"", True, b"", [("A", "b")]),
    ),
    "nothing but forbidden trailers": (b"0\r\nHost: evil\r\ncontent_length: 9\r\n\r\n", Outcome(b"", True)),
    "unfinished size": (b"5", Outcome()),
    "unfinished line end": (b"5\r", Outcome()),
    "unfinished data": (b"5\r\nhel", Outcome(b"hel")),
    "unfinished data end": (b"5\r\nhello\r", Outcome(b"hello")),
    "unfinished trailers": (b"5\r\nhello\r\n0\r\nA: b\r\n", Outcome(b"hello", False, b"", [("A", "b")])),
    "unfinished end": (b"0\r\n\r", Outcome()),
}

SIZE = "bad chunk size"
PAST = "past its size"
FIELD = "bad trailer field"
BAD_CHUNKS = {
    "no size": (b"\r\nhello\r\n", SIZE),
    "extension alone": (b";a\r\nhello\r\n", SIZE),
    "not hexadecimal": (b"g\r\n", SIZE),
    "prefix": (b"0x5\r\nhello\r\n", SIZE),
    "plus": (b"+5\r\nhello\r\n", SIZE),
    "minus": (b"-5\r\nhello\r\n", SIZE),
    "underscore": (b"1_0\r\n", SIZE),
    "leading space": (b" 5\r\nhello\r\n", SIZE),
    "leading tab": (b"\t5\r\nhello\r\n", SIZE),
    "trailing space": (b"5 \r\nhello\r\n", SIZE),
    "trailing tab": (b"5\t\r\nhello\r\n", SIZE),
    "inner space": (b"5 5\r\nhello\r\n", SIZE),
    "seventeen digits": (b"0" * 17 + b"\r\n\r\n", SIZE),
    "bare LF after size": (b"5\nhello\r\n", SIZE),
    "bare CR after size": (b"5\rhello\r\n", SIZE),
    "CR CR LF after size": (b"5\r\r\nhello\r\n", SIZE),
    "bare LF in extension": (b"5;a\nhello\r\n", SIZE),
    "bare CR in extension": (b"5;a\rb\r\nhello\r\n", SIZE),
    "NUL in extension": (b"5;a\x00\r\nhello\r\n", SIZE),
    "control byte in quoted value": (b'5;a="\x01"\r\nhello\r\n', SIZE),
    "CRLF in quoted value": (b'5;a="\r\n"\r\nhello\r\n', SIZE),
    "open quote": (b'5;a="b\r\nhello\r\n', SIZE),
    "escaped closing quote": (b'5;a="b\\"\r\nhello\r\n', SIZE),
    "text after quote": (b'5;a="b"c\r\nhello\r\n', SIZE),
    "extension without a name": (b"5;\r\nhello\r\n", SIZE),
    "empty extension between": (b"5;;a\r\nhello\r\n", SIZE),
    "extension without a value": (b"5;a=\r\nhello\r\n", SIZE),
    "extension name that is no token": (b"5;a(b\r\nhello\r\n", SIZE),
    "extension after comma": (b"5,a\r\nhello\r\n", SIZE),
    "trailing space after extension": (b"5;a \r\nhello\r\n", SIZE),
    "obs-text in extension name": (b"5;\xe9\r\nhello\r\n", SIZE),
    "too much data": (b"5\r\nhello!\r\n", PAST),
    "data end is LF": (b"5\r\nhello\n0\r\n\r\n", PAST),
    "data end is CR": (b"5\r\nhello\r0\r\n\r\n", PAST),
    "data end is CR CR LF": (b"5\r\nhello\r\r\n0\r\n\r\n", PAST),
    "data end is LF CR": (b"5\r\nhello\n\r0\r\n\r\n", PAST),
    "no data end": (b"5\r\nhello0\r\n\r\n", PAST),
    "end by LF": (b"0\r\n\n", FIELD),
    "end by CR CR LF": (b"0\r\n\r\r\n", FIELD),
    "request instead of the end": (b"0\r\nGET / HTTP/1.1\r\n\r\n", FIELD),
    "trailer by LF": (b"0\r\nA: b\n\r\n", FIELD),
    "obs-fold in trailer": (b"0\r\nA: b\r\n c\r\n\r\n", FIELD),
    "first trailer folded": (b"0\r\n A: b\r\n\r\n", FIELD),
    "space before colon in trailer": (b"0\r\nA : b\r\n\r\n", FIELD),
    "no name in trailer": (b"0\r\n: b\r\n\r\n", FIELD),
    "name that is no token in trailer": (b"0\r\nA(b): c\r\n\r\n", FIELD),
    "NUL in trailer": (b"0\r\nA: b\x00\r\n\r\n", FIELD),
    "DEL in trailer": (b"0\r\nA: b\x7f\r\n\r\n", FIELD),
    "bare CR in trailer": (b"0\r\nA: b\rC: d\r\n\r\n", FIELD),
    "size line over the limit": (b"5;" + b"a" * 4096 + b"\r\n", "size line is too long"),
    "endless size line": (b"5;" + b"a" * 4096, "size line is too long"),
    "extensions over the limit": (b"".join([b"1;" + b"a" * 4000 + b"\r\nx\r\n"] * 5), "bytes of chunk extensions"),
    "trailers over the limit": (
        b"0\r\n" + b"A: bcdefgh\r\n" * 60 + b"B: " + b"c" * 8000 + b"\r\n\r\n",
        "section is too long",
    ),
    "endless trailer": (b"0\r\nB: " + b"c" * 8192, "section is too long"),
    "trailer fields over the limit": (b"0\r\n" + b"A: b\r\n" * 65 + b"\r\n", "too many trailer fields"),
    "dropped trailers count": (b"0\r\n" + b"Host: b\r\n" * 65 + b"\r\n", "too many trailer fields"),
}


@pytest.mark.parametrize(("data", "expected"), GOOD_CHUNKS.values(), ids=GOOD_CHUNKS)
def test_chunks(data: bytes, expected: Outcome) -> None:
    assert outcome(ChunkedReader(), [data]) == expected
    assert outcome(ChunkedReader(), singles(data)) == expected


@pytest.mark.parametrize(("data", "reason"), BAD_CHUNKS.values(), ids=BAD_CHUNKS)
def test_bad_chunks(data: bytes, reason: str) -> None:
    whole = outcome(ChunkedReader(), [data])
    assert reason in whole.error
    assert "RFC 9112" in whole.error
    assert outcome(ChunkedReader(), singles(data)) == whole


TABLE = [data for data, _ in (*GOOD_CHUNKS.values(), *BAD_CHUNKS.values())]


@settings(deadline=None)
@given(st.sampled_from(TABLE), st.data())
def test_chunks_cut_anywhere(data: bytes, draw: st.DataObject) -> None:
    points = draw.draw(st.lists(st.integers(0, len(data)), max_size=8))
    assert outcome(ChunkedReader(), cut(data, points)) == outcome(ChunkedReader(), [data])


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from([b"5", b"0", b"\r\n", b"\r", b"\n", b";a", b"=", b'"', b" ", b"hello", b"A: b", b"g"]),
        max_size=24,
    )
)
def test_no_two_cuts_of_any_bytes_disagree(tokens: list[bytes]) -> None:
    data = b"".join(tokens)
    whole = outcome(ChunkedReader(), [data])
    assert outcome(ChunkedReader(), singles(data)) == whole
    assert outcome(ChunkedReader(), tokens) == whole


@pytest.mark.parametrize(
    "data", [b"", b"5", b"5\r\nhel", b"5\r\nhello", b"5\r\nhello\r\n", b"0\r\n", b"0\r\nA: b\r\n", b"0\r\n\r"]
)
def test_chunks_cut_short(data: bytes) -> None:
    reader = ChunkedReader()
    reader.feed(data)
    with pytest.raises(Incomplete):
        reader.eof()


def test_eof_after_the_end_is_fine() -> None:
    reader = ChunkedReader()
    reader.feed(END)
    reader.eof()
    assert reader.done


def test_what_comes_after_the_end_is_kept_in_order() -> None:
    readers: list[Reader] = [ChunkedReader(), LengthReader(1)]
    for reader, last in zip(readers, (END, b"a"), strict=True):
        reader.feed(last + b"one")
        assert reader.feed(b" two") == b""
        assert reader.rest == b"one two"


def test_chunk_data_is_not_held_back() -> None:
    reader = ChunkedReader()
    assert reader.feed(b"100\r\nab") == b"ab"
    piece = b"cd"
    assert reader.feed(piece) is piece


def test_limits_are_exact() -> None:
    limits = Limits(size_line=8, extensions=6, trailers=10, trailer_fields=2)
    assert outcome(ChunkedReader(limits), [b"1;abcd\r\nx\r\n0\r\nA:\r\nB:\r\n\r\n"]).done
    for over in (b"1;abcde\r\n", b"1;abc\r\nx\r\n1;ab\r\n", b"0\r\nA:\r\nB: \r\n\r\n", b"0\r\n" + b"A:\r\n" * 3):
        assert outcome(ChunkedReader(limits), [over]).error


def test_tiny_chunks_in_tiny_pieces_cost_linear_work() -> None:
    """Counted, not timed: what is held never exceeds one line."""
    reader = ChunkedReader()
    longest = 0
    for piece in singles(b"1\r\nx\r\n" * 2000 + END):
        reader.feed(piece)
        longest = max(longest, len(reader._held))
    assert reader.done
    assert longest <= 2


@pytest.mark.parametrize(
    "name",
    ["host", "if-match", "x-forwarded-for", "x_forwarded_for", "proxy.authorization", "content-type", "set-cookie"],
)
def test_fields_that_may_not_trail(name: str) -> None:
    assert not may_trail(name)


@pytest.mark.parametrize(
    "name", ["digest", "content-digest", "etag", "server-timing", "grpc-status", "authentication-info"]
)
def test_fields_that_may_trail(name: str) -> None:
    assert may_trail(name)
