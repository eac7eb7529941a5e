"""Messages as hooks see them."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from proxy.body import EMPTY, Body
from proxy.headers import Headers
from proxy.message import Request, Response
from proxy.stream import Stream


class Tunnel:
    closed = 0
    protocol = "chat"

    def close(self) -> None:
        self.closed += 1

    def on_end(self, callback: Callable[[], None]) -> None:
        """It does not end."""


class Peer:
    abandoned = 0

    def pause(self) -> None: ...

    def resume(self) -> None: ...

    def wanted(self) -> None: ...

    def abandon(self) -> None:
        self.abandoned += 1


def test_a_request_has_sensible_defaults() -> None:
    request = Request("GET", "/")
    assert (request.scheme, request.host, request.version) == ("http", "", "1.1")
    assert request.body is EMPTY
    assert request.headers == Headers()
    assert Request("GET", "/").headers is not request.headers


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        ("/", "/", ""),
        ("/a%2Fb?c=d", "/a%2Fb", "c=d"),
        ("/a?", "/a", ""),
        ("/a?b?c", "/a", "b?c"),
        ("*", "*", ""),
        ("/\xe9?\xff", "/\xe9", "\xff"),
    ],
)
def test_path_and_query_stay_encoded(target: str, path: str, query: str) -> None:
    request = Request("GET", target)
    assert (request.path, request.query) == (path, query)


def test_a_copy_has_its_own_fields_and_the_same_body() -> None:
    body = Body(b"x")
    headers = Headers({"A": "b"})
    request = Request("PUT", "/a?b", scheme="https", host="h:1", headers=headers, body=body, version="1.0")
    other = request.copy()
    assert [getattr(other, name) for name in Request.__slots__] == [
        getattr(request, name) for name in Request.__slots__
    ]
    other.headers["A"] = "c"
    other.target = "/c"
    assert (request.headers["A"], request.target) == ("b", "/a?b")
    assert other.body is body


def test_messages_show_what_they_are() -> None:
    assert repr(Request("GET", "/a", host="h", scheme="https")) == "<Request GET https://h/a>"
    assert repr(Response(204)) == "<Response 204>"


def test_a_response_takes_plain_things() -> None:
    response = Response(200, {"A": "b"}, b"hello")
    assert response.headers.items() == [("A", "b")]
    assert response.body.data == b"hello"
    assert (response.reason, response.tunnel) == ("", None)
    headers, body = Headers(), Body(b"x")
    kept = Response(200, headers, body, reason="Fine")
    assert kept.headers is headers
    assert kept.body is body
    assert kept.reason == "Fine"
    assert Response(204).body is EMPTY


def test_text_and_html() -> None:
    text = Response.text(404, "né", {"A": "b"})
    assert text.body.data == "né".encode()
    assert text.headers.items() == [("content-type", "text/plain; charset=utf-8"), ("A", "b")]
    assert Response.html(200, "<p>").headers["Content-Type"] == "text/html; charset=utf-8"


def test_json_is_compact_utf_8_and_its_type_may_be_narrowed() -> None:
    response = Response.json(200, {"a": ["é", 1]}, {"Content-Type": "application/problem+json"})
    assert response.body.data == '{"a":["é",1]}'.encode()
    assert json.loads(response.body.data or b"") == {"a": ["é", 1]}
    assert response.headers.items() == [("Content-Type", "application/problem+json")]


def test_a_problem_says_what_it_is_and_is_not_stored() -> None:
    response = Response.problem(422, "no é", {"Retry-After": "1"}, incident="7")
    assert response.status == 422
    assert response.body.data == (
        '{"type":"about:blank","title":"Unprocessable Content","status":422,"detail":"no é","incident":"7"}'.encode()
    )
    assert response.headers.items() == [
        ("Content-Type", "application/problem+json"),
        ("Cache-Control", "no-store"),
        ("Retry-After", "1"),
    ]


def test_who_makes_a_problem_may_have_it_stored() -> None:
    assert Response.problem(404, "gone", {"Cache-Control": "max-age=5"}).headers.getall("cache-control") == [
        "max-age=5"
    ]


def test_redirect() -> None:
    assert (Response.redirect("/b").status, Response.redirect("/b").headers["Location"]) == (302, "/b")
    assert Response.redirect("/b", 308).status == 308
    with pytest.raises(ValueError, match="control character"):
        Response.redirect("/b\r\nSet-Cookie: c")


def test_closing_a_response_closes_its_body_and_its_tunnel() -> None:
    peer, tunnel = Peer(), Tunnel()
    response = Response(101, body=Stream(peer, None), tunnel=tunnel)
    response.close()
    assert (peer.abandoned, tunnel.closed) == (1, 1)
    Response(200).close()
