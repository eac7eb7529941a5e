"""Put values that were mended in the place of what was found, and leave every other byte as it came.

A change is one of a value at its place: the same text in another field stays. Where the place of a value cannot be
told for sure (a JSON body that is none, a part with a charset of its own, a file name in RFC 5987's form), nothing is
changed, and the caller learns by `Changes.made` what it has to refuse.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from urllib.parse import quote_plus

from plugins.sanitize import bodies, charsets
from plugins.sanitize.values import Value, of_pairs
from proxy.sanitize import from_bytes

_TOKEN = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[{}\[\],:]', re.DOTALL)  # the last string may not end
_DEEPEST = bodies.DEPTH + 1
_NAMES = 8  # of one part that are mended: for each its head is searched, and nobody honest gives as many
_FOREIGN = (b"charset", b"content-transfer-encoding")  # parts whose bytes are not UTF-8 as they stand


class Changes:
    """What takes the place of which values.

    :ivar made: the values that were replaced.
    """

    def __init__(self, wanted: Mapping[Value, str]) -> None:
        self._wanted = wanted
        self.made: set[Value] = set()

    def __bool__(self) -> bool:
        return bool(self._wanted)

    def of(self, value: Value) -> str | None:
        """What takes the place of a value, which counts as made; None when it stays."""
        new = self._wanted.get(value)
        if new is not None:
            self.made.add(value)
        return new

    def concern(self, value: Value) -> bool:
        """Whether a value is to be replaced."""
        return value in self._wanted


def mended(kind: str, data: bytes, content_type: str, changes: Changes) -> bytes:
    """A body with values replaced; every other byte stays. Bodies of other kinds than forms and JSON stay whole, and
    so do those in other charsets than UTF-8."""
    if kind != "multipart" and charsets.foreign(kind, data, content_type) is not None:
        return data
    if kind == "form":
        return mended_pairs("form", data.decode("latin-1"), changes).encode("latin-1")
    if kind == "json":
        return _json(data.decode("latin-1"), changes).encode("latin-1")
    return _multipart(data, content_type, changes) if kind == "multipart" else data


def mended_target(target: str, changes: Changes) -> str:
    """A target with names and values of its query replaced."""
    path, mark, query = target.partition("?")
    return path + mark + mended_pairs("query", query, changes)


def mended_pairs(where: str, text: str, changes: Changes) -> str:
    """A query or form with names and values replaced; every pair that is not concerned stays as it was written."""
    return "&".join([_pair(where, pair, changes) for pair in text.split("&")])


def _pair(where: str, pair: str, changes: Changes) -> str:
    name, equals, written = pair.partition("=")
    for value in of_pairs(where, pair):
        new = changes.of(value)
        if new is not None and value.is_name:
            name = quote_plus(new)
        elif new is not None:
            written = quote_plus(new)
    return name + equals + written


def _json(text: str, changes: Changes) -> str:
    """The latin-1 reading of a document with strings and names replaced: its marks are ASCII in UTF-8."""
    walk = _Walk(changes)
    return _TOKEN.sub(walk.token, text)


class _Walk:
    """Goes through the tokens of a document and knows the way to each."""

    def __init__(self, changes: Changes) -> None:
        self._changes = changes
        self._ways: list[str] = [""]  # of what is open; the last one is that of the next value
        self._open: list[str] = []
        self._name = False  # whether the next string is a name

    def token(self, found: re.Match[str]) -> str:
        """What takes the place of a token."""
        mark = found[0]
        if mark[0] == '"':
            return self._string(mark)
        if mark in "{[":
            self._open.append(mark)
            deeper = mark == "[" and len(self._open) <= _DEEPEST
            self._ways.append(f"{self._ways[-1]}[]" if deeper else self._ways[-1])
        elif mark in "}]" and self._open:
            self._open.pop()
            self._ways.pop()
        self._name = mark == "{" or (mark == "," and self._open[-1:] == ["{"])
        return mark

    def _string(self, written: str) -> str:
        if len(self._open) > _DEEPEST:
            return written
        try:
            text = json.loads(from_bytes(written.encode("latin-1"))[0], strict=False)
        except ValueError:
            return written
        if self._name:
            self._ways[-1] = bodies.way_to(self._ways[-2], text)
        new = self._changes.of(Value("json", self._ways[-1], text, is_name=self._name))
        if new is None:
            return written
        return json.dumps(new, ensure_ascii=False).encode("utf-8", "replace").decode("latin-1")


def _multipart(data: bytes, content_type: str, changes: Changes) -> bytes:
    from plugins.sanitize import multipart  # loaded with the first body of the kind

    said = multipart.boundary_of(content_type)
    if not said or "boundary*" in content_type.lower():  # an extended one is no boundary to most parsers
        return data
    boundary = said.encode("latin-1", "replace")
    mark = b"\r\n--" + boundary
    first, *parts = (b"\r\n" + data).split(mark)
    parts = [_part(part, boundary, content_type, changes) for part in parts]
    return mark.join([first, *parts])[2:]


def _part(part: bytes, boundary: bytes, content_type: str, changes: Changes) -> bytes:
    """One part, with what stands behind it; what it holds is read as that of the whole body was."""
    alone = b"--" + boundary + part + b"\r\n--" + boundary + b"--\r\n"
    wanted = [value for value in bodies.values("multipart", alone, content_type) if changes.concern(value)]
    head, blank, content = part.partition(b"\r\n\r\n")
    if not wanted or len(wanted) > _NAMES or any(word in head.lower() for word in _FOREIGN):
        return part
    for value in wanted:
        if value.is_name:
            head = _head(head, value, changes)
        elif from_bytes(content)[0] == value.text:
            content = (changes.of(value) or "").encode("utf-8", "replace")
    return head + blank + content


def _head(head: bytes, value: Value, changes: Changes) -> bytes:
    """A part's head with one parameter replaced, when it stands there as it was read."""
    written = re.compile(rb'="?' + re.escape(value.text.encode("utf-8", "replace")) + rb'"?(?=[\s;]|$)')
    if written.search(head) is None:
        return head
    new = (changes.of(value) or "").replace("\\", "").replace('"', "").replace("\r", "").replace("\n", "")
    return written.sub(lambda _: b'="' + new.encode("utf-8", "replace") + b'"', head)
