"""Steering the cache while it runs: statistics, purges, and what is stored for a URL, by the admin API and by PURGE."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, GetJsonSchemaHandler, TypeAdapter, ValidationError, model_validator
from pydantic_core import CoreSchema

from plugins.cache.answers import tags_of
from plugins.cache.config import Config
from plugins.cache.counts import Counts
from plugins.cache.keys import is_secret, key_of, origin_of, url_tag
from plugins.cache.reuse import asked, usable
from plugins.cache.selecting import CODINGS, matches, select
from plugins.cache.shelf import Shelf, absolute
from plugins.cache.stored import Entry, Stored
from proxy.api import (
    MASK,
    Admin,
    AdminRequest,
    AskedName,
    AskedUrl,
    AskedValue,
    CachePurged,
    EventBus,
    Exchange,
    Headers,
    Request,
    Response,
)

Publish = Callable[[CachePurged], None]


class _Fields:
    """The schema of header fields, made when somebody asks for it."""

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """:see: `pydantic.BaseModel`."""
        name, value = (TypeAdapter(kind).json_schema() for kind in (AskedName, AskedValue))
        return {"type": "object", "propertyNames": name, "additionalProperties": value}


def _exactly_one(schema: dict[str, Any]) -> None:
    """Have the schema say what `Wanted` checks: one scope, and a soft purge of a URL or a tag only."""
    url = TypeAdapter(AskedUrl).json_schema()
    scopes: dict[str, dict[str, Any]] = {"url": url, "tag": {"type": "string"}, "prefix": url, "all": {"const": True}}
    how = schema.pop("properties")
    about = {key: schema[key] for key in ("title", "description")}
    schema.clear()
    schema |= {**about, "oneOf": [_purge(name, scope, how) for name, scope in scopes.items()]}


def _purge(name: str, scope: dict[str, Any], how: dict[str, Any]) -> dict[str, Any]:
    ways = ("dry_run", "soft") if name in ("url", "tag") else ("dry_run",)
    properties = {name: scope, **{way: how[way] for way in ways}}
    return {"type": "object", "properties": properties, "required": [name], "additionalProperties": False}


class Wanted(BaseModel):
    """A purge: of one URL with all its variants, of a tag, of all URLs that begin so, or of everything."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=_exactly_one, defer_build=True)

    url: AskedUrl | None = None
    tag: str | None = None
    prefix: AskedUrl | None = None
    all: Literal[True] | None = None
    dry_run: bool = False
    soft: bool = False

    @model_validator(mode="after")
    def _one(self) -> Wanted:
        scopes = [name for name in ("url", "tag", "prefix", "all") if getattr(self, name) is not None]
        if len(scopes) != 1:
            raise ValueError("write one of url, tag, prefix and all")
        if self.soft and scopes[0] not in ("url", "tag"):
            raise ValueError("a soft purge is one of a url or a tag")
        return self

    @property
    def scope(self) -> str:
        """Which of them it is."""
        return next(name for name in ("url", "tag", "prefix", "all") if getattr(self, name) is not None)


class Question(BaseModel):
    """A request of which is asked what the cache holds for it."""

    model_config = ConfigDict(extra="forbid", defer_build=True)

    url: AskedUrl
    method: str = Field(default="GET", pattern=r"^[A-Z]{1,32}$")
    headers: Annotated[dict[AskedName, AskedValue], _Fields] = {}
    body: str = ""

    def request(self) -> Request:
        """The request itself. :raises ValueError: when its URL is no absolute http URL."""
        scheme, host, target = absolute(self.url)
        return Request(self.method, target, scheme=scheme, host=host, headers=Headers(self.headers))


class Control:
    """Answers the admin API."""

    def __init__(self, shelf: Shelf, counts: Counts, events: EventBus) -> None:
        self._shelf = shelf
        self._counts = counts
        self._events = events

    def register(self, admin: Admin) -> None:
        """Add the routes."""
        admin.route("GET", "cache/stats", self.stats, "What the cache did, by route, and what each reason costs")
        purge, explain = self._checked(self.purge), self._checked(self.explain)
        admin.route("POST", "cache/purge", purge, "Forget a URL, a tag, a prefix or everything", takes=Wanted)
        admin.route("POST", "cache/explain", explain, "What is stored for a URL, and its use", takes=Question)

    @staticmethod
    def _checked(
        handler: Callable[[AdminRequest], Awaitable[Response]],
    ) -> Callable[[AdminRequest], Awaitable[Response]]:
        async def answered(request: AdminRequest) -> Response:
            try:
                return await handler(request)
            except ValidationError as error:
                first = error.errors(include_input=False, include_url=False, include_context=False)[0]
                return Response.problem(422, first["msg"])
            except ValueError as error:
                return Response.problem(422, str(error))

        return answered

    async def stats(self, _: AdminRequest) -> Response:
        """Everything that is counted, in one document."""
        return Response.json(200, statistics(self._shelf, self._counts))

    async def purge(self, request: AdminRequest) -> Response:
        """Purge, or count what a purge would take."""
        wanted = Wanted.model_validate_json(request.body)
        return Response.json(200, await self.purged(wanted))

    async def purged(self, wanted: Wanted) -> dict[str, Any]:
        """Do it, and tell."""
        scope = wanted.scope
        what = "" if scope == "all" else str(getattr(wanted, scope))
        soft = wanted.soft and not wanted.dry_run
        count = await (self._softly(scope, what) if soft else self._hard(scope, what, wanted.dry_run))
        if not wanted.dry_run:
            self._events.publish(CachePurged(scope=f"{scope} {what}".strip(), count=count))
        return {"scope": scope, "what": what, "purged": count, "dry_run": wanted.dry_run, "soft": wanted.soft}

    async def _hard(self, scope: str, what: str, dry_run: bool) -> int:
        cache = self._shelf.cache
        if scope in ("tag", "url"):
            return sum([await cache.purge_tag(tag, dry_run=dry_run) for tag in self._tags(scope, what)])
        if scope == "all":
            return await cache.clear(dry_run=dry_run)
        starts = self._shelf.prefixes(*absolute(what))
        return sum([await cache.purge_prefix(start, dry_run=dry_run) for start in starts])

    async def _softly(self, scope: str, what: str) -> int:
        return sum([await self._shelf.cache.purge_tag(tag, soft=True) for tag in self._tags(scope, what)])

    def _tags(self, scope: str, what: str) -> list[str]:
        """Those that entries of a URL have, on whatever route, or the tag itself."""
        return [what] if scope == "tag" else [url_tag(url) for url in self._shelf.spellings(*absolute(what))]

    async def explain(self, request: AdminRequest) -> Response:
        """What is stored for a URL under every route, and what would be done with a request for it."""
        asks = Question.model_validate_json(request.body)
        made, now = asks.request(), self._shelf.now()
        found = []
        for route, config in self._shelf.routes.items():
            key = key_of(made, route, config, asks.body.encode())
            entry = await self._shelf.cache.get(key)
            order = self._shelf.orders.get(route, CODINGS)
            found.append({"route": route, "key": key, **explained(entry, made, now, config, order)})
        return Response.json(200, {"url": f"{made.scheme}://{made.host}{made.target}", "entries": found})

    async def by_method(self, exchange: Exchange) -> Response:
        """A PURGE request: of its own URL, or of the tags that it names."""
        request = exchange.request
        tags = tags_of(request.headers)
        soft = (request.headers.get("soft-purge") or "0") != "0"
        scheme, host = origin_of(request, trusted=exchange.peer.trusted)
        url = f"{scheme}://{host}{request.target}"
        wanted = [Wanted(tag=tag, soft=soft) for tag in tags] or [Wanted(url=url, soft=soft)]
        done = [await self.purged(one) for one in wanted]
        return Response.json(200, {"purged": sum(one["purged"] for one in done)}, {"cache-control": "no-store"})


def explained(
    entry: Entry | None, request: Request, now: float, config: Config, order: Sequence[str]
) -> dict[str, Any]:
    """What would be done with a request, and every variant that is stored.

    :param order: codings, the most preferred first.
    """
    wants = asked(request, config)
    chosen = None if entry is None else select(entry.variants, request.headers, order)
    verdict = "miss" if chosen is None else usable(chosen, wants, now, config).use.value
    variants = [] if entry is None else [_variant(one, chosen, request.headers, now) for one in entry.variants]
    return {"verdict": verdict, "variants": variants}


def _variant(one: Stored, chosen: Stored | None, headers: Headers, now: float) -> dict[str, Any]:
    return {
        "chosen": one is chosen,
        "status": one.status,
        "vary": {name: MASK if is_secret(name) else value for name, value in one.selecting},
        "matches": matches(one.selecting, headers),
        "coding": one.coding or "identity",
        "age": one.age_at(now),
        "fresh_for": one.fresh_for(now),
        "useful_for": one.useful_for(now),
        "bytes": len(one.body),
        "tags": list(one.tags),
    }


def statistics(shelf: Shelf, counts: Counts) -> dict[str, Any]:
    """The document of `cache/stats`: figures that add up over processes."""
    told = shelf.cache.stats
    levels: dict[str, Mapping[str, int] | None] = {
        "memory": asdict(told.l1),
        "redis": None if told.l2 is None else asdict(told.l2),
    }
    under_way = {"fetching": shelf.flights.active, "refreshing": len(shelf.refreshing), "filling": shelf.budget.used}
    return {**counts.summary(), "losses": counts.losses(), "levels": levels, "under_way": under_way}


def denied() -> Response:
    """A PURGE from somewhere else."""
    return Response.problem(403, "PURGE is not for this client")
