"""Take bodies apart into values, by their types.

A body that cannot be read as what it says it is, gives its whole text as one value, and of JSON each of its strings:
the application may be more lenient. What reads multipart, GraphQL and XML is loaded with the first body of its kind.
"""

from __future__ import annotations

import importlib
import json
import re
from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from typing import Any

from plugins.sanitize import charsets
from plugins.sanitize.values import PAUSE, Value, of_pairs
from proxy.sanitize import from_bytes, is_plain

__all__ = ["AT_ONCE", "PAUSE", "kind_of", "values"]

AT_ONCE = 32  # values that are looked at in one turn of the event loop
_LONG_WAY = 256  # characters
_POLLUTES = "prototype"  # of a constructor, it is that of all objects
_NO_CHANCE = 12  # characters of text that hardly any coding makes by chance
DEPTH = 64  # levels of JSON that are followed
_END = re.compile(r"[;,\s]")
_LENIENT = re.compile(  # strings of what is nearly JSON; one that does not end is read to the end, once
    r'"(?P<double>(?:[^"\\]++|\\.)*+)(?:"|\\?\Z)|\'(?P<single>(?:[^\'\\]++|\\.)*+)(?:\'|\\?\Z)', re.DOTALL
)
_WRITTEN = re.compile(r'"[A-Za-z0-9]*+"|"((?:[^"\\]++|\\.)*+)"', re.DOTALL)  # empty for what is surely plain

_SIGN = re.compile(r"\\([^\w\s])")  # those of letters are undone by whoever looks
_BEGINS = {  # what a body begins with when no coding hides it; anything may be a form
    "form": re.compile(rb""),
    "multipart": re.compile(rb"(?i)(?=.*content-disposition)", re.DOTALL),
    "json": re.compile(rb"(?:\xef\xbb\xbf)?[\s]*+(?:[\[{]\s*+[\[{}\]\"'/]|\")"),
    "graphql": re.compile(rb"(?:\xef\xbb\xbf)?[\s,]*+(?:query|mutation|subscription|fragment|[{#\"])"),
    "xml": re.compile(rb"(?:\xef\xbb\xbf)?\s*+<"),
}


def kind_of(content_type: str) -> str:
    """What a body is, of what can be looked at: form, multipart, json, graphql, xml; or empty.

    A type ends at a blank or comma too, as it does for PHP; and Java's libraries read any multipart body as a form.
    """
    essence = _END.split(content_type.strip(), 1)[0].lower()
    if essence == "application/x-www-form-urlencoded":
        return "form"
    if essence.startswith("multipart/"):
        return "multipart"
    if essence == "application/graphql":
        return "graphql"
    if essence == "application/json" or essence.endswith("+json") or essence == "text/json":
        return "json"
    return "xml" if essence in ("application/xml", "text/xml") or essence.endswith("+xml") else ""


def is_written(kind: str, data: bytes) -> bool:
    """Whether a body is what its type says as it stands, though it is said to be coded with what cannot be undone."""
    return _BEGINS[kind].match(data) is not None


def beside(kind: str, written: bytes, content_type: str) -> Iterator[Value]:
    """What a coded body says to an application that asks for no coding: only forms can stand between other bytes, such
    as in what gzip keeps of a file's name. Of one, what is long and text."""
    if kind == "multipart" and is_written(kind, written):
        yield from _reader(kind).values(written, content_type)
    elif kind == "form":
        for pair in written.decode("latin-1").split("&"):
            if len(pair) >= _NO_CHANCE and pair.isascii() and pair.isprintable():
                yield from of_pairs("form", pair)


def values(kind: str, data: bytes, content_type: str, is_harmless: Callable[[str], bool] = is_plain) -> Iterator[Value]:
    """The values of a body, as UTF-8 and as its charset says; of JSON only those that are not cleared.

    :param is_harmless: clears strings of JSON before it is known where they stand.
    """
    yield from _values(kind, data, content_type, is_harmless)
    charset = charsets.foreign(kind, data, content_type) if kind != "multipart" else None
    said = charsets.decoded(data, charset) if charset is not None else None
    if said is not None and charset is not None:
        yield from _values(kind, said.encode("utf-8", "replace"), content_type, is_harmless)
        if kind == "form":
            yield from charsets.pairs(data, charset)


def _values(kind: str, data: bytes, content_type: str, is_harmless: Callable[[str], bool]) -> Iterator[Value]:
    if kind == "form":
        yield from of_pairs("form", data.decode("latin-1"))
    elif kind == "multipart":
        yield from _reader(kind).values(data, content_type)
    elif kind == "json":
        yield from _json(*from_bytes(data), is_harmless)
    else:
        yield from _reader(kind).values(*from_bytes(data))


def _reader(kind: str) -> Any:
    """The module that reads bodies of a kind: of those that few applications take, and start with."""
    return importlib.import_module(f"plugins.sanitize.{kind}")


def _json(text: str, overlong: bool, is_harmless: Callable[[str], bool]) -> Iterator[Value]:
    text = text.removeprefix("\ufeff")  # which most parsers skip
    try:  # whoever names twice, means twice; and no number is too long for a float
        document = json.loads(text, strict=False, object_pairs_hook=tuple, parse_int=float)
    except (ValueError, RecursionError):
        yield Value("json", "", text, overlong)
        yield from _loose(text, is_harmless)
        return
    if overlong:
        yield Value("json", "", "", overlong)
    odd = {_POLLUTES} if f'"{_POLLUTES}"' in text else set()
    for count, string in enumerate(_strings(text), 1):
        if "$" in string or string == _POLLUTES or not is_harmless(string):
            odd.add(string)
        if count % AT_ONCE == 0:
            yield PAUSE
    if not odd:
        return
    if isinstance(document, tuple):
        for name, item in document:
            asks = name == "query" and isinstance(item, str) and item in odd
            found = _reader("graphql").literals(item) if asks else None
            yield from _nodes(((name, item),), "", DEPTH, odd) if found is None else found
    else:
        yield from _nodes(document, "", DEPTH, odd)


def _loose(text: str, is_harmless: Callable[[str], bool]) -> Iterator[Value]:
    """The strings of a text that is no JSON, in either quotes, as they are written and without escapes."""
    for count, found in enumerate(_LENIENT.finditer(text), 1):
        written = found[found.lastgroup or 0]
        for string in dict.fromkeys((written, _bare(written))):
            if "$" in string or not is_harmless(string):
                yield Value("json", "", string)
        if count % AT_ONCE == 0:
            yield PAUSE


def _bare(written: str) -> str:
    """A string without its escapes, those that JSON has not too."""
    return _SIGN.sub(r"\1", written) if "\\" in written else written


def _strings(text: str) -> Iterator[str]:
    """The strings and names of a document, each once, but for those that are surely plain. Most documents are cleared
    whole by them: it is what makes them cheap, for taking one apart costs more than reading it."""
    return map(_unescaped, set(_WRITTEN.findall(text)))


def _unescaped(written: str) -> str:
    if "\\" not in written:
        return written
    return str(json.loads(f'"{written}"', strict=False))


def way_to(way: str, name: str) -> str:
    """The way to what has a name; one that is long goes no further: honest ones are short, and thousands of long ones
    would take more memory than the body."""
    if len(way) >= _LONG_WAY:
        return way
    return f"{way}.{name[:_LONG_WAY]}" if way else name[:_LONG_WAY]


def _nodes(node: Any, way: str, depth: int, odd: AbstractSet[str]) -> Iterator[Value]:
    """The odd strings and names of a document whose objects are tuples of pairs."""
    if isinstance(node, str):
        if node in odd:
            yield Value("json", way, node)
    elif depth == 0:
        yield from _below(node, way, odd)
    elif isinstance(node, tuple):
        for name, item in node:
            field = way_to(way, name)
            yield from _name(name, item, field, odd)
            if not isinstance(item, int | float | None):
                yield from _nodes(item, field, depth - 1, odd)
    elif isinstance(node, list):
        for item in node:
            if not isinstance(item, int | float | None):
                yield from _nodes(item, f"{way}[]", depth - 1, odd)


def _name(name: str, item: Any, field: str, odd: AbstractSet[str]) -> Iterator[Value]:
    """A name, if it is odd; and what it spells with one in it, when that is the way to what all objects have."""
    if name in odd:
        yield Value("json", field, name, is_name=True)
    if name == "constructor" and isinstance(item, tuple) and any(inner == _POLLUTES for inner, _ in item):
        yield Value("json", field, f"{name}.{_POLLUTES}", is_name=True)


def _below(node: Any, way: str, odd: AbstractSet[str]) -> Iterator[Value]:
    """What is odd below a node, all of it by the node's way; without recursion, however deep it is."""
    waiting = [node]
    while waiting:
        now = waiting.pop()
        if isinstance(now, str):
            if now in odd:
                yield Value("json", way, now)
        elif isinstance(now, tuple):
            for name, item in now:
                yield from _name(name, item, way, odd)
                waiting.append(item)
        elif isinstance(now, list):
            waiting += now
