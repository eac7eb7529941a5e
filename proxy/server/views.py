"""What the admin API tells of a running gateway. These routes come in by the door that plugins use too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel

from proxy import __version__
from proxy.chain import Link
from proxy.message import Response
from proxy.plan import Plan
from proxy.plugin import AdminRequest, Plugin
from proxy.routing import Route
from proxy.server import models
from proxy.server.levels import levels
from proxy.server.reload import Reload
from proxy.upstream.breaker import BreakerState
from proxy.upstream.condition import Condition, Target, identity
from proxy.upstream.upstream import Upstream

if TYPE_CHECKING:
    from proxy.server.gateway import Gateway

_HOOKS = ("on_request", "on_attempt", "on_response", "on_complete")


class Views:
    """What answers the engine's own admin routes that only tell. :see: `proxy.server.own_routes`."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    def give(self, model: BaseModel, status: int = 200) -> Response:
        """An answer, without secrets."""
        data = model.model_dump(mode="json", by_alias=True)
        return Response.json(status, self._gateway.scrub.data(data))

    async def index(self, _: AdminRequest) -> Response:
        """The list of routes."""
        rows = [models.IndexRoute(method=r.method, path=r.path, summary=r.summary) for r in self._gateway.routes]
        return self.give(models.Index(version=__version__, revision=self._gateway.revision, routes=rows))

    async def status(self, _: AdminRequest) -> Response:
        """Figures of the moment."""
        gateway = self._gateway
        last = gateway.reloader.last
        return self.give(
            models.Status(
                version=__version__,
                revision=gateway.revision,
                state=gateway.state,
                ready=gateway.ready,
                uptime_seconds=round(gateway.uptime, 3),
                listen=gateway.urls,
                connections=gateway.connections,
                requests_active=gateway.engine.active,
                requests_total=gateway.requests,
                generations=gateway.reloader.generations,
                reload=None if last is None else reload_answer(last),
                redis=gateway.runtime.caches.redis,
            )
        )

    async def routes(self, _: AdminRequest) -> Response:
        """What the router goes by."""
        routes = self._gateway.built.snapshot.router.routes
        return self.give(models.Routes(routes=[_route(route) for route in routes]))

    async def upstreams(self, _: AdminRequest) -> Response:
        """Endpoints and pools."""
        found: dict[str, Upstream] = self._gateway.built.snapshot.upstreams
        return self.give(models.Upstreams(upstreams=[upstream_said(one) for one in found.values()]))

    async def plugins(self, _: AdminRequest) -> Response:
        """The instances, in the order of the file."""
        return self.give(models.Plugins(plugins=[_plugin(link) for link in self._gateway.built.links]))

    async def config(self, _: AdminRequest) -> Response:
        """What was loaded."""
        gateway = self._gateway
        shown = gateway.scrub.config(gateway.built)
        files = [str(file) for file in gateway.loaded.files]
        return self.give(models.Config(revision=gateway.revision, files=files, config=shown))

    async def levels(self, _: AdminRequest) -> Response:
        """What is logged."""
        return self.give(models.Levels(levels=levels()))

    async def events(self, request: AdminRequest) -> Response:
        """What happens from now on."""
        return self._gateway.streams.answer(self._gateway.runtime.events, request.query.get("type", ""))

    async def openapi(self, _: AdminRequest) -> Response:
        """The API's own description."""
        from proxy.server.openapi import openapi  # loaded when somebody asks

        document = openapi(self._gateway.routes, __version__)
        return Response.json(200, document, {"Content-Type": "application/openapi+json"})


def reload_answer(reload: Reload) -> models.ReloadAnswer:
    """What came of a reload."""
    return models.ReloadAnswer(
        ok=reload.ok,
        cause=reload.cause,
        at=reload.at,
        seconds=round(reload.seconds, 6),
        revision=reload.revision,
        previous=reload.previous,
        changes=list(reload.changes),
        problems=[models.Fault.model_validate(problem.as_json()) for problem in reload.problems],
    )


def _route(route: Route[Plan]) -> models.RouteSaid:
    plan, match, rewrite = route.payload, route.match, route.rewrite
    patience = plan.patience
    return models.RouteSaid(
        name=route.name,
        match=models.RouteMatch(
            host=list(match.hosts), path=match.path, methods=sorted(match.methods), headers=dict(match.headers)
        ),
        priority=route.priority,
        path={} if rewrite is None else _rewrite(rewrite.strip, rewrite.template),
        upstream=None if plan.upstream is None else plan.upstream.name,
        plugins=[link.id for link in plan.chain.links],
        timeouts=models.TimeoutsSaid(
            connect=patience.connect, first_byte=patience.first_byte, between_bytes=patience.between_bytes
        ),
        active=plan.active,
    )


def _rewrite(strip: str, template: str) -> dict[str, str]:
    return {"strip": strip} if strip else {"rewrite": template}


def upstream_said(one: Upstream) -> models.UpstreamSaid:
    """One upstream."""
    pool = one.pool
    return models.UpstreamSaid(
        name=one.name,
        breaker=_breaker(one),
        targets=[_target(target) for target in one.targets],
        connections=models.ConnectionsSaid(busy=pool.open - pool.idle, idle=pool.idle, max=pool.limits.max_connections),
        queued=pool.queued,
        totals=models.PoolTotals(created=pool.created, reused=pool.reused, waited=pool.waited),
    )


def _breaker(one: Upstream) -> Literal["off", "closed", "half_open", "open"]:
    breaker = one.targets.breaker
    if breaker is None:
        return "off"
    states: dict[BreakerState, Literal["closed", "half_open", "open"]] = {
        BreakerState.CLOSED: "closed",
        BreakerState.HALF_OPEN: "half_open",
        BreakerState.OPEN: "open",
    }
    return states[breaker.state]


def _target(target: Target) -> models.TargetSaid:
    condition = target.condition
    return models.TargetSaid(
        url=identity(target.endpoint),
        state=_state(condition),
        weight=target.weight,
        configured_weight=target.endpoint.weight,
        active=condition.active,
        answers=condition.answers,
        failures=condition.failures,
    )


def _state(condition: Condition) -> Literal["ready", "draining", "ejected", "unhealthy"]:
    if condition.draining:
        return "draining"
    return "unhealthy" if condition.unhealthy else "ejected" if condition.ejected else "ready"


def _plugin(link: Link) -> models.PluginSaid:
    kind = type(link.plugin)
    return models.PluginSaid(
        id=link.id,
        name=link.name,
        kind=f"{kind.__module__}.{kind.__qualname__}",
        rank=kind.rank.name.lower(),
        on_error=kind.on_error,
        hooks=[hook for hook in _HOOKS if getattr(kind, hook) is not getattr(Plugin, hook)],
    )
