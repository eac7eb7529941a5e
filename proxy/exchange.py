"""One request, its two ends, and what became of it: a state machine without I/O.

Its ends are ports: the front end that wants an answer (`Client`), the transport that is asked for one (`Attempt`), and
the engine that decides what comes next (`Driver`). Each of them advances the exchange by calling the methods below;
none of them knows another.
"""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from enum import IntEnum
from math import inf
from typing import Any, Generic, Protocol, TypeVar, cast

from proxy.errors import GatewayError
from proxy.kept import Kept
from proxy.message import Request, Response
from proxy.patience import DEFAULT_PATIENCE, Patience
from proxy.peer import Peer

T = TypeVar("T")


class Key(Generic[T]):
    """A typed key for what a plugin keeps with an exchange: `USER: Key[str] = Key("user")`, `exchange[USER]`."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"Key({self.name!r})"


class Endpoint:
    """One address of an upstream.

    :ivar url: as configured, such as `http://127.0.0.1:9001`; also what `str()` gives.
    :ivar authority: host and port as they stand in Host, the default port left out.
    :ivar prefix: a path that stands before every target, without its last slash; mostly empty.
    :ivar host_field: the Host to send; empty passes the client's.
    :ivar address: what to connect to in the place of `host`, where it is known; `path`: a Unix socket; else empty.
    :ivar tls: how TLS is done, an affair of the upstreams' room; None for its common way.
    """

    __slots__ = (
        "address",
        "authority",
        "host",
        "host_field",
        "path",
        "port",
        "prefix",
        "scheme",
        "tls",
        "url",
        "weight",
    )

    def __init__(
        self,
        url: str,
        scheme: str,
        host: str,
        port: int,
        *,
        weight: int = 1,
        authority: str = "",
        prefix: str = "",
        host_field: str = "",
        address: str = "",
        path: str = "",
        tls: object = None,
    ) -> None:
        self.url = url
        self.scheme = scheme
        self.host = host
        self.port = port
        self.weight = weight
        self.authority = authority or f"{host}:{port}"
        self.prefix = prefix
        self.host_field = host_field
        self.address = address
        self.path = path
        self.tls = tls

    def __str__(self) -> str:
        return self.url

    def __repr__(self) -> str:
        return f"<Endpoint {self.url}>"


_IDEMPOTENT = frozenset({"GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE", "PROPFIND", "REPORT", "SEARCH", "QUERY"})


class Phase(IntEnum):
    """Where an exchange stands; it only ever moves forward, but for another attempt."""

    INWARD = 0  # on_request hooks run
    ATTEMPT = 1  # on_attempt hooks run
    UPSTREAM = 2  # the transport has it
    OUTWARD = 3  # on_response hooks run
    DELIVER = 4  # the front end writes the answer
    DONE = 5  # on_complete hooks have run


class Client(Protocol):
    """The end that wants an answer."""

    def informed(self, exchange: Exchange, response: Response) -> None:
        """An interim answer (1xx) to pass on."""

    def deliver(self, exchange: Exchange) -> None:
        """`exchange.response` is final: write it, then call `exchange.delivered()`."""


class Attempt(Protocol):
    """The end that was asked for an answer."""

    def cancel(self, reason: GatewayError | None = None) -> None:
        """Stop at once; nothing of it is wanted any more.

        :param reason: what is told to those who read an answer that is under way; that it is not wanted, unless given.
        """


class Limit(Protocol):
    """The clock that runs beside an exchange's tries."""

    def stop(self) -> None:
        """The exchange is over."""


class Claim(Protocol):
    """A try at a target, for whom keeps count of it. Released at its end, with what befell its answer's body."""

    def succeeded(self) -> None: ...
    def failed(self, cause: GatewayError | int) -> None: ...
    def release(self, error: GatewayError | None) -> None: ...


class Driver(Protocol):
    """The engine, as the two ends see it."""

    def informed(self, exchange: Exchange, response: Response) -> None: ...
    def answered(self, exchange: Exchange, response: Response) -> None: ...
    def failed(self, exchange: Exchange, error: GatewayError) -> None: ...
    def again(self, exchange: Exchange) -> None: ...
    def delivered(self, exchange: Exchange, error: GatewayError | None) -> None: ...
    def left(self, exchange: Exchange) -> None: ...
    def fetch(self, exchange: Exchange, request: Request) -> Awaitable[Response]: ...


class Recoder(Protocol):
    """Brings an answer, in place, into the coding that suits the client of a request."""

    @property
    def order(self) -> Sequence[str]:
        """The codings that it has, the most preferred first."""
        ...

    def __call__(self, request: Request, response: Response) -> None: ...


class Exchange:
    """One request and its answer.

    :ivar id: request id, also sent as X-Request-ID.
    :ivar received_id: X-Request-ID as the client sent it, whoever that is; `""` without one. Not to be believed.
    :ivar request: the request; hooks may change it until it is sent.
    :ivar response: the answer once there is one.
    :ivar error: set when the engine made the answer itself because something failed.
    :ivar peer: the client.
    :ivar route: name of the matched route, `""` without one.
    :ivar upstream: name of its upstream, `""` without one.
    :ivar endpoint: the address last tried.
    :ivar target: the target as the endpoint gets it, after strip and rewrite; set before `on_attempt`.
    :ivar attempts: how many tries were begun.
    :ivar tried: the endpoints of tries that failed at this upstream, oldest first; an endpoint that is not among them
        comes before those that are.
    :ivar upstream_status: status that the last try was answered with, whatever became of that answer; 0 without one.
    :ivar fallback: what `on_error` gave in the place of the upstream: the name of another one, `respond`, or `""`.
    :ivar cache: what the cache did with it, as its statistics count it: `hit`, `stale`, `revalidated`, `collapsed`,
        `miss`, `bypass` and so on; `""` when no cache looked at it.
    :ivar deadline: clock reading by which the answer must be whole, seconds; `inf` without one. A plugin may bring it
        forward before the first try.
    :ivar started: clock reading at its head's arrival, seconds.
    :ivar first_byte: clock reading at the answer's head, 0.0 before.
    :ivar bytes_in: content bytes of the request seen so far.
    :ivar bytes_out: content bytes of the answer written so far.
    :ivar recoder: what brings an answer, in place, into the coding that suits the client of a request, or None. It is
        set with answers that could be coded, and holds for each answer of the route: a cache that has kept one without
        a coding can have it coded for the next client, and needs not ask the upstream again.
    :ivar parent: the exchange whose plugin fetched this one, or None.
    :ivar detached: whether the answer is drained although its client left.
    """

    __slots__ = (
        "_bag",
        "attempt",
        "attempts",
        "before",
        "bytes_in",
        "bytes_out",
        "cache",
        "claim",
        "client",
        "cursor",
        "deadline",
        "detached",
        "driver",
        "endpoint",
        "error",
        "fallback",
        "fetched",
        "finished",
        "first_byte",
        "floor",
        "fresh",
        "hold",
        "hooks",
        "id",
        "limit",
        "parent",
        "patience",
        "peer",
        "phase",
        "plan",
        "received_id",
        "recoder",
        "request",
        "response",
        "route",
        "started",
        "stays",
        "steps",
        "target",
        "task",
        "tried",
        "upstream",
        "upstream_status",
    )

    plan: Any
    task: Any
    hooks: Any  # those that run in this phase (`proxy.chain.Hooks`), or None
    steps: Any  # an iterator over them, which knows where they stand; unset until there are any

    def __init__(self, id: str, request: Request, peer: Peer, client: Client, started: float) -> None:  # noqa: A002 (the field's name)
        self.id = id
        self.received_id = ""
        self.request = request
        self.response: Response | None = None
        self.error: GatewayError | None = None
        self.peer = peer
        self.route = ""
        self.upstream = ""
        self.endpoint: Endpoint | None = None
        self.target = request.target
        self.attempts = 0
        self.upstream_status = 0
        self.tried: tuple[Endpoint, ...] = ()
        self.fallback = ""
        self.cache = ""
        self.deadline = inf
        self.started = started
        self.first_byte = self.finished = 0.0
        self.bytes_in = self.bytes_out = 0
        self.recoder: Recoder | None = None
        self.parent: Exchange | None = None
        self.detached = False
        # the engine's own: where the chain stands, who waits
        self.phase = _INWARD
        self.cursor = -1  # index of the plugin at which the chain was left, to be resumed behind it
        self.floor = -1  # hooks of plugins up to this index are not this exchange's: it was fetched from there
        self.fresh = False  # whether the next try must not reuse a connection, since a reused one died under it
        self.patience: Patience = DEFAULT_PATIENCE
        self.claim: Claim | None = None  # on the target that is tried; whoever ends the try releases it
        self.before = 0  # tries that were another upstream's
        self.hold = 0  # bytes of an answer that is held until it is whole
        self.limit: Limit | None = None
        self.stays: tuple[Endpoint, str] | None = None  # the cookie by which the client is to come back there
        self.client = client
        self.attempt: Attempt | None = None
        self.driver: Driver = _NOBODY
        self.plan = self.task = self.hooks = None
        self.fetched: list[Exchange] | None = None  # by its own hooks, and to be let go of with it
        self._bag: dict[Key[Any], Any] | None = None

    # for plugins

    def __getitem__(self, key: Key[T]) -> T:
        if self._bag is None or key not in self._bag:
            raise KeyError(key.name)
        value: T = self._bag[key]
        return value

    def __setitem__(self, key: Key[T], value: T) -> None:
        if self._bag is None:
            self._bag = {}
        self._bag[key] = value

    def __contains__(self, key: Key[Any]) -> bool:
        return self._bag is not None and key in self._bag

    def get(self, key: Key[T], default: T | None = None) -> T | None:
        """What is kept under `key`, or `default`."""
        return default if self._bag is None else self._bag.get(key, default)

    @property
    def revision(self) -> str:
        """Short hash of the configuration that it was begun on; empty before it was begun."""
        return "" if self.plan is None else str(self.plan.revision)

    def fetch(self, request: Request) -> Awaitable[Response]:
        """Send `request` through the hooks listed after the calling plugin and to the upstream.

        The place in the chain is that of the hook running when this is called, so the awaitable may be awaited later,
        also in a task that outlives the exchange (revalidation, mirrors).

        :returns: the answer, its body still to flow; read or close it.
        :raises GatewayError: never for an upstream's failure, which is an answer with its status.
        """
        return self.driver.fetch(self, request)

    def detach(self) -> None:
        """Let the answer be drained to its end although its client has left (a shared cache fill)."""
        self.detached = True

    def hand_over(self) -> None:
        """The answer's body belongs to a plugin now, which gives others of it too: when this client leaves, only its
        own share ends. To be called when what stands in the answer is such a share (`Shared.reader`)."""
        self.detached = False
        self.attempt = None

    # for the engine

    @property
    def place(self) -> int:
        """Index of the plugin whose hook runs, or was the last to run in this phase."""
        return self.cursor if self.hooks is None else int(self.hooks.at(self.steps))

    @property
    def idempotent(self) -> bool:
        """Whether a request that was processed may be sent again (RFC 9110 section 9.2.2)."""
        return self.request.method in _IDEMPOTENT

    @property
    def resendable(self) -> bool:
        """Whether the request's body is still here from its first byte on."""
        body = self.request.body
        return body.data is not None or (body.whole if isinstance(body, Kept) else getattr(body, "spliceable", False))

    @property
    def repeatable(self) -> bool:
        """Whether the request, which may have been processed, can be sent again."""
        body = self.request.body
        return self.request.method in _IDEMPOTENT and (body.data is not None or (isinstance(body, Kept) and body.whole))

    # for the two ends

    def informed(self, response: Response) -> None:
        """The upstream sent an interim answer (RFC 9110 section 15.2)."""
        self.driver.informed(self, response)

    def answered(self, response: Response) -> None:
        """The upstream's final head is known; its body may still flow."""
        self.driver.answered(self, response)

    def failed(self, error: GatewayError) -> None:
        """The attempt failed before a final head."""
        self.driver.failed(self, error)

    def again(self) -> None:
        """The wait before a further try is over."""
        self.driver.again(self)

    def delivered(self, error: GatewayError | None = None) -> None:
        """The answer has been written to its end, or was cut by `error`."""
        self.driver.delivered(self, error)

    def left(self) -> None:
        """The client went away."""
        self.driver.left(self)

    def __repr__(self) -> str:
        return f"<Exchange {self.id} {self.request.method} {self.request.target} {self.phase.name}>"


class _Nobody:
    """The driver of an exchange that the engine has not taken yet: every call is a defect."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(f"the exchange has not begun: {name}")


_NOBODY = cast("Driver", _Nobody())
_INWARD = Phase.INWARD  # an enum's members cost a call each time they are named
