"""What can go wrong with an exchange, and whose fault it is.

An error carries all that the engine needs to answer for it: the status, a machine-readable code, the error type of
RFC 9209 for the Proxy-Status field, and whether another try could help. Raising code states the cause; only the
engine turns it into a Response.
"""

from __future__ import annotations

from enum import StrEnum


class Fault(StrEnum):
    """Who caused an error: decides the log level, the retry rules and whether an endpoint is blamed."""

    CLIENT = "client"
    GATEWAY = "gateway"
    UPSTREAM = "upstream"


class Retry(StrEnum):
    """Whether a failed attempt may be repeated."""

    NEVER = "never"
    UNSENT = "unsent"  # no byte of the request went out: any method may be tried again
    IDEMPOTENT = "idempotent"  # the request may have been processed: only idempotent methods
    REUSED = "reused"  # a reused connection died without a byte of answer: repeat once, outside the budget


class GatewayError(Exception):
    """An exchange failed; the base of all errors the engine answers for.

    :ivar status: HTTP status of the answer (int).
    :ivar code: short stable name for machines, in problem+json and metrics.
    :ivar fault: whose fault it is.
    :ivar retry: whether another attempt may help.
    :ivar cause: what `retry.on` and `on_error.when` call it; empty for what is no failure of an upstream.
    :ivar proxy_error: error type registered by RFC 9209 section 2.3, or None where nobody is left to be told.
    :ivar fields: header fields that belong to every answer of the kind.
    :ivar detail: one sentence for people; never holds secrets or internals.
    """

    status: int = 500
    code: str = "internal_error"
    fault: Fault = Fault.GATEWAY
    retry: Retry = Retry.NEVER
    cause: str = ""
    proxy_error: str | None = "proxy_internal_error"
    fields: tuple[tuple[str, str], ...] = ()

    def __init__(self, detail: str = "", *, retry_after: float | None = None, retry: Retry | None = None) -> None:
        super().__init__(detail or self.code)
        self.detail = detail
        self.retry_after = retry_after  # seconds, for the Retry-After field
        if retry is not None:
            self.retry = retry


class ClientError(GatewayError):
    """The client sent something that cannot be served."""

    status = 400
    code = "bad_request"
    fault = Fault.CLIENT
    proxy_error: str | None = "http_request_error"


class BadRequest(ClientError):
    """Malformed message (RFC 9112): answered by 400 and the connection is closed."""


class NoRoute(ClientError):
    """No route matches."""

    status = 404
    code = "no_route"
    proxy_error = "destination_not_found"


class MethodRefused(ClientError):
    """TRACE and CONNECT are not for a reverse proxy; `Allow` tells what is (RFC 9110 section 15.5.6)."""

    status = 405
    code = "method_not_allowed"
    proxy_error = "http_request_denied"
    fields = (("Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),)


class RequestTimeout(ClientError):
    """The head or the body did not arrive in time (RFC 9110 section 15.5.9)."""

    status = 408
    code = "request_timeout"


class BodyTooLarge(ClientError):
    """A body is over the limit of what reads it whole."""

    status = 413
    code = "body_too_large"


class TargetTooLong(ClientError):
    """The request target is over the limit."""

    status = 414
    code = "target_too_long"


class Misdirected(ClientError):
    """The request's host is not one of the certificate that the TLS connection was opened for (RFC 9110 section
    15.5.20)."""

    status = 421
    code = "misdirected_request"


class HeadTooLarge(ClientError):
    """The head has too many bytes or fields (RFC 6585 section 5)."""

    status = 431
    code = "head_too_large"


class ClientLeft(ClientError):
    """The client went away before its answer was complete; 499 stands in the log only."""

    status = 499
    code = "client_left"
    proxy_error = None


class ExpectationRefused(ClientError):
    """An Expect that is not one single `100-continue` (RFC 9110 section 10.1.1)."""

    status = 417
    code = "expectation_failed"


class UnknownMethod(ClientError):
    """A method that the parser does not know."""

    status = 501
    code = "unknown_method"


class VersionRefused(ClientError):
    """HTTP/0.9 or another major version."""

    status = 505
    code = "version_not_supported"


class LoopDetected(ClientError):
    """Our own instance token came back in Via (RFC 9110 section 7.6.3)."""

    status = 508
    code = "loop_detected"
    proxy_error = "proxy_loop_detected"


class TunnelTimeout(GatewayError):
    """Nothing went through a tunnel for too long, or one end of it stopped taking bytes; 101 stands in the log."""

    status = 504
    code = "tunnel_timeout"
    proxy_error = None


class PluginFailed(GatewayError):
    """A hook raised."""

    code = "plugin_error"


class UpstreamError(GatewayError):
    """The upstream failed."""

    status = 502
    code = "bad_gateway"
    fault = Fault.UPSTREAM
    proxy_error = "destination_unavailable"


class ConnectFailed(UpstreamError):
    """No connection, for a reason that none of the others names."""

    code = "connect_failed"
    cause = "connect"
    retry = Retry.UNSENT


class ConnectRefused(ConnectFailed):
    """Nobody listens at the upstream's address."""

    code = "connection_refused"
    proxy_error = "connection_refused"


class Unroutable(ConnectFailed):
    """No way leads to the upstream's address."""

    code = "destination_unroutable"
    proxy_error = "destination_ip_unroutable"


class DnsFailed(ConnectFailed):
    """The upstream's name has no address."""

    code = "dns_error"
    proxy_error = "dns_error"


class TlsFailed(ConnectFailed):
    """The TLS handshake with the upstream failed."""

    code = "tls_error"
    proxy_error = "tls_protocol_error"


class CertificateRefused(TlsFailed):
    """The upstream's certificate is not signed by a known authority, is for another name, or is out of its time."""

    code = "tls_certificate_error"
    proxy_error = "tls_certificate_error"


class TlsAlerted(TlsFailed):
    """The upstream broke off the TLS handshake."""

    code = "tls_alert"
    proxy_error = "tls_alert_received"


class UpstreamReset(UpstreamError):
    """The connection died before the answer was whole."""

    code = "upstream_reset"
    cause = "reset"
    retry = Retry.IDEMPOTENT
    proxy_error = "connection_terminated"


class BadResponse(UpstreamError):
    """What came is not a well-formed answer."""

    code = "bad_response"
    cause = "invalid"
    proxy_error = "http_protocol_error"


class ResponseHeadTooLarge(BadResponse):
    """The head of the answer is over the limit."""

    code = "response_head_too_large"
    proxy_error = "http_response_header_section_size"


class ResponseTooLarge(UpstreamError):
    """The answer's body is over the limit of the plugin that reads it whole."""

    code = "response_too_large"
    proxy_error = "http_response_body_size"


class UpgradeFailed(UpstreamError):
    """A 101 that does not fit what was asked for (RFC 9110 section 7.8)."""

    code = "upgrade_failed"
    proxy_error = "http_upgrade_failed"


class IncompleteResponse(UpstreamError):
    """The answer's body ended before its framing said so."""

    code = "incomplete_response"
    cause = "reset"
    retry = Retry.IDEMPOTENT
    proxy_error = "http_response_incomplete"


class Unavailable(UpstreamError):
    """No target can take the request now."""

    status = 503
    code = "no_healthy_upstream"
    cause = "unavailable"
    fault = Fault.GATEWAY


class CircuitOpen(Unavailable):
    """The upstream's circuit breaker is open: it mostly failed, and is not asked for a while."""

    code = "circuit_open"


class PoolFull(Unavailable):
    """Every connection is busy and the queue is full, or waiting in it took too long."""

    code = "pool_exhausted"
    proxy_error = "connection_limit_reached"


class UpstreamTimeout(UpstreamError):
    """The upstream was too slow."""

    status = 504
    code = "upstream_timeout"
    cause = "timeout"
    retry = Retry.IDEMPOTENT
    proxy_error = "http_response_timeout"


class ConnectTimeout(UpstreamTimeout):
    """No connection in time."""

    code = "connect_timeout"
    cause = "connect"
    retry = Retry.UNSENT
    proxy_error = "connection_timeout"


class DeadlinePassed(UpstreamTimeout):
    """The time for the whole exchange is over, however many tries there were."""

    code = "deadline_passed"
    retry = Retry.NEVER


class ReadTimeout(UpstreamTimeout):
    """The pause between two bytes of the answer was too long."""

    code = "read_timeout"
    proxy_error = "connection_read_timeout"


class DnsTimeout(ConnectTimeout):
    """The upstream's name was not resolved in time."""

    code = "dns_timeout"
    proxy_error = "dns_timeout"


class WriteTimeout(UpstreamTimeout):
    """The upstream stopped taking the request."""

    code = "write_timeout"
    proxy_error = "connection_write_timeout"


def cause_of(failure: GatewayError | int) -> str:
    """What `retry.on` and `on_error.when` call a failed try: a status as text, or an error's cause.

    Whatever befell a request of which no byte was sent is as if there had been no connection.
    """
    if isinstance(failure, int):
        return str(failure)
    return "connect" if failure.retry is Retry.UNSENT else failure.cause
