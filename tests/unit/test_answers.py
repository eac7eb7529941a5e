"""Answers that the gateway makes itself: problem details, Proxy-Status, a page for browsers."""

from __future__ import annotations

import json

import pytest

from proxy.answers import can_be_sent, describe, error_response, title
from proxy.errors import BadRequest, ClientLeft, ConnectFailed, GatewayError, NoRoute, PoolFull
from proxy.exchange import Exchange, Peer
from proxy.message import Headers, Request, Response
from proxy.testing.ends import Caller


def request(accept: str | None = None) -> Request:
    return Request("GET", "/", headers=Headers({} if accept is None else {"Accept": accept}))


class Odd(GatewayError):
    status = 799
    code = "odd"
    proxy_error = None


@pytest.mark.parametrize(
    ("status", "words"), [(404, "Not Found"), (499, "Client Closed Request"), (599, "Error"), (0, "Error")]
)
def test_titles(status: int, words: str) -> None:
    assert title(status) == words


def test_a_problem_tells_what_machines_want_to_know() -> None:
    exchange = Exchange("abc", request(), Peer("192.0.2.1"), Caller("", lambda work: work), 0.0)  # type: ignore[arg-type,return-value]  # never used
    answer = error_response(exchange, NoRoute("no route matches"))
    assert answer.status == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    assert json.loads(answer.body.data or b"") == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "detail": "no route matches",
        "code": "no_route",
        "request_id": "abc",
    }


@pytest.mark.parametrize(
    ("error", "field"),
    [
        (ConnectFailed("refused"), 'passerelle; error=connection_refused; details="refused"'),
        (ConnectFailed(), "passerelle; error=connection_refused"),
        (ConnectFailed('a "b" \\c\r\nd\xe9'), 'passerelle; error=connection_refused; details="a \\"b\\" \\\\cd"'),
        (ClientLeft("gone"), None),
    ],
)
def test_proxy_status_is_a_structured_field(error: GatewayError, field: str | None) -> None:
    assert describe(error, "id", None).headers.get("proxy-status") == field


@pytest.mark.parametrize(("seconds", "field"), [(None, None), (0.2, "1"), (1, "1"), (1.5, "2")])
def test_retry_after_is_whole_seconds_and_at_least_one(seconds: float | None, field: str | None) -> None:
    assert describe(PoolFull("busy", retry_after=seconds), "id", None).headers.get("retry-after") == field


@pytest.mark.parametrize(
    ("accept", "html"),
    [
        (None, False),
        ("", False),
        ("text/html", True),
        ("application/xhtml+xml", True),
        ("image/png, TEXT/HTML;q=0.9", True),
        ("application/json, text/html", False),
        ("*/*, text/html", False),
        ("application/problem+json", False),
        ("image/png", False),
    ],
)
def test_a_browser_gets_a_page(accept: str | None, html: bool) -> None:
    answer = describe(NoRoute("<none>"), "<id>", request(accept))
    body = answer.body.data or b""
    assert answer.headers["content-type"].startswith("text/html" if html else "application/problem+json")
    assert (b"<h1>404 Not Found</h1>" in body) is html
    if html:
        assert b"&lt;none&gt;" in body
        assert b"&lt;id&gt;" in body
        assert b"<none>" not in body


def test_a_detail_that_is_missing_is_the_title() -> None:
    assert json.loads(describe(BadRequest(), "id", None).body.data or b"")["detail"] == "Bad Request"


def test_a_status_that_is_no_error_is_a_500() -> None:
    assert describe(Odd("what"), "id", None).status == 500


@pytest.mark.parametrize(("status", "sent"), [(199, False), (200, True), (599, True), (600, False), (101, False)])
def test_what_can_be_sent(status: int, sent: bool) -> None:
    assert can_be_sent(Response(status)) is sent


def test_a_tunnel_can_be_sent() -> None:
    class Tunnel:
        def close(self) -> None:
            """Nothing is open."""

    assert can_be_sent(Response(101, tunnel=Tunnel()))
