"""Framing by tables: every case whole, byte by byte and cut at random, always with the same outcome."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.framing import (
    ChunkedReader,
    ChunkedWriter,
    CloseReader,
    CloseWriter,
    FramingError,
    Incomplete,
    LengthReader,
    LengthWriter,
    Limits,
    Reader,
    may_trail,
    request_reader,
    response_reader,
    writer,
)
from proxy.headers import Headers


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


# ---- the head ----

CHUNKED = ("Transfer-Encoding", "chunked")
SIX = ("Content-Length", "6")

BAD_HEADS = {
    "both": [CHUNKED, SIX],
    "both, other order": [SIX, CHUNKED],
    "both, empty length": [CHUNKED, ("content-length", "")],
    "two codings in two fields": [CHUNKED, CHUNKED],
    "identity then chunked": [("Transfer-Encoding", "identity"), CHUNKED],
    "list of two": [("Transfer-Encoding", "gzip, chunked")],
    "chunked twice": [("Transfer-Encoding", "chunked, chunked")],
    "chunked not last": [("Transfer-Encoding", "chunked, identity")],
    "empty element": [("Transfer-Encoding", ", chunked")],
    "trailing comma": [("Transfer-Encoding", "chunked,")],
    "unknown coding": [("Transfer-Encoding", "xchunked")],
    "identity": [("Transfer-Encoding", "identity")],
    "empty coding": [("Transfer-Encoding", "")],
    "quoted": [("Transfer-Encoding", '"chunked"')],
    "parameter": [("Transfer-Encoding", "chunked;q=1")],
    "inner space": [("Transfer-Encoding", "chu nked")],
    "no-break space": [("Transfer-Encoding", "chunked\xa0")],
    "next line": [("Transfer-Encoding", "\x85chunked")],
    "two lengths": [SIX, ("Content-Length", "7")],
    "two equal lengths": [SIX, SIX],
    "comma list": [("Content-Length", "6, 7")],
    "equal comma list": [("Content-Length", "6,6")],
    "empty length": [("Content-Length", "")],
    "blank length": [("Content-Length", " ")],
    "plus": [("Content-Length", "+6")],
    "minus": [("Content-Length", "-6")],
    "hexadecimal": [("Content-Length", "0x6")],
    "underscore": [("Content-Length", "1_0")],
    "fraction": [("Content-Length", "6.0")],
    "exponent": [("Content-Length", "6e0")],
    "inner space in length": [("Content-Length", "6 6")],
    "superscript digit": [("Content-Length", "\xb2")],
    "no-break space before length": [("Content-Length", "\xa06")],
    "letters": [("Content-Length", "six")],
    "nineteen digits": [("Content-Length", "1" * 19)],
    "nineteen digits with zeros": [("Content-Length", "0" * 18 + "6")],
}


@pytest.mark.parametrize("fields", BAD_HEADS.values(), ids=BAD_HEADS)
def test_a_doubtful_head_is_refused_on_both_sides(fields: list[tuple[str, str]]) -> None:
    with pytest.raises(FramingError, match="RFC 9112"):
        request_reader("1.1", Headers(fields))
    with pytest.raises(FramingError, match="RFC 9112"):
        response_reader("GET", 200, "1.1", Headers(fields))


@pytest.mark.parametrize("value", ["chunked", "Chunked", "CHUNKED", " chunked", "chunked \t", "\tchunked"])
def test_one_final_chunked_is_taken_in_any_case(value: str) -> None:
    headers = Headers([("TRANSFER-encoding", value)])
    assert isinstance(request_reader("1.1", headers), ChunkedReader)
    assert isinstance(response_reader("GET", 200, "1.1", headers), ChunkedReader)


@pytest.mark.parametrize(("value", "size"), [("1", 1), (" 6 ", 6), ("\t6", 6), ("007", 7), ("9" * 18, 10**18 - 1)])
def test_a_length_is_digits(value: str, size: int) -> None:
    for reader in (
        request_reader("1.0", Headers([("Content-Length", value)])),
        response_reader("GET", 200, "1.0", Headers([("Content-Length", value)])),
    ):
        assert isinstance(reader, LengthReader)
        assert reader.size == size


def test_no_body() -> None:
    assert request_reader("1.1", Headers()) is None
    for value in ("0", "000"):
        assert request_reader("1.1", Headers([("Content-Length", value)])) is None
        assert response_reader("GET", 200, "1.1", Headers([("Content-Length", value)])) is None


def test_chunked_is_refused_on_1_0() -> None:
    with pytest.raises(FramingError, match=r"HTTP/1\.0"):
        request_reader("1.0", Headers([CHUNKED]))
    with pytest.raises(FramingError, match=r"HTTP/1\.0"):
        response_reader("GET", 200, "1.0", Headers([CHUNKED]))


@pytest.mark.parametrize(
    ("method", "status"), [("HEAD", 200), ("GET", 100), ("GET", 101), ("GET", 103), ("GET", 204), ("GET", 304)]
)
def test_answers_without_a_body_still_need_a_sound_head(method: str, status: int) -> None:
    for fields in ([], [SIX], [CHUNKED]):
        assert response_reader(method, status, "1.1", Headers(fields)) is None
    with pytest.raises(FramingError):
        response_reader(method, status, "1.1", Headers([CHUNKED, SIX]))


@pytest.mark.parametrize("status", [200, 205, 206, 404, 500])
def test_an_answer_without_framing_ends_with_its_connection(status: int) -> None:
    assert isinstance(response_reader("GET", status, "1.1", Headers()), CloseReader)


def test_limits_reach_the_reader() -> None:
    tight = Limits(size_line=3)
    for reader in (
        request_reader("1.1", Headers([CHUNKED]), tight),
        response_reader("GET", 200, "1.1", Headers([CHUNKED]), tight),
    ):
        assert reader is not None
        with pytest.raises(FramingError, match="too long"):
            reader.feed(b"10\r\n")


# ---- length and until close ----

LENGTHS = {
    "exact": (b"hello!", Outcome(b"hello!", True)),
    "short": (b"hel", Outcome(b"hel")),
    "nothing yet": (b"", Outcome()),
    "with the next message": (b"hello!GET /", Outcome(b"hello!", True, b"GET /")),
    "one byte over": (b"hello!\n", Outcome(b"hello!", True, b"\n")),
}


@pytest.mark.parametrize(("data", "expected"), LENGTHS.values(), ids=LENGTHS)
def test_length(data: bytes, expected: Outcome) -> None:
    assert outcome(LengthReader(6), [data]) == expected
    assert outcome(LengthReader(6), singles(data)) == expected


def test_length_passes_the_very_object_on() -> None:
    piece = bytes(1000)
    assert LengthReader(1001).feed(piece) is piece


def test_length_cut_short() -> None:
    reader = LengthReader(2)
    reader.feed(b"a")
    with pytest.raises(Incomplete, match="RFC 9112"):
        reader.eof()
    reader.feed(b"b")
    reader.eof()
    assert reader.done


def test_until_close() -> None:
    reader = CloseReader(None)
    assert outcome(reader, [b"0\r\n", b"\r\n"]) == Outcome(b"0\r\n\r\n")
    reader.eof()
    assert reader.done
    assert reader.size is None


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


# ---- writers ----


def send(size: int | None, version: str, parts: list[bytes], trailers: Headers | None = None) -> bytes:
    out = writer(size, version)
    return b"".join([piece for part in parts for piece in out.frame(part)]) + out.end(trailers)


def test_the_writer_is_chosen_by_what_is_known() -> None:
    assert isinstance(writer(5, "1.0"), LengthWriter)
    assert isinstance(writer(0, "1.1"), LengthWriter)
    assert isinstance(writer(None, "1.1"), ChunkedWriter)
    assert isinstance(writer(None, "1.0"), CloseWriter)


def test_fields() -> None:
    assert writer(5, "1.1").fields == ("Content-Length", "5")
    assert writer(0, "1.1").fields == ("Content-Length", "0")
    assert writer(None, "1.1").fields == ("Transfer-Encoding", "chunked")
    assert writer(None, "1.0").fields is None


def test_what_is_written() -> None:
    digest = Headers([("Digest", "x"), ("Host", "dropped"), ("digest", "\xe9")])
    assert send(5, "1.1", [b"hel", b"lo"], digest) == b"hello"
    assert send(None, "1.0", [b"hel", b"lo"], digest) == b"hello"
    assert send(None, "1.1", [b"hel", b"", b"0123456789abcdef"]) == b"3\r\nhel\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n"
    assert send(None, "1.1", [], digest) == b"0\r\nDigest: x\r\ndigest: \xe9\r\n\r\n"


def test_the_content_is_not_copied() -> None:
    data = b"hello"
    assert any(piece is data for piece in writer(5, "1.1").frame(data))
    assert any(piece is data for piece in writer(None, "1.1").frame(data))
    assert any(piece is data for piece in writer(None, "1.0").frame(data))


def test_a_length_once_told_binds() -> None:
    out = writer(3, "1.1")
    out.frame(b"ab")
    with pytest.raises(Incomplete, match="1 bytes short"):
        out.end(None)
    with pytest.raises(FramingError, match="longer"):
        out.frame(b"cd")
    assert out.frame(b"c") == (b"c",)
    assert out.end(None) == b""


@pytest.mark.parametrize(
    "name",
    ["host", "if-match", "x-forwarded-for", "x_forwarded_for", "proxy-authorization", "content-type", "set-cookie"],
)
def test_fields_that_may_not_trail(name: str) -> None:
    assert not may_trail(name)


@pytest.mark.parametrize(
    "name", ["digest", "content-digest", "etag", "server-timing", "grpc-status", "authentication-info"]
)
def test_fields_that_may_trail(name: str) -> None:
    assert may_trail(name)


@settings(deadline=None)
@given(st.lists(st.binary(max_size=40), max_size=8), st.booleans(), st.data())
def test_what_a_writer_makes_a_reader_understands(parts: list[bytes], known: bool, draw: st.DataObject) -> None:
    content = b"".join(parts)
    size = len(content) if known else None
    out = writer(size, "1.1")
    wire = send(size, "1.1", parts, Headers([("Digest", "x")])) + b"NEXT"
    assert out.fields is not None
    reader = request_reader("1.1", Headers([out.fields]))
    if reader is None:
        assert wire == b"NEXT"
        return
    points = draw.draw(st.lists(st.integers(0, len(wire)), max_size=6))
    trailers = None if known else [("Digest", "x")]
    assert outcome(reader, cut(wire, points)) == Outcome(content, True, b"NEXT", trailers)
