"""What a reader of heads remembers of those that it has read."""

from __future__ import annotations

import pytest
from aiohttp.http_parser import HttpRequestParser

from proxy.fields import REQUEST_KINDS, Names
from proxy.frontend.head import HeadReader
from tests.unit.frontend.stage import Stage

REMEMBERED = 1024


def read(reader: HeadReader, parser: HttpRequestParser, host: str) -> str:
    """The host that a request is taken to mean."""
    return reader.read(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode(), parser).request.host


@pytest.mark.parametrize("port", ["", ":", ":80"], ids=["none", "empty", "given"])
async def test_strangers_cannot_have_hosts_remembered_without_end(port: str, stage: Stage) -> None:
    parser = stage.listener.new_parser()
    reader = HeadReader("http", Names(REQUEST_KINDS), "", max_bytes=1024, max_fields=10, max_target=1024)
    for number in range(REMEMBERED * 2 + 2):
        assert read(reader, parser, f"host-{number}.example{port}") == f"host-{number}.example{port.removesuffix(':')}"
        assert len(reader._hosts) <= REMEMBERED
