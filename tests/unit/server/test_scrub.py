"""No secret of a configuration is in anything that the admin listener says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import ClientSession

from proxy.events import PluginError
from proxy.registry import Registry
from proxy.server.gateway import Gateway
from proxy.server.source import Source
from proxy.settings import load

PLUGIN = """
from pydantic import Field, SecretStr
from proxy.api import *

class Config(PluginConfig):
    vault: SecretStr
    phrase: str = Field(repr=False)
    plain: str = ""

class Keeper(Plugin[Config]):
    pure = True

    async def start(self, services):
        if self.config.plain == "fail":
            raise OSError(f"cannot log in with {self.config.phrase}")
        if self.config.phrase.startswith("new"):
            raise OSError(f"cannot log in with {self.config.phrase}")

    def describe(self, exchange):
        return f"signs with {self.config.phrase}"

    def on_request(self, exchange):
        exchange.request.headers["X-Signed-By"] = self.config.phrase
"""
TEXT = """
listen: http://127.0.0.1:0
admin: {listen: http://127.0.0.1:0, token: admin-token-1}
upstreams:
  app: {targets: ["http://${file:host}:1"]}
  auth: {targets: ["http://127.0.0.1:1"]}
plugins:
  - headers: {request: {set: {Authorization: "Bearer header-secret-2", X-Plain: "${file:word}"}}}
  - ./keeper.py: {vault: vault-secret-3, phrase: phrase-secret-4, plain: shown}
routes:
  - {name: hello, match: {path: /hello}, plugins: {respond: {status: 200, body: "${file:word}"}}}
  - {name: moved, match: {path: /moved}, plugins: {respond: {status: 200, body: "see http://user:password-6@a/"}}}
  - {name: app, match: {path: /app}, upstream: app, plugins: {./keeper.py: {phrase: phrase-secret-7}}}
  - {name: auth, upstream: auth}
tests:
  - {request: GET http://a/hello, headers: {Cookie: cookie-secret-8}, expect: {status: 200}}
"""
SECRETS = (
    "admin-token-1",
    "header-secret-2",
    "vault-secret-3",
    "phrase-secret-4",
    "file-secret-5.invalid",
    "password-6",
    "phrase-secret-7",
    "cookie-secret-8",
    "word-secret-9",
    "new-secret-10",
)
TOKEN = {"Authorization": "Bearer admin-token-1"}


@pytest.fixture
async def gateway(tmp_path: Path) -> AsyncIterator[Gateway]:
    (tmp_path / "keeper.py").write_text(PLUGIN)
    (tmp_path / "host").write_text("file-secret-5.invalid\n")
    (tmp_path / "word").write_text("word-secret-9\n")
    file = tmp_path / "p.yaml"
    file.write_text(TEXT)
    source = Source(lambda trace: load(file, {}, trace))
    made = Gateway(source.load(), Registry.installed(), source=source)
    await made.start()
    yield made
    await made.stop()


def clean(text: str) -> bool:
    found = [secret for secret in SECRETS if secret in text]
    assert found == [], text
    return True


async def test_every_answer_to_every_question_is_clean(gateway: Gateway, client: ClientSession, tmp_path: Path) -> None:
    assert gateway.admin_url is not None
    async with client.get(f"{gateway.urls[0]}/app") as answer:
        assert answer.status == 502
    asked = 0
    for route in gateway.routes:
        if route.method == "GET" and route.kind != "text/event-stream" and not route.parameters:
            async with client.get(f"{gateway.admin_url}{route.path}", headers=TOKEN) as answer:
                assert (answer.status, clean(await answer.text())) == (200, True)
                asked += 1
    assert asked >= 8
    async with client.get(f"{gateway.admin_url}/metrics", headers=TOKEN) as answer:
        assert clean(await answer.text())


@pytest.mark.parametrize("path", ["hello", "moved", "app", "other"])
async def test_explanations_are_clean(gateway: Gateway, client: ClientSession, path: str) -> None:
    body = {"method": "GET", "url": f"http://a/{path}"}
    async with client.post(f"{gateway.admin_url}/api/v1/explain", headers=TOKEN, json=body) as answer:
        text = await answer.text()
        assert (answer.status, clean(text)) == (200, True)
        assert "***" in text


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("plain: shown", "plain: fail"),
        ("phrase: phrase-secret-4", "phrase: new-secret-10"),
        ("http://127.0.0.1:1", "http://user:password-6@127.0.0.1:1"),
        ("expect: {status: 200}", "expect: {headers: {Content-Type: word-secret-9, Set-Cookie: cookie-secret-8}}"),
    ],
)
async def test_refusals_are_clean(
    gateway: Gateway, client: ClientSession, tmp_path: Path, old: str, new: str, caplog: pytest.LogCaptureFixture
) -> None:
    text = (tmp_path / "p.yaml").read_text()
    assert old in text
    (tmp_path / "p.yaml").write_text(text.replace(old, new))
    with gateway.runtime.events.stream("config.rejected") as told:
        async with client.post(f"{gateway.admin_url}/api/v1/config/reload", headers=TOKEN) as answer:
            assert (answer.status, clean(await answer.text())) == (409, True)
        assert clean(str((await anext(told)).data()))
    async with client.get(f"{gateway.admin_url}/api/v1/status", headers=TOKEN) as answer:
        assert clean(await answer.text())


async def test_events_are_clean(gateway: Gateway, client: ClientSession) -> None:
    async with client.get(f"{gateway.admin_url}/api/v1/events", headers=TOKEN) as answer:
        assert await answer.content.readuntil(b"\n\n") == b": listening\n\n"
        gateway.runtime.events.publish(PluginError("keeper", "cannot log in with phrase-secret-4"))
        async with asyncio.timeout(10):
            text = (await answer.content.readuntil(b"\n\n")).decode()
    assert clean(text)
    assert "cannot log in with ***" in text


async def test_what_is_no_secret_is_shown(gateway: Gateway, client: ClientSession) -> None:
    async with client.get(f"{gateway.admin_url}/api/v1/config", headers=TOKEN) as answer:
        config = (await answer.json())["config"]
    assert config["plugins"][1] == {"./keeper.py": {"vault": "***", "phrase": "***", "plain": "shown"}}
    assert config["upstreams"]["auth"]["targets"][0]["url"] == "http://127.0.0.1:1"
    assert config["upstreams"]["app"]["targets"][0] != config["upstreams"]["auth"]["targets"][0]


async def test_short_secrets_are_masked_where_they_stand_alone(gateway: Gateway) -> None:
    scrub = gateway.scrub
    scrub._whole = frozenset({"ab"})
    assert scrub.data({"a": ["ab", "cab", 1, None, ("ab",)]}) == {"a": ["***", "cab", 1, None, ["***"]]}
    assert scrub.quoted('x{y="ab",z="cab"} 1') == 'x{y="***",z="cab"} 1'
