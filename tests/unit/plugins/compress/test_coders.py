from __future__ import annotations

import calendar
import gzip
import pydoc
import zlib
from collections.abc import Callable
from pathlib import Path

import brotli
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from plugins.compress.coders import LEVELS, RANGES, Coder

DECODE: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
    "br": brotli.decompress,
    "zstd": lambda data: zstandard.ZstdDecompressor(max_window_size=2**18).decompressobj().decompress(data),
}
TEXT = b'{"id": 17, "name": "a name", "tags": ["x", "y"]}\n' * 300


@pytest.mark.parametrize("name", DECODE)
@pytest.mark.parametrize("size", [1, 500, 1024, 1025, 4096, 65536, 300_000])
def test_bodies_of_every_size(name: str, size: int) -> None:
    data = (TEXT * 30)[:size]
    assert DECODE[name](Coder(name, LEVELS[name]).whole(data)) == data


@pytest.mark.parametrize("name", DECODE)
def test_streams_of_unknown_length_keep_to_a_small_window(name: str) -> None:
    encoder = Coder(name, LEVELS[name]).stream(None)
    data = TEXT * 60
    made = encoder.encode(data) + encoder.flush() + encoder.encode(data) + encoder.finish()
    assert DECODE[name](made) == data * 2


@pytest.mark.parametrize("name", DECODE)
def test_every_level_works_and_the_highest_is_not_for_the_loop(name: str) -> None:
    low, high = RANGES[name]
    for level in (low, high):
        assert DECODE[name](Coder(name, level).whole(TEXT)) == TEXT
    assert Coder(name, high).piece <= Coder(name, high).inline
    assert Coder(name, high).inline < Coder(name, LEVELS[name]).inline <= Coder(name, low).inline


def test_a_context_is_used_again() -> None:
    coder = Coder("zstd", 3)
    assert {coder.whole(TEXT) for _ in range(3)} == {coder.whole(TEXT)}
    assert len(coder._contexts) == 1


def json_of_a_schema() -> bytes:
    return (Path(__file__).parents[4] / "config" / "schema.json").read_bytes()


def html_of_a_module() -> bytes:
    return pydoc.HTMLDoc().docmodule(calendar).encode()


@pytest.mark.parametrize("body", [json_of_a_schema, html_of_a_module])
@pytest.mark.parametrize("name", ["gzip", "br", "zstd"])
def test_seven_bytes_in_ten_are_saved_at_the_usual_levels(body: Callable[[], bytes], name: str) -> None:
    data = body()[:65536]
    assert len(data) > 20_000
    assert len(Coder(name, LEVELS[name]).whole(data)) < len(data) * 0.3


@pytest.mark.parametrize("size", [1024, 4096, 16_384, 16_385, 65_536, 262_144])
def test_gzip_gets_no_longer_than_zlib_makes_it_with_all_its_memory(size: int) -> None:
    data = (json_of_a_schema() * 10)[:size]
    whole = zlib.compressobj(5, zlib.DEFLATED, 31, 8)
    assert len(Coder("gzip", 5).whole(data)) <= len(whole.compress(data) + whole.flush())


def test_what_gzip_makes_tells_no_time() -> None:
    assert Coder("gzip", 5).whole(TEXT)[4:8] == bytes(4)


@settings(max_examples=40)
@given(st.binary(max_size=5000), st.sampled_from(list(DECODE)))
def test_any_bytes(data: bytes, name: str) -> None:
    assert DECODE[name](Coder(name, RANGES[name][0]).whole(data)) == data
