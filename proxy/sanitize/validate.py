"""Say whether a text is an address, a URL or a file name: strict, without regexes that backtrack, without look-ups."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from unicodedata import category, normalize
from urllib.parse import urlsplit

from proxy.sanitize.late import Late

IN_NAMES = Late(  # what no name of a file has: signs, controls, and what is not seen or turns what is read
    r"[\x00-\x1f\x7f-\x9f/\\<>:\"|?*\u061c\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
_RESERVED = frozenset(
    ["CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"]
    + [f"{device}{number}" for device in ("COM", "LPT") for number in "123456789\u00b9\u00b2\u00b3"]
)
_ATOM = Late(r"[^\x00-\x20\"(),.:;<>@\[\\\]\x7f]++")  # what it has not: a large set takes milliseconds to compile
_LABEL = Late(r"[^\W_](?:(?:[^\W_]|-){0,61}[^\W_])?")
_UNSAFE = Late(r"[ \"<>\\^`{|}]")
_BRACKETED = Late(r"\[[0-9A-Fa-f:.]++\](?::[0-9]*+)?")
_NUMBER = Late(r"[0-9]++|0[xX][0-9A-Fa-f]*+")  # a host that ends in one is an IPv4 address to browsers


def validate_email(text: str) -> bool:
    """Whether a text is one mailbox, `local@domain`, within the limits of RFC 5321 section 4.5.3.1.

    Letters of all scripts are taken (RFC 6531); quoted local parts, comments and address literals, which nobody has,
    are not.
    """
    local, at, domain = text.rpartition("@")
    if (
        not at
        or not text.isprintable()
        or domain.endswith(".")
        or len(text.encode("utf-8", "replace")) > 254
        or len(local.encode("utf-8", "replace")) > 64
    ):
        return False
    return all(_ATOM.fullmatch(atom) for atom in local.split(".")) and "." in domain and _is_domain(domain)


def validate_url(text: str, *, schemes: Collection[str] = ("http", "https")) -> bool:
    """Whether a text is an absolute URL with a host and without a user's name (RFC 3986).

    :param schemes: lower-case schemes that are taken.
    """
    if len(text) > 8192 or not text.isprintable() or _UNSAFE.search(text) is not None:
        return False
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return False
    host = parts.hostname or ""
    if parts.scheme not in schemes or "@" in parts.netloc or port == 0:
        return False
    if "[" in parts.netloc:
        return _BRACKETED.fullmatch(parts.netloc) is not None and ":" in host and _is_address(host)
    return _is_address(host) if host.replace(".", "").isdigit() else _is_domain(host)


def validate_filename(text: str) -> bool:
    """Whether a text is the plain name of a file on every usual system: no path, no control characters, none of the
    names that Windows reserves, no dot or space at its ends but a leading dot, at most 255 bytes of UTF-8."""
    if not text or text in (".", "..") or IN_NAMES.search(text) is not None:
        return False
    if text[-1] in ". " or text[0] == " " or len(text.encode("utf-8", "replace")) > 255:
        return False
    return not is_reserved(text)


def is_reserved(name: str) -> bool:
    """Whether Windows takes a file's name for that of a device, whatever its suffix."""
    return name.partition(".")[0].rstrip().upper() in _RESERVED


def _is_domain(text: str) -> bool:
    """Whether it is a domain of letters as IDNA has them (RFC 5891): no wide or raised ones, which look like others."""
    if len(text) > 253 or normalize("NFKC", text) != text:
        return False
    labels = [_without_marks(label) for label in text.removesuffix(".").split(".")]
    return all(_LABEL.fullmatch(label) for label in labels) and not (
        labels[-1].isdigit() or _NUMBER.fullmatch(labels[-1])
    )


def _without_marks(label: str) -> str:
    """A label with those of its characters that only mark others as letters, unless one begins it (RFC 5891 section
    4.2.3.2)."""
    if label.isascii() or category(label[0])[0] == "M":
        return label
    return "".join("a" if category(letter)[0] == "M" else letter for letter in label)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
