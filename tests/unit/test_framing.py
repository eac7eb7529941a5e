"""Framing by tables: what a head says of its body, bodies by length and until close, and what is written."""

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
    bodiless,
    plain_length,
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


@pytest.mark.parametrize(
    ("value", "length"),
    [
        (b"0", 0),
        (b"12", 12),
        (b"9" * 18, int("9" * 18)),
        (b"9" * 19, -1),
        (b"", -1),
        (b" 1", -1),
        (b"+1", -1),
        (b"1_0", -1),
        ("\u0661".encode(), -1),
        (b"1, 1", -1),
    ],
)
def test_a_length_beyond_doubt(value: bytes, length: int) -> None:
    assert plain_length(value) == length


@pytest.mark.parametrize(
    ("method", "status", "without"),
    [("GET", 200, False), ("HEAD", 200, True), ("GET", 204, True), ("GET", 304, True), ("POST", 199, True)],
)
def test_answers_without_content(method: str, status: int, without: bool) -> None:
    assert bodiless(method, status) == without
