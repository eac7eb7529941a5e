"""Making gzip, deflate, br and zstd: at once for what is in memory, and piece by piece for what flows.

How many bytes may be coded on the event loop is a matter of coding and level: as many as take about a millisecond,
measured by `benchmarks/compression.py` and rounded down, since machines differ. More than that goes to a thread; all
these libraries let go of the interpreter's lock while they work.
"""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import Any, Protocol

RANGES: Mapping[str, tuple[int, int]] = {"zstd": (1, 19), "br": (0, 11), "gzip": (1, 9), "deflate": (1, 9)}
LEVELS: Mapping[str, int] = {"zstd": 3, "br": 4, "gzip": 5, "deflate": 5}

# Bytes that are coded on the loop, by the highest level for which they hold.
_INLINE: Mapping[str, tuple[tuple[int, int], ...]] = {
    "gzip": ((5, 65536), (6, 32768), (9, 16384)),
    "deflate": ((5, 65536), (6, 32768), (9, 16384)),
    "br": ((1, 65536), (4, 32768), (6, 16384), (8, 8192), (11, 0)),
    "zstd": ((4, 65536), (8, 32768), (12, 8192), (19, 0)),
}
# The highest level at which a piece of a stream costs what its bytes cost: br and zstd gather a block of up to 128 KiB
# before they work on it, and that work may come with any small piece.
_STEADY: Mapping[str, int] = {"gzip": 9, "deflate": 9, "br": 4, "zstd": 4}

_PIECE = 32768  # bytes; what comes in larger pieces comes fast, and a stream of it may be long

_ZLIB: Mapping[str, int] = {"gzip": 31, "deflate": 15}  # window bits as zlib has them, of the largest window
_AHEAD = 262  # bytes that zlib keeps of its window for what it has not looked at yet
_FULL = 16384 - _AHEAD  # bytes of the longest body that can do with a smaller one
_WINDOW = 18  # bits of the largest window of br and zstd
_STREAM = 16  # bits of that of bodies of unknown length, which may be many and go on for long: they hold it in memory
_SMALLEST_WINDOW = 10


class Encoder(Protocol):
    """One body being coded."""

    def encode(self, data: bytes) -> bytes:
        """What may be sent so far; often nothing."""
        ...

    def flush(self) -> bytes:
        """What has to be sent so that everything given until now can be decoded."""
        ...

    def finish(self) -> bytes:
        """The rest."""
        ...


class _Zlib:
    """gzip (RFC 1952) and deflate (RFC 1950)."""

    def __init__(self, level: int, bits: int, memory: int = 8) -> None:
        made = zlib.compressobj(level, zlib.DEFLATED, bits, memory)
        self.encode = made.compress
        self._made = made

    def flush(self) -> bytes:
        return self._made.flush(zlib.Z_SYNC_FLUSH)

    def finish(self) -> bytes:
        return self._made.flush()


class _Brotli:
    """br (RFC 7932)."""

    def __init__(self, level: int, window: int) -> None:
        made = _library("brotli").Compressor(quality=level, lgwin=window)
        self.encode = made.process
        self.flush = made.flush
        self.finish = made.finish


class _Zstd:
    """zstd (RFC 8878)."""

    def __init__(self, made: Any, block: int) -> None:
        self.encode = made.compress
        self._made = made
        self._block = block

    def flush(self) -> bytes:
        return bytes(self._made.flush(self._block))

    def finish(self) -> bytes:
        return bytes(self._made.flush())


class Coder:
    """One coding at one level.

    :ivar name: as it stands in Content-Encoding.
    :ivar inline: bytes of a whole body that it may code on the event loop.
    :ivar piece: the same of a stream, between two turns of others.
    """

    def __init__(self, name: str, level: int) -> None:
        self.name = name
        self.level = level
        self.inline = next(size for highest, size in _INLINE[name] if level <= highest)
        self._bits = _ZLIB.get(name, 0)
        self.piece = min(self.inline, _PIECE) if level <= _STEADY[name] else 0

    def whole(self, data: bytes) -> bytes:
        """A body coded at once, on the event loop."""
        if self.name == "zstd":
            return bytes(self._zstd(min(_window(len(data)), _WINDOW)).compress(data))
        return self.apart(data)

    def apart(self, data: bytes) -> bytes:
        """A body coded at once, in any thread."""
        if self._bits and len(data) > _FULL:
            return zlib.compress(data, self.level, self._bits)
        encoder = self.stream(len(data))
        return encoder.encode(data) + encoder.finish()

    def stream(self, size: int | None) -> Encoder:
        """An encoder for one body.

        :param size: its length in bytes if known: a short one needs less memory.
        """
        window = _STREAM if size is None else min(_window(size), _WINDOW)
        if self.name == "br":
            return _Brotli(self.level, max(window, 16))
        if self.name == "zstd":
            library = _library("zstandard")
            return _Zstd(self._context(window).compressobj(), library.COMPRESSOBJ_FLUSH_BLOCK)
        less = 0 if size is None else max(15 - _window(size + _AHEAD), 0)
        return _Zlib(self.level, self._bits - less, min(8, 9 - less))

    def _context(self, window: int) -> Any:
        library = _library("zstandard")
        parameters = library.ZstdCompressionParameters.from_level(
            self.level, window_log=window, source_size=1 << window
        )
        return library.ZstdCompressor(compression_params=parameters)

    @cached_property
    def _contexts(self) -> dict[int, Any]:
        return {}

    def _zstd(self, window: int) -> Any:
        """A context that is used again and again, since making one costs more than coding a small body.

        Only for what is coded at once on the loop: one context codes one body at a time.
        """
        made = self._contexts.get(window)
        if made is None:
            made = self._contexts[window] = self._context(window)
        return made

    def __repr__(self) -> str:
        return f"<Coder {self.name} {self.level}>"


def _window(size: int) -> int:
    """Bits of the smallest window that holds a whole body."""
    return max(_SMALLEST_WINDOW, (size - 1).bit_length())


@lru_cache
def _library(name: str) -> Any:
    return importlib.import_module(name)
