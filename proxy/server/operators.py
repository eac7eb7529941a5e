"""What a supervisor does for operators: the answers that are more than the workers' put together."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from proxy.message import Response
from proxy.metrics import Metrics
from proxy.plugin import AdminRequest
from proxy.server.controls import take
from proxy.server.crew import Crew
from proxy.server.ledger import Ledger
from proxy.server.levels import set_level
from proxy.server.merge import exposition, merge
from proxy.server.models import LevelWanted
from proxy.server.relay import Relay, merged
from proxy.server.reload import Reload
from proxy.server.views import reload_answer

if TYPE_CHECKING:
    from proxy.server.supervisor import Supervisor

_SECONDS = 5.0  # for the workers' answers; a scrape must not wait longer for one that hangs


class Operators:
    """The supervisor's own admin routes, added to those of the relay.

    :ivar ledger: what the workers have counted.
    """

    def __init__(self, supervisor: Supervisor, crew: Crew, relay: Relay) -> None:
        self._supervisor = supervisor
        self._crew = crew
        self._relay = relay
        self._steered = asyncio.Lock()
        self.ledger = Ledger()
        own, place = relay.own.route, "upstreams/{upstream}/targets/{target}"
        own("GET", "status", self._status)
        own("POST", "config/reload", self._reload)
        own("PUT", "log-levels/{logger}", self._level)
        own("POST", f"{place}/drain", self._steer)
        own("POST", f"{place}/undrain", self._steer)
        own("PUT", f"{place}/weight", self._steer)

    async def exposition(self, own: Metrics) -> tuple[bytes, str]:
        """Everybody's figures as one, in Prometheus's text format.

        :param own: the supervisor's.
        """
        found = self.ledger.metrics(await self._crew.answers("metrics", seconds=_SECONDS))
        return exposition(merge([found, list(own.collect())]))

    async def scrubbed(self, data: Any) -> Any:
        """Plain data without secrets, which the workers know by heart."""
        for scrubbed in await self._crew.ask("scrub", data, _SECONDS):
            data = scrubbed
        return data

    async def _status(self, request: AdminRequest) -> Response:
        """The workers' figures as one, and who they are."""
        replies = await self._relay.ask(request)
        if not replies:
            return Response.problem(503, "no worker answers now", {"Retry-After": "1"})
        response = merged([reply for _, reply in replies])
        if response.status != 200:
            return response
        total = self.ledger.requests({member: json.loads(reply.body)["requests_total"] for member, reply in replies})
        last = self._supervisor.last
        own = self._supervisor.status() | {"reload": None if last is None else await self._answer(last)}
        return Response.json(200, json.loads(response.body.data or b"{}") | own | {"requests_total": total})

    async def _reload(self, _: AdminRequest) -> Response:
        done = await self._supervisor.reload("admin")
        return Response.json(200 if done.ok else 409, await self._answer(done))

    async def _answer(self, reload: Reload) -> Any:
        return await self.scrubbed(reload_answer(reload).model_dump(mode="json", by_alias=True))

    async def _level(self, request: AdminRequest) -> Response:
        """Set a logger's level in every process, and in those to come."""
        wanted = take(LevelWanted, request)
        response = await self._relay.relay(request)
        if response.status == 200:
            name = request.params["logger"]
            with suppress(KeyError):  # a logger that only workers have
                set_level(name, wanted.level)
            self._supervisor.wish(levels={name: wanted.level})
        return response

    async def _steer(self, request: AdminRequest) -> Response:
        """Steer a target in every process, and in those to come."""
        async with self._steered:
            response = await self._relay.relay(request)
            if response.status == 200:
                for steering in (await self._crew.ask("steering", seconds=_SECONDS))[:1]:
                    self._supervisor.wish(steering=steering)
            return response
