from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from plugins.headers import Config, HeaderRules
from proxy.errors import ConnectFailed
from proxy.exchange import Exchange
from proxy.headers import HOP_BY_HOP
from proxy.message import Headers, Response
from proxy.plugin import Plugin, Rank, config_of


def rules(**options: Any) -> HeaderRules:
    return HeaderRules(Config.model_validate(options))


def errors(options: dict[str, Any]) -> list[tuple[tuple[int | str, ...], str]]:
    with pytest.raises(ValidationError) as raised:
        Config.model_validate(options)
    return [(error["loc"], error["msg"].removeprefix("Value error, ")) for error in raised.value.errors()]


async def test_set_takes_the_place_of_every_field_of_that_name(gateway: Any) -> None:
    await gateway.send(rules(request={"set": {"X-Env": "prod"}}), headers={"x-env": "mine", "X-ENV": "too"})
    assert gateway.forwarded.headers.getall("x-env") == ["prod"]


async def test_add_leaves_what_is_there(gateway: Any) -> None:
    await gateway.send(rules(request={"add": {"Via-Team": "edge"}}), headers={"Via-Team": "inner"})
    assert gateway.forwarded.headers.getall("via-team") == ["inner", "edge"]


async def test_remove_takes_every_field_of_that_name(gateway: Any) -> None:
    await gateway.send(rules(request={"remove": ["x-debug"]}), headers={"X-Debug": "1", "X-DEBUG": "2", "X-Other": "3"})
    assert "x-debug" not in gateway.forwarded.headers
    assert gateway.forwarded.headers["x-other"] == "3"


async def test_remove_then_set_then_add(gateway: Any) -> None:
    plugin = rules(request={"remove": ["X-A"], "set": {"X-A": "set"}, "add": {"x-a": "added"}})
    await gateway.send(plugin, headers={"X-A": "client"})
    assert [pair for pair in gateway.forwarded.headers.items() if pair[0].lower() == "x-a"] == [
        ("X-A", "set"),
        ("x-a", "added"),
    ]


async def test_the_answer_has_rules_of_its_own(gateway: Any) -> None:
    gateway.origin.answer = lambda: Response(200, Headers([("Server", "x"), ("Set-Cookie", "a=1"), ("X-Env", "in")]))
    answer = await gateway.send(
        rules(response={"set": {"X-Env": "out"}, "add": {"Set-Cookie": "b=2"}, "remove": ["Server"]}),
        headers={"X-Env": "client"},
    )
    assert answer.headers.items() == [("Set-Cookie", "a=1"), ("X-Env", "out"), ("Set-Cookie", "b=2")]
    assert gateway.forwarded.headers["x-env"] == "client"


async def test_values_tell_of_the_exchange(gateway: Any) -> None:
    plugin = rules(
        request={"set": {"X-Seen": "${exchange.request.method} ${exchange.request.path} by ${exchange.peer.host}"}},
        response={"set": {"X-Served-By": "${exchange.endpoint}", "X-Of": "${exchange.route}/${exchange.upstream}"}},
    )
    answer = await gateway.send(plugin, method="POST", target="/a?b")
    assert gateway.forwarded.headers["x-seen"] == "POST /a by 192.0.2.7"
    assert answer.headers["x-served-by"] == "http://127.0.0.1:9001"
    assert answer.headers["x-of"] == "site/app"


async def test_dollars_that_name_no_fact_pass_as_they_are(gateway: Any) -> None:
    await gateway.send(rules(request={"set": {"X-Price": "5 $", "X-Word": "a$$b${C}", "X-Text": "$${exchange.id}"}}))
    assert gateway.forwarded.headers["x-price"] == "5 $"
    assert gateway.forwarded.headers["x-word"] == "a$$b${C}"
    assert gateway.forwarded.headers["x-text"] == "${exchange.id}"


async def test_a_field_of_which_nothing_is_left_is_not_written(gateway: Any) -> None:
    plugin = rules(
        request={"set": {"X-Query": "${exchange.request.query}"}, "add": {"X-Q": "${exchange.request.query}"}}
    )
    await gateway.send(plugin, target="/", headers={"X-Query": "the client's"})
    assert "x-query" not in gateway.forwarded.headers
    assert "x-q" not in gateway.forwarded.headers
    await gateway.send(plugin, target="/?a=1")
    assert gateway.forwarded.headers["x-query"] == gateway.forwarded.headers["x-q"] == "a=1"


async def test_an_empty_value_that_was_written_so_is_sent_so(gateway: Any) -> None:
    await gateway.send(rules(request={"set": {"Accept-Encoding": ""}}), headers={"Accept-Encoding": "gzip"})
    assert gateway.forwarded.headers.getall("accept-encoding") == [""]


class Splitter(Plugin[Any]):
    """Leaves a target that would split a field."""

    def on_request(self, exchange: Exchange) -> None:
        exchange.request.target = "/a\r\nX-Evil: 1"


async def test_a_value_cannot_split_a_field(gateway: Any) -> None:
    plugin = rules(request={"set": {"X-Path": "${exchange.request.path}"}})
    await gateway.send(Splitter(Config()), plugin)
    assert gateway.forwarded.headers["x-path"] == "/a  X-Evil: 1"
    assert "x-evil" not in gateway.forwarded.headers


async def test_host_is_the_host_of_the_request(gateway: Any) -> None:
    await gateway.send(rules(request={"set": {"host": "inner.example.com:8080"}}), host="example.com")
    assert gateway.forwarded.host == "inner.example.com:8080"
    assert "host" not in gateway.forwarded.headers


async def test_answers_of_the_gateway_get_the_rules_too(gateway: Any) -> None:
    gateway.origin.answer = lambda: ConnectFailed("refused")
    plugin = rules(response={"set": {"X-Status": "${exchange.response.status}", "X-By": "${exchange.endpoint}"}})
    answer = await gateway.send(plugin)
    assert answer.status == 502
    assert answer.headers["x-status"] == "502"
    assert "x-by" not in answer.headers


async def test_without_rules_nothing_changes(gateway: Any) -> None:
    answer = await gateway.send(rules(), headers={"X-A": "1"})
    assert gateway.forwarded.headers.items()[0] == ("X-A", "1")
    assert answer.headers.items() == [("content-type", "text/plain; charset=utf-8"), ("Server", "origin")]


async def test_a_route_has_rules_of_its_own(gateway: Any) -> None:
    plugin = rules(request={"set": {"X-Env": "prod"}})
    twin = plugin.for_route(Config.model_validate({"request": {"set": {"X-Env": "site"}}}))
    await gateway.send(twin)
    assert gateway.forwarded.headers["x-env"] == "site"
    await gateway.send(plugin)
    assert gateway.forwarded.headers["x-env"] == "prod"


def test_its_place_and_kind() -> None:
    assert HeaderRules.rank is Rank.REWRITE
    assert HeaderRules.pure
    assert not HeaderRules.answers
    assert config_of(HeaderRules) is Config


async def test_explain_names_fields_and_never_values(gateway: Any) -> None:
    plugin = rules(
        request={"set": {"Authorization": "Bearer secret", "X-Env": "prod"}, "remove": ["X-Debug"]},
        response={"add": {"X-By": "me"}},
    )
    await gateway.send(plugin)
    assert plugin.describe(gateway.last) == "request: removes X-Debug, sets Authorization, X-Env; response: adds X-By"
    assert rules().describe(gateway.last) == ""


@pytest.mark.parametrize("name", ["Connection", "Transfer-Encoding", *sorted(HOP_BY_HOP)])
@pytest.mark.parametrize("side", ["request", "response"])
def test_fields_of_the_engine_are_refused(side: str, name: str) -> None:
    message = f"the gateway itself writes {name}"
    assert errors({side: {"set": {name: "x"}}}) == [((side, "set", name, "[key]"), message)]
    assert errors({side: {"add": {name: "x"}}}) == [((side, "add", name, "[key]"), message)]
    assert errors({side: {"remove": [name]}}) == [((side, "remove", 0), message)]


@pytest.mark.parametrize(
    ("options", "place", "message"),
    [
        ({"request": {"set": {"X Y": "1"}}}, ("request", "set", "X Y", "[key]"), "not a field name: 'X Y'"),
        ({"response": {"remove": [""]}}, ("response", "remove", 0), "not a field name: ''"),
        (
            {"request": {"set": {"Expect": "x"}}},
            ("request", "set", "Expect", "[key]"),
            "the gateway itself writes Expect",
        ),
        (
            {"response": {"set": {"X-Request-Id": "x"}}},
            ("response", "set", "X-Request-Id", "[key]"),
            "the gateway itself writes X-Request-Id; the plugin request_id has options for it",
        ),
        (
            {"request": {"add": {"X-A": "a\r\nb"}}},
            ("request", "add", "X-A"),
            "holds a control character, or one beyond latin-1",
        ),
        (
            {"response": {"set": {"X-A": "\u20ac"}}},
            ("response", "set", "X-A"),
            "holds a control character, or one beyond latin-1",
        ),
        (
            {"request": {"set": {"X-A": "1", "x-a": "2"}}},
            ("request", "set"),
            "the same field stands there twice, as X-A and as x-a",
        ),
        (
            {"response": {"set": {"X-A": "1", "x-a": "2"}}},
            ("response", "set"),
            "the same field stands there twice, as X-A and as x-a",
        ),
        (
            {"request": {"set": {"X-A": "${exchange.rout}"}}},
            ("request", "set", "X-A"),
            "there is no ${exchange.rout}; did you mean ${exchange.route}?",
        ),
        (
            {"response": {"add": {"X-A": "${exchange.endpont}"}}},
            ("response", "add", "X-A"),
            "there is no ${exchange.endpont}; did you mean ${exchange.endpoint}?",
        ),
        (
            {"request": {"set": {"X-A": "${exchange.endpoint}"}}},
            ("request", "set", "X-A"),
            "${exchange.endpoint} is known only once there is an answer: not for a request's fields",
        ),
        (
            {"request": {"set": {"Host": "a b"}}},
            ("request", "set"),
            "the value of Host must be a plain host name, with a port or without",
        ),
        (
            {"request": {"set": {"Host": "${exchange.request.host}"}}},
            ("request", "set"),
            "the value of Host must be a plain host name, with a port or without",
        ),
        ({"request": {"add": {"Host": "a"}}}, ("request", "add"), "a request has exactly one Host: it can only be set"),
        (
            {"request": {"remove": ["host"]}},
            ("request", "remove"),
            "a request has exactly one Host: it can only be set",
        ),
        ({"request": {"sets": {}}}, ("request", "sets"), "Extra inputs are not permitted"),
        ({"reqest": {}}, ("reqest",), "Extra inputs are not permitted"),
        ({"request": {"set": {"X-A": 5}}}, ("request", "set", "X-A"), "Input should be a valid string"),
    ],
)
def test_slips_are_refused_where_they_stand(
    options: dict[str, Any], place: tuple[int | str, ...], message: str
) -> None:
    assert errors(options) == [(place, message)]


def test_a_refusal_does_not_show_the_value() -> None:
    ((_, message),) = errors({"request": {"set": {"Authorization": "Bearer top-secret\n"}}})
    assert "top-secret" not in message


def test_every_slip_is_told_at_once() -> None:
    assert len(errors({"request": {"set": {"X Y": "1", "X-A": "\n"}}, "response": {"remove": ["TE"]}})) == 3


def test_every_option_is_explained() -> None:
    schema = Config.model_json_schema()
    models = [schema, *schema["$defs"].values()]
    assert all("description" in option for model in models for option in model["properties"].values())
