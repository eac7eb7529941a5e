"""Requests to show to the sanitizer, and the plugin itself with some options."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

from plugins.sanitize import Config, Sanitize
from proxy.message import Body, Headers, Request

T = TypeVar("T")

SQL = "1' or '1'='1"
XSS = "<script>alert(1)</script>"


def sanitize(**options: Any) -> Sanitize:
    return Sanitize(Config.model_validate(options))


def get(query: str = "", *, path: str = "/", headers: dict[str, str] | None = None) -> Request:
    target = f"{path}?{query}" if query else path
    return Request("GET", target, host="test", headers=Headers(headers or {}))


def post(data: bytes, kind: str = "application/json", body: Body | None = None) -> Request:
    return Request("POST", "/", host="test", headers=Headers({"Content-Type": kind}), body=body or Body(data))


async def beside_others(work: Awaitable[T]) -> tuple[T, int]:
    """What comes of it, and how many turns somebody else had meanwhile."""
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    try:
        return await work, turns
    finally:
        task.cancel()
