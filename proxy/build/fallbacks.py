"""Ways out of an upstream's failure: from a route's `on_error` to what the engine reads."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from proxy.build.runtime import Runtime
from proxy.build.upstreams import patience
from proxy.chain import Chain
from proxy.fallback import RESPOND, Fallback
from proxy.headers import Headers
from proxy.message import Body, Response
from proxy.plan import Plan
from proxy.settings import ErrorAnswer, Settings
from proxy.settings import Route as RouteSettings
from proxy.upstream.upstream import Upstream


def make_fallback(
    said: RouteSettings, chain: Chain, settings: Settings, upstreams: dict[str, Upstream], runtime: Runtime
) -> Fallback | None:
    """The route's way out; None when its failures are answered as they are."""
    rule = said.on_error
    if rule is None:
        return None
    name = RESPOND if rule.upstream is None else rule.upstream
    count = runtime.metrics.counter(
        "passerelle_fallbacks_total", "Failures that led to a route's on_error.", ("route", "to", "cause")
    )
    told, when = partial(count.inc, said.name, name), ", ".join(rule.when)
    if rule.upstream is not None:
        waits = patience(settings.upstreams[rule.upstream].timeouts)
        plan = Plan(said.name, chain, upstreams[rule.upstream], patience=waits)
        return Fallback(rule.causes, plan=plan, name=name, about=f"upstream {name} on {when}", told=told)
    answer = ErrorAnswer() if rule.respond is None else rule.respond
    return Fallback(rule.causes, answer=_maker(answer), about=f"respond {answer.status} on {when}", told=told)


def _maker(said: ErrorAnswer) -> Callable[[], Response]:
    fields = Headers({"Cache-Control": "no-store"})
    if said.body:
        fields["Content-Type"] = "text/plain; charset=utf-8"
    for name, value in said.headers.items():
        fields[name] = value
    body = said.body.encode()
    return lambda: Response(said.status, fields.copy(), Body(body))
