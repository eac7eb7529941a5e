"""What an answer without a body tells of the one that it stands for."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from proxy.body import Body
from proxy.exchange import Exchange
from proxy.plugin import Plugin, PluginConfig
from proxy.testing import running


class Changing(Plugin[PluginConfig]):
    """Does to answers what the target says."""

    def on_response(self, exchange: Exchange) -> None:
        response = exchange.response
        assert response is not None
        if "filtered" in exchange.request.target:
            response.body = response.body.through(_twice)
        elif "replaced" in exchange.request.target:
            response.body = Body(b"another")
        elif "made" in exchange.request.target:
            response.body = Body.of(_twice(aiter(Body(b"made"))), size=8)


async def _twice(source: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    async for piece in source:
        yield piece * 2


@pytest.mark.parametrize(
    ("target", "length"), [("/as-it-came", "2"), ("/filtered", None), ("/replaced", "7"), ("/made", "8")]
)
async def test_head_tells_the_length_that_get_would_have(target: str, length: str | None) -> None:
    async with running(plugins=[Changing]) as kit:
        whole = await kit.get(target)
        assert whole.headers.get("content-length") == length
        head = await kit.request("HEAD", target)
        assert (head.headers.get("content-length"), head.body) == (length, b"")


@pytest.mark.parametrize(("target", "length"), [("/as-it-came", "9"), ("/filtered", None), ("/replaced", None)])
async def test_a_confirmation_tells_no_length_that_is_another_ones(target: str, length: str | None) -> None:
    async with running(plugins=[Changing]) as kit:
        kit.upstream.reply(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n")
        assert (await kit.get(target)).headers.get("content-length") == length
