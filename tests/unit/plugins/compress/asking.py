"""One request through the plugin, for its tests."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import brotli
import zstandard

from plugins.compress import Compress, Config
from proxy.body import Body
from proxy.headers import Headers
from proxy.message import Request, Response
from proxy.testing import Driven, drive

TEXT = b'{"name": "passerelle", "kind": "footbridge", "n": 12345}\n' * 40
GZIP = {"Accept-Encoding": "gzip"}

DECODE: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "deflate": zlib.decompress,
    "br": brotli.decompress,
    "zstd": lambda data: zstandard.ZstdDecompressor().decompressobj().decompress(data),
}


def compress(**options: Any) -> Compress:
    return Compress(Config.model_validate(options))


def request(headers: dict[str, str] | None = None, method: str = "GET", target: str = "/data") -> Request:
    return Request(method, target, host="test", headers=Headers(headers or {}))


def answer(
    body: bytes | Body = TEXT, headers: dict[str, str] | None = None, status: int = 200, kind: str = "application/json"
) -> Response:
    return Response(status, Headers({"Content-Type": kind, **(headers or {})} if kind else headers or {}), body)


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def ask(sent: Response, headers: dict[str, str] | None = None, *, options: Any = None, **more: Any) -> Driven:
    return await drive(
        compress(**(options or {})), request=request(GZIP if headers is None else headers, **more), answer=sent
    )
