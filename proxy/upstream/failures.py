"""Why a connection could not be made: from what the system, the resolver and TLS say to errors of ours.

One function, because Proxy-Status must name the cause (RFC 9209 section 2.3) and no caller should have to know how
aiohttp and the two event loops dress it up.
"""

from __future__ import annotations

import errno
import socket
import ssl

from aiohttp.client_exceptions import ClientConnectorDNSError, ClientConnectorError

from proxy.errors import (
    CertificateRefused,
    ConnectFailed,
    ConnectRefused,
    ConnectTimeout,
    DnsFailed,
    DnsTimeout,
    GatewayError,
    TlsAlerted,
    TlsFailed,
    Unroutable,
)

_UNROUTABLE = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN, errno.EHOSTDOWN, errno.EADDRNOTAVAIL})


def connect_error(error: OSError | UnicodeError, scheme: str) -> GatewayError:
    """The error of an exchange whose connection failed with `error`, aiohttp's or the system's.

    :param scheme: the endpoint's; a connection of https that is cut short was cut in the handshake.
    """
    cause: BaseException = error
    while isinstance(cause, ClientConnectorError) and cause.__cause__ is not None:
        cause = cause.__cause__
    if isinstance(error, UnicodeError):
        return DnsFailed("the upstream's name is no name of a host")
    if isinstance(error, ClientConnectorDNSError) or isinstance(cause, socket.gaierror):
        return _dns_error(cause)
    if isinstance(cause, ssl.SSLError | ssl.CertificateError):
        return _tls_error(cause)
    if scheme == "https" and isinstance(cause, ConnectionResetError | ConnectionAbortedError):
        return TlsFailed("the TLS handshake with the upstream failed")
    return _system_error(getattr(cause, "errno", None))


def _dns_error(cause: BaseException) -> GatewayError:
    if getattr(cause, "errno", None) == socket.EAI_AGAIN:  # no server answered; a name that is not there is EAI_NONAME
        return DnsTimeout("the upstream's name was not resolved in time")
    return DnsFailed("the upstream's name has no address")


def _tls_error(cause: BaseException) -> GatewayError:
    if isinstance(cause, ssl.SSLCertVerificationError):
        return CertificateRefused("the upstream's certificate is not to be trusted")
    if "ALERT" in (getattr(cause, "reason", None) or ""):
        return TlsAlerted("the upstream broke off the TLS handshake")
    return TlsFailed("the TLS handshake with the upstream failed")


def _system_error(number: int | None) -> GatewayError:
    if number in (errno.ECONNREFUSED, errno.ENOENT):  # nobody listens there, at a port or at a Unix socket
        return ConnectRefused("the upstream refused the connection")
    if number == errno.ETIMEDOUT:
        return ConnectTimeout("the upstream did not answer the connection in time")
    if number in _UNROUTABLE:
        return Unroutable("no way leads to the upstream's address")
    return ConnectFailed("the connection could not be made")
