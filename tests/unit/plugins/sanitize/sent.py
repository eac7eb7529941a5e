"""Requests to show to the sanitizer, and the plugin itself with some options."""

from __future__ import annotations

from typing import Any

from plugins.sanitize import Config, Sanitize
from proxy.message import Body, Headers, Request

SQL = "1' or '1'='1"
XSS = "<script>alert(1)</script>"


def sanitize(**options: Any) -> Sanitize:
    return Sanitize(Config.model_validate(options))


def get(query: str = "", *, path: str = "/", headers: dict[str, str] | None = None) -> Request:
    target = f"{path}?{query}" if query else path
    return Request("GET", target, host="test", headers=Headers(headers or {}))


def post(data: bytes, kind: str = "application/json", body: Body | None = None) -> Request:
    return Request("POST", "/", host="test", headers=Headers({"Content-Type": kind}), body=body or Body(data))
