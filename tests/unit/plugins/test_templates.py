from __future__ import annotations

import pytest

from plugins._templates import ON_REQUEST, ON_RESPONSE, Template, literals
from proxy.errors import ConnectFailed
from proxy.exchange import Endpoint, Exchange
from proxy.message import Request, Response
from proxy.peer import Peer


class Nobody:
    """The client's end of an exchange that never runs."""

    def informed(self, exchange: Exchange, response: Response) -> None: ...
    def deliver(self, exchange: Exchange) -> None: ...


def make_exchange(target: str = "/a%20b?x=1&y", port: int = 4711) -> Exchange:
    request = Request("PUT", target, scheme="https", host="shop.example.com:8443")
    exchange = Exchange("id-1", request, Peer("192.0.2.7", port), Nobody(), 0.0)
    exchange.route = "shop"
    return exchange


def answered(exchange: Exchange) -> Exchange:
    exchange.upstream = "app"
    exchange.endpoint = Endpoint("http://10.0.0.1:9001", "http", "10.0.0.1", 9001)
    exchange.response = Response(203)
    return exchange


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("id", "id-1"),
        ("route", "shop"),
        ("upstream", "app"),
        ("endpoint", "http://10.0.0.1:9001"),
        ("peer.host", "192.0.2.7"),
        ("peer.port", "4711"),
        ("request.method", "PUT"),
        ("request.host", "shop.example.com:8443"),
        ("request.path", "/a%20b"),
        ("request.query", "x=1&y"),
        ("request.scheme", "https"),
        ("response.status", "203"),
    ],
)
def test_every_fact(name: str, value: str) -> None:
    template = Template(f"<${{exchange.{name}}}>", ON_RESPONSE)
    assert template.render(answered(make_exchange())) == f"<{value}>"
    assert template.names == (name,)


def test_the_facts_are_these_and_no_others() -> None:
    assert set(ON_RESPONSE) - set(ON_REQUEST) == {"upstream", "endpoint", "response.status"}
    assert len(ON_RESPONSE) == 17


def test_several_facts_and_percent_signs_in_one_text() -> None:
    template = Template("100%s ${exchange.id}%${exchange.route} %%", ON_REQUEST)
    assert template.render(make_exchange()) == "100%s id-1%shop %%"


@pytest.mark.parametrize("name", ["upstream", "endpoint", "response.status"])
def test_what_is_not_known_is_empty(name: str) -> None:
    assert Template(f"${{exchange.{name}}}", ON_RESPONSE).render(make_exchange()) == ""


def test_a_port_that_a_proxy_did_not_tell_is_empty() -> None:
    assert Template("${exchange.peer.port}", ON_REQUEST).render(make_exchange(port=0)) == ""


def test_an_endpoint_that_failed_is_not_named_as_the_one_that_answered() -> None:
    exchange = answered(make_exchange())
    exchange.error = ConnectFailed("refused")
    assert Template("${exchange.endpoint}", ON_RESPONSE).render(exchange) == ""


@pytest.mark.parametrize(
    "text", ["", "plain", "$", "$$", "5 $$ each", "${VAR}", "${exchang.id}", "a}b{c", "${", "100%", "$exchange.id"]
)
def test_other_dollars_braces_and_percents_stand_for_themselves(text: str) -> None:
    template = Template(text, ON_REQUEST)
    assert template.names == ()
    assert template.render(make_exchange()) == text


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("$${exchange.id}", "${exchange.id}"),
        ("$${exchange.nothing}", "${exchange.nothing}"),
        ("$$${exchange.id}", "$${exchange.id}"),
        ("$${exchange.id} is ${exchange.id}", "${exchange.id} is id-1"),
    ],
)
def test_an_escaped_fact_is_literal(text: str, rendered: str) -> None:
    assert Template(text, ON_REQUEST).render(make_exchange()) == rendered


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("${exchange.rout}", "there is no ${exchange.rout}; did you mean ${exchange.route}?"),
        ("${exchange.path}", "there is no ${exchange.path}; did you mean ${exchange.request.path}?"),
        ("${exchange.host}", "there is no ${exchange.host}; did you mean ${exchange.request.host}?"),
        ("${exchange.}", "there is no ${exchange.}; known are id, route"),
        (
            "${exchange.zzz}",
            f"there is no ${{exchange.zzz}}; known are {', '.join(ON_REQUEST)}",
        ),
        (
            "${exchange.endpoint}",
            "${exchange.endpoint} is known only once there is an answer: not for a request's fields",
        ),
        ("x ${exchange.id", '"${exchange." is never closed; "$$$${exchange." in YAML stands for the text itself'),
    ],
)
def test_slips_are_named(text: str, message: str) -> None:
    with pytest.raises(ValueError) as raised:
        Template(text, ON_REQUEST)
    assert str(raised.value).startswith(message)


def test_control_characters_and_wide_ones_become_spaces() -> None:
    exchange = make_exchange("/a\r\nX-Evil: 1\x00\x7f\u2028b\xe9\t")
    assert Template("${exchange.request.path}", ON_REQUEST).render(exchange) == "/a  X-Evil: 1   b\xe9\t"


def test_literals_are_what_is_not_replaced() -> None:
    assert literals("/a${exchange.request.path}/b$${exchange.c}") == "/a/b${exchange.c}"
