"""A codec for tests: text, which is what it looks like in every store."""

from __future__ import annotations

from sys import getsizeof

from proxy.cache import CorruptEntry


class Texts:
    """:see: `proxy.cache.Codec`."""

    def size(self, value: str) -> int:
        return getsizeof(value)

    def encode(self, value: str) -> bytes:
        return b"T" + value.encode()

    def decode(self, data: bytes) -> str:
        if data[:1] != b"T":
            raise CorruptEntry("no text")
        return data[1:].decode()


class Fading(Texts):
    """Texts that a soft purge leaves there, with a mark."""

    def softened(self, value: str) -> str:
        return f"{value.removesuffix('~')}~"
