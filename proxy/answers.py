"""The answers that the gateway makes itself when something failed.

Each carries Proxy-Status (RFC 9209) and a body of application/problem+json (RFC 9457), or a small HTML page for a
browser. Details name the cause in words that help the caller; addresses and stack traces stay in the log.
"""

from __future__ import annotations

import html
import json
import math
from http import HTTPStatus

from proxy.errors import GatewayError
from proxy.exchange import Exchange
from proxy.message import Body, Headers, Request, Response

_EXTRA_TITLES = {499: "Client Closed Request"}


def title(status: int) -> str:
    """The standard reason phrase of a status; `"Error"` for an unknown one."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return _EXTRA_TITLES.get(status, "Error")


def error_response(exchange: Exchange, error: GatewayError) -> Response:
    """The Response that tells the client of `error`; its status is the error's own."""
    return describe(error, exchange.id, exchange.request)


def describe(error: GatewayError, request_id: str, request: Request | None) -> Response:
    """As `error_response`, also where the request could not even be read (`request` None)."""
    status = error.status if 400 <= error.status <= 599 else 500
    headers = Headers({"Content-Type": "", "Cache-Control": "no-store"})
    if error.proxy_error is not None:
        headers["Proxy-Status"] = _proxy_status(error)
    if error.retry_after is not None:
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after)))
    if request is not None and _wants_html(request.headers.getall("accept")):
        headers["Content-Type"] = "text/html; charset=utf-8"
        return Response(status, headers, Body(_page(status, error, request_id)))
    headers["Content-Type"] = "application/problem+json"
    return Response(status, headers, Body(_problem(status, error, request_id)))


def can_be_sent(response: Response) -> bool:
    """Whether a final answer is one: plugins can make and change it in every way."""
    return 200 <= response.status <= 599 or response.tunnel is not None


def _proxy_status(error: GatewayError) -> str:
    """One structured-field item with parameters (RFC 9209 section 2, RFC 8941 section 3.3.3 for the string)."""
    value = f"passerelle; error={error.proxy_error}"
    detail = "".join(c for c in error.detail if " " <= c <= "~")
    if detail:
        escaped = detail.replace("\\", "\\\\").replace('"', '\\"')
        value += f'; details="{escaped}"'
    return value


def _wants_html(accept: list[str]) -> bool:
    """Whether a browser asks: it lists text/html before any JSON."""
    for item in ",".join(accept).lower().split(","):
        kind = item.partition(";")[0].strip()
        if kind in ("text/html", "application/xhtml+xml"):
            return True
        if kind in ("application/json", "application/problem+json", "*/*"):
            return False
    return False


def _problem(status: int, error: GatewayError, request_id: str) -> bytes:
    members = {
        "type": "about:blank",
        "title": title(status),
        "status": status,
        "detail": error.detail or title(status),
        "code": error.code,
        "request_id": request_id,
    }
    return json.dumps(members, separators=(",", ":")).encode()


def _page(status: int, error: GatewayError, request_id: str) -> bytes:
    name = f"{status} {html.escape(title(status))}"
    detail = html.escape(error.detail or title(status))
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{name}</title></head>'
        f"<body><h1>{name}</h1><p>{detail}</p><p><small>{html.escape(error.code)} &middot; request "
        f"{html.escape(request_id)}</small></p></body></html>\n"
    ).encode()
