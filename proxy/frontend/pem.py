"""Certificate files: what is wrong with them, said so that whoever renews them knows what to do.

OpenSSL's own words for most of it are "PEM lib".
"""

from __future__ import annotations

import ssl
from pathlib import Path

from proxy.frontend.x509 import Facts

_CERTIFICATE = "-----BEGIN CERTIFICATE-----"
_CERTIFICATE_END = "-----END CERTIFICATE-----"
_KEY_END = "PRIVATE KEY-----"
_ENCRYPTED = ("BEGIN ENCRYPTED PRIVATE KEY", "Proc-Type: 4,ENCRYPTED")


class BadFile(Exception):
    """A certificate file cannot be used.

    :ivar option: the key of the settings that names it: `certificate`, `key` or `client_ca`.
    :ivar index: the pair's place in the list, 0 for `client_ca`.
    :ivar remedy: what to do about it.
    """

    def __init__(self, option: str, index: int, message: str, remedy: str) -> None:
        super().__init__(message)
        self.option = option
        self.index = index
        self.remedy = remedy


class Pair:
    """A certificate with its chain, and its key; both PEM files.

    :ivar index: its place in the settings.
    """

    __slots__ = ("certificate", "index", "key")

    def __init__(self, certificate: Path, key: Path, index: int = 0) -> None:
        self.certificate = certificate
        self.key = key
        self.index = index

    def refused(self, error: Exception) -> BadFile:
        """What OpenSSL's refusal means, when each file for itself looked right."""
        reason = getattr(error, "reason", None) or str(error)
        if reason == "KEY_VALUES_MISMATCH":
            message = f"the key in {self.key} is not that of the certificate in {self.certificate}"
            return BadFile("key", self.index, message, "give the pair that was issued together")
        if reason in ("EE_KEY_TOO_SMALL", "CA_KEY_TOO_SMALL", "CA_MD_TOO_WEAK"):
            message = f"{self.certificate} is too weak for OpenSSL ({reason})"
            return BadFile("certificate", self.index, message, "issue it anew with a longer key and SHA-256")
        message = f"{self.certificate} and {self.key} cannot be used ({reason})"
        return BadFile("certificate", self.index, message, "check both with openssl x509 and openssl pkey")


def check_pair(pair: Pair) -> Facts:
    """What a certificate says of itself.

    :raises BadFile: when one of the files is missing, holds something else, or needs a password.
    """
    certificate = _read(pair.certificate, "certificate", pair.index)
    key = _read(pair.key, "key", pair.index)
    if _KEY_END not in key:
        remedy = "give the PEM file that begins with BEGIN PRIVATE KEY"
        raise BadFile("key", pair.index, f"there is no private key in {pair.key}", remedy)
    if any(mark in key for mark in _ENCRYPTED):
        remedy = f"decrypt it: openssl pkey -in {pair.key} -out plain.pem"
        raise BadFile("key", pair.index, f"the key in {pair.key} is encrypted", remedy)
    try:
        return Facts(ssl.PEM_cert_to_DER_cert(_first(certificate)))
    except ValueError:
        remedy = "give a PEM file with the server's certificate first, then its chain"
        raise BadFile("certificate", pair.index, f"there is no certificate in {pair.certificate}", remedy) from None


def check_authorities(path: Path) -> None:
    """:raises BadFile: when there is no certificate of an authority in the file."""
    text = _read(path, "client_ca", 0)
    remedy = "give a PEM file with the certificates of the authorities"
    if _CERTIFICATE not in text:
        raise BadFile("client_ca", 0, f"there is no certificate in {path}", remedy)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_verify_locations(cadata=text)
    except (ssl.SSLError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise BadFile("client_ca", 0, f"{path} cannot be used ({reason})", remedy) from None


def _first(text: str) -> str:
    begin = text.index(_CERTIFICATE)
    return text[begin : text.index(_CERTIFICATE_END, begin) + len(_CERTIFICATE_END)]


def _read(path: Path, option: str, index: int) -> str:
    try:
        return path.read_text("ascii", "replace")
    except FileNotFoundError:
        raise BadFile(option, index, f"there is no file {path}", "write where the PEM file is") from None
    except PermissionError:
        remedy = "let the user that runs this read it, and nobody else"
        raise BadFile(option, index, f"{path} may not be read", remedy) from None
    except OSError as error:
        raise BadFile(
            option, index, f"{path} cannot be read: {error.strerror}", "write where the PEM file is"
        ) from None
