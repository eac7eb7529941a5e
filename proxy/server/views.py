"""What the admin API tells of a running gateway. These routes come in by the door that plugins use too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from proxy import __version__
from proxy.chain import Link
from proxy.message import Response
from proxy.plan import Plan
from proxy.plugin import AdminRequest, Plugin
from proxy.routing import Route
from proxy.server.openapi import openapi
from proxy.upstream.upstream import Upstream

if TYPE_CHECKING:
    from proxy.server.gateway import Gateway

_HOOKS = ("on_request", "on_attempt", "on_response", "on_complete")


class Views:
    """The engine's own admin routes."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def register(self) -> None:
        """Add them to the gateway's table."""
        add = self._gateway.routes.route
        add("GET", "", self.index, "What there is to ask for")
        add("GET", "status", self.status, "Version, uptime, listeners and what is under way")
        add("GET", "routes", self.routes, "Every route, in the order of precedence")
        add("GET", "upstreams", self.upstreams, "Every upstream with its endpoints and connections")
        add("GET", "plugins", self.plugins, "Every plugin of the chain, with its hooks")
        add("GET", "config", self.config, "The effective configuration; secrets are masked")
        add("GET", "openapi.json", self.openapi, "This API, described in OpenAPI 3.1")

    async def index(self, _: AdminRequest) -> Response:
        """The list of routes."""
        routes = [
            {"method": route.method, "path": route.path, "summary": route.summary} for route in self._gateway.routes
        ]
        return Response.json(200, {"version": __version__, "revision": self._gateway.revision, "routes": routes})

    async def status(self, _: AdminRequest) -> Response:
        """Figures of the moment."""
        gateway = self._gateway
        return Response.json(
            200,
            {
                "version": __version__,
                "revision": gateway.revision,
                "ready": gateway.ready,
                "uptime_seconds": round(gateway.uptime, 3),
                "listen": gateway.urls,
                "connections": gateway.connections,
                "requests_active": gateway.engine.active,
            },
        )

    async def routes(self, _: AdminRequest) -> Response:
        """What the router goes by."""
        routes = self._gateway.built.snapshot.router.routes
        return Response.json(200, {"routes": [_route(route) for route in routes]})

    async def upstreams(self, _: AdminRequest) -> Response:
        """Endpoints and pools."""
        found: dict[str, Upstream] = self._gateway.built.snapshot.upstreams
        return Response.json(200, {"upstreams": [_upstream(one) for one in found.values()]})

    async def plugins(self, _: AdminRequest) -> Response:
        """The instances, in the order of the file."""
        return Response.json(200, {"plugins": [_plugin(link) for link in self._gateway.built.links]})

    async def config(self, _: AdminRequest) -> Response:
        """What was loaded."""
        loaded = self._gateway.loaded
        files = [str(file) for file in loaded.files]
        return Response.json(200, {"revision": loaded.revision, "files": files, "config": loaded.dump()})

    async def openapi(self, _: AdminRequest) -> Response:
        """The API's own description."""
        return Response.json(200, openapi(self._gateway.routes, __version__))


def _route(route: Route[Plan]) -> dict[str, Any]:
    plan, match, rewrite = route.payload, route.match, route.rewrite
    return {
        "name": route.name,
        "match": {
            "host": list(match.hosts),
            "path": match.path,
            "methods": sorted(match.methods),
            "headers": dict(match.headers),
        },
        "priority": route.priority,
        "path": {} if rewrite is None else _rewrite(rewrite.strip, rewrite.template),
        "upstream": None if plan.upstream is None else plan.upstream.name,
        "plugins": [link.id for link in plan.chain.links],
        "timeouts": {
            "connect": plan.patience.connect,
            "first_byte": plan.patience.first_byte,
            "between_bytes": plan.patience.between_bytes,
        },
    }


def _rewrite(strip: str, template: str) -> dict[str, str]:
    return {"strip": strip} if strip else {"rewrite": template}


def _upstream(one: Upstream) -> dict[str, Any]:
    pool = one.pool
    return {
        "name": one.name,
        "targets": [{"url": endpoint.url, "weight": endpoint.weight} for endpoint in one.endpoints],
        "connections": {"busy": pool.open - pool.idle, "idle": pool.idle, "max": pool.limits.max_connections},
        "queued": pool.queued,
        "totals": {"created": pool.created, "reused": pool.reused, "waited": pool.waited},
    }


def _plugin(link: Link) -> dict[str, Any]:
    kind = type(link.plugin)
    return {
        "id": link.id,
        "name": link.name,
        "class": f"{kind.__module__}.{kind.__qualname__}",
        "rank": kind.rank.name.lower(),
        "on_error": kind.on_error,
        "hooks": [hook for hook in _HOOKS if getattr(kind, hook) is not getattr(Plugin, hook)],
    }
