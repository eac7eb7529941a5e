"""What the admin API does to a running gateway: reload, explain, targets, log levels."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ValidationError

from proxy.message import Response
from proxy.plugin import AdminRequest
from proxy.server import models
from proxy.server.guard import Refused
from proxy.server.levels import levels, set_level
from proxy.server.views import Views, reload_answer, upstream_said
from proxy.upstream.condition import identity
from proxy.upstream.upstream import Upstream

if TYPE_CHECKING:
    from proxy.server.gateway import Gateway

M = TypeVar("M", bound=BaseModel)


class Controls:
    """What answers the engine's own admin routes that do something. :see: `proxy.server.own_routes`."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._give = Views(gateway).give

    async def reload(self, _: AdminRequest) -> Response:
        """Reload; a refusal is a 409 with all that is wrong."""
        done = await self._gateway.reload("admin")
        return self._give(reload_answer(done), 200 if done.ok else 409)

    async def explain(self, request: AdminRequest) -> Response:
        """Explain a request by the configuration that is served."""
        from proxy.build.explain import Explainer  # loaded when somebody asks

        asked = take(models.Asked, request)
        try:
            explainer = Explainer(self._gateway.built, self._gateway.runtime)
            found = await explainer.explain(asked.method, asked.url, asked.headers, str(asked.client))
        except ValueError as error:
            raise Refused(422, str(error)) from error
        return Response.json(200, self._gateway.scrub.data(found.to_dict()))

    async def drain(self, request: AdminRequest) -> Response:
        """Drain a target."""
        upstream, target = self._target(request)
        upstream.drain(target)
        return self._give(upstream_said(upstream))

    async def undrain(self, request: AdminRequest) -> Response:
        """Take it back."""
        upstream, target = self._target(request)
        upstream.undrain(target)
        return self._give(upstream_said(upstream))

    async def weight(self, request: AdminRequest) -> Response:
        """Weigh a target."""
        wanted = take(models.WeightWanted, request)
        upstream, target = self._target(request)
        upstream.set_weight(target, wanted.weight)
        return self._give(upstream_said(upstream))

    def _target(self, request: AdminRequest) -> tuple[Upstream, str]:
        """The upstream and the target that a path names: the target by its URL, or by its place in the list, from 0.

        :raises Refused: 404.
        """
        upstream: Upstream | None = self._gateway.built.snapshot.upstreams.get(request.params["upstream"])
        if upstream is None:
            raise Refused(404, "there is no such upstream; GET upstreams lists them")
        known, said = [identity(endpoint) for endpoint in upstream.endpoints], request.params["target"]
        if said.isascii() and said.isdigit() and len(said) < 6 and int(said) < len(known):
            said = known[int(said)]
        if said not in known:
            raise Refused(404, "there is no such target; GET upstreams lists them")
        return upstream, said

    async def level(self, request: AdminRequest) -> Response:
        """Set one logger's level."""
        wanted = take(models.LevelWanted, request)
        try:
            set_level(request.params["logger"], wanted.level)
        except KeyError:
            raise Refused(404, "there is no such logger; GET log-levels lists them") from None
        return self._give(models.Levels(levels=levels()))


def take(model: type[M], request: AdminRequest) -> M:
    """The body of a request.

    :raises Refused: 400 when it is no JSON, 422 when it is not what is wanted.
    """
    try:
        return model.model_validate_json(request.body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        if first["type"] == "json_invalid":
            raise Refused(400, "the body is no JSON") from None
        place = ".".join(map(str, first["loc"]))
        raise Refused(422, f"{place}: {first['msg']}" if place else first["msg"]) from None
