"""The public face of a plugin: one small typed class with a Config.

Hooks decide, events tell. A hook returns None (go on) or a Response (the answer); it may return an awaitable of either,
which suspends the exchange until it is done.
"""

from __future__ import annotations

import asyncio
import copy
import logging
import random
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, Protocol, Self, TypeAlias, TypeVar

from pydantic import BaseModel, ConfigDict

from proxy.cache import DEFAULT_MEMORY, MAX_OBJECT, VALUES, Cache, Codec
from proxy.clock import Clock
from proxy.described import Described
from proxy.events import EventBus
from proxy.exchange import Exchange
from proxy.message import Response
from proxy.metrics import Metrics

if TYPE_CHECKING:
    from proxy.store import Store

Answer: TypeAlias = Response | None


class Rank(IntEnum):
    """Where a plugin stands when a route adds it, outermost first; the order that keeps a chain safe."""

    IDENTITY = 10
    LIMITS = 20
    SANITIZE = 30
    REWRITE = 40
    CACHE = 50
    COMPRESS = 60
    EVENTS = 70


class PluginConfig(Described):
    """Base of every plugin's Config: unknown keys are errors, and it does not change while it serves."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    process_wide: ClassVar[frozenset[str]] = frozenset()  # fields that belong to the one instance: refused on routes


C = TypeVar("C", bound=PluginConfig)
T = TypeVar("T")


class GuardedHttp(Protocol):
    """A client of one plugin's own, for URLs that others have chosen; made by `Http.guarded`."""

    async def send(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str],
        body: bytes,
        timeout: float,  # noqa: ASYNC109 (a total in seconds, kept by the client itself)
        keep: int,
    ) -> Response:
        """Send a request; the answer holds no more than the first `keep` bytes of its body, as they came.

        Redirects are answers, and nothing is decoded.

        :param timeout: seconds for everything.
        :raises GatewayError: as `Http.request`; ConnectFailed also for an address that is not admitted.
        """
        ...

    async def close(self) -> None:
        """Close its connections."""
        ...


class Http(Protocol):
    """The pooled client for plugins: the same ClientSession, pools and DNS cache that forward.

    A URL is any http or https one, or `upstream://NAME/path` for an upstream of the configuration: its pool, queue,
    targets, retries and timeouts, as for a client's request, but for the chain. Upstreams are known from the first
    exchange on.
    """

    async def request(
        self,
        method: str,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        timeout: float = 30.0,  # noqa: ASYNC109 (a total in seconds, kept by the client itself)
        limit: int = 10 * 1024 * 1024,
        redirects: int = 0,
        decode: bool = False,
    ) -> Response:
        """Send a request and read the whole answer. No cookies are kept.

        :param timeout: seconds for everything.
        :param limit: the most bytes of body to take; decoded, they may not be more either.
        :param redirects: how many of them to follow; 0 to get them as answers. Not for upstreams.
        :param decode: undo `Content-Encoding: gzip` and `deflate`; anything else stays as it is.
        :raises GatewayError: ConnectFailed, UpstreamTimeout, UpstreamReset, BadResponse or BodyTooLarge.
        """
        ...

    async def get(self, url: str, *, headers: Mapping[str, str] | None = None, timeout: float = 30.0) -> Response:  # noqa: ASYNC109
        """`request` with GET."""
        ...

    async def post(
        self,
        url: str,
        body: bytes,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: float = 30.0,  # noqa: ASYNC109
    ) -> Response:
        """`request` with POST."""
        ...

    def stream(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> AbstractAsyncContextManager[Response]:
        """An answer whose body is read as it arrives; its connection is given back at the end of the `with`."""
        ...

    def guarded(self, admits: Callable[[str], bool], *, connect: float = 5.0, connections: int = 10) -> GuardedHttp:
        """A client with connections of its own, each to an address that was admitted.

        :param admits: asked about the very address that is connected to, whether it was written as such, in whatever
            way, or looked up.
        :param connect: seconds for a connection.
        :param connections: how many at once.
        """
        ...


@dataclass(frozen=True, slots=True)
class AdminRequest:
    """What an admin handler is given."""

    method: str
    path: str
    query: Mapping[str, str]
    params: Mapping[str, str]  # the path's `{name}` parts
    body: bytes


AdminHandler: TypeAlias = Callable[[AdminRequest], Awaitable[Response]]


class Admin(Protocol):
    """Where a plugin or a room adds routes to the admin listener, below `/api/v1/`."""

    def route(
        self,
        method: str,
        path: str,
        handler: AdminHandler,
        summary: str = "",
        *,
        takes: type[BaseModel] | None = None,
    ) -> None:
        """Answer `method /api/v1/<path>`; `path` may hold `{name}` parts.

        :param takes: what the body has to be, for the description of the API; the handler reads it itself.
        :raises ValueError: when that route is taken.
        """
        ...


class CacheLender(Protocol):
    """Where a plugin gets caches."""

    def __call__(
        self,
        name: str,
        codec: Codec[T] = VALUES,
        *,
        memory: int = DEFAULT_MEMORY,
        redis: bool | None = None,
        max_object: int = MAX_OBJECT,
    ) -> Cache[T]:
        """The plugin's own cache of that name; what it holds outlives a reload that leaves it in use.

        :param codec: sizes, writes and reads its values; without one they are plain Python values (`Values`).
        :param memory: bytes in memory, overhead included; of all processes of the server together.
        :param redis: whether it has a level that gateways share: None when there is a Redis, True if it must.
        :param max_object: bytes that one value may take, by its codec; larger ones are not stored.
        :raises ValueError: when `redis` is True and none is configured.
        """
        ...


@dataclass(frozen=True, slots=True)
class Command:
    """A subcommand that a plugin adds to `passerelle`: `passerelle NAME ARGS…`.

    :ivar run: takes the arguments after the name and returns the exit code.
    """

    name: str
    summary: str
    run: Callable[[Sequence[str]], int]


def _in_memory(_: str) -> Store:
    """What there is where nothing is to outlast the process: a test."""
    from proxy.store import MemoryStore  # loaded by those who keep something

    return MemoryStore()


@dataclass(frozen=True, slots=True)
class Services:
    """What the gateway lends a plugin; everything that a test wants to control comes through here.

    :ivar events: the bus; `services.events.publish(event)` is the public trigger.
    :ivar clock: monotonic and wall time.
    :ivar random: randomness that a test can seed; not for secrets.
    :ivar log: a logger of the plugin's own.
    :ivar http: the pooled client.
    :ivar metrics: counters, gauges and histograms.
    :ivar admin: adds admin routes.
    :ivar cache: gives caches, bounded in bytes.
    :ivar spawn: runs a coroutine in the background; it is cancelled at the end, and an error in it is logged.
    :ivar store: opens the outbox of that name, kept below `state`; what the plugin has not closed is closed when it is
        stopped.
    :ivar buffered_body: bytes that one body may have to be held as a whole (`limits.buffered_body`):
        `await body.read(services.buffered_body)` makes a larger one a 413, or a 502 where it is an answer's.
    """

    events: EventBus
    clock: Clock
    random: random.Random
    log: logging.Logger
    http: Http
    metrics: Metrics
    admin: Admin
    cache: CacheLender
    spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]
    buffered_body: int = 10 * 1024 * 1024
    store: Callable[[str], Store] = _in_memory


class Plugin(Generic[C]):
    """Base of all plugins: override the hooks you need; the others cost nothing.

    :cvar rank: its place when a route adds it.
    :cvar on_error: `"fail"`: a hook that raises is a 500 (fail closed). `"skip"`: go on as if the hook were not there;
        only where that is safe. Either way a `plugin.error` event tells.
    :cvar commands: subcommands it adds to `passerelle`.
    :cvar pure: its hooks change nothing but the exchange, so `explain` and a configuration's own tests run them for
        real.
    """

    rank: ClassVar[Rank] = Rank.REWRITE
    on_error: ClassVar[Literal["fail", "skip"]] = "fail"
    commands: ClassVar[Sequence[Command]] = ()
    pure: ClassVar[bool] = False
    answers: ClassVar[bool] = False  # whether it may end the way in by itself, so that a route needs no upstream

    config: C

    def __init__(self, config: C) -> None:
        self.config = config
        self.configured()

    def for_route(self, config: C) -> Self:
        """This instance as a route sees it that sets other options: all that `start` makes is shared."""
        twin = copy.copy(self)
        twin.config = config
        twin.configured()
        return twin

    def share(self, started: Self) -> None:
        """Take over what `start` made on the one instance; called on each of its twins, whose options stay."""
        config = self.config
        vars(self).update(vars(started))
        self.config = config
        self.configured()

    def configured(self) -> None:
        """`config` is set: derive from it what hooks need. Runs once for the instance and once for each such route."""

    async def start(self, services: Services) -> None:
        """Before the first exchange. Raising refuses the configuration."""

    async def stop(self) -> None:
        """After the last exchange."""

    def on_request(self, exchange: Exchange) -> Answer | Awaitable[Answer]:
        """On the way in, outermost first. A Response ends the way in; this plugin's own on_response is then skipped."""

    def on_attempt(self, exchange: Exchange) -> Awaitable[None] | None:
        """An endpoint is chosen; runs before each try: sign, stamp."""

    def on_response(self, exchange: Exchange) -> Answer | Awaitable[Answer]:
        """On the way out, innermost first: the head is known, the body still to flow. A Response takes its place."""

    def on_complete(self, exchange: Exchange) -> None:
        """Once, always, never async: count, log, publish."""

    def describe(self, exchange: Exchange) -> str:
        """What it would do with this request, for `passerelle explain`; must not change anything.

        :returns: one line; empty when there is nothing to tell.
        """
        return ""

    def doubts(self) -> Sequence[str]:
        """What `check` and the log warn of, in options that are valid all the same; called once for each route too."""
        return ()

    def forecast(self, exchange: Exchange) -> str:
        """What a cache would do with this request, for a file's own tests (`expect: {cache: ...}`); as `describe`.

        :returns: `hit`, `eligible` or `bypass`; empty when this is no cache.
        """
        return ""


def config_of(plugin: type[Plugin[Any]]) -> type[PluginConfig]:
    """The Config class that a plugin names: `Plugin[Config]`; PluginConfig itself when it has no options.

    :raises TypeError: when the type argument is no PluginConfig.
    """
    for cls in plugin.__mro__:
        for base in getattr(cls, "__orig_bases__", ()):
            if getattr(base, "__origin__", None) is Plugin:
                (argument,) = base.__args__
                if isinstance(argument, type) and issubclass(argument, PluginConfig):
                    return argument
                raise TypeError(f"{cls.__name__}: Plugin[...] takes a PluginConfig, not {argument!r}")
    return PluginConfig
