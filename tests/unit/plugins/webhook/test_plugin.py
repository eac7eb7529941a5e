"""The plugin behind a whole gateway, with an outbox on disk and an endpoint on a socket."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook as Oracle

from proxy.events import ConfigReloaded, EventClass, QuotaLow
from proxy.message import Response
from proxy.plugin import AdminRequest
from proxy.settings import SettingsError
from proxy.testing import GatewayKit, Seen, running
from proxy.testing.client import request_bytes

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
CONFIG = """
listen: [http://127.0.0.1:0]
admin: false
state: {state}
upstreams: {{app: {{targets: ["${{UPSTREAM}}"], retry: false}}}}
routes: [{{name: all, upstream: app}}]
plugins:
  - events
  - webhook:
      endpoints:
        - id: ops
          url: "${{UPSTREAM}}/hook"
          secret: {secret}
          allow_private: true
          events: [{events}]
          retry: {{schedule: [0s, 100ms, 100ms]}}
"""


def config(state: Path, *, events: str = "quota.low", secret: str = SECRET) -> str:
    return CONFIG.format(state=state, events=events, secret=secret)


def low() -> QuotaLow:
    return QuotaLow("gold", "requests", 100, 80, 80, "2026-11")


async def hooks(kit: GatewayKit, count: int) -> list[Seen]:
    """The first deliveries, when there are so many."""
    async with asyncio.timeout(5):
        while len(found := [seen for seen in kit.upstream.seen if seen.target == "/hook"]) < count:
            await asyncio.sleep(0.005)
    return found


async def ask(kit: GatewayKit, method: str, path: str, body: object = None) -> tuple[int, dict[str, Any]]:
    found = kit.gateway.routes.find(method, f"/api/v1/{path}")
    assert found is not None
    route, params = found
    content = b"" if body is None else json.dumps(body).encode()
    response: Response = await route.handler(AdminRequest(method, path, {}, params, content))
    return response.status, json.loads(response.body.data or b"null")


async def test_an_event_is_delivered_signed(tmp_path: Path) -> None:
    async with running(config(tmp_path)) as kit:
        kit.gateway.runtime.events.publish(low())
        (seen,) = await hooks(kit, 1)
        told = Oracle(SECRET).verify(
            seen.body,
            {name: seen.headers.get(name) or "" for name in ("webhook-id", "webhook-timestamp", "webhook-signature")},
        )
        assert (told["type"], told["subject"], told["id"]) == (
            "quota.low",
            "gold 2026-11",
            seen.headers.get("webhook-id"),
        )
        assert seen.headers.get("content-type") == "application/cloudevents+json; charset=utf-8"
        assert seen.headers.get("accept-encoding") is None


async def test_what_nobody_subscribes_to_is_not_made(tmp_path: Path) -> None:
    async with running(config(tmp_path)) as kit:
        kit.events.clear()
        bus = kit.gateway.runtime.events
        assert bus.wants(QuotaLow)
        bus.publish(ConfigReloaded("a", "b", ()))
        bus.publish(low())
        (seen,) = await hooks(kit, 1)
        assert seen.body.endswith(b'"sequence":"00000000000000000001"}')


async def test_it_outlasts_the_gateway(tmp_path: Path) -> None:
    async with running(config(tmp_path)) as kit:
        kit.upstream.reply(Response(500), to="/hook")
        kit.gateway.runtime.events.publish(low())
        first = (await hooks(kit, 1))[0]
    async with running(config(tmp_path)) as kit:
        status, found = await ask(kit, "GET", f"webhooks/events/{first.headers.get('webhook-id')}")
        assert (status, found["event"]) == (200, json.loads(first.body))


async def test_operators_see_and_replay(tmp_path: Path) -> None:
    async with running(config(tmp_path)) as kit:
        kit.upstream.reply(Response(500), to="/hook")
        kit.gateway.runtime.events.publish(low())
        first = (await hooks(kit, 3))[0]
        event_id = first.headers.get("webhook-id") or ""
        async with asyncio.timeout(5):
            while (await ask(kit, "GET", "webhooks"))[1]["endpoints"][0]["dead"] == 0:
                await asyncio.sleep(0.01)
        _, shown = await ask(kit, "GET", f"webhooks/events/{event_id}")
        assert shown["deliveries"][0]["state"] == "dead"
        assert shown["event"] == json.loads(first.body)
        _, tried = await ask(kit, "GET", f"webhooks/events/{event_id}/attempts")
        assert [one["status"] for one in tried["attempts"]] == [500, 500, 500]
        kit.upstream.reply(Response(204), to="/hook")
        assert await ask(kit, "POST", "webhooks/replay", {"endpoint": "ops"}) == (200, {"replayed": 1})
        again = (await hooks(kit, 4))[3]
        assert (again.headers.get("webhook-id"), again.body) == (event_id, first.body)


async def test_an_endpoint_is_tested_whatever_it_subscribes_to(tmp_path: Path) -> None:
    async with running(config(tmp_path)) as kit:
        status, found = await ask(kit, "POST", "webhooks/endpoints/ops/test")
        (seen,) = await hooks(kit, 1)
        assert (status, seen.headers.get("webhook-id")) == (200, found["event"])
        assert json.loads(seen.body)["type"] == "webhook.test"


async def test_it_is_told_until_when_an_endpoint_is_left_alone(tmp_path: Path) -> None:
    async with running(config(tmp_path)) as kit:
        kit.upstream.reply(Response(429, {"Retry-After": "3600"}), Response(204), to="/hook")
        assert (await ask(kit, "GET", "webhooks/endpoints/ops"))[1]["silent_until"] is None
        kit.gateway.runtime.events.publish(low())
        async with asyncio.timeout(5):
            while (told := (await ask(kit, "GET", "webhooks/endpoints/ops"))[1])["state"] != "paused":
                await asyncio.sleep(0.01)
        assert told["silent_until"] == pytest.approx(kit.gateway.runtime.clock.time() + 3600, abs=60)
        await ask(kit, "POST", "webhooks/endpoints/ops/enable")
        assert len(await hooks(kit, 2)) == 2


async def test_an_endpoint_is_disabled_and_enabled(tmp_path: Path) -> None:
    async with running(config(tmp_path)) as kit:
        assert (await ask(kit, "POST", "webhooks/endpoints/ops/disable"))[0] == 200
        async with asyncio.timeout(5):
            while (await ask(kit, "GET", "webhooks/endpoints/ops"))[1]["state"] != "disabled":
                await asyncio.sleep(0.02)
        kit.gateway.runtime.events.publish(low())
        await ask(kit, "POST", "webhooks/endpoints/ops/enable")
        assert len(await hooks(kit, 1)) == 1


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "webhooks/endpoints/other", None, 404),
        ("POST", "webhooks/endpoints/other/test", None, 404),
        ("GET", "webhooks/events/none", None, 404),
        ("POST", "webhooks/replay", {}, 400),
        ("POST", "webhooks/replay", [], 400),
        ("POST", "webhooks/replay", {"sinc": 3}, 400),
        ("POST", "webhooks/replay", {"event": 3}, 400),
        ("POST", "webhooks/replay", {"endpoint": "ops", "state": "lost"}, 400),
        ("POST", "webhooks/replay", {"since": "yesterday"}, 400),
    ],
)
async def test_what_cannot_be_asked_for(tmp_path: Path, method: str, path: str, body: object, status: int) -> None:
    async with running(config(tmp_path)) as kit:
        found, problem = await ask(kit, method, path, body)
        assert (found, problem["status"]) == (status, status)


async def test_urls_are_shown_without_what_they_may_hide(tmp_path: Path) -> None:
    async with running(config(tmp_path)) as kit:
        _, found = await ask(kit, "GET", "webhooks/endpoints/ops")
        assert found["url"] == f"{kit.upstream.url}/…"
        assert (found["state"], found["pending"], found["oldest_seconds"]) == ("ok", 0, None)


async def test_figures(tmp_path: Path) -> None:
    async with running(config(tmp_path)) as kit:
        kit.gateway.runtime.events.publish(low())
        await hooks(kit, 1)
        text = ""
        async with asyncio.timeout(5):
            while 'passerelle_webhook_backlog{endpoint="ops"} 0.0' not in text:
                await kit.plugin("webhook").look()  # type: ignore[attr-defined]  # it is a Webhook
                text = kit.gateway.metrics.exposition()[0].decode()
        assert 'passerelle_webhook_waiting{class="A"} 0.0' in text
        assert "passerelle_webhook_store_ok 1.0" in text


async def test_requests_wait_while_events_of_class_a_cannot_be_written_as_fast_as_they_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plugins.webhook.intake.SIZES", dict.fromkeys(EventClass, 250))
    async with running(config(tmp_path)) as kit, kit.wire() as wire:
        bus = kit.gateway.runtime.events
        bus.publish(low())
        await hooks(kit, 1)
        bus.brake.advance = lambda: None  # type: ignore[method-assign]  # however slow the machine is
        other = sqlite3.connect(tmp_path / "webhooks.sqlite3", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        async with asyncio.timeout(20):
            while not bus.brake.held:
                bus.publish(low())
                await asyncio.sleep(0)
        await wire.send(request_bytes("GET", "/page"))
        async with asyncio.timeout(20):
            while not kit.gateway.doors.listeners[0].waiting:
                await asyncio.sleep(0)
        other.execute("ROLLBACK")
        other.close()
        assert (await wire.reply("GET")).status == 200
        assert not bus.brake.held


async def test_a_short_secret_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with running(config(tmp_path, secret="short")):
        assert "the secret of endpoint ops is short" in caplog.text


async def test_an_event_that_no_plugin_knows(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r'no event is called "nowhere\.thing\.done"'):
        async with running(config(tmp_path, events="nowhere.thing.done")):
            pass


async def test_no_file_for_an_outbox(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    with pytest.raises(SettingsError, match="cannot be made"):
        async with running(config(tmp_path / "state")):
            pass
