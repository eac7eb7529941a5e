"""Read a text as an application behind the gateway may read it.

Attacks hide in encodings that some layer behind undoes: percent signs a second time, HTML entities, escapes of JSON and
JavaScript, UTF-8 sequences that are longer than they may be, full-width letters. `readings` gives the text and what it
becomes when these are undone, round by round, up to a depth. Everything is linear in the text's length.
"""

from __future__ import annotations

import re
from html.entities import html5
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

DEPTH = 4  # rounds; whoever encodes more often than that has no honest reason

_PERCENT = re.compile(r"(?:%[0-9A-Fa-f]{2})++")
_PERCENT_U = re.compile(r"%u([0-9A-Fa-f]{4})")
_ENTITY = re.compile(r"&(?:#0*+([0-9]{1,7});?|#[xX]0*+([0-9A-Fa-f]{1,6});?|([A-Za-z][A-Za-z0-9]{1,30});)")
_ESCAPE = re.compile(r"\\(?:u\{0{0,8}+([0-9A-Fa-f]{1,6})\}|[uU]([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2})|[nr])")
_ENCODED = re.compile(r"%u?[0-9A-Fa-f]{2}|&#|&[A-Za-z][A-Za-z0-9]{1,30};|\\[uUx][0-9A-Fa-f{]")
_WIDE: dict[int, int | str] = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}  # full-width forms of ASCII
_WIDE |= {0x2215: "/", 0x2044: "/", 0x2216: "\\", 0x29F8: "/", 0x2024: ".", 0x3002: ".", 0x02BC: "'", 0x02B9: "'"}
_WIDE |= {0x300A: "<", 0x300B: ">", 0x3008: "<", 0x3009: ">"}
_BREAKS = {"\\n": "\n", "\\r": "\r"}
_CONTINUED = {0xC0: 1, 0xC1: 1, 0xE0: 2, 0xF0: 3, 0xF8: 4, 0xFC: 5}  # lead bytes that overlong forms begin with


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


def readings(text: str, depth: int = DEPTH) -> Readings:
    """Undo encodings, round by round.

    :param depth: the most rounds.
    """
    if text.isascii() and "%" not in text and "&" not in text and "\\" not in text:
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
    if _is_plussed(now):
        forms.append(now.replace("+", " "))
    return Readings(
        tuple(dict.fromkeys(forms)), percents, overlong, now != forms[0] and _is_deep(now, len(forms), depth)
    )


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
    return "+" in text and " " not in text and len(text) < 8192


def _is_deep(text: str, rounds: int, depth: int) -> bool:
    return rounds > depth and _ENCODED.search(text) is not None


def _percent(text: str) -> tuple[str, bool]:
    long = False

    def meant(run: re.Match[str]) -> str:
        nonlocal long
        read, bad = from_bytes(bytes.fromhex(run[0].replace("%", "")))
        long |= bad
        return read

    if "%u" in text:
        text = _PERCENT_U.sub(lambda found: chr(int(found[1], 16)), text)
    if text.isascii():
        return from_bytes(unquote_to_bytes(text))
    return _PERCENT.sub(meant, text), long


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
    made, at, long = [], 0, False
    while at < len(data):
        lead = data[at]
        if lead < 0x80:
            made.append(chr(lead))
            at += 1
            continue
        size = _CONTINUED.get(lead)
        if size is not None and at + size < len(data) and all(byte < 0xC0 for byte in data[at + 1 : at + size + 1]):
            read = _spelt(lead, data[at + 1 : at + size + 1])
            if read is not None:
                made.append(read)
                at += size + 1
                long = True
                continue
        read, width = _regular(data, at)
        made.append(read)
        at += width
    return "".join(made), long


def _spelt(lead: int, rest: bytes) -> str | None:
    """The ASCII character that an overlong sequence spells, or None when it is no such thing."""
    code = lead & (0x1F if len(rest) == 1 else 0x0F if len(rest) == 2 else 0x07 if len(rest) == 3 else 0x03)
    for byte in rest:
        code = code << 6 | byte & 0x3F
    return chr(code) if code < 0x80 else None


def _regular(data: bytes, at: int) -> tuple[str, int]:
    lead = data[at]
    width = 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
    try:
        return data[at : at + width].decode(), width
    except UnicodeDecodeError:
        return chr(lead), 1
