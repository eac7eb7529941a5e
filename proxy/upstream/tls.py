"""How the gateway makes sure of whom it talks to: TLS towards upstreams.

A context is made once for each upstream that has settings of its own, when they are read, since that is when a bad
file can still be told to somebody; upstreams without settings share the connector's. Verification is on unless it is
switched off by name.
"""

from __future__ import annotations

import ssl
from pathlib import Path

_VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


class TlsFileError(Exception):
    """A file that TLS needs is no good.

    :ivar key: the settings key that names it: `ca`, `certificate` or `key`.
    :ivar remedy: what to do about it.
    """

    def __init__(self, key: str, message: str, remedy: str) -> None:
        super().__init__(message)
        self.key = key
        self.remedy = remedy


class ClientTls:
    """What one upstream's connections need.

    :ivar context: for every handshake with it; True for the process's common one.
    :ivar server_name: the name that is asked for (SNI) and that the certificate must be for; empty for the host's.
    """

    __slots__ = ("context", "server_name")

    def __init__(self, context: ssl.SSLContext | bool = True, server_name: str = "") -> None:
        self.context = context
        self.server_name = server_name


def make_context(
    *,
    ca: Path | None = None,
    certificate: Path | None = None,
    key: Path | None = None,
    verify: bool = True,
    minimum_version: str = "1.2",
) -> ssl.SSLContext:
    """A context for connections to one upstream.

    :param ca: PEM file of the authorities that count, in the place of the system's.
    :param certificate: PEM file of our own certificate and its chain, for an upstream that asks who we are.
    :param key: PEM file of its private key, if it is not in the same file.
    :param verify: False to talk to whoever answers.
    :raises TlsFileError: for a file that cannot be used.
    """
    context = ssl.create_default_context() if ca is None else _trusting(ca)
    context.minimum_version = _VERSIONS[minimum_version]
    context.set_alpn_protocols(["http/1.1"])
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if certificate is not None:
        _identify(context, certificate, key or certificate)
    return context


def _trusting(ca: Path) -> ssl.SSLContext:
    remedy = "write the path of a PEM file with the certificates of your authorities"
    _read("ca", ca, remedy)
    try:
        return ssl.create_default_context(cafile=ca)
    except ssl.SSLError:
        raise TlsFileError("ca", f"{ca} holds no certificate", remedy) from None


def _identify(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    """Let the context show a certificate."""
    remedy = "write the path of a PEM file that begins with the gateway's own certificate"
    text = _read("certificate", certificate, remedy)
    secret = _read("key", key, "write the path of the PEM file of its private key")
    if "BEGIN CERTIFICATE" not in text:
        raise TlsFileError("certificate", f"{certificate} holds no certificate", remedy)
    if "PRIVATE KEY" not in secret:
        where = "key" if key != certificate else "certificate"
        raise TlsFileError(where, f"{key} holds no private key", "write its own file as key")
    try:
        context.load_cert_chain(certificate, key, password=_refuse)
    except _Encrypted:
        remedy = "decrypt it, and let nobody but the gateway read the file"
        raise TlsFileError("key", f"{key} is encrypted, and nobody is there to type a password", remedy) from None
    except ssl.SSLError as error:
        if "KEY_VALUES_MISMATCH" in str(error):
            message = f"{key} is not the key of the certificate in {certificate}"
            raise TlsFileError("key", message, "write the two that belong together") from None
        raise TlsFileError("certificate", f"{certificate} cannot be used: {error.reason}", remedy) from None


class _Encrypted(Exception):
    """The key asks for a password."""


def _refuse() -> str:
    """Instead of OpenSSL's own question on the terminal, which would wait for ever."""
    raise _Encrypted


def _read(key: str, file: Path, remedy: str) -> str:
    try:
        return file.read_text(encoding="ascii", errors="replace")
    except OSError as error:
        raise TlsFileError(key, f"{file} cannot be read: {error.strerror}", remedy) from None
