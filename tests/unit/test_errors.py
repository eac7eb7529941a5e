"""The error tree: every error can be answered for, retried rightly, and told apart by machines."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from proxy import errors
from proxy.errors import ClientError, Fault, GatewayError, Retry, UpstreamError

# RFC 9209 section 2.3, the registered proxy error types
REGISTERED = [
    "dns_timeout",
    "dns_error",
    "destination_not_found",
    "destination_unavailable",
    "destination_ip_prohibited",
    "destination_ip_unroutable",
    "connection_refused",
    "connection_terminated",
    "connection_timeout",
    "connection_read_timeout",
    "connection_write_timeout",
    "connection_limit_reached",
    "tls_protocol_error",
    "tls_certificate_error",
    "tls_alert_received",
    "http_request_error",
    "http_request_denied",
    "http_response_incomplete",
    "http_response_header_section_size",
    "http_response_header_size",
    "http_response_body_size",
    "http_response_trailer_section_size",
    "http_response_trailer_size",
    "http_response_transfer_coding",
    "http_response_content_coding",
    "http_response_timeout",
    "http_upgrade_failed",
    "http_protocol_error",
    "proxy_internal_response",
    "proxy_internal_error",
    "proxy_configuration_error",
    "proxy_loop_detected",
]


def tree(kind: type[GatewayError] = GatewayError) -> Iterator[type[GatewayError]]:
    yield kind
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            yield from tree(child)


ALL = list(tree())


@pytest.mark.parametrize("kind", ALL)
def test_every_error_can_be_answered_for(kind: type[GatewayError]) -> None:
    assert 400 <= kind.status <= 599
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", kind.code)
    assert kind.proxy_error is None or kind.proxy_error in REGISTERED
    assert kind.__doc__


@pytest.mark.parametrize("kind", ALL)
def test_whose_fault_agrees_with_the_status(kind: type[GatewayError]) -> None:
    if issubclass(kind, ClientError):
        assert kind.fault is Fault.CLIENT
        assert kind.retry is Retry.NEVER
    if issubclass(kind, UpstreamError):
        assert kind.status in (502, 503, 504)
    if kind.status == 503:
        assert kind.fault is Fault.GATEWAY


@pytest.mark.parametrize(
    ("kind", "status", "code", "retry"),
    [
        (errors.BadRequest, 400, "bad_request", Retry.NEVER),
        (errors.NoRoute, 404, "no_route", Retry.NEVER),
        (errors.MethodRefused, 405, "method_not_allowed", Retry.NEVER),
        (errors.RequestTimeout, 408, "request_timeout", Retry.NEVER),
        (errors.BodyTooLarge, 413, "body_too_large", Retry.NEVER),
        (errors.TargetTooLong, 414, "target_too_long", Retry.NEVER),
        (errors.HeadTooLarge, 431, "head_too_large", Retry.NEVER),
        (errors.ClientLeft, 499, "client_left", Retry.NEVER),
        (errors.PluginFailed, 500, "plugin_error", Retry.NEVER),
        (errors.UnknownMethod, 501, "unknown_method", Retry.NEVER),
        (errors.VersionRefused, 505, "version_not_supported", Retry.NEVER),
        (errors.LoopDetected, 508, "loop_detected", Retry.NEVER),
        (errors.ConnectFailed, 502, "connect_failed", Retry.UNSENT),
        (errors.ConnectRefused, 502, "connection_refused", Retry.UNSENT),
        (errors.Unroutable, 502, "destination_unroutable", Retry.UNSENT),
        (errors.DnsFailed, 502, "dns_error", Retry.UNSENT),
        (errors.TlsFailed, 502, "tls_error", Retry.UNSENT),
        (errors.CertificateRefused, 502, "tls_certificate_error", Retry.UNSENT),
        (errors.TlsAlerted, 502, "tls_alert", Retry.UNSENT),
        (errors.ResponseHeadTooLarge, 502, "response_head_too_large", Retry.NEVER),
        (errors.ResponseTooLarge, 502, "response_too_large", Retry.NEVER),
        (errors.DnsTimeout, 504, "dns_timeout", Retry.UNSENT),
        (errors.WriteTimeout, 504, "write_timeout", Retry.IDEMPOTENT),
        (errors.UpstreamReset, 502, "upstream_reset", Retry.IDEMPOTENT),
        (errors.BadResponse, 502, "bad_response", Retry.NEVER),
        (errors.IncompleteResponse, 502, "incomplete_response", Retry.IDEMPOTENT),
        (errors.Unavailable, 503, "no_healthy_upstream", Retry.NEVER),
        (errors.CircuitOpen, 503, "circuit_open", Retry.NEVER),
        (errors.PoolFull, 503, "pool_exhausted", Retry.NEVER),
        (errors.ConnectTimeout, 504, "connect_timeout", Retry.UNSENT),
        (errors.ReadTimeout, 504, "read_timeout", Retry.IDEMPOTENT),
        (errors.DeadlinePassed, 504, "deadline_passed", Retry.NEVER),
    ],
)
def test_what_machines_rely_on(kind: type[GatewayError], status: int, code: str, retry: Retry) -> None:
    error = kind()
    assert (error.status, error.code, error.retry) == (status, code, retry)


def test_codes_tell_errors_apart() -> None:
    codes = [kind.code for kind in ALL if kind not in (ClientError, UpstreamError)]
    assert len(codes) == len(set(codes))


def test_an_error_carries_its_detail() -> None:
    error = errors.UpstreamReset("gone", retry_after=1.5, retry=Retry.REUSED)
    assert (str(error), error.detail, error.retry_after, error.retry) == ("gone", "gone", 1.5, Retry.REUSED)
    assert errors.UpstreamReset.retry is Retry.IDEMPOTENT
    plain = errors.UpstreamReset()
    assert (str(plain), plain.detail, plain.retry_after) == ("upstream_reset", "", None)


@pytest.mark.parametrize(
    ("failure", "cause"),
    [
        (503, "503"),
        (errors.ConnectFailed(), "connect"),
        (errors.DnsFailed(), "connect"),
        (errors.ConnectTimeout(), "connect"),
        (errors.UpstreamReset(), "reset"),
        (errors.UpstreamReset(retry=Retry.UNSENT), "connect"),
        (errors.IncompleteResponse(), "reset"),
        (errors.UpstreamTimeout(), "timeout"),
        (errors.ReadTimeout(), "timeout"),
        (errors.DeadlinePassed(), "timeout"),
        (errors.PoolFull(), "unavailable"),
        (errors.BadResponse(), "invalid"),
        (errors.ClientLeft(), ""),
        (errors.PluginFailed(), ""),
    ],
)
def test_what_a_failure_is_called_in_rules(failure: GatewayError | int, cause: str) -> None:
    assert errors.cause_of(failure) == cause
