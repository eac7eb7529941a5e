"""Requests of plugins to an upstream of the configuration, by the engine that serves clients.

So they find what a client's request would find: the upstream's pool and queue, its targets' health, its retries and
timeouts. No chain is passed, and they are not counted among the clients' requests.
"""

from __future__ import annotations

from proxy.chain import Chain
from proxy.engine import Engine
from proxy.errors import GatewayError
from proxy.exchange import Exchange
from proxy.message import Request, Response
from proxy.peer import Peer
from proxy.plan import Plan
from proxy.ports import FetchPort


async def errand(engine: Engine, name: str, request: Request) -> Response:
    """Send a request to the upstream of that name.

    :returns: its answer, the body still to flow; read or close it.
    :raises GatewayError: when there is no such upstream, or no answer.
    """
    upstream = engine.snapshot.upstreams.get(name)
    if upstream is None:
        raise GatewayError(f"there is no upstream {name!r}")
    origin = _exchange(engine, request, Plan("", Chain(()), upstream, patience=upstream.patience), FetchPort())
    child = _exchange(engine, request, origin.plan, port := FetchPort())
    child.parent = origin
    if child.patience.total:
        child.deadline = child.started + child.patience.total
    response = await engine.run(child, port)
    if child.error is not None:
        response.close()
        raise child.error
    return response


def _exchange(engine: Engine, request: Request, plan: Plan, port: FetchPort) -> Exchange:
    made = Exchange(engine.new_id(), request, Peer(""), port, engine.clock.monotonic())
    made.plan, made.patience = plan, plan.patience
    return made
