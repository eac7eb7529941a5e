"""Take multipart forms (RFC 7578) apart: values of fields, and names of files.

Parsers differ in what they make of forms that no browser writes. Where two may differ, what each would see is given;
where it is not even clear where a part ends, the whole body is one value.
"""

from __future__ import annotations

import re
from binascii import Error, a2b_base64, a2b_qp
from collections.abc import Iterator
from typing import NamedTuple

from plugins.sanitize.values import PAUSE, Value
from proxy.sanitize import from_bytes, unquoted

_AT_ONCE = 32  # parts before others have their turn
_PARAMETER = re.compile(
    r';\s*+(?P<name>[^=;"\s]++)\s*+=\s*+(?:"(?P<quoted>(?:[^"\\]++|\\.?+)*+)(?P<closed>"?)|(?P<token>[^;"]*+))',
    re.DOTALL,
)
_ESCAPED = re.compile(r'\\(["\\])')  # browsers leave other backslashes as they are, as in C:\x
_BARE = re.compile(r"[\w/+.-]*+[;\s]*+")
_AFTER = re.compile(rb"--[ \t]*+(?:\r\n|\n|\r|\Z)|[ \t]*+(?:\r\n|\n|\r)")
_BLANK_LINE = re.compile(rb"(?>\A|\r\n|\n|\r)(?:\r\n|\n|\r)")
_FOLD = re.compile(r"(?:\r\n|\n|\r)[ \t]++")
_LINE_END = re.compile(r"\r\n|\n|\r")
_BOUNDARY = re.compile(r"[\w'()+./:=?-]{1,200}", re.ASCII)  # no commas and blanks (RFC 2046), which end it for some
_CHARSET = re.compile(r"(?i)(?:utf|iso|windows|ibm|cp|ebcdic|latin|mac|koi8|shift|euc|gb|big5)[\w-]{0,20}")


class _Parameters(NamedTuple):
    """The parameters of a field's value (RFC 9110 section 5.6.6, RFC 8187).

    :ivar plain: names and values as they are written most often.
    :ivar extended: those with a charset, or in pieces, put together.
    :ivar is_clear: whether every parser reads them so.
    """

    plain: list[tuple[str, str]]
    extended: list[tuple[str, str]]
    is_clear: bool

    def all(self, name: str) -> list[str]:
        """Every value of a name."""
        return [value for known, value in (*self.plain, *self.extended) if known == name]


class _Head(NamedTuple):
    """What the fields of a part say."""

    names: list[str]
    files: list[str]
    unclear: list[str]
    is_file: bool
    charset: str
    encoding: str


def boundary_of(content_type: str) -> str | None:
    """The boundary that every parser reads there; None when they may differ: some take whatever follows the first
    `boundary`, be it the end of another name."""
    parameters = _parameters(content_type)
    boundaries = parameters.all("boundary")
    before = content_type[: content_type.lower().find("boundary")].rstrip()
    if not parameters.is_clear or len(boundaries) != 1 or not before.endswith(";"):
        return None
    return boundaries[0] if _BOUNDARY.fullmatch(boundaries[0]) else None


def values(data: bytes, content_type: str) -> Iterator[Value]:
    """The values of a form; of multipart bodies of other types only what has a disposition is one."""
    is_form = "form-data" in content_type.lower()
    if not (is_form or _is_named(data)):
        return
    boundary = boundary_of(content_type)
    parts = [] if boundary is None else _parts(data, boundary)
    if not parts:
        yield Value("form", "", *from_bytes(data))
    for count, part in enumerate(parts, 1):
        if is_form or _is_named(part):
            yield from _part(part)
        if count % _AT_ONCE == 0:
            yield PAUSE


def _is_named(data: bytes) -> bool:
    return b"disposition" in data.lower()


def _parts(data: bytes, boundary: str) -> list[bytes]:
    """What stands behind each delimiter; nothing when there is none, or something that is one to some parsers only."""
    mark = b"--" + boundary.encode("latin-1", "replace")
    parts: list[bytes] = []
    begin, at = -1, data.find(mark)
    while at >= 0:
        after = _AFTER.match(data, at + len(mark))
        stands_alone = at == 0 or data[at - 1] in b"\r\n"
        if stands_alone is (after is None):
            return []
        if after is not None:
            if begin >= 0:
                parts.append(_without_end(data[begin:at]))
            begin = after.end()
        at = data.find(mark, at + len(mark))
    if begin >= 0:
        parts.append(data[begin:])
    return parts


def _without_end(part: bytes) -> bytes:
    return part[:-2] if part.endswith(b"\r\n") else part[:-1]


def _part(part: bytes) -> Iterator[Value]:
    blank = _BLANK_LINE.search(part)
    if blank is None:
        if part.strip():
            yield Value("form", "", *from_bytes(part))
        return
    text, overlong = from_bytes(part[: blank.start()])
    head = _head(text)
    name = head.names[0] if head.names else ""
    for said in head.names:
        if not said.isalnum():
            yield Value("form", name, said, overlong, is_name=True)
    for file in head.files:
        yield Value("form", name, file, overlong, is_name=True)
    for said in head.unclear:
        yield Value("form", name, said, overlong)
    if not head.is_file and blank.end() < len(part):
        for read in _contents(part[blank.end() :], head):
            yield Value("form", name, *read)


def _head(text: str) -> _Head:
    unfolded = _FOLD.sub(" ", text)
    fields: dict[str, list[str]] = {}
    for line in _LINE_END.split(unfolded):
        field, _, value = line.partition(":")
        fields.setdefault(field.strip().lower(), []).append(value.strip())
    written = fields.get("content-disposition", [])
    dispositions = [_parameters(value) for value in written]
    types = [_parameters(value) for value in fields.get("content-type", [])]
    return _Head(
        names=[name for one in dispositions for name in one.all("name") if name],
        files=[file for one in dispositions for file in one.all("filename") if file],
        unclear=[value for value, one in zip(written, dispositions, strict=True) if not one.is_clear],
        is_file=bool(dispositions) and unfolded == text and all(map(_is_file, dispositions)),
        charset=next((charset for one in types for charset in one.all("charset")), ""),
        encoding=fields.get("content-transfer-encoding", [""])[0].lower(),
    )


def _is_file(disposition: _Parameters) -> bool:
    """Whether it is one to every parser: some know no extended names, and hold a file without a name for a field."""
    files = [value for name, value in disposition.plain if name == "filename"]
    return disposition.is_clear and bool(files) and all(files)


def _contents(content: bytes, head: _Head) -> Iterator[tuple[str, bool]]:
    """A field's value as it is written, and as its head says that it is meant."""
    written = from_bytes(content)
    yield written
    try:
        if head.encoding == "base64":
            content = a2b_base64(content)
        elif head.encoding == "quoted-printable":
            content = a2b_qp(content)
        text = content.decode(head.charset, "replace") if _CHARSET.fullmatch(head.charset) else None
    except (Error, LookupError):
        return
    meant = from_bytes(content) if text is None else (text, False)
    if meant[0] != written[0]:
        yield meant


def _parameters(value: str) -> _Parameters:
    plain: list[tuple[str, str]] = []
    extended: list[tuple[str, str]] = []
    pieces: dict[str, list[tuple[int, str]]] = {}
    is_clear = True
    for found in _PARAMETER.finditer(value):
        name, star, rest = found["name"].lower().partition("*")
        quoted, number = found["quoted"], rest.rstrip("*")
        said = found["token"].strip() if quoted is None else _ESCAPED.sub(r"\1", quoted)
        is_clear = is_clear and bool(found["closed"] or (quoted is None and (star or "'" not in said)))
        if not star:
            plain.append((name, said))
        elif number.isdecimal() and len(number) < 5:
            pieces.setdefault(name, []).append((int(number), _decoded(said) if rest.endswith("*") else said))
        else:
            extended.append((name, _decoded(said)))
    extended += [(name, "".join(piece for _, piece in sorted(some))) for name, some in pieces.items()]
    return _Parameters(plain, extended, is_clear and _BARE.fullmatch(_PARAMETER.sub("", value).strip()) is not None)


def _decoded(said: str) -> str:
    """A value with charset and language in front (RFC 8187), read as UTF-8."""
    return unquoted(said.split("'", 2)[-1])[0]
