"""The sample upstream: what the demo shows, and that nobody can ask for too much."""

from __future__ import annotations

import time
from typing import Any

import pytest
from aiohttp import ClientSession
from yarl import URL


async def test_lists_come_in_pages(upstream: str, client: ClientSession) -> None:
    async with client.get(f"{upstream}/users?page=3") as answer:
        page: dict[str, Any] = await answer.json()
    assert (page["total"], [user["name"] for user in page["items"]]) == (11, ["Niklaus"])


@pytest.mark.parametrize("page", ["0", "-1", "x", "9" * 40, "٣"])
async def test_odd_pages_are_no_errors(upstream: str, client: ClientSession, page: str) -> None:
    async with client.get(f"{upstream}/products", params={"page": page}) as answer:
        assert answer.status == 200


async def test_things_are_found_by_number(upstream: str, client: ClientSession) -> None:
    async with client.get(f"{upstream}/products/2") as answer:
        assert (await answer.json())["name"] == "Footbridge"
    async with client.get(f"{upstream}/products/99") as answer:
        assert answer.status == 404


async def test_a_user_is_created_from_json(upstream: str, client: ClientSession) -> None:
    async with client.post(f"{upstream}/users", json={"name": "Ada"}) as answer:
        assert (answer.status, answer.headers["Location"]) == (201, "/users/12")
    for wrong in (b"{", b"[]", b'{"name": 1}'):
        async with client.post(f"{upstream}/users", data=wrong) as answer:
            assert answer.status == 422


async def test_the_page_is_html(upstream: str, client: ClientSession) -> None:
    async with client.get(f"{upstream}/") as answer:
        assert answer.content_type == "text/html"
        assert "Ada" in await answer.text()


async def test_large_answers_are_as_long_as_asked(upstream: str, client: ClientSession) -> None:
    async with client.get(f"{upstream}/large?bytes=200000") as answer:
        assert (answer.content_length, len(await answer.read())) == (200_000, 200_000)


async def test_events_come_one_by_one(upstream: str, client: ClientSession) -> None:
    async with client.get(f"{upstream}/stream?events=3&ms=0") as answer:
        assert answer.content_type == "text/event-stream"
        assert (await answer.text()).count("data:") == 3


async def test_slow_answers_wait(upstream: str, client: ClientSession) -> None:
    began = time.monotonic()
    async with client.get(f"{upstream}/slow?ms=50") as answer:
        assert await answer.json() == {"waited_ms": 50}
    assert time.monotonic() - began >= 0.05


@pytest.mark.parametrize(("asked", "got"), [("503", 503), ("200", 500), ("999", 599), ("", 500)])
async def test_failures_are_errors(upstream: str, client: ClientSession, asked: str, got: int) -> None:
    async with client.get(f"{upstream}/fail?status={asked}") as answer:
        assert answer.status == got


async def test_echo_tells_what_arrived(upstream: str, client: ClientSession) -> None:
    async with client.put(URL(f"{upstream}/echo?a=%2F", encoded=True), data=b"hi", headers={"X-A": "b"}) as answer:
        told = await answer.json()
    assert (told["method"], told["target"], told["body"]) == ("PUT", "/echo?a=%2F", "hi")
    assert ["X-A", "b"] in told["headers"]


async def test_it_is_healthy(upstream: str, client: ClientSession) -> None:
    async with client.get(f"{upstream}/healthz") as answer:
        assert (answer.status, await answer.text()) == (200, "ok\n")
