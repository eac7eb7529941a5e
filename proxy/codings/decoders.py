"""Undo content codings piece by piece, and never give out more than was allowed.

A coded body of some kilobytes can stand for gigabytes. So what comes out is counted while it comes out: it is made in
pieces of at most 64 KiB, and neither its size nor its proportion to what came in may pass a limit.
"""

from __future__ import annotations

import importlib
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any, Protocol

PIECE = 65536  # bytes of output at a time
_SLICE = 256  # bytes of zstd given at a time, since four of them can stand for 128 KiB and nothing limits the output
_DEEPEST = 3  # codings on top of each other; one is usual
_WINDOW = 8 * 1024 * 1024  # bytes; RFC 9659 allows no larger one in HTTP


class CodingError(ValueError):
    """A body could not be decoded."""


class Malformed(CodingError):
    """It is not what its Content-Encoding says, or it ends too early."""


class TooMuch(CodingError):
    """It stands for more than the limits allow."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a coded body may stand for.

    :ivar size: bytes at most.
    :ivar ratio: bytes at most for each coded byte; not looked at before `free` bytes have come out.
    :ivar free: bytes that are given out whatever the ratio: small bodies may well be very regular.
    """

    size: int = 64 * 1024 * 1024
    ratio: int = 200
    free: int = 1024 * 1024


class Decoder(Protocol):
    """Undoes one coding."""

    def decode(self, data: bytes) -> Iterator[bytes]:
        """What `data` adds, in pieces, some of them empty: each of them is work that others may have to wait for.

        :raises Malformed: when it is not of that coding.
        """
        ...

    def whole(self) -> bool:
        """Whether what was given is complete; nothing at all is."""
        ...


class _Zlib:
    """gzip (RFC 1952), of several members if need be, and deflate (RFC 1950), also without its wrapping."""

    def __init__(self, *, gzip: bool) -> None:
        self._gzip = gzip
        self._made: Any = None
        self._start = b""

    def decode(self, data: bytes) -> Iterator[bytes]:
        data, self._start = self._start + data, b""
        while data:
            if self._made is None and not self._open(data):
                self._start = data
                return
            try:
                piece = self._made.decompress(data, PIECE)
            except zlib.error as error:
                raise Malformed(str(error)) from None
            yield piece
            data = self._made.unconsumed_tail
            if self._made.eof:
                data = self._after(self._made.unused_data)
            elif not piece and not data:
                return

    def _open(self, data: bytes) -> bool:
        if self._gzip:
            self._made = zlib.decompressobj(31)
        elif len(data) < 2:
            return False
        else:  # some servers leave out the wrapping, and every browser has learnt to live with them
            wrapped = data[0] & 15 == 8 and (data[0] << 8 | data[1]) % 31 == 0
            self._made = zlib.decompressobj(15 if wrapped else -15)
        return True

    def _after(self, rest: bytes) -> bytes:
        """What follows the end: another member of gzip, or nothing."""
        if rest and not self._gzip:
            raise Malformed("bytes follow the end of the coded body")
        if rest:
            self._made = None
        return rest

    def whole(self) -> bool:
        return not self._start and (self._made is None or self._made.eof)


class _Brotli:
    """br (RFC 7932)."""

    def __init__(self) -> None:
        self._library: Any = importlib.import_module("brotli")
        self._made = self._library.Decompressor()
        self._begun = False

    def decode(self, data: bytes) -> Iterator[bytes]:
        self._begun = self._begun or bool(data)
        while data or not self._made.can_accept_more_data():
            if data and self._made.is_finished():
                raise Malformed("bytes follow the end of the coded body")
            try:
                piece = self._made.process(data, output_buffer_limit=PIECE)
            except self._library.error as error:
                raise Malformed(str(error)) from None
            data = b""
            yield piece

    def whole(self) -> bool:
        return not self._begun or bool(self._made.is_finished())


class _Zstd:
    """zstd (RFC 8878), of several frames if need be, with the window that RFC 9659 allows."""

    def __init__(self) -> None:
        self._library: Any = importlib.import_module("zstandard")
        self._context = self._library.ZstdDecompressor(max_window_size=_WINDOW)
        self._made: Any = None

    def decode(self, data: bytes) -> Iterator[bytes]:
        at = 0
        while at < len(data):
            part = data[at : at + _SLICE]
            at += len(part)
            while part:
                if self._made is None or self._made.eof:
                    self._made = self._context.decompressobj()
                try:
                    piece = self._made.decompress(part)
                except self._library.ZstdError as error:
                    raise Malformed(str(error)) from None
                yield piece
                part = self._made.unused_data if self._made.eof else b""

    def whole(self) -> bool:
        return self._made is None or bool(self._made.eof)


_DECODERS: dict[str, Callable[[], Decoder]] = {
    "gzip": lambda: _Zlib(gzip=True),
    "deflate": lambda: _Zlib(gzip=False),
    "br": _Brotli,
    "zstd": _Zstd,
}
_MODULES = {"gzip": "zlib", "deflate": "zlib", "br": "brotli", "zstd": "zstandard"}


def installed() -> tuple[str, ...]:
    """The codings that can be made and undone here; brotli and zstd are extras of the distribution."""
    return tuple(name for name, module in _MODULES.items() if find_spec(module) is not None)


def can_decode(codings: Sequence[str]) -> bool:
    """Whether all of these, as `applied` gives them, can be undone here."""
    here = installed()
    return len(codings) <= _DEEPEST and all(coding in here for coding in codings)


class Undoing:
    """Undoes what a body was coded with, and watches over the limits.

    :param codings: as `applied` gives them; all of them installed.
    """

    def __init__(self, codings: Sequence[str], limits: Limits) -> None:
        self._decoders = [_DECODERS[coding]() for coding in reversed(codings)]
        self._limits = limits
        self._read = 0
        self._made = [0] * len(codings)

    def decode(self, data: bytes) -> Iterator[bytes]:
        """What `data` adds to the body, in pieces, some of them empty.

        :raises Malformed: when it is not what it claims to be.
        :raises TooMuch: when the limits are passed; what was given out until then was within them.
        """
        self._read += len(data)
        return self._through(data, 0)

    def _through(self, data: bytes, stage: int) -> Iterator[bytes]:
        last = stage + 1 == len(self._decoders)
        for piece in self._decoders[stage].decode(data):
            self._made[stage] = made = self._made[stage] + len(piece)
            self._check(made)  # of every stage: what is much half-way may be little at the end
            if last or not piece:
                yield piece
            else:
                yield from self._through(piece, stage + 1)

    def _check(self, made: int) -> None:
        limits = self._limits
        if made > limits.size:
            raise TooMuch(f"the decoded body is over the limit of {limits.size} bytes")
        if made > limits.free and made > self._read * limits.ratio:
            raise TooMuch(f"the decoded body is over {limits.ratio} times as long as the coded one")

    def end(self) -> None:
        """:raises Malformed: when the coded body ends too early."""
        if not all(decoder.whole() for decoder in self._decoders):
            raise Malformed("the coded body ends too early")


def decode(data: bytes, codings: Sequence[str], limits: Limits = Limits()) -> bytes:
    """A whole body as it was before it was coded.

    :param codings: as `applied` gives them; see `can_decode`.
    :raises Malformed: when it is not what they say.
    :raises TooMuch: when it stands for more than `limits` allow.
    """
    if not codings:
        return data
    undoing = Undoing(codings, limits)
    parts = list(undoing.decode(data))
    undoing.end()
    return b"".join(parts)
