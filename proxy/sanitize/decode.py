"""Read a text as an application behind the gateway may read it.

Attacks hide in encodings that some layer behind undoes: percent signs a second time, HTML entities, escapes of JSON and
JavaScript, UTF-8 sequences that are longer than they may be, full-width letters. `readings` gives the text and what it
becomes when these are undone, round by round, up to a depth. Everything is linear in the text's length.
"""

from __future__ import annotations

import re
from binascii import a2b_qp, unhexlify
from html.entities import html5
from typing import NamedTuple

from proxy.sanitize.late import Late

DEPTH = 4  # rounds; whoever encodes more often than that has no honest reason
_LONG = 1024  # characters

_PERCENT = re.compile(r"(?:%[0-9A-Fa-f]{2})++")
_PERCENTS = Late(rb"(?:%[0-9A-Fa-f]{2})++")
_STRAY = re.compile(r"%(?![0-9A-Fa-f]{2})")  # a percent sign that escapes nothing
_PERCENT_U = Late(r"%u([0-9A-Fa-f]{4})")
_ENTITY = re.compile(r"&(?:#0*+([0-9]{1,7});?|#[xX]0*+([0-9A-Fa-f]{1,6});?|([A-Za-z][A-Za-z0-9]{1,30});)")
_ESCAPE = re.compile(r"\\(?:u\{0{0,8}+([0-9A-Fa-f]{1,6})\}|[uU]([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2})|[nr])")
_ENCODED = Late(r"%u?[0-9A-Fa-f]{2}|&#|&[A-Za-z][A-Za-z0-9]{1,30};|\\[uUx][0-9A-Fa-f{]")
_UNDONE = re.compile(  # without which no round changes anything
    r"%(?:[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4})|&(?:\#|[A-Za-z][A-Za-z0-9]{1,30};)|\\[nruUx]"
    "|[\u02b9\u02bc\u2024\u2044\u2215\u2216\u29f8\u3002\u3008-\u300b\uff01-\uff5e]"
)
_WIDE: dict[int, int | str] = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}  # full-width forms of ASCII
_WIDE |= {0x2215: "/", 0x2044: "/", 0x2216: "\\", 0x29F8: "/", 0x2024: ".", 0x3002: ".", 0x02BC: "'", 0x02B9: "'"}
_WIDE |= {0x300A: "<", 0x300B: ">", 0x3008: "<", 0x3009: ">"}
_BREAKS = {"\\n": "\n", "\\r": "\r"}
# UTF-8 (RFC 3629 section 4); what a decoder that does not look closely takes for it; and bytes that are neither
_REGULAR = (
    rb"[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]"
    rb"|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}"
)
_LENIENT = (
    rb"[\xc0\xc1][\x00-\xbf]|\xe0[\x00-\x9f][\x00-\xbf]|\xf0[\x00-\x8f][\x00-\xbf]{2}"
    rb"|\xf8[\x00-\xbf]{4}|\xfc[\x00-\xbf]{5}"
)
_RUNS = Late(
    rb"(?s)(?P<regular>(?:[\x00-\x7f]++|" + _REGULAR + rb")++)|(?P<long>" + _LENIENT + rb")"
    rb"|(?:(?!" + _REGULAR + rb"|" + _LENIENT + rb")[\x80-\xff])++"
)


class Readings(NamedTuple):
    """What a text may be read as.

    :ivar forms: distinct texts, the given one first.
    :ivar percents: rounds of percent-decoding that changed something.
    :ivar overlong: whether there was a UTF-8 sequence longer than it may be (RFC 3629 section 3).
    :ivar deep: whether there is an encoding left after the last round.
    """

    forms: tuple[str, ...]
    percents: int = 0
    overlong: bool = False
    deep: bool = False


def is_literal(text: str) -> bool:
    """Whether a text is what it says: no round would change anything, and no plus may be a space."""
    if "%" in text or "&" in text or "\\" in text or not text.isascii():
        return _UNDONE.search(text) is None and not _is_plussed(text)
    return "+" not in text or not _is_plussed(text)


def readings(text: str, depth: int = DEPTH) -> Readings:
    """Undo encodings, round by round. Of a long text only its first and its last form are given.

    :param depth: the most rounds.
    """
    if _UNDONE.search(text) is None:
        return Readings((text, text.replace("+", " ")) if _is_plussed(text) else (text,))
    forms, percents, overlong, now = [text], 0, False, text
    for _ in range(depth):
        before = now
        if "%" in now:
            now, long = _percent(now)
            percents += now != before
            overlong |= long
        now = _narrow(_unescape(_entities(now)))
        if now == before:
            break
        forms.append(now)
    deep = len(forms) > depth and _ENCODED.search(now) is not None
    if len(text) > _LONG:
        forms = [text, now]
    if _is_plussed(now):
        forms.append(now.replace("+", " "))
    return Readings(tuple(dict.fromkeys(forms)), percents, overlong, deep)


def unquoted(text: str) -> tuple[str, bool]:
    """One round of percent-decoding of a field of a URL or form, `+` not touched, its bytes read as UTF-8.

    :param text: latin-1 reading of bytes, as targets are.
    :returns: the text, and whether something in it was overlong.
    """
    if text.isascii():
        return _percent(text) if "%" in text else (text, False)
    data = _PERCENT.sub(lambda run: bytes.fromhex(run[0].replace("%", "")).decode("latin-1"), text)
    return from_bytes(data.encode("latin-1", "replace"))


def from_bytes(data: bytes) -> tuple[str, bool]:
    """UTF-8 read as a lenient decoder would: overlong forms mean what they spell, other stray bytes are latin-1.

    :returns: the text, and whether something in it was overlong.
    """
    try:
        return data.decode(), False
    except UnicodeDecodeError:
        return _lenient(data)


def _is_plussed(text: str) -> bool:
    return "+" in text and " " not in text and len(text) < _LONG


def _percent(text: str) -> tuple[str, bool]:
    if "%u" in text:
        text = _PERCENT_U.sub(lambda found: chr(int(found[1], 16)), text)
    if not text.isascii():
        return _percent_beside_others(text)
    if _STRAY.search(text) is None:  # quoted-printable's decoder knows the same escapes, by another mark
        return from_bytes(a2b_qp(text.replace("=", "=3D").replace("%", "=")))
    return from_bytes(_PERCENTS.sub(_octets, text.encode()))


def _percent_beside_others(text: str) -> tuple[str, bool]:
    """The same where some characters stand as they are."""
    long = False

    def meant(run: re.Match[str]) -> str:
        nonlocal long
        read, bad = from_bytes(bytes.fromhex(run[0].replace("%", "")))
        long |= bad
        return read

    return _PERCENT.sub(meant, text), long


def _octets(run: re.Match[bytes]) -> bytes:
    return unhexlify(run[0].replace(b"%", b""))


def _entities(text: str) -> str:
    return _ENTITY.sub(_entity, text) if "&" in text else text


def _entity(found: re.Match[str]) -> str:
    decimal, hexadecimal, name = found.groups()
    if name is not None:
        return html5.get(f"{name};") or html5.get(f"{name.lower()};") or found[0]
    return _character(int(decimal) if decimal is not None else int(hexadecimal, 16), found[0])


def _unescape(text: str) -> str:
    return _ESCAPE.sub(_escaped, text) if "\\" in text else text


def _escaped(found: re.Match[str]) -> str:
    if found[0] in _BREAKS:
        return _BREAKS[found[0]]
    return _character(int(found[1] or found[2] or found[3], 16), found[0])


def _character(code: int, otherwise: str) -> str:
    return chr(code) if code <= 0x10FFFF else otherwise


def _narrow(text: str) -> str:
    return text if text.isascii() else text.translate(_WIDE)


def _lenient(data: bytes) -> tuple[str, bool]:
    made, long = [], False
    for found in _RUNS.finditer(data):
        kind = found.lastgroup
        if kind == "regular":
            made.append(found[0].decode())
            continue
        read = _spelt(found[0]) if kind == "long" else None
        long = long or read is not None
        made.append(found[0].decode("latin-1") if read is None else read)
    return "".join(made), long


def _spelt(sequence: bytes) -> str | None:
    """The ASCII character that an overlong sequence spells, or None when it is no such thing."""
    code = sequence[0] & (0x1F, 0x0F, 0x07, 0x03, 0x01)[len(sequence) - 2]
    for byte in sequence[1:]:
        code = code << 6 | byte & 0x3F
    return chr(code) if code < 0x80 else None
