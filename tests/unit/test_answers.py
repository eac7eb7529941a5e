"""Answers that the gateway makes itself: every error class, its problem details, page and fields."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from proxy import errors
from proxy.answers import can_be_sent, describe, error_response
from proxy.chain import Chain
from proxy.clock import ManualClock
from proxy.errors import BadRequest, BodyTooLarge, ConnectRefused, GatewayError, NoRoute, PoolFull
from proxy.exchange import Exchange, Phase
from proxy.message import Headers, Request, Response
from proxy.pages import Page, Pages
from proxy.peer import Peer
from proxy.plan import Plan
from proxy.statuses import title
from proxy.testing.ends import Caller
from proxy.timers import Wheel
from proxy.tunnel import Tunnel


def request(accept: str | None = None) -> Request:
    return Request("GET", "/", headers=Headers({} if accept is None else {"Accept": accept}))


def exchange() -> Exchange:
    caller = Caller("", lambda work: work)  # type: ignore[arg-type,return-value]  # never used
    return Exchange("abc", request(), Peer("192.0.2.1"), caller, 0.0)


class Odd(GatewayError):
    status = 799
    code = "odd"
    proxy_error = None


# Every class: the status, the code, and the error type of RFC 9209 that Proxy-Status names.
TABLE: dict[type[GatewayError], tuple[int, str, str | None]] = {
    errors.GatewayError: (500, "internal_error", "proxy_internal_error"),
    errors.PluginFailed: (500, "plugin_error", "proxy_internal_error"),
    errors.TunnelTimeout: (504, "tunnel_timeout", None),
    errors.ClientError: (400, "bad_request", "http_request_error"),
    errors.BadRequest: (400, "bad_request", "http_request_error"),
    errors.NoRoute: (404, "no_route", "destination_not_found"),
    errors.Misdirected: (421, "misdirected_request", "http_request_error"),
    errors.MethodRefused: (405, "method_not_allowed", "http_request_denied"),
    errors.RequestTimeout: (408, "request_timeout", "http_request_error"),
    errors.BodyTooLarge: (413, "body_too_large", "http_request_error"),
    errors.TargetTooLong: (414, "target_too_long", "http_request_error"),
    errors.HeadTooLarge: (431, "head_too_large", "http_request_error"),
    errors.ClientLeft: (499, "client_left", None),
    errors.ExpectationRefused: (417, "expectation_failed", "http_request_error"),
    errors.UnknownMethod: (501, "unknown_method", "http_request_error"),
    errors.VersionRefused: (505, "version_not_supported", "http_request_error"),
    errors.LoopDetected: (508, "loop_detected", "proxy_loop_detected"),
    errors.UpstreamError: (502, "bad_gateway", "destination_unavailable"),
    errors.ConnectFailed: (502, "connect_failed", "destination_unavailable"),
    errors.ConnectRefused: (502, "connection_refused", "connection_refused"),
    errors.Unroutable: (502, "destination_unroutable", "destination_ip_unroutable"),
    errors.DnsFailed: (502, "dns_error", "dns_error"),
    errors.DnsTimeout: (504, "dns_timeout", "dns_timeout"),
    errors.TlsFailed: (502, "tls_error", "tls_protocol_error"),
    errors.CertificateRefused: (502, "tls_certificate_error", "tls_certificate_error"),
    errors.TlsAlerted: (502, "tls_alert", "tls_alert_received"),
    errors.UpstreamReset: (502, "upstream_reset", "connection_terminated"),
    errors.BadResponse: (502, "bad_response", "http_protocol_error"),
    errors.ResponseHeadTooLarge: (502, "response_head_too_large", "http_response_header_section_size"),
    errors.ResponseTooLarge: (502, "response_too_large", "http_response_body_size"),
    errors.UpgradeFailed: (502, "upgrade_failed", "http_upgrade_failed"),
    errors.IncompleteResponse: (502, "incomplete_response", "http_response_incomplete"),
    errors.Unavailable: (503, "no_healthy_upstream", "destination_unavailable"),
    errors.CircuitOpen: (503, "circuit_open", "destination_unavailable"),
    errors.PoolFull: (503, "pool_exhausted", "connection_limit_reached"),
    errors.UpstreamTimeout: (504, "upstream_timeout", "http_response_timeout"),
    errors.ConnectTimeout: (504, "connect_timeout", "connection_timeout"),
    errors.ReadTimeout: (504, "read_timeout", "connection_read_timeout"),
    errors.DeadlinePassed: (504, "deadline_passed", "http_response_timeout"),
    errors.WriteTimeout: (504, "write_timeout", "connection_write_timeout"),
}


def classes(kind: type[GatewayError] = GatewayError) -> Iterator[type[GatewayError]]:
    yield kind
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from classes(child)


@pytest.mark.parametrize("kind", list(classes()), ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("accept", ["application/json", "text/html"])
def test_each_class_is_answered_as_the_table_says(kind: type[GatewayError], accept: str) -> None:
    status, code, proxy_error = TABLE[kind]
    answer = describe(kind("because", retry_after=3), "id", request(accept))
    field = None if proxy_error is None else f'passerelle; error={proxy_error}; details="because"'
    assert (answer.status, answer.headers.get("proxy-status")) == (status, field)
    assert (answer.headers["retry-after"], answer.headers["cache-control"]) == ("3", "no-store")
    body = (answer.body.data or b"").decode()
    if accept == "text/html":
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert f"<h1>{status} {title(status)}</h1>\n<p>because</p>\n<p><small>{code} &middot; request id" in body
    else:
        assert answer.headers["content-type"] == "application/problem+json"
        told = json.loads(body)
        assert (told["status"], told["code"], told["detail"]) == (status, code, "because")


def test_a_problem_tells_what_machines_want_to_know() -> None:
    answer = error_response(exchange(), NoRoute("no route matches"))
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


def test_a_refused_method_tells_the_others() -> None:
    allowed = describe(errors.MethodRefused(), "id", None).headers["allow"].split(", ")
    assert "GET" in allowed
    assert not {"TRACE", "CONNECT"} & set(allowed)


@pytest.mark.parametrize(
    ("error", "field"),
    [
        (ConnectRefused(), "passerelle; error=connection_refused"),
        (ConnectRefused('a "b" \\c\r\nd\xe9'), 'passerelle; error=connection_refused; details="a \\"b\\" \\\\cd"'),
    ],
)
def test_proxy_status_is_a_structured_field(error: GatewayError, field: str | None) -> None:
    assert describe(error, "id", None).headers.get("proxy-status") == field


@pytest.mark.parametrize(("seconds", "field"), [(None, None), (0.2, "1"), (1, "1"), (1.5, "2")])
def test_retry_after_is_whole_seconds_and_at_least_one(seconds: float | None, field: str | None) -> None:
    assert describe(PoolFull("busy", retry_after=seconds), "id", None).headers.get("retry-after") == field


def test_a_page_is_escaped() -> None:
    body = describe(NoRoute("<none>"), "<id>", request("text/html")).body.data or b""
    assert b"&lt;none&gt;" in body
    assert b"&lt;id&gt;" in body
    assert b"<none>" not in body


def test_a_detail_that_is_missing_is_the_title() -> None:
    assert json.loads(describe(BadRequest(), "id", None).body.data or b"")["detail"] == "Bad Request"


def test_a_status_that_is_no_error_is_a_500() -> None:
    assert describe(Odd("what"), "id", None).status == 500


def test_the_pages_of_the_plan_are_used() -> None:
    one = exchange()
    one.plan = Plan("", Chain(()), None, pages=Pages({"404": (Page("mine ${error.code}", "text/plain"),)}))
    answer = error_response(one, NoRoute("no route matches"))
    assert (answer.headers["content-type"], answer.body.data) == ("text/plain", b"mine no_route")


@pytest.mark.parametrize(("phase", "status"), [(Phase.INWARD, 413), (Phase.ATTEMPT, 413), (Phase.OUTWARD, 502)])
def test_a_body_that_is_too_large_is_the_fault_of_who_sent_it(phase: Phase, status: int) -> None:
    one = exchange()
    one.phase = phase
    one.error = error = BodyTooLarge("over the limit")
    assert error_response(one, error).status == status
    assert one.error is not None
    assert one.error.status == status


@pytest.mark.parametrize(("status", "sent"), [(199, False), (200, True), (599, True), (600, False), (101, False)])
def test_what_can_be_sent(status: int, sent: bool) -> None:
    assert can_be_sent(Request("GET", "/"), Response(status)) is sent


@pytest.mark.parametrize(
    ("upgrade", "version", "sent"), [("chat", "1.1", True), ("", "1.1", False), ("chat", "1.0", False)]
)
def test_a_tunnel_can_be_sent_to_those_who_asked(upgrade: str, version: str, sent: bool) -> None:
    asked = Request("GET", "/", version=version)
    asked.upgrade = upgrade
    assert can_be_sent(asked, Response(101, tunnel=Tunnel("chat", Wheel(ManualClock()), 1.0))) is sent
