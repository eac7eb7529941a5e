"""How a case of the corpus is bent: what fuzzers of HTTP parsers do, and what smuggling write-ups list.

Every choice is drawn from one `random.Random`, so that a seed tells the whole case; hypothesis hands in one of its own
and can shrink what it drew.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from random import Random

CRLF = b"\r\n"
SPECIAL = [
    b"\r",
    b"\n",
    b"\r\n",
    b"\r\n\r\n",
    b"\0",
    b" ",
    b"\t",
    b"\x0b",
    b"\x0c",
    b"\x7f",
    b"\x80",
    b"\x85",
    b"\xa0",
    b"\xff",
]
SPECIAL += [
    b":",
    b",",
    b";",
    b'"',
    b"\\",
    b"#",
    b"?",
    b"%",
    b"%00",
    b"%2e%2e",
    b"/../",
    b"@",
    b"_",
    b"0",
    b"1",
    b"HTTP/1.0",
    b"HTTP/1.1",
]
FIELDS = [
    b"Content-Length: 5",
    b"Content-Length: 0",
    b"content-length: 44",
    b"Content-Length: +5",
    b"Content-Length: 5, 5",
    b"Transfer-Encoding: chunked",
    b"transfer-encoding: identity",
    b"Transfer-Encoding: gzip, chunked",
    b"Transfer_Encoding: chunked",
    b"Connection: close",
    b"Connection: keep-alive",
    b"Connection: close, keep-alive",
    b"Connection: Content-Length, Transfer-Encoding, Host",
    b"Connection: Upgrade",
    b"Upgrade: h2c",
    b"Expect: 100-continue",
    b"Expect: y 100-continue",
    b"Host: other.test",
    b"Host: example.test:99999",
    b"TE: trailers",
    b"Trailer: Host",
    b"X-A:",
    b" folded: x",
    b"X-Forwarded-For: 6.6.6.6",
    b"Keep-Alive: timeout=5",
    b"Via: 1.1 other",
]
SIZES = [
    b"0",
    b"00",
    b"5",
    b"-1",
    b"+5",
    b"0x5",
    b"5 ",
    b" 5",
    b"5;a",
    b'5;a="b"',
    b"5;",
    b"5;\n",
    b"ffffffffffffffff",
    b"10000000000000005",
]
SIZES += [b"1_0", b"5\r", b"5,", b"00000000000000005"]
TAILS = [
    b"GET /behind HTTP/1.1\r\nHost: example.test\r\n\r\n",
    b"POST /behind HTTP/1.1\r\nHost: example.test\r\nContent-Length: 3\r\n\r\nabc",
    b"GET /smuggled HTTP/1.1\r\nX: y",
    b"0\r\n\r\n",
    b"\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil",
]
TARGETS = [
    b"/a/../b",
    b"/..",
    b"/%2e%2e/a",
    b"/a%2f..%2f..",
    b"/a\\..\\..\\b",
    b"/%00",
    b"/%01",
    b"//a",
    b"///",
    b"/a;x/..;y/..;z",
    b"*",
    b"a",
]
TARGETS += [
    b"http://example.test",
    b"http://example.test/a",
    b"HTTP://EXAMPLE.TEST?a",
    b"https://example.test/",
    b"http://other.test/",
]
TARGETS += [
    b"http://a@example.test/",
    b"http:/a",
    b"http:a",
    b"//example.test/a",
    b"/?a=../..",
    b"/%",
    b"/%zz",
    b"/a%25%30%30",
    b"/\xc3\xa9",
    b"/#a",
]
_SIZE_LINE = re.compile(rb"(?<=\r\n)[0-9A-Fa-f]{1,4}(?=[;\r])")

Mutation = Callable[[Random, bytes, Sequence[bytes]], bytes]


def mutated(rng: Random, data: bytes, corpus: Sequence[bytes]) -> bytes:
    """`data` after one to four mutations; `corpus` is what it may be spliced with."""
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 4))):
        data = rng.choice(MUTATIONS)(rng, data, corpus)
    return data[:20000]


def split(rng: Random, data: bytes) -> list[bytes]:
    """`data` in segments: one, a few, or each byte its own."""
    way = rng.randrange(8)
    if way < 3 or len(data) < 2:
        return [data]
    if way == 3 and len(data) < 400:
        return [data[i : i + 1] for i in range(len(data))]
    cuts = sorted({rng.randrange(1, len(data)) for _ in range(rng.randrange(1, 6))})
    return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def _place(rng: Random, data: bytes) -> int:
    """Anywhere, but more often near the end of a line, where parsers differ."""
    ends = [match.start() for match in re.finditer(rb"[\r\n:]", data)]
    if ends and rng.randrange(2):
        return min(max(rng.choice(ends) + rng.randrange(-1, 3), 0), len(data))
    return rng.randrange(len(data) + 1)


def _flip(rng: Random, data: bytes, corpus: Sequence[bytes]) -> bytes:
    at = min(_place(rng, data), max(len(data) - 1, 0))
    return data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :]


def _bit(rng: Random, data: bytes, corpus: Sequence[bytes]) -> bytes:
    if not data:
        return data
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :]


def _insert(rng: Random, data: bytes, corpus: Sequence[bytes]) -> bytes:
    at = _place(rng, data)
    return data[:at] + rng.choice(SPECIAL) + data[at:]


def _delete(rng: Random, data: bytes, corpus: Sequence[bytes]) -> bytes:
    at = _place(rng, data)
    return data[:at] + data[at + rng.choice((1, 1, 2, 5)) :]


def _double(rng: Random, data: bytes, corpus: Sequence[bytes]) -> bytes:
    at = _place(rng, data)
    piece = data[at : at + rng.choice((1, 2, 8))]
    return data[:at] + piece * 2 + data[at + len(piece) :]


def _cut(rng: Random, data: bytes, corpus: Sequence[bytes]) -> bytes:
    return data[: _place(rng, data)]


def _lines(change: Callable[[Random, list[bytes]], None]) -> Mutation:
    def mutation(rng: Random, data: bytes, corpus: Sequence[bytes]) -> bytes:
        lines = data.split(CRLF)
        change(rng, lines)
        return CRLF.join(lines)

    return mutation


def _repeat_line(rng: Random, lines: list[bytes]) -> None:
    lines.insert(rng.randrange(len(lines) + 1), rng.choice(lines))


def _swap_lines(rng: Random, lines: list[bytes]) -> None:
    a, b = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[a], lines[b] = lines[b], lines[a]


def _drop_line(rng: Random, lines: list[bytes]) -> None:
    if len(lines) > 1:
        del lines[rng.randrange(len(lines))]


def _add_field(rng: Random, lines: list[bytes]) -> None:
    lines.insert(min(rng.randrange(1, 4), len(lines)), rng.choice(FIELDS))


def _join_lines(rng: Random, lines: list[bytes]) -> None:
    at = rng.randrange(len(lines))
    lines[at : at + 2] = [rng.choice((b"\n", b"\r", b"\r\n ", b", ", b"")).join(lines[at : at + 2])]


def _change_case(rng: Random, lines: list[bytes]) -> None:
    at = rng.randrange(len(lines))
    lines[at] = rng.choice((bytes.upper, bytes.lower, bytes.swapcase, bytes.title))(lines[at])


def _resize(rng: Random, data: bytes, corpus: Sequence[bytes]) -> bytes:
    places = list(_SIZE_LINE.finditer(data))
    if not places:
        return _insert(rng, data, corpus)
    place = rng.choice(places)
    return data[: place.start()] + rng.choice(SIZES) + data[place.end() :]


def _retarget(rng: Random, data: bytes, corpus: Sequence[bytes]) -> bytes:
    return re.sub(rb" [^ ]* ", lambda _: b" " + rng.choice(TARGETS) + b" ", data, count=1)


def _renumber(rng: Random, data: bytes, corpus: Sequence[bytes]) -> bytes:
    places = list(re.finditer(rb"[0-9]+", data))
    if not places:
        return data
    place = rng.choice(places)
    number = max(int(place[0][:15]) + rng.choice((-1, 1, 10, -5)), 0)
    return data[: place.start()] + str(number).encode() + data[place.end() :]


def _splice(rng: Random, data: bytes, corpus: Sequence[bytes]) -> bytes:
    other = rng.choice(corpus)
    return data[: _place(rng, data)] + other[_place(rng, other) :]


def _follow(rng: Random, data: bytes, corpus: Sequence[bytes]) -> bytes:
    return data + (rng.choice(TAILS) if rng.randrange(2) else rng.choice(corpus))


def _precede(rng: Random, data: bytes, corpus: Sequence[bytes]) -> bytes:
    return rng.choice(TAILS[:2]) + data


MUTATIONS: list[Mutation] = [
    _flip,
    _bit,
    _insert,
    _insert,
    _delete,
    _double,
    _cut,
    _lines(_repeat_line),
    _lines(_swap_lines),
    _lines(_drop_line),
    _lines(_add_field),
    _lines(_add_field),
    _lines(_join_lines),
    _lines(_change_case),
    _resize,
    _retarget,
    _renumber,
    _splice,
    _follow,
    _precede,
]
