"""Finds out what would happen to a request, by letting it happen where nothing can come of it.

The request's bytes go through the front end that serves, and the engine that serves, on a trial of the configuration.
So an explanation cannot differ from what is done: no rule is written twice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, quote, urlsplit

from proxy.build.built import Built
from proxy.build.clients import client_limits, client_trust
from proxy.build.explanation import Candidate, Explanation, Fields, Forward, Made, Step
from proxy.build.runtime import Runtime
from proxy.build.trial import TRIAL, Trial, trial_chain, trial_route
from proxy.build.wire import Wire
from proxy.chain import Link
from proxy.engine import Engine
from proxy.errors import GatewayError
from proxy.events import EventBus
from proxy.exchange import Exchange
from proxy.fields import REQUEST_KINDS, Names
from proxy.frontend.head import HeadReader
from proxy.frontend.http1 import Connection
from proxy.frontend.identity import Identity
from proxy.frontend.listener import Listener
from proxy.metrics import Metrics
from proxy.plan import Plan, Snapshot
from proxy.plugin import Plugin
from proxy.routing import Considered, Router
from proxy.settings import Settings
from proxy.settings.fields import DEFAULT_PORTS

if TYPE_CHECKING:
    from proxy.frontend.proxy_protocol import Told

_FRAMING = frozenset({"content-length", "transfer-encoding"})  # no body is sent, so nothing frames one
_NOT_QUOTED = "".join(map(chr, range(0x21, 0x7F)))


class Explainer:
    """Explains requests to one configuration. Made inside a running loop; plugins need not be started."""

    def __init__(self, built: Built, runtime: Runtime) -> None:
        snapshot = built.snapshot
        router = Router([trial_route(route) for route in snapshot.router.routes])
        fallback = Plan("", trial_chain(snapshot.fallback.chain.links), None, pages=snapshot.fallback.pages)
        self._snapshot = Snapshot(router, fallback, {}, [route.payload for route in router.routes], snapshot.revision)
        self._settings = built.loaded.settings
        self._runtime = runtime

    async def explain(
        self, method: str, url: str, headers: Iterable[tuple[str, str]] = (), client: str = "127.0.0.1"
    ) -> Explanation:
        """What would happen to a request without a body; nothing is sent.

        :param url: absolute; its host is sent as Host unless `headers` hold another.
        :param headers: fields as a client would send them.
        :param client: the address that it comes from.
        :raises ValueError: when the URL is none, or a line end stands in what is sent.
        """
        parts = urlsplit(url)
        if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
            raise ValueError(f"not an http URL: {url}")
        engine = _Engine(self._snapshot, self._runtime)
        door = _Door(parts, engine, self._runtime, self._settings, client)
        connection = Connection(door, asyncio.get_running_loop())
        connection.connection_made(Wire())
        connection.data_received(_head(method, parts, list(headers)))
        exchange = await engine.over
        connection.connection_lost(None)
        return _explanation(f"{method} {url}", client, engine, exchange)


class _Engine(Engine):
    """The engine for one request, with a look at its beginning and its end.

    :ivar over: done when the answer has been delivered.
    :ivar considered: every route, as the router saw them.
    """

    def __init__(self, snapshot: Snapshot, runtime: Runtime) -> None:
        super().__init__(
            snapshot,
            events=EventBus(runtime.clock),
            clock=runtime.clock,
            metrics=Metrics(),
            spawn=runtime.spawn,
            randomness=runtime.random,
        )
        self.over: asyncio.Future[Exchange] = asyncio.get_running_loop().create_future()
        self.considered: list[Considered[Plan]] = []

    def begin(self, x: Exchange) -> None:
        x[TRIAL] = Trial()
        try:
            self.considered = self.snapshot.router.consider(x.request)
        except GatewayError:
            self.considered = []  # of which the exchange itself will tell
        super().begin(x)

    def refuse(self, x: Exchange, error: GatewayError) -> None:
        x[TRIAL] = Trial()
        super().refuse(x, error)

    def delivered(self, x: Exchange, error: GatewayError | None) -> None:
        super().delivered(x, error)
        if TRIAL in x and not self.over.done():
            self.over.set_result(x)


class _Door(Listener):
    """A listener that nobody can connect to: it takes its connections' ends from the URL and the client given."""

    def __init__(self, url: SplitResult, engine: _Engine, runtime: Runtime, settings: Settings, client: str) -> None:
        limits, trust = client_limits(settings), client_trust(settings)
        super().__init__(
            url.geturl(),
            engine,
            wheel=runtime.wheel,
            spawn=runtime.spawn,
            trust=trust,
            limits=limits,
            token=runtime.token,
        )
        self.scheme = url.scheme
        self.reader = HeadReader(
            url.scheme,
            Names(REQUEST_KINDS, limits.underscores),
            runtime.token,
            max_bytes=limits.head_bytes,
            max_fields=limits.fields,
            max_target=limits.target_bytes,
        )
        self._identity = Identity(trust, client, 0, url.scheme, url.port or DEFAULT_PORTS[url.scheme])

    def identify(self, transport: asyncio.Transport, told: Told | None) -> Identity:
        return self._identity


def _head(method: str, url: SplitResult, headers: list[tuple[str, str]]) -> bytes:
    """The request's bytes; what is not ASCII in the target is percent-encoded, as browsers do."""
    target = quote(f"{url.path or '/'}{f'?{url.query}' if url.query else ''}", safe=_NOT_QUOTED)
    if not any(name.lower() == "host" for name, _ in headers):
        headers = [("Host", url.netloc.rpartition("@")[2]), *headers]
    kept = [f"{name}: {value}" for name, value in headers if name.lower() not in _FRAMING]
    lines = [f"{method} {target} HTTP/1.1", *kept]
    if any("\r" in line or "\n" in line for line in lines):
        raise ValueError("a line end cannot stand in a request line or a header field")
    return "\r\n".join([*lines, "", ""]).encode()


def _explanation(request: str, client: str, engine: _Engine, x: Exchange) -> Explanation:
    trial = x[TRIAL]
    links = x.plan.chain.links
    return Explanation(
        request,
        client,
        tuple(map(_candidate, engine.considered)),
        x.route,
        tuple(_step(index, link, trial) for index, link in enumerate(links)),
        _forward(x, trial.head) if trial.head and x.upstream else None,
        _made(x, trial),
        tuple(link.id for index, link in enumerate(links) if index in trial.notes and _may_answer(link.plugin)),
        tuple((key, tuple((p.kind, p.origin) for p in pages)) for key, pages in x.plan.pages.listed().items()),
        next((note.cache for _, note in sorted(trial.notes.items()) if note.cache), ""),
    )


def _candidate(considered: Considered[Plan]) -> Candidate:
    match = considered.route.match
    matches = " ".join([*match.hosts, match.path, *sorted(match.methods), *(f"{n}: {v}" for n, v in match.headers)])
    return Candidate(considered.route.name, matches, considered.won, considered.reason)


def _step(index: int, link: Link, trial: Trial) -> Step:
    note = trial.notes.get(index)
    plugin = link.plugin
    return Step(
        link.id,
        link.name,
        plugin.rank.name.lower(),
        ran=plugin.pure,
        reached=note is not None,
        says="" if note is None else note.says,
        changes=() if note is None else tuple(note.changes),
    )


def _may_answer(plugin: Plugin[Any]) -> bool:
    return not plugin.pure and type(plugin).on_request is not Plugin.on_request


def _forward(x: Exchange, head: bytes) -> Forward:
    start, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    method, target, _ = start.split(" ")
    pairs = [(name, value) for name, _, value in (line.partition(": ") for line in lines)]
    host = next(value for name, value in pairs if name == "Host")
    way_out = "" if x.plan.fallback is None else x.plan.fallback.about
    rest = tuple(pair for pair in pairs if pair[0] != "Host")
    choice = x.plan.upstream.describe()
    return Forward(x.upstream, str(x.endpoint), method, target, host, rest, x.patience, way_out, choice)


def _made(x: Exchange, trial: Trial) -> Made | None:
    """The answer when nobody upstream was asked, or when a hook failed on the way back."""
    if x.response is None or (trial.head and x.error is None):
        return None
    fields: Fields = tuple(x.response.headers.items())
    if x.error is not None:
        return Made(x.response.status, "", x.error.detail or x.error.code, fields)
    by = "" if trial.answered_by is None else x.plan.chain.links[trial.answered_by].id
    return Made(x.response.status, by, "", fields)
