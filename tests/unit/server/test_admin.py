"""The admin listener over real sockets."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from aiohttp import ClientSession

from proxy.message import Body, Response
from proxy.plugin import AdminRequest
from proxy.server.gateway import CannotBind, Gateway

Start = Callable[..., Awaitable[Gateway]]

WITH_TOKEN = "{listen: http://127.0.0.1:0, token: s3cret}"
JSON = {"Content-Type": "application/json"}
AUTHORIZED = {"Authorization": "Bearer s3cret"}


async def test_probes_need_no_token(start: Start, client: ClientSession) -> None:
    gateway = await start(admin=WITH_TOKEN)
    for probe in ("/healthz", "/readyz"):
        async with client.get(f"{gateway.admin_url}{probe}") as answer:
            assert (answer.status, await answer.text()) == (200, "ok\n")


async def test_a_gateway_that_drains_is_alive_and_not_ready(start: Start, client: ClientSession) -> None:
    gateway = await start()
    gateway.ready = False
    async with client.get(f"{gateway.admin_url}/healthz") as answer:
        assert answer.status == 200
    async with client.get(f"{gateway.admin_url}/readyz") as answer:
        assert answer.status == 503


@pytest.mark.parametrize("path", ["/metrics", "/api/v1", "/api/v1/config", "/nowhere"])
async def test_everything_else_needs_it(start: Start, client: ClientSession, path: str) -> None:
    gateway = await start(admin=WITH_TOKEN)
    async with client.get(f"{gateway.admin_url}{path}") as answer:
        assert answer.status == 401
        assert answer.content_type == "application/problem+json"
        assert answer.headers["WWW-Authenticate"] == 'Bearer realm="passerelle"'
    async with client.get(f"{gateway.admin_url}{path}", headers=AUTHORIZED) as answer:
        assert answer.status == (404 if path == "/nowhere" else 200)


@pytest.mark.parametrize(
    "said",
    [b"GET / HTTP/1.1\r\nHost: a\r\nHost : b\r\n\r\n", b"\x16\x03\x01\r\n\r\n", b"GET / HTTP/1.1\r\nX: " + b"x" * 9000],
    ids=["field", "tls", "long"],
)
async def test_what_is_malformed_is_told_as_a_problem(start: Start, said: bytes) -> None:
    gateway = await start()
    host, _, port = (gateway.admin_url or "").removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(said)
    head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    assert head.split(b" ")[1] == b"400"
    assert b"\r\nContent-Type: application/problem+json\r\n" in head
    assert json.loads(body) == {
        "type": "about:blank",
        "title": "Bad Request",
        "status": 400,
        "detail": "the request is malformed (RFC 9112)",
    }


async def test_a_page_under_a_rebound_name_is_not_answered(start: Start, client: ClientSession) -> None:
    gateway = await start()
    async with client.get(f"{gateway.admin_url}/api/v1/status", headers={"Host": "evil.example"}) as answer:
        assert answer.status == 421
        assert (await answer.json(content_type="application/problem+json"))["status"] == 421


async def test_a_form_on_another_site_changes_nothing(start: Start, client: ClientSession) -> None:
    gateway = await start()
    ran = []

    async def purge(request: AdminRequest) -> Response:
        ran.append(request)
        return Response(204)

    gateway.routes.route("POST", "purge", purge)
    url = f"{gateway.admin_url}/api/v1/purge"
    async with client.post(url, headers={"Origin": "http://evil.example"}, json={}) as answer:
        assert (answer.status, ran) == (403, [])
    async with client.post(url, data={"a": "b"}) as answer:
        assert (answer.status, ran) == (415, [])
    async with client.post(url, json={}) as answer:
        assert (answer.status, len(ran)) == (204, 1)


async def test_metrics_are_exposed(start: Start, client: ClientSession) -> None:
    gateway = await start()
    async with client.get(f"{gateway.urls[0]}/hello") as answer:
        assert answer.status == 200
    async with client.get(f"{gateway.admin_url}/metrics") as answer:
        assert answer.content_type == "text/plain"
        assert 'passerelle_requests_total{route="hello",status="200"} 1.0' in await answer.text()


async def test_a_handler_gets_the_request_and_its_answer_is_sent(start: Start, client: ClientSession) -> None:
    gateway = await start()
    seen: list[AdminRequest] = []

    async def echo(request: AdminRequest) -> Response:
        seen.append(request)
        return Response.text(202, "done", {"X-Thing": "1"})

    gateway.routes.route("PUT", "things/{id}", echo)
    async with client.put(f"{gateway.admin_url}/api/v1/things/a%20b?x=1", data=b"body", headers=JSON) as answer:
        assert (answer.status, await answer.text(), answer.headers["X-Thing"]) == (202, "done", "1")
        assert answer.headers["Cache-Control"] == "no-store"
    (request,) = seen
    assert (request.method, request.params, dict(request.query), request.body) == (
        "PUT",
        {"id": "a b"},
        {"x": "1"},
        b"body",
    )


async def test_what_is_not_there_is_told_as_a_problem(start: Start, client: ClientSession) -> None:
    gateway = await start()
    async with client.get(f"{gateway.admin_url}/api/v1/nothing") as answer:
        assert (answer.status, answer.content_type) == (404, "application/problem+json")
    async with client.post(f"{gateway.admin_url}/api/v1/status") as answer:
        assert (answer.status, answer.headers["Allow"]) == (405, "GET, HEAD")


async def test_head_is_get_without_the_body(start: Start, client: ClientSession) -> None:
    gateway = await start()
    async with client.head(f"{gateway.admin_url}/api/v1/status") as answer:
        assert (answer.status, await answer.read()) == (200, b"")
        assert int(answer.headers["Content-Length"]) > 0


async def test_a_handler_that_raises_is_a_500_that_tells_nothing(start: Start, client: ClientSession) -> None:
    gateway = await start()

    async def broken(_: AdminRequest) -> Response:
        raise RuntimeError("the secret is 42")

    gateway.routes.route("GET", "broken", broken)
    async with client.get(f"{gateway.admin_url}/api/v1/broken") as answer:
        assert answer.status == 500
        assert "42" not in await answer.text()


async def test_a_body_over_the_limit_is_refused(start: Start, client: ClientSession) -> None:
    gateway = await start()

    async def taken(_: AdminRequest) -> Response:
        return Response(204)

    gateway.routes.route("POST", "upload", taken)
    async with client.post(
        f"{gateway.admin_url}/api/v1/upload", data=io.BytesIO(bytes(2**20 + 1)), headers=JSON
    ) as answer:
        assert answer.status == 413


async def test_a_body_that_flows_is_sent_as_it_comes(start: Start, client: ClientSession) -> None:
    gateway = await start()
    more = asyncio.Event()

    async def parts() -> AsyncIterator[bytes]:
        yield b"one"
        await more.wait()
        yield b"two"

    async def flowing(_: AdminRequest) -> Response:
        return Response(200, {"Content-Type": "text/event-stream"}, Body.of(parts()))

    gateway.routes.route("GET", "flow", flowing)
    async with client.get(f"{gateway.admin_url}/api/v1/flow") as answer:
        assert await answer.content.readany() == b"one"
        more.set()
        assert await answer.content.read() == b"two"


async def test_the_listener_for_probes_answers_nothing_else(start: Start, client: ClientSession) -> None:
    gateway = await start(admin="{listen: http://127.0.0.1:0, probes: http://127.0.0.1:0}")
    url = gateway.probes_url
    for path, status in (("/healthz", 200), ("/readyz", 200), ("/metrics", 404), ("/api/v1", 404)):
        async with client.get(f"{url}{path}", headers={"Host": "any.example"}) as answer:
            assert answer.status == status


async def test_a_taken_address_is_told_and_nothing_is_left(start: Start) -> None:
    first = await start()
    with pytest.raises(CannotBind, match=r"cannot listen on 127\.0\.0\.1"):
        await start(admin=f"{{listen: {first.admin_url}}}")


async def test_without_it_nothing_listens(start: Start) -> None:
    gateway = await start(admin="false")
    assert gateway.admin_url is None
