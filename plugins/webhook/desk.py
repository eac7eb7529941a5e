"""What operators see of webhooks, and what they may do: the admin API's part.

Everything here is read from the store and left in it, so that it does not matter which process is asked.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from plugins.webhook.config import Config, EndpointConfig
from plugins.webhook.envelope import body, envelope, new_id
from plugins.webhook.health import Notes, rotates_until
from plugins.webhook.steady import Steady
from proxy.api import (
    Admin,
    AdminRequest,
    Backlog,
    Delivery,
    NewEvent,
    Response,
    Selection,
    Store,
    StoreUnavailable,
    WebhookTest,
)

_STATES = ("pending", "done", "dead")
_MOST = 1000  # rows of an answer
_Handler = Callable[[AdminRequest], Any]


class _Refused(Exception):
    """What was asked for cannot be."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status


class Desk:
    """Answers operators.

    :param now: the time by which deliveries are scheduled.
    :param wake: has all that is due looked for at once.
    """

    def __init__(self, config: Config, store: Store, now: Steady, wake: Callable[[], None]) -> None:
        self._config = config
        self._endpoints = {endpoint.id: endpoint for endpoint in config.endpoints}
        self._store = store
        self._now = now
        self._wake = wake

    def register(self, admin: Admin) -> None:
        """Add the routes."""
        place = "webhooks/endpoints/{endpoint}"
        for method, path, handler, summary in (
            ("GET", "webhooks", self._list, "Endpoints, how they are doing, and what they are owed."),
            ("GET", "webhooks/deliveries", self._deliveries, "Deliveries that were chosen, the newest first."),
            ("GET", "webhooks/events/{event}", self._event, "An event, and what became of it."),
            ("GET", "webhooks/events/{event}/attempts", self._attempts, "Every request that was sent for an event."),
            ("POST", "webhooks/replay", self._replay, "Deliver again what was chosen."),
            ("GET", place, self._one, "An endpoint."),
            ("POST", f"{place}/test", self._test, "Send an endpoint a test event."),
            ("POST", f"{place}/enable", self._enable, "Deliver to an endpoint again."),
            ("POST", f"{place}/disable", self._disable, "Deliver nothing to an endpoint; what it is owed is kept."),
        ):
            admin.route(method, path, _safely(handler), summary)

    # to read

    async def _list(self, _: AdminRequest) -> dict[str, Any]:
        return {"endpoints": [one async for one in self._all()]}

    async def _one(self, request: AdminRequest) -> dict[str, Any]:
        wanted = self._known(request).id
        return await anext(one async for one in self._all() if one["id"] == wanted)

    async def _all(self) -> AsyncIterator[dict[str, Any]]:
        notes = {one.id: one for one in await self._store.endpoints.all()}
        backlog = await self._store.deliveries.backlog()
        for name, endpoint in self._endpoints.items():
            kept = notes.get(name)
            known = Notes.of(kept.state if kept is not None else "")
            yield {**_shown(endpoint), **self._state(endpoint, known), **self._owed(backlog.get(name, Backlog()))}

    def _state(self, endpoint: EndpointConfig, notes: Notes) -> dict[str, Any]:
        now = self._now()
        if not endpoint.enabled:
            state = "off"
        elif notes.disabled:
            state = "disabled"
        elif notes.paused > now:
            state = "paused"
        elif notes.opened:
            state = "open"
        else:
            state = "failing" if notes.failures else "ok"
        since = round(self._now.shown(notes.since), 3) if notes.failures else None
        silent = 0.0 if notes.disabled else max(notes.paused, notes.until)
        return {
            "state": state,
            "reason": notes.disabled,
            "failures": notes.failures,
            "failing_since": since,
            "silent_until": round(self._now.shown(silent), 3) if silent > now else None,
            "last_status": notes.last_status,
            "previous_secret_until": round(self._now.shown(rotates_until(notes)), 3)
            if len(endpoint.secrets) > 1
            else None,
        }

    def _owed(self, backlog: Backlog) -> dict[str, Any]:
        oldest = round(max(0.0, self._now.wall() - backlog.oldest), 3) if backlog.pending else None
        return {"pending": backlog.pending, "dead": backlog.dead, "oldest_seconds": oldest}

    async def _deliveries(self, request: AdminRequest) -> dict[str, Any]:
        limit = _number(request.query.get("limit", "100"), "limit")
        found = await self._store.deliveries.find(_selection(request.query), int(min(limit, _MOST)))
        return {"deliveries": [self._delivery(one) for one in found]}

    async def _event(self, request: AdminRequest) -> dict[str, Any]:
        event_id = request.params["event"]
        event = await self._store.events.get(event_id)
        if event is None:
            raise _Refused(404, "no such event is kept")
        found = await self._store.deliveries.find(Selection(event_id=event_id), _MOST)
        return {"event": json.loads(event.body), "deliveries": [self._delivery(one) for one in found]}

    async def _attempts(self, request: AdminRequest) -> dict[str, Any]:
        found = await self._store.deliveries.attempts(request.params["event"])
        attempts = [
            {
                "endpoint": one.endpoint,
                "at": round(self._now.shown(one.at), 3),
                "duration_ms": one.duration_ms,
                "status": one.status,
                "error": one.error,
                "answer": one.answer.decode("utf-8", "replace"),
            }
            for one in found
        ]
        return {"attempts": attempts}

    def _delivery(self, one: Delivery) -> dict[str, Any]:
        return {
            "event": one.event_id,
            "type": one.type,
            "subject": one.subject,
            "time": round(one.time, 3),
            "endpoint": one.endpoint,
            "state": one.state,
            "attempts": one.attempts,
            "next_at": round(self._now.shown(one.next_at), 3) if one.state == "pending" else None,
            "status": one.status,
            "error": one.error,
        }

    # to do

    async def _replay(self, request: AdminRequest) -> dict[str, Any]:
        said = _document(request)
        unknown = said.keys() - {"event", "endpoint", "type", "state", "since", "until"}
        if unknown:
            raise _Refused(400, f"there is no {', '.join(sorted(unknown))} to choose by")
        if not said:
            raise _Refused(400, "say what is to be replayed: event, endpoint, type, since or until")
        if "event" not in said:
            said.setdefault("state", "dead")
        count = await self._store.deliveries.replay(_selection(said), self._now())
        self._wake()
        return {"replayed": count}

    async def _test(self, request: AdminRequest) -> dict[str, Any]:
        endpoint = self._known(request)
        if not endpoint.enabled:
            raise _Refused(409, "the endpoint is switched off in the configuration")
        event = WebhookTest(endpoint.id)
        event.time = self._now.wall()
        event_id = new_id()
        told = envelope(event, event_id, self._config.source)

        def make(sequence: int) -> NewEvent:
            content, owed = body(told, sequence), {endpoint.id: self._now()}
            return NewEvent(event_id, event.type, event.subject, event.time, content, owed)

        await self._store.events.add(make)
        self._wake()
        return {"event": event_id}

    async def _enable(self, request: AdminRequest) -> dict[str, Any]:
        return await self._ask(request, "enable")

    async def _disable(self, request: AdminRequest) -> dict[str, Any]:
        return await self._ask(request, "disable")

    async def _ask(self, request: AdminRequest, what: str) -> dict[str, Any]:
        endpoint = self._known(request)
        await self._store.endpoints.ask(endpoint.id, f"{what} {time.time_ns()}")
        self._wake()
        return {"id": endpoint.id, "asked": what}

    def _known(self, request: AdminRequest) -> EndpointConfig:
        endpoint = self._endpoints.get(request.params["endpoint"])
        if endpoint is None:
            raise _Refused(404, "there is no such endpoint")
        return endpoint


def _safely(handler: _Handler) -> Callable[[AdminRequest], Any]:
    """Answer with JSON, or with a problem (RFC 9457)."""

    async def answer(request: AdminRequest) -> Response:
        try:
            return Response.json(200, await handler(request))
        except _Refused as refused:
            return Response.problem(refused.status, str(refused))
        except StoreUnavailable as error:
            return Response.problem(503, f"the outbox cannot be used now: {error}")

    return answer


def _shown(endpoint: EndpointConfig) -> dict[str, Any]:
    """An endpoint without what its URL may hide."""
    parts = urlsplit(endpoint.url)
    place = "/…" if parts.path.strip("/") or parts.query else ""
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    port = f":{parts.port}" if parts.port else ""
    events = list(endpoint.events) or ["class A"]
    return {"id": endpoint.id, "url": f"{parts.scheme}://{host}{port}{place}", "events": events}


def _document(request: AdminRequest) -> dict[str, Any]:
    try:
        found = json.loads(request.body or b"{}")
    except ValueError:
        raise _Refused(400, "the body is no JSON") from None
    if not isinstance(found, dict):
        raise _Refused(400, "the body is no JSON object")
    return found


def _selection(said: Mapping[str, Any]) -> Selection:
    texts = {name: said.get(name, "") for name in ("event", "endpoint", "type", "state")}
    if not all(isinstance(text, str) for text in texts.values()):
        raise _Refused(400, "event, endpoint, type and state are texts")
    if texts["state"] not in ("", *_STATES):
        raise _Refused(400, f"a state is one of {', '.join(_STATES)}")
    since, until = (_number(said.get(name, 0), name) for name in ("since", "until"))
    return Selection(texts["event"], texts["endpoint"], texts["type"], texts["state"], since, until)


def _number(value: object, name: str) -> float:
    try:
        number = float(value) if isinstance(value, str | int | float) else -1.0
    except ValueError:
        number = -1.0
    if not 0 <= number < 1e15:
        raise _Refused(400, f"{name} is a number, 0 or more; of times, seconds since the epoch")
    return number
