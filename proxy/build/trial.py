"""A configuration on which requests pass without leaving a trace: nothing is sent, counted or published.

The engine and the front end are the ones that serve. Chains hold only hooks of plugins that call themselves pure,
each watched for what it changes, and upstreams write down what they would have sent.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from proxy.build.explanation import shown
from proxy.chain import Chain, Hooks, Link
from proxy.errors import GatewayError
from proxy.exchange import Endpoint, Exchange, Key
from proxy.fallback import Fallback
from proxy.message import Response
from proxy.plan import Plan
from proxy.plugin import Plugin
from proxy.routing import Route
from proxy.upstream.head import request_framing, request_head
from proxy.upstream.upstream import Upstream
from proxy.waiting import RAISED


@dataclass(slots=True)
class Note:
    """What was seen of one plugin.

    :ivar says: what it describes itself as doing.
    :ivar cache: what it would do with the request if it is a cache; else empty.
    """

    says: str
    cache: str = ""
    changes: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Trial:
    """What was seen of one request.

    :ivar notes: by the plugin's index in the chain; without those that were not reached.
    :ivar answered_by: index of the plugin that answered, or None.
    :ivar head: what the upstream would have been sent, from the request line to the empty line.
    """

    notes: dict[int, Note] = field(default_factory=dict)
    answered_by: int | None = None
    head: bytes = b""


TRIAL: Key[Trial] = Key("trial")


class TrialUpstream:
    """Stands for an upstream: :see: `proxy.plan.Upstream`.

    :param real: None for a route without upstream whose answering plugin is not run.
    """

    def __init__(self, name: str, real: Upstream | None) -> None:
        self.name = name
        self._real = real

    def pick(self, exchange: Exchange) -> Endpoint:
        """The endpoint that would be next; it does not lose its turn."""
        return _NOWHERE if self._real is None else self._real.targets.preview(exchange)

    def describe(self) -> tuple[tuple[str, str], ...]:
        """:see: `proxy.upstream.upstream.Upstream.describe`."""
        return () if self._real is None else self._real.describe()

    def send(self, exchange: Exchange, endpoint: Endpoint) -> None:
        """Write down the head, and answer with nothing."""
        try:
            head = request_head(exchange, endpoint, request_framing(exchange), "1.1 passerelle")
        except GatewayError as error:
            exchange.failed(error)
            return
        trial = exchange.get(TRIAL)
        if trial is not None:
            trial.head = head
        exchange.answered(Response(200))

    def answered(self, exchange: Exchange, response: Response) -> None:
        """A trial leaves no trace."""

    def failed(self, exchange: Exchange, error: GatewayError) -> None:
        """A trial leaves no trace."""

    def retry_in(self, exchange: Exchange, cause: GatewayError | int) -> float | None:
        """There is nothing to try again."""
        return None

    def pause(self, exchange: Exchange, seconds: float) -> None:
        """Nor anything to wait for."""


_NOWHERE = Endpoint("", "http", "", 80)


def trial_route(route: Route[Plan]) -> Route[Plan]:
    """The same route with a plan that leaves no trace."""
    trial = _trial_plan(route.payload)
    return Route(route.name, route.match, trial, priority=route.priority, rewrite=route.rewrite, allow=route.allow)


def _trial_plan(plan: Plan) -> Plan:
    unknown = any(link.plugin.answers and not link.plugin.pure for link in plan.chain.links)
    upstream = plan.upstream if isinstance(plan.upstream, Upstream) else None
    stand_in = TrialUpstream("" if upstream is None else upstream.name, upstream) if upstream or unknown else None
    trial = Plan(plan.name, trial_chain(plan.chain.links), stand_in, plan.rewrite, plan.patience, plan.pages)
    way_out = plan.fallback
    if way_out is not None:
        other = None if way_out.plan is None else _trial_plan(way_out.plan)
        trial.fallback = Fallback(
            way_out.causes, plan=other, name=way_out.name, answer=way_out.answer, about=way_out.about
        )
    return trial


def trial_chain(links: Sequence[Link]) -> Chain:
    """A chain of the pure plugins' hooks, watched; the others only describe themselves."""
    chain = Chain(links)
    inward = dict(chain.inward.pairs()) if chain.inward else {}
    chain.inward = Hooks.of((i, _inward(i, link, inward.get(i))) for i, link in enumerate(chain.links))
    chain.attempts = _watched_pure(chain, chain.attempts)
    chain.outward = _watched_pure(chain, chain.outward)
    chain.complete = None
    return chain


def _watched_pure(chain: Chain, hooks: Hooks | None) -> Hooks | None:
    if hooks is None:
        return None
    return Hooks.of((i, _watched(i, hook)) for i, hook in hooks.pairs() if chain.links[i].plugin.pure)


def _inward(index: int, link: Link, hook: Any) -> Callable[[Exchange], Any]:
    """Take note that the plugin is reached and what it says of itself; run its hook if that is harmless."""
    watched = _watched(index, hook) if hook is not None and link.plugin.pure else None

    def reached(exchange: Exchange) -> Any:
        trial = exchange.get(TRIAL)
        if trial is not None:
            trial.notes[index] = Note(_description(link.plugin, exchange), link.plugin.forecast(exchange))
        return None if watched is None else watched(exchange)

    return reached


def _description(plugin: Plugin[Any], exchange: Exchange) -> str:
    try:
        return plugin.describe(exchange)
    except RAISED as error:
        return f"cannot describe itself: {type(error).__name__}: {error}"


def _watched(index: int, hook: Callable[[Exchange], Any]) -> Callable[[Exchange], Any]:
    """The hook, with a note of what it changes."""

    def run(exchange: Exchange) -> Any:
        trial = exchange.get(TRIAL)
        if trial is None or index not in trial.notes:
            return hook(exchange)
        before = _picture(exchange)
        answer = hook(exchange)
        if answer is None or isinstance(answer, Response):
            _note(exchange, trial, index, before, answer)
            return answer
        return _later(exchange, trial, index, before, answer)

    return run


async def _later(
    exchange: Exchange, trial: Trial, index: int, before: Picture, answer: Awaitable[Response | None]
) -> Response | None:
    found = await answer
    _note(exchange, trial, index, before, found)
    return found


@dataclass(frozen=True, slots=True)
class Picture:
    """What a hook may change, at one moment."""

    facts: dict[str, str]
    request: list[tuple[str, str]]
    response: list[tuple[str, str]] | None


def _picture(exchange: Exchange) -> Picture:
    request, response = exchange.request, exchange.response
    facts = {"method": request.method, "host": request.host, "target": request.target}
    if response is not None:
        facts["status"] = str(response.status)
    fields = None if response is None else list(response.headers.items())
    return Picture(facts, list(request.headers.items()), fields)


def _note(exchange: Exchange, trial: Trial, index: int, before: Picture, answer: Response | None) -> None:
    changes = trial.notes[index].changes
    if isinstance(answer, Response):
        if exchange.response is None:
            trial.answered_by = index
            changes.append(f"answers {answer.status}")
        else:
            changes.append(f"replaces the answer by a {answer.status}")
        return
    after = _picture(exchange)
    for fact, value in after.facts.items():
        if before.facts.get(fact, value) != value:
            changes.append(f"{fact} becomes {value}")
    changes += _field_changes("request", before.request, after.request)
    changes += _field_changes("answer", before.response or [], after.response or [])


def _field_changes(of: str, before: list[tuple[str, str]], after: list[tuple[str, str]]) -> list[str]:
    """In words: `request: X-Env is prod`, `answer: no Server`."""
    old, new = _by_name(before), _by_name(after)
    names = {name.lower(): name for name, _ in (*before, *after)}
    told = [f"{of}: no {names[key]}" for key in old if key not in new]
    for key, values in new.items():
        if old.get(key) != values:
            name = names[key]
            told.append(f"{of}: {name} is {', '.join(shown(name, value) for value in values)}")
    return told


def _by_name(fields: list[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in fields:
        found.setdefault(name.lower(), []).append(value)
    return found
