from __future__ import annotations

import contextlib
import gzip
import zlib
from collections.abc import Callable

import brotli
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.codings import Limits, Malformed, TooMuch, Undoing, can_decode, decode, installed
from proxy.codings.decoders import PIECE

TEXT = b'{"name": "passerelle", "kind": "footbridge"}\n' * 400

CODERS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "br": lambda data: bytes(brotli.compress(data, quality=2)),
    "zstd": zstandard.compress,
}
CODINGS = list(CODERS)


def piecewise(data: bytes, size: int, *codings: str) -> bytes:
    undoing = Undoing(codings, Limits())
    parts = [piece for at in range(0, len(data), size) for piece in undoing.decode(data[at : at + size])]
    undoing.end()
    return b"".join(parts)


def test_all_are_installed_here() -> None:
    assert installed() == ("gzip", "deflate", "br", "zstd")
    assert can_decode(CODINGS[:3])
    assert not can_decode(["gzip", "compress"])
    assert not can_decode(["gzip"] * 4)  # nobody needs that many


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("size", [1, 7, 100_000])
def test_what_was_coded_comes_out(coding: str, size: int) -> None:
    assert piecewise(CODERS[coding](TEXT), size, coding) == TEXT


@pytest.mark.parametrize("coding", CODINGS)
def test_nothing_stands_for_nothing(coding: str) -> None:
    assert decode(b"", [coding]) == b""
    assert decode(CODERS[coding](b""), [coding]) == b""


@pytest.mark.parametrize("coding", CODINGS)
def test_too_short_is_malformed(coding: str) -> None:
    for cut in (1, 9):
        with pytest.raises(Malformed, match="ends too early"):
            decode(CODERS[coding](TEXT)[:-cut], [coding])


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("data", [b"not coded at all, but text", b"\x1f\x8b\x08\x00nonsense-nonsense", b"\xff" * 64])
def test_what_is_of_another_coding_is_malformed(coding: str, data: bytes) -> None:
    with pytest.raises(Malformed):
        decode(data, [coding])


@pytest.mark.parametrize("coding", ["deflate", "br"])
def test_nothing_may_follow(coding: str) -> None:
    with pytest.raises(Malformed):
        decode(CODERS[coding](TEXT) + b"more", [coding])


@pytest.mark.parametrize("coding", ["gzip", "zstd"])
def test_members_and_frames_follow_each_other(coding: str) -> None:
    data = CODERS[coding](b"one, ") + CODERS[coding](b"") + CODERS[coding](b"two")
    for size in (1, 1000):
        assert piecewise(data, size, coding) == b"one, two"


def test_a_damaged_checksum_is_malformed() -> None:
    data = bytearray(gzip.compress(TEXT))
    data[-6] ^= 1
    with pytest.raises(Malformed):
        decode(bytes(data), ["gzip"])


@pytest.mark.parametrize("size", [1, 100_000])
def test_deflate_without_its_wrapping(size: int) -> None:
    maker = zlib.compressobj(6, zlib.DEFLATED, -15)
    assert piecewise(maker.compress(TEXT) + maker.flush(), size, "deflate") == TEXT


def test_codings_on_top_of_each_other() -> None:
    assert decode(gzip.compress(brotli.compress(TEXT)), ["br", "gzip"]) == TEXT
    assert decode(TEXT, []) == TEXT


@pytest.mark.parametrize("coding", CODINGS)
def test_a_bomb_is_not_made_whole(coding: str) -> None:
    bomb = CODERS[coding](bytes(50_000_000))
    undoing = Undoing([coding], Limits(size=2_000_000, ratio=10**6))
    made = 0
    with pytest.raises(TooMuch, match="2000000 bytes"):
        for piece in undoing.decode(bomb):
            made += len(piece)
    assert made <= 2_000_000


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br"])
def test_pieces_are_small(coding: str) -> None:
    undoing = Undoing([coding], Limits(ratio=10**6))
    assert max(map(len, undoing.decode(CODERS[coding](bytes(1_000_000))))) <= PIECE * 2


def test_pieces_of_zstd_are_bounded_by_what_is_given_at_a_time() -> None:
    frame = zstandard.ZstdCompressor(level=1).compress(bytes(60_000_000))
    pieces = [len(piece) for piece in Undoing(["zstd"], Limits(ratio=10**6)).decode(frame)]
    assert sum(pieces) == 60_000_000
    assert max(pieces) <= 128 * 1024 * 64


def test_windows_of_zstd_are_bounded() -> None:
    wide = zstandard.ZstdCompressionParameters.from_level(3, window_log=25)
    maker = zstandard.ZstdCompressor(compression_params=wide).compressobj()
    with pytest.raises(Malformed, match=r"(?i)memory|window"):
        decode(maker.compress(bytes(100_000)) + maker.flush(), ["zstd"])


def test_the_ratio_counts_only_where_much_came_out() -> None:
    regular = gzip.compress(bytes(900_000))
    assert len(decode(regular, ["gzip"], Limits(ratio=20))) == 900_000
    with pytest.raises(TooMuch, match="over 20 times"):
        decode(gzip.compress(bytes(1_100_000)), ["gzip"], Limits(ratio=20))


def test_much_half_way_is_too_much() -> None:
    many = gzip.compress(b"") * 200_000  # nothing in the end
    with pytest.raises(TooMuch):
        decode(gzip.compress(many), ["gzip", "gzip"], Limits(size=1_000_000))


@settings(max_examples=40)
@given(st.binary(max_size=3000), st.sampled_from(CODINGS), st.integers(1, 400))
def test_any_bytes_in_any_pieces(data: bytes, coding: str, size: int) -> None:
    assert piecewise(CODERS[coding](data), size, coding) == data


@settings(max_examples=60)
@given(st.binary(max_size=300), st.sampled_from(CODINGS))
def test_garbage_is_never_anything_but_malformed(data: bytes, coding: str) -> None:
    with contextlib.suppress(Malformed):
        decode(data, [coding])
