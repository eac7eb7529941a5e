"""The engine's own admin routes, as a table: what answers one is loaded when somebody asks.

The models that the answers are made of are a fiftieth of a start, and most processes are never asked for any but the
metrics.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from proxy.message import Response
from proxy.plugin import AdminHandler, AdminRequest

if TYPE_CHECKING:
    from proxy.server.gateway import Gateway

_TYPES = "Types or globs of them, with commas between, such as config.*,upstream.*; all but request.completed."
_JSON = (413, 415, 422)  # what may be wrong with a body
_TARGET = "upstreams/{upstream}/targets/{target}"


class Own(NamedTuple):
    """One route.

    :ivar answer: the method that answers: of `Views` what only tells, of `Controls` what does something.
    :ivar more: further attributes of its `AdminRoute`.
    """

    method: str
    path: str
    answer: str
    summary: str
    more: dict[str, Any]


OWN = (
    Own("GET", "", "index", "What there is to ask for", {"gives": "Index"}),
    Own("GET", "status", "status", "Version, uptime, listeners and what is under way", {"gives": "Status"}),
    Own("GET", "routes", "routes", "Every route, in the order of precedence", {"gives": "Routes"}),
    Own("GET", "upstreams", "upstreams", "Upstreams with targets and connections", {"gives": "Upstreams"}),
    Own("GET", "plugins", "plugins", "Every plugin of the chain, with its hooks", {"gives": "Plugins"}),
    Own("GET", "config", "config", "The effective configuration; secrets are masked", {"gives": "Config"}),
    Own("GET", "log-levels", "levels", "How much each logger tells", {"gives": "Levels"}),
    Own(
        "GET",
        "events",
        "events",
        "Events as they happen, as server-sent events",
        {"kind": "text/event-stream", "query": {"type": _TYPES}, "refusals": (503,)},
    ),
    Own(
        "GET",
        "openapi.json",
        "openapi",
        "This API, described in OpenAPI 3.1",
        {"kind": "application/openapi+json"},
    ),
    Own(
        "POST",
        "config/reload",
        "reload",
        "Read the configuration again and serve it if it is sound",
        {"gives": "ReloadAnswer", "refusals": (413, 415, 409), "telling": (409,)},
    ),
    Own(
        "POST",
        "explain",
        "explain",
        "What would happen to a request; nothing is sent",
        {"takes": "Asked", "gives": "Explained", "refusals": _JSON},
    ),
    Own(
        "POST",
        f"{_TARGET}/drain",
        "drain",
        "Send a target no new requests",
        {"gives": "UpstreamSaid", "refusals": (404, 413, 415)},
    ),
    Own(
        "POST",
        f"{_TARGET}/undrain",
        "undrain",
        "Send a target requests again",
        {"gives": "UpstreamSaid", "refusals": (404, 413, 415)},
    ),
    Own(
        "PUT",
        f"{_TARGET}/weight",
        "weight",
        "Weigh a target otherwise than configured",
        {"takes": "WeightWanted", "gives": "UpstreamSaid", "refusals": (404, *_JSON)},
    ),
    Own(
        "PUT",
        "log-levels/{logger}",
        "level",
        "Have a logger tell more or less",
        {"takes": "LevelWanted", "gives": "Levels", "refusals": (404, *_JSON)},
    ),
)


def register(gateway: Gateway) -> None:
    """Add them to the gateway's table."""
    for row in OWN:
        gateway.routes.route(row.method, row.path, partial(_answer, gateway, row), row.summary, **row.more)


async def _answer(gateway: Gateway, row: Own, request: AdminRequest) -> Response:
    from proxy.server.controls import Controls
    from proxy.server.views import Views

    room = Views(gateway) if row.method == "GET" else Controls(gateway)
    handler: AdminHandler = getattr(room, row.answer)
    return await handler(request)
