"""What the admin API does."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, cast

import pytest
from aiohttp import ClientSession

from proxy.exchange import Exchange
from proxy.message import Request
from proxy.peer import Peer
from proxy.registry import Registry
from proxy.server.gateway import Gateway
from proxy.server.source import Source
from proxy.settings import load

Ask = Callable[..., Awaitable[tuple[int, Any]]]
TEXT = """
listen: http://127.0.0.1:0
admin: {listen: http://127.0.0.1:0}
upstreams: {app: {targets: ["http://127.0.0.1:1", "http://127.0.0.1:2"]}}
plugins: [{headers: {request: {set: {Authorization: Bearer hidden, X-Env: prod}}}}]
routes:
  - {name: hello, match: {path: /hello}, plugins: {respond: {status: 200, body: hello}}}
  - {name: app, upstream: app}
"""


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    file = tmp_path / "p.yaml"
    file.write_text(TEXT)
    source = Source(lambda trace: load(file, {}, trace))
    made = Gateway(source.load(), Registry.installed(), source=source)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
def ask(gateway: Gateway, client: ClientSession) -> Ask:
    async def asks(method: str, path: str, body: object = None) -> tuple[int, Any]:
        async with client.request(method, f"{gateway.admin_url}/api/v1/{path}", json=body or {}) as answer:
            return answer.status, await answer.json(content_type=None)

    return asks


async def test_a_reload_is_told_whether_it_is_served_or_refused(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(TEXT.replace("body: hello", "body: changed"))
    status, done = await ask("POST", "config/reload")
    assert (status, done["ok"], done["cause"]) == (200, True, "admin")
    assert done["changes"] == ["plugin respond restarted", "route hello changed"]
    (tmp_path / "p.yaml").write_text(TEXT.replace("upstream: app", "upstraem: app"))
    status, refused = await ask("POST", "config/reload")
    assert (status, refused["ok"], refused["revision"]) == (409, False, done["revision"])
    errors = [problem for problem in refused["problems"] if problem["severity"] == "error"]
    assert {(problem["line"], problem["column"]) for problem in errors} >= {(8, 17)}
    assert any(problem["remedy"] == 'did you mean "upstream"?' for problem in errors)
    assert (await ask("GET", "status"))[1]["reload"] == refused


async def test_a_request_is_explained_by_what_is_served(ask: Ask, gateway: Gateway) -> None:
    status, found = await ask("POST", "explain", {"method": "GET", "url": "http://a/x", "headers": [["X-A", "b"]]})
    assert (status, found["route"], found["forward"]["upstream"]) == (200, "app", "app")
    assert ["X-A", "b"] in found["forward"]["headers"]
    assert ["Authorization", "***"] in found["forward"]["headers"]
    assert gateway.engine.active == 0


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"method": "GET"}, "url: Field required"),
        ({"method": "get", "url": "http://a/"}, "method: String should match pattern"),
        ({"method": "GET", "url": "ftp://a/"}, "url: String should match pattern"),
        ({"method": "GET", "url": "http://a/", "client": "me"}, "client"),
        (
            {"method": "GET", "url": "http://a/", "headers": [["X", "a\r\nb"]]},
            "headers.0.1: String should match pattern",
        ),
        ({"method": "GET", "url": "http://[a/"}, "url: String should match pattern"),
        ({"method": "GET", "url": "http://a:65536/"}, "url: String should match pattern"),
        ({"method": "GET", "url": "http://a/", "client": 5}, "client"),
        ({"method": "GET", "url": "http://a/", "more": 1}, "more: Extra inputs"),
    ],
)
async def test_what_cannot_be_explained_is_told(ask: Ask, body: object, says: str) -> None:
    status, problem = await ask("POST", "explain", body)
    assert (status, problem["status"]) == (422, 422)
    assert says in problem["detail"]


async def test_a_body_that_is_no_json_is_told(gateway: Gateway, client: ClientSession) -> None:
    headers = {"Content-Type": "application/json"}
    async with client.post(f"{gateway.admin_url}/api/v1/explain", data=b"{", headers=headers) as answer:
        assert answer.status == 400


async def test_loggers_tell_more_or_less(ask: Ask) -> None:
    logger = logging.getLogger("passerelle.engine")
    try:
        status, found = await ask("PUT", "log-levels/passerelle.engine", {"level": "debug"})
        assert (status, found["levels"]["passerelle.engine"], logger.level) == (200, "debug", logging.DEBUG)
        status, found = await ask("PUT", "log-levels/passerelle.engine", {"level": None})
        assert (found["levels"]["passerelle.engine"], logger.level) == (None, logging.NOTSET)
        assert (await ask("GET", "log-levels"))[1] == found
    finally:
        logger.setLevel(logging.NOTSET)
    assert (await ask("PUT", "log-levels/passerelle.nobody", {"level": "info"}))[0] == 404
    assert (await ask("PUT", "log-levels/asyncio", {"level": "info"}))[0] == 404
    assert (await ask("PUT", "log-levels/passerelle", {"level": "loud"}))[0] == 422
    assert "passerelle.nobody" not in logging.root.manager.loggerDict


async def test_targets_are_drained_and_taken_back(ask: Ask, gateway: Gateway) -> None:
    place = "upstreams/app/targets"
    status, found = await ask("POST", f"{place}/1/drain")
    assert (status, [target["state"] for target in found["targets"]]) == (200, ["ready", "draining"])
    upstream = gateway.built.snapshot.upstreams["app"]
    assert {upstream.targets.preview(explained(gateway)).url for _ in range(3)} == {"http://127.0.0.1:1"}
    url = "http%3A%2F%2F127.0.0.1%3A2"
    status, found = await ask("POST", f"{place}/{url}/undrain")
    assert (status, [target["state"] for target in found["targets"]]) == (200, ["ready", "ready"])


def explained(gateway: Gateway) -> Exchange:
    return Exchange("id", Request("GET", "/"), Peer("127.0.0.1"), cast("Any", None), 0.0)


async def test_targets_are_weighed(ask: Ask) -> None:
    place = "upstreams/app/targets/0/weight"
    for weight, shown in ((7, 7), (None, 1)):
        status, found = await ask("PUT", place, {"weight": weight})
        target = found["targets"][0]
        assert (status, target["weight"], target["configured_weight"]) == (200, shown, 1)
    for wrong in ({"weight": 0}, {"weight": 1001}, {"weight": "5"}, {"weight": True}, {}):
        assert (await ask("PUT", place, wrong or {"a": 1}))[0] == 422


@pytest.mark.parametrize("place", ["nobody/targets/0", "app/targets/2", "app/targets/http%3A%2F%2Fa", "app/targets/-1"])
async def test_others_are_not_there(ask: Ask, place: str) -> None:
    assert (await ask("POST", f"upstreams/{place}/drain"))[0] == 404


async def test_what_was_asked_for_outlasts_a_reload(ask: Ask, tmp_path: Path) -> None:
    await ask("POST", "upstreams/app/targets/0/drain")
    (tmp_path / "p.yaml").write_text(TEXT.replace("targets: [", "timeouts: {connect: 1s}, targets: ["))
    assert (await ask("POST", "config/reload"))[1]["changes"] == ["upstream app changed"]
    (upstream,) = (await ask("GET", "upstreams"))[1]["upstreams"]
    assert [target["state"] for target in upstream["targets"]] == ["draining", "ready"]
