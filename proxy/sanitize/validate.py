"""Say whether a text is an address, a URL or a file name: strict, without regexes that backtrack, without look-ups."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection
from urllib.parse import urlsplit

RESERVED_NAMES = frozenset(
    ["CON", "PRN", "AUX", "NUL", *(f"{device}{number}" for device in ("COM", "LPT") for number in range(1, 10))]
)
_ATOM = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\-\u0080-\uffff]++")
_LABEL = re.compile(r"[^\W_](?:(?:[^\W_]|-){0,61}[^\W_])?")
_UNSAFE = re.compile(r"[\x00-\x20\x7f-\xa0\"<>\\^`{|}\u2028\u2029]")
_IN_NAMES = re.compile(r"[\x00-\x1f\x7f/\\<>:\"|?*\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def validate_email(text: str) -> bool:
    """Whether a text is one mailbox, `local@domain`, within the limits of RFC 5321 section 4.5.3.1.

    Letters of all scripts are taken (RFC 6531); quoted local parts, comments and address literals, which nobody has,
    are not.
    """
    local, at, domain = text.rpartition("@")
    if not at or len(text.encode("utf-8", "replace")) > 254 or len(local.encode("utf-8", "replace")) > 64:
        return False
    return all(_ATOM.fullmatch(atom) for atom in local.split(".")) and "." in domain and _is_domain(domain)


def validate_url(text: str, *, schemes: Collection[str] = ("http", "https")) -> bool:
    """Whether a text is an absolute URL with a host and without a user's name (RFC 3986).

    :param schemes: lower-case schemes that are taken.
    """
    if len(text) > 8192 or _UNSAFE.search(text) is not None:
        return False
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    host = parts.hostname or ""
    if parts.scheme not in schemes or "@" in parts.netloc or port == 0:
        return False
    return _is_address(host) if ":" in host or host.replace(".", "").isdigit() else _is_domain(host)


def validate_filename(text: str) -> bool:
    """Whether a text is the plain name of a file on every usual system: no path, no control characters, none of the
    names that Windows reserves, no dot or space at its ends but a leading dot, at most 255 bytes of UTF-8."""
    if not text or text in (".", "..") or _IN_NAMES.search(text) is not None:
        return False
    if text[-1] in ". " or text[0] == " " or len(text.encode("utf-8", "replace")) > 255:
        return False
    return text.partition(".")[0].rstrip().upper() not in RESERVED_NAMES


def _is_domain(text: str) -> bool:
    labels = text.removesuffix(".").split(".")
    return len(text) <= 253 and all(_LABEL.fullmatch(label) for label in labels) and not labels[-1].isdigit()


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
