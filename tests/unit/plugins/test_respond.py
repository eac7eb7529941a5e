from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from plugins.respond import Config, Respond
from proxy.exchange import Exchange
from proxy.plugin import Plugin, PluginConfig, Rank, config_of


def respond(**options: Any) -> Respond:
    return Respond(Config.model_validate(options))


def errors(options: dict[str, Any]) -> list[tuple[tuple[int | str, ...], str]]:
    with pytest.raises(ValidationError) as raised:
        Config.model_validate(options)
    return [(error["loc"], error["msg"].removeprefix("Value error, ")) for error in raised.value.errors()]


async def location(gateway: Any, redirect: str, **request: Any) -> str | None:
    answer = await gateway.send(respond(redirect=redirect), **request)
    found: str | None = answer.headers.get("location")
    return found


async def test_a_text(gateway: Any) -> None:
    answer = await gateway.send(respond(status=410, body="gone \u20ac\n"))
    assert answer.status == 410
    assert answer.body.data == "gone \u20ac\n".encode()
    assert answer.headers.items() == [("Content-Type", "text/plain; charset=utf-8")]
    assert gateway.origin.seen is None


async def test_what_nobody_looks_at_leaves_as_it_was_made(gateway: Any) -> None:
    answer = await gateway.send(respond(body="x"))
    assert answer.headers.encode() == b"Content-Type: text/plain; charset=utf-8"


async def test_a_text_is_a_200_unless_written(gateway: Any) -> None:
    assert (await gateway.send(respond(body="x"))).status == 200


async def test_a_body_is_sent_as_it_stands(gateway: Any) -> None:
    answer = await gateway.send(respond(body="`${exchange.rate}` $$"))
    assert answer.body.data == b"`${exchange.rate}` $$"


async def test_a_status_alone_has_neither_body_nor_type(gateway: Any) -> None:
    answer = await gateway.send(respond(status=204))
    assert (answer.status, answer.body.data, len(answer.headers)) == (204, b"", 0)


@pytest.mark.parametrize(
    ("value", "data"), [({"a": [1, "\u00e9"]}, '{"a":[1,"\u00e9"]}'), (None, "null"), (False, "false"), ("x", '"x"')]
)
async def test_json(gateway: Any, value: object, data: str) -> None:
    answer = await gateway.send(respond(json=value))
    assert (answer.status, answer.body.data) == (200, data.encode())
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    "options",
    [
        {"body": "<p>", "content_type": "text/html"},
        {"json": 1, "content_type": "text/html"},
        {"status": 200, "content_type": "text/html"},
        {"body": "<p>", "headers": {"content-type": "text/html"}},
    ],
)
async def test_the_type_can_be_written(gateway: Any, options: dict[str, Any]) -> None:
    answer = await gateway.send(respond(**options))
    assert answer.headers.getall("content-type") == ["text/html"]


async def test_further_fields(gateway: Any) -> None:
    plugin = respond(body="x", headers={"Cache-Control": "no-store", "X-At": "${exchange.request.path}"})
    answer = await gateway.send(plugin, target="/here?x")
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-at"] == "/here"


class Stamp(Plugin[PluginConfig]):
    """Changes the answer's fields, as plugins further out do."""

    def on_response(self, exchange: Exchange) -> None:
        assert exchange.response is not None
        exchange.response.headers.add("X-Stamp", "1")


async def test_a_change_to_one_answer_is_not_in_the_next(gateway: Any) -> None:
    plugin = respond(body="x")
    for _ in range(2):
        answer = await gateway.send(Stamp(PluginConfig()), plugin)
        assert answer.headers.getall("x-stamp") == ["1"]


class Retarget(Plugin[PluginConfig]):
    """Writes a target, even one that no router would let in."""

    def __init__(self, target: str) -> None:
        super().__init__(PluginConfig())
        self.target = target

    def on_request(self, exchange: Exchange) -> None:
        exchange.request.target = self.target


async def test_it_needs_no_upstream(gateway: Any) -> None:
    assert (await gateway.send(respond(status=503), upstream=False)).status == 503
    assert Respond.answers


async def test_a_redirect(gateway: Any) -> None:
    answer = await gateway.send(respond(redirect="/new"))
    assert (answer.status, answer.body.data) == (302, b"")
    assert answer.headers.items() == [("Location", "/new")]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_with_its_status(gateway: Any, status: int) -> None:
    answer = await gateway.send(respond(redirect="https://example.net", status=status, headers={"X-A": "1"}))
    assert (answer.status, answer.headers["location"], answer.headers["x-a"]) == (status, "https://example.net", "1")


async def test_a_status_that_leads_somewhere_may_do_so_by_headers(gateway: Any) -> None:
    answer = await gateway.send(respond(status=301, body="moved", headers={"Location": "custom:x"}))
    assert (answer.status, answer.headers["location"]) == (301, "custom:x")


@pytest.mark.parametrize(
    ("redirect", "target", "expected"),
    [
        ("${exchange.request.path}/", "/docs", "/docs/"),
        ("/v2${exchange.request.path}?${exchange.request.query}", "/a%20b?x=1&y=%26", "/v2/a%20b?x=1&y=%26"),
        ("/v2${exchange.request.path}?${exchange.request.query}", "/a", "/v2/a"),
        ("https://${exchange.request.host}${exchange.request.path}", "/a", "https://example.com/a"),
        ("${exchange.request.scheme}://www.example.com${exchange.request.path}", "/a", "http://www.example.com/a"),
        ("https://example.net:8443/x?from=${exchange.request.path}", "/a", "https://example.net:8443/x?from=/a"),
        ("/login?next=${exchange.request.path}", "/a&admin=1;%26+b", "/login?next=/a%26admin%3D1%3B%2526%2Bb"),
        ("https://${exchange.request.host}${exchange.request.path}", "*", "https://example.com/"),
        ("/caf%C3%A9?", "/", "/caf%C3%A9?"),
        ("/100%25/${exchange.route}", "/", "/100%25/site"),
        ("/#${exchange.request.path}", "/a", "/#/a"),
    ],
)
async def test_a_redirect_made_of_the_request(gateway: Any, redirect: str, target: str, expected: str) -> None:
    assert await location(gateway, redirect, target=target) == expected


@pytest.mark.parametrize(
    ("redirect", "target", "expected"),
    [
        ("${exchange.request.path}/", "//evil.example", "/evil.example/"),
        ("${exchange.request.path}", "////evil.example", "/evil.example"),
        ("/${exchange.request.path}", "/evil.example", "/evil.example"),
        ("${exchange.request.path}", "/\\evil.example", "/%5Cevil.example"),
        ("${exchange.request.path}", "/\t/evil.example", "/%09/evil.example"),
        ("${exchange.request.path}", "/a\r\nX-Evil: 1", "/a%0D%0AX-Evil:%201"),
        ("https://example.net${exchange.request.path}", "//evil.example", "https://example.net//evil.example"),
        ("https://example.net${exchange.request.path}", "@evil.example", "https://example.net/@evil.example"),
        ("https://example.net${exchange.request.path}", ".evil.example", "https://example.net/.evil.example"),
        ("/x?q=${exchange.request.query}", "/?a=1\r\nb#c", "/x?q=a=1%0D%0Ab%23c"),
        ("/x${exchange.request.path}", "/\xe9", "/x/%E9"),
    ],
)
async def test_a_request_cannot_choose_another_host_or_split_the_field(
    gateway: Any, redirect: str, target: str, expected: str
) -> None:
    answer = await gateway.send(Retarget(target), respond(redirect=redirect))
    assert answer.headers["location"] == expected


async def test_a_host_cannot_lead_elsewhere_than_it_says(gateway: Any) -> None:
    redirect = "https://${exchange.request.host}${exchange.request.path}"
    assert await location(gateway, redirect, host="a@b/c?d#e") == "https://a%40b%2Fc%3Fd%23e/"
    assert await location(gateway, redirect, host="[::1]:80") == "https://[::1]:80/"


async def test_a_redirect_that_needs_a_host_is_refused_without_one(gateway: Any) -> None:
    answer = await gateway.send(respond(redirect="https://${exchange.request.host}/"), host="")
    assert answer.status == 400
    assert "location" not in answer.headers


@pytest.mark.parametrize(
    ("options", "place", "message"),
    [
        ({}, (), "no answer is written; write status, body, json or redirect"),
        ({"headers": {"X-A": "1"}}, (), "no answer is written; write status, body, json or redirect"),
        ({"body": "a", "json": 1}, (), "an answer is of one kind, not of 2: body, json"),
        ({"json": None, "redirect": "/a"}, (), "an answer is of one kind, not of 2: json, redirect"),
        ({"body": "", "json": 1, "redirect": "/"}, (), "an answer is of one kind, not of 3: body, json, redirect"),
        ({"status": 301}, (), "the status 301 leads somewhere; write redirect"),
        ({"status": 308, "body": "x"}, (), "the status 308 leads somewhere; write redirect"),
        ({"status": 204, "body": "x"}, (), "the status 204 goes without a body"),
        ({"status": 205, "body": "x"}, (), "the status 205 goes without a body"),
        ({"status": 304, "json": None}, (), "the status 304 goes without a body"),
        ({"status": 200, "redirect": "/"}, (), "a redirect has the status 301, 302, 303, 307 or 308, not 200"),
        ({"status": 304, "redirect": "/"}, (), "a redirect has the status 301, 302, 303, 307 or 308, not 304"),
        ({"content_type": "text/html", "redirect": "/"}, (), "a redirect has no body, and so no content_type"),
        ({"headers": {"location": "/"}, "redirect": "/"}, (), "redirect and headers both tell the Location"),
        (
            {"body": "a", "content_type": "text/html", "headers": {"content-type": "a/b"}},
            (),
            "content_type and headers both tell the type",
        ),
        ({"json": float("inf")}, ("json",), "cannot be written as JSON"),
        ({"json": {"a": {1, 2}}}, ("json",), "cannot be written as JSON"),
        ({"json": "\ud800"}, ("json",), "cannot be written as JSON"),
        (
            {"body": "a", "content_type": "a\nb"},
            ("content_type",),
            "holds a control character, or one beyond latin-1",
        ),
        (
            {"body": "a", "headers": {"Content-Length": "1"}},
            ("headers", "Content-Length", "[key]"),
            "the gateway itself writes Content-Length",
        ),
        (
            {"body": "a", "headers": {"X-Request-ID": "1"}},
            ("headers", "X-Request-ID", "[key]"),
            "the gateway itself writes X-Request-ID; the plugin request_id has options for it",
        ),
        (
            {"body": "a", "headers": {"X-A": "${exchange.endpoint}"}},
            ("headers", "X-A"),
            "${exchange.endpoint} is known only once there is an answer: not for a request's fields",
        ),
        ({"status": 199}, ("status",), "Input should be greater than or equal to 200"),
        ({"status": 600}, ("status",), "Input should be less than or equal to 599"),
        ({"data": 1, "status": 200}, ("data",), "Extra inputs are not permitted"),
    ],
)
def test_slips_are_refused_where_they_stand(
    options: dict[str, Any], place: tuple[int | str, ...], message: str
) -> None:
    assert errors(options) == [(place, message)]


@pytest.mark.parametrize(
    "redirect",
    [
        "",
        "new",
        "//evil.example/",
        "javascript:alert(1)",
        "ftp://example.com/",
        "https://",
        "https:///path",
        "https://user@example.com/",
        "https://example.com${exchange.request.query}",
        "https://example.com${exchange.request.host}/",
        "https://${exchange.request.host}${exchange.request.query}",
        "https://${exchange.request.host}.example.com/",
        "https://${exchange.peer.host}/",
        "https://${exchange.request.path}/",
        "${exchange.request.query}",
        "${exchange.request.host}/",
        "${exchange.request.scheme}:${exchange.request.path}",
    ],
)
def test_a_redirect_leads_to_a_path_or_to_a_host_of_ours(redirect: str) -> None:
    message = 'a redirect leads to a path, such as "/new", or to a URL with a host of yours'
    assert errors({"redirect": redirect}) == [(("redirect",), message)]


@pytest.mark.parametrize("redirect", ["/a b", "/stra\u00dfe", "/a\r\nb", "/\\evil.example", "/$${exchange.id}", '/"'])
def test_a_redirect_is_a_url(redirect: str) -> None:
    message = "a redirect's URL holds a character that must be percent-encoded"
    assert errors({"redirect": redirect}) == [(("redirect",), message)]


def test_an_unknown_fact_in_a_redirect_is_named() -> None:
    message = "there is no ${exchange.path}; did you mean ${exchange.request.path}?"
    assert errors({"redirect": "/x${exchange.path}"}) == [(("redirect",), message)]
    assert errors({"redirect": "/x?${exchange.path}"}) == [(("redirect",), message)]


async def test_explain_tells_the_answer(gateway: Any) -> None:
    plugin = respond(redirect="https://${exchange.request.host}/")
    await gateway.send(plugin)
    assert plugin.describe(gateway.last) == "redirects with 302 to https://${exchange.request.host}/"
    assert respond(status=410, body="gone").describe(gateway.last) == "answers 410 with 4 bytes"


def test_its_place_and_kind() -> None:
    assert Respond.rank is Rank.REWRITE
    assert Respond.pure
    assert config_of(Respond) is Config


def test_every_option_is_explained() -> None:
    properties = Config.model_json_schema()["properties"]
    assert set(properties) == {"status", "body", "json", "redirect", "content_type", "headers"}
    assert all("description" in option for option in properties.values())
