"""The answers that the gateway makes itself when something failed, and what comes in an answer's place.

Each carries Proxy-Status (RFC 9209) and a body of application/problem+json (RFC 9457), or a page for a browser, or what
an operator wrote in their place. Details name the cause in words that help the caller; addresses and stack traces stay
in the log.
"""

from __future__ import annotations

import logging
import math

from proxy.errors import BodyTooLarge, GatewayError, PluginFailed, ResponseTooLarge
from proxy.exchange import Exchange, Phase
from proxy.message import Body, Duplex, Headers, Request, Response
from proxy.pages import BUILT_IN, Pages
from proxy.statuses import title
from proxy.tunnel import Tunnel

log = logging.getLogger("passerelle.engine")


def error_response(exchange: Exchange, error: GatewayError) -> Response:
    """The Response that tells the client of `error`; its status is the error's own.

    On the way out what was too large to be read whole is the answer, and so the upstream's fault, not the client's.
    """
    if isinstance(error, BodyTooLarge) and exchange.phase is Phase.OUTWARD:
        exchange.error = error = ResponseTooLarge(error.detail)
    pages = BUILT_IN if exchange.plan is None else exchange.plan.pages
    return describe(error, exchange.id, exchange.request, pages)


def describe(error: GatewayError, request_id: str, request: Request | None, pages: Pages = BUILT_IN) -> Response:
    """As `error_response`, also where the request could not even be read (`request` None)."""
    status = error.status if 400 <= error.status <= 599 else 500
    page = pages.choose(status, [] if request is None else request.headers.getall("accept"))
    headers = Headers([("Content-Type", page.kind), ("Cache-Control", "no-store"), *error.fields])
    if error.proxy_error is not None:
        headers["Proxy-Status"] = _proxy_status(error)
    if error.retry_after is not None:
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after)))
    name = title(status)
    facts = {
        "status": str(status),
        "title": name,
        "detail": error.detail or name,
        "code": error.code,
        "request_id": request_id,
    }
    return Response(status, headers, Body(page.render(facts)))


def can_be_sent(request: Request, response: Response) -> bool:
    """Whether a final answer is one: plugins can make and change it in every way.

    A 101 is one with a tunnel from an upstream, to what the client has offered.
    """
    if response.status != 101:
        return 200 <= response.status <= 599
    tunnel = response.tunnel
    return isinstance(tunnel, Tunnel) and request.version == "1.1" and bool(request.upgrade)


def made_fit(exchange: Exchange, response: Response) -> Duplex | None:
    """Have a final answer that is no ordinary one be one that can be sent.

    :returns: the tunnel that begins with it, or None.
    """
    tunnel = response.tunnel
    if tunnel is not None and response.status != 101:
        tunnel.close()  # a plugin has changed the answer's status: it is an ordinary one now
        tunnel = response.tunnel = None
    if can_be_sent(exchange.request, response):
        return tunnel
    log.error("a plugin made an answer that cannot be sent on request %s: %r", exchange.id, response)
    exchange.error = PluginFailed("a plugin made an answer that cannot be sent")
    replace(exchange, error_response(exchange, exchange.error))
    return None


def replace(exchange: Exchange, response: Response) -> None:
    """Put another answer in the place of the one there, which is closed unless the new one is made of it."""
    old = exchange.response
    exchange.response = response
    if old is None or old is response:
        return
    if old.tunnel is not None:
        if old.tunnel is not response.tunnel:
            old.close()
    elif not response.body.rests_on(old.body):
        old.close()


def keep_client(exchange: Exchange) -> None:
    """Put the cookie of the endpoint that answered on the answer, if that is what the client gets."""
    response, stays = exchange.response, exchange.stays
    if response is not None and stays is not None and exchange.endpoint is stays[0] and exchange.error is None:
        response.headers.add("Set-Cookie", stays[1])


def _proxy_status(error: GatewayError) -> str:
    """One structured-field item with parameters (RFC 9209 section 2, RFC 8941 section 3.3.3 for the string)."""
    value = f"passerelle; error={error.proxy_error}"
    detail = "".join(c for c in error.detail if " " <= c <= "~")
    if detail:
        escaped = detail.replace("\\", "\\\\").replace('"', '\\"')
        value += f'; details="{escaped}"'
    return value
