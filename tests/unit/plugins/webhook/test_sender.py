"""One attempt, through the real client."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest

from plugins.webhook.config import EndpointConfig
from plugins.webhook.formats import Message
from plugins.webhook.sender import Sender
from plugins.webhook.verdict import Reply
from proxy.build import Runtime
from proxy.server.admin_routes import AdminRoutes

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ANSWER = b"HTTP/1.1 429 Slow Down\r\nRetry-After: 90\r\nContent-Length: 4\r\n\r\nlate"
MESSAGE = Message("an-id", "application/json", b"{}")


@asynccontextmanager
async def peer(seen: list[bytes]) -> AsyncIterator[int]:
    """A server on the loopback. :returns: its port."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(ANSWER)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()


async def tried(url: str, *leads_to: str, **more: Any) -> Reply:
    """What comes of a message.

    :param leads_to: what names lead to; the system knows when nothing is said.
    """

    async def lookup(_: str) -> Sequence[str]:
        return leads_to

    runtime = Runtime(AdminRoutes(), lookup=lookup if leads_to else None)
    config = EndpointConfig(**{"id": "ops", "url": url, "secret": SECRET, "timeouts": {"total": "5s"}, **more})
    sender = Sender(config, runtime.http, runtime.clock)
    try:
        return await sender.send(MESSAGE, config.secrets)
    finally:
        await sender.close()
        await runtime.close()


async def test_an_answer_with_all_that_it_says() -> None:
    seen: list[bytes] = []
    async with peer(seen) as port:
        reply = await tried(f"http://127.0.0.1:{port}/hook", allow_private=True)
    assert (reply.status, reply.retry_after, reply.answer, reply.words) == (429, "90", b"late", "answered 429")
    head = seen[0].lower()
    assert head.startswith(b"post /hook http/1.1\r\n")
    assert b"\r\nwebhook-id: an-id\r\n" in head
    assert b"accept-encoding" not in head


async def test_nobody_there_is_a_reply_too() -> None:
    async with peer([]) as port:
        pass
    reply = await tried(f"http://127.0.0.1:{port}/", allow_private=True)
    assert (reply.status, reply.is_success) == (0, False)
    assert "connect" in reply.words


async def test_this_machine_only_where_that_is_allowed() -> None:
    seen: list[bytes] = []
    async with peer(seen) as port:
        reply = await tried(f"http://127.0.0.1:{port}/")
    assert ("not admitted" in reply.words, seen) == (True, [])


@pytest.mark.parametrize("address", ["10.0.0.1", "192.168.1.1", "8.8.8.8", "fc00::1"])
async def test_what_is_not_encrypted_stays_on_this_machine_whatever_a_name_leads_to(address: str) -> None:
    reply = await tried("http://localhost:9/", address, allow_private=True)
    assert "not admitted" in reply.words
