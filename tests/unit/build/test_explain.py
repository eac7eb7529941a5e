"""Explanations: what is found out, and that finding it out changes nothing."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

import pytest

from proxy.build import Built, Runtime
from proxy.build.explain import Explainer
from proxy.build.explanation import Explanation
from proxy.events import RequestCompleted
from proxy.exchange import Exchange
from proxy.message import Request
from proxy.peer import Peer
from proxy.ports import FetchPort

Make = Callable[[str], Built]
Explain = Callable[..., Awaitable[Explanation]]

TEXT = """
upstreams:
  app:
    targets: [http://127.0.0.1:9001, {url: http://127.0.0.1:9002, weight: 2}]
    timeouts: {first_byte: 5s}
  named: {targets: [http://10.0.0.1:9003], host: app.internal}
trusted_proxies: [10.1.0.0/16]
limits: {head: 1KiB}
plugins:
  - headers: {request: {set: {X-Env: prod}, remove: [X-Debug]}, response: {set: {X-Route: "${exchange.route}"}}}
  - events
routes:
  - {name: api, match: {host: api.example.com, path: /api/*}, path: {strip: /api}, upstream: app}
  - {name: named, match: {path: /named}, upstream: named, timeouts: {connect: 1s}}
  - {name: gone, match: {path: /old/*}, plugins: {respond: {status: 410, body: gone}}}
  - {name: post, match: {path: /api/*, methods: [POST]}, upstream: app}
"""


@pytest.fixture
def explain(make: Make, runtime: Runtime) -> Explain:
    async def explains(
        request: str, headers: Iterable[tuple[str, str]] = (), client: str = "127.0.0.1", text: str = TEXT
    ) -> Explanation:
        method, _, url = request.partition(" ")
        return await Explainer(make(text), runtime).explain(method, url, headers, client)

    return explains


def plugin(path: Path, name: str, body: str, *, pure: bool = True) -> None:
    """A plugin file beside the configuration."""
    lines = "\n".join(f"    {line}" for line in body.splitlines())
    head = "import asyncio\nfrom proxy.api import *\n\nclass P(Plugin[PluginConfig]):\n"
    (path / f"{name}.py").write_text(f"{head}    pure = {pure}\n{lines}\n")


def one(plugins: str) -> str:
    """A configuration with one upstream and these plugins."""
    return f"upstreams: {{app: {{targets: [http://127.0.0.1:9001]}}}}\nplugins: [{plugins}]\n"


async def test_the_winner_and_why_the_others_lost(explain: Explain) -> None:
    found = await explain("POST http://api.example.com/api/users")
    assert found.route == "api"
    assert (found.candidates[0].name, found.candidates[0].won) == ("api", True)
    reasons = {c.name: c.reason for c in found.candidates}
    assert reasons["post"] == "lost to `api`: its host api.example.com is closer"
    assert reasons["named"] == "path /api/users does not fit /named"


async def test_what_the_upstream_would_get(explain: Explain) -> None:
    found = await explain("GET http://api.example.com/api/users?page=2", [("X-Debug", "1"), ("Accept", "*/*")])
    sent = found.forward
    assert sent is not None
    assert (sent.upstream, sent.method, sent.target, sent.host) == ("app", "GET", "/users?page=2", "api.example.com")
    fields = dict(sent.fields)
    assert (fields["X-Env"], fields["Accept"], fields["X-Forwarded-For"]) == ("prod", "*/*", "127.0.0.1")
    assert "X-Debug" not in fields
    assert (sent.patience.first_byte, sent.patience.connect) == (5.0, 5.0)
    assert found.made is None


CHOICE = """
upstreams: {app: {targets: [http://a:1, http://a:2], balance: {hash: path}, health: {path: /up}}}
plugins: []
routes: [{name: all, upstream: app}]
"""


async def test_how_the_endpoint_is_chosen_and_watched(explain: Explain) -> None:
    found = await explain("GET http://example.com/x", text=CHOICE)
    assert found.forward is not None
    told = dict(found.forward.choice)
    assert told["balance"] == "hash of path, 2 of 2 targets ready"
    assert told["health"].startswith("GET /up every 10 s expects 200-399")
    assert told["eject"].startswith("after 5 failures in a row")
    assert told["breaker"] == "off"
    assert re.search(r"^  health +GET /up every", found.render(), re.MULTILINE)
    assert found.to_dict()["forward"]["choice"] == told
    again = await explain("GET http://example.com/x", text=CHOICE)
    assert again.forward is not None
    assert again.forward.endpoint == found.forward.endpoint


async def test_the_upstream_s_own_host_and_the_route_s_own_patience(explain: Explain) -> None:
    sent = (await explain("GET http://example.com/named")).forward
    assert sent is not None
    assert (sent.host, sent.patience.connect) == ("app.internal", 1.0)


async def test_the_chain_in_order_with_what_each_would_do(explain: Explain) -> None:
    headers, events = (await explain("GET http://api.example.com/api/x", [("X-Debug", "1")])).steps
    assert (headers.id, headers.rank, headers.ran, headers.reached) == ("headers", "rewrite", True, True)
    assert headers.changes == ("request: no X-Debug", "request: X-Env is prod", "answer: X-Route is api")
    assert (events.ran, events.reached, events.changes) == (False, True, ())
    assert events.says


async def test_an_answer_that_a_plugin_makes(explain: Explain) -> None:
    found = await explain("GET http://example.com/old/page")
    assert found.forward is None
    made = found.made
    assert made is not None
    assert (made.status, made.by, made.reason) == (410, "respond", "")
    assert dict(made.fields)["X-Route"] == "gone"
    assert [step.reached for step in found.steps] == [True, True, False]


async def test_a_request_that_no_route_takes(explain: Explain) -> None:
    made = (await explain("GET http://example.com/nowhere")).made
    assert made is not None
    assert (made.status, made.by, made.reason) == (404, "", "no route matches this request")


@pytest.mark.parametrize(
    ("request_line", "headers", "status"),
    [
        ("GET http://api.example.com/api%2F..%2Fold/x", [], 400),
        ("GET http://example.com/", [("X-Long", "a" * 1024)], 431),
        ("GET http://example.com/", [("Host", "a b")], 400),
        ("TRACE http://example.com/", [], 405),
        ("FROB http://example.com/", [], 501),
    ],
)
async def test_requests_that_are_refused_before_any_route(
    explain: Explain, request_line: str, headers: list[tuple[str, str]], status: int
) -> None:
    made = (await explain(request_line, headers)).made
    assert made is not None
    assert (made.status, made.by) == (status, "")


async def test_a_trusted_proxy_says_who_the_client_is(explain: Explain) -> None:
    told = [("X-Forwarded-For", "192.0.2.7"), ("X-Forwarded-Proto", "https")]
    trusted = (await explain("GET http://example.com/named", told, "10.1.2.3")).forward
    stranger = (await explain("GET http://example.com/named", told, "10.2.2.3")).forward
    assert trusted is not None
    assert stranger is not None
    assert dict(trusted.fields)["X-Forwarded-For"] == "192.0.2.7, 10.1.2.3"
    assert dict(trusted.fields)["X-Forwarded-Proto"] == "https"
    assert dict(stranger.fields)["X-Forwarded-For"] == "10.2.2.3"


async def test_scheme_and_port_are_those_of_the_url(explain: Explain) -> None:
    sent = (await explain("GET https://example.com:8443/named")).forward
    assert sent is not None
    fields = dict(sent.fields)
    assert (fields["X-Forwarded-Proto"], fields["X-Forwarded-Port"]) == ("https", "8443")
    assert fields["X-Forwarded-Host"] == "example.com:8443"


async def test_the_host_field_may_be_given(explain: Explain) -> None:
    assert (await explain("GET http://127.0.0.1/api/x", [("host", "api.example.com")])).route == "api"


async def test_what_is_not_ascii_is_encoded_as_browsers_do(explain: Explain) -> None:
    sent = (await explain("GET http://api.example.com/api/é?q=%20")).forward
    assert sent is not None
    assert sent.target == "/%C3%A9?q=%20"


async def test_framing_fields_are_left_out_since_no_body_is_sent(explain: Explain) -> None:
    found = await explain(
        "POST http://api.example.com/api/x", [("Content-Length", "5"), ("Transfer-Encoding", "chunked")]
    )
    assert found.forward is not None
    assert dict(found.forward.fields)["Content-Length"] == "0"


async def test_the_endpoint_does_not_lose_its_turn(make: Make, runtime: Runtime) -> None:
    built = make(TEXT)
    explainer = Explainer(built, runtime)
    shown = []
    for _ in range(3):
        found = await explainer.explain("GET", "http://api.example.com/api/x")
        assert found.forward is not None
        shown.append(found.forward.endpoint)
    assert set(shown) == {"http://127.0.0.1:9002"}
    upstream = built.snapshot.upstreams["app"]
    again = Exchange("id", Request("GET", "/"), Peer("127.0.0.1"), FetchPort(), 0.0)
    assert upstream.pick(again).url == "http://127.0.0.1:9002"


async def test_nothing_is_published_or_counted(make: Make, runtime: Runtime) -> None:
    seen: list[RequestCompleted] = []
    runtime.events.subscribe(RequestCompleted, seen.append)
    await Explainer(make(TEXT), runtime).explain("GET", "http://api.example.com/api/x")
    assert seen == []
    assert b"passerelle_requests" not in runtime.metrics.exposition()[0]


async def test_a_hook_that_waits_is_waited_for(explain: Explain, tmp_path: Path) -> None:
    plugin(
        tmp_path,
        "waits",
        "async def on_request(self, exchange):\n    await asyncio.sleep(0)\n"
        "    exchange.request.headers['X-Late'] = '1'\n"
        "async def on_response(self, exchange):\n    await asyncio.sleep(0)\n    return Response.text(418, 'tea')",
    )
    found = await explain("GET http://example.com/", text=one("./waits.py"))
    assert found.forward is not None
    assert dict(found.forward.fields)["X-Late"] == "1"
    assert found.steps[0].changes == ("request: X-Late is 1", "replaces the answer by a 418")


async def test_hooks_of_each_attempt_are_run_too(explain: Explain, tmp_path: Path) -> None:
    plugin(
        tmp_path, "signs", "def on_attempt(self, exchange):\n    exchange.request.headers['Authorization'] = 'Sig x'"
    )
    found = await explain("GET http://example.com/", text=one("./signs.py"))
    assert found.steps[0].changes == ("request: Authorization is ***",)
    assert found.forward is not None
    assert dict(found.forward.fields)["Authorization"] == "Sig x"


async def test_what_a_hook_makes_of_the_request_line(explain: Explain, tmp_path: Path) -> None:
    plugin(tmp_path, "turns", "def on_request(self, exchange):\n    exchange.request.target = '/else'")
    found = await explain("GET http://example.com/x", text=one("./turns.py"))
    assert found.steps[0].changes == ("target becomes /else",)


async def test_a_hook_that_raises_is_told_as_the_500_that_it_would_be(explain: Explain, tmp_path: Path) -> None:
    plugin(tmp_path, "raises", "def on_request(self, exchange):\n    raise RuntimeError('no')")
    made = (await explain("GET http://example.com/", text=one("./raises.py"))).made
    assert made is not None
    assert (made.status, made.by, made.reason) == (500, "", "the plugin raises failed")


async def test_what_is_not_pure_is_not_run_and_may_answer(explain: Explain, tmp_path: Path) -> None:
    body = "def on_request(self, exchange):\n    raise AssertionError\ndef describe(self, exchange):\n    return 'asks'"
    plugin(tmp_path, "impure", body, pure=False)
    found = await explain("GET http://example.com/", text=one("./impure.py"))
    assert found.unknown == ("impure",)
    assert (found.steps[0].ran, found.steps[0].says) == (False, "asks")
    assert found.forward is not None


async def test_a_route_that_only_such_a_plugin_answers(explain: Explain, tmp_path: Path) -> None:
    plugin(tmp_path, "asks", "answers = True\ndef on_request(self, exchange):\n    raise AssertionError", pure=False)
    text = "routes: [{name: a, plugins: {./asks.py: {}}}]\nplugins: []\n"
    found = await explain("GET http://example.com/", text=text)
    assert (found.route, found.forward, found.made, found.unknown) == ("a", None, None, ("asks",))


async def test_a_plugin_that_cannot_describe_itself_is_no_failure(explain: Explain, tmp_path: Path) -> None:
    plugin(tmp_path, "mute", "def describe(self, exchange):\n    raise KeyError('x')")
    found = await explain("GET http://example.com/", text=one("./mute.py"))
    assert found.steps[0].says == "cannot describe itself: KeyError: 'x'"


async def test_a_plugin_may_fetch_and_nothing_is_sent(explain: Explain, tmp_path: Path) -> None:
    body = (
        "async def on_request(self, exchange):\n"
        "    answer = await exchange.fetch(exchange.request.copy())\n"
        "    answer.close()\n"
        "    return Response.text(200, str(answer.status))"
    )
    plugin(tmp_path, "fetches", body)
    found = await explain("GET http://example.com/", text=one("./fetches.py"))
    assert found.made is not None
    assert (found.made.status, found.made.by) == (200, "fetches")


async def test_what_a_plugin_made_and_cannot_be_sent_is_a_500(explain: Explain, tmp_path: Path) -> None:
    plugin(tmp_path, "breaks", "def on_request(self, exchange):\n    exchange.request.target = '/a b'")
    made = (await explain("GET http://example.com/", text=one("./breaks.py"))).made
    assert made is not None
    assert (made.status, made.by) == (500, "")


@pytest.mark.parametrize("url", ["ftp://example.com/", "/path", "example.com", "http://"])
async def test_only_http_urls_are_explained(explain: Explain, url: str) -> None:
    with pytest.raises(ValueError, match="not an http URL"):
        await explain(f"GET {url}")


async def test_nobody_smuggles_a_second_request(explain: Explain) -> None:
    with pytest.raises(ValueError, match="line end"):
        await explain("GET http://example.com/", [("A", "b\r\n\r\nGET / HTTP/1.1")])


ON_ERROR = """
upstreams:
  app: {targets: [http://127.0.0.1:9001], timeouts: {total: 7s}}
  other: {targets: [http://127.0.0.1:9002]}
plugins: []
routes:
  - {name: fixed, match: {path: /fixed}, upstream: app, on_error: {respond: {status: 204}, when: 5xx}}
  - {name: api, upstream: app, on_error: {upstream: other, when: [connect, 503]}}
"""


async def test_what_is_done_about_a_failure(explain: Explain) -> None:
    told = await explain("GET http://example.com/", text=ON_ERROR)
    assert told.forward is not None
    assert (told.forward.upstream, told.forward.on_error) == ("app", "upstream other on connect, 503")
    assert "on error" in told.render()
    assert "in all 7 s" in told.render()
    fixed = await explain("GET http://example.com/fixed", text=ON_ERROR)
    assert fixed.to_dict()["forward"]["on_error"] == "respond 204 on 5xx"
