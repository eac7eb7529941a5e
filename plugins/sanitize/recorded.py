"""Read requests that somebody recorded: HAR files, as browsers save them, and JSON lines, one request each.

Such files come from many programs, so that whatever is missing or of another type is told as a ValueError with its
place, and what HAR writes in two ways (a form's fields as text or as parameters) is read in both.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

_BOUNDARY = "passerelle-rehearsal"
_WRONG = (ValueError, KeyError, AttributeError, TypeError, RecursionError)


@dataclass(slots=True)
class Recorded:
    """A request as it was recorded; `body` is text, in UTF-8 where it was bytes."""

    method: str
    target: str
    route: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str = ""


def requests_of(file: Path) -> Iterator[Recorded]:
    """The requests in a file.

    :raises ValueError: when it is neither HAR nor JSON lines.
    """
    text = file.read_text("utf-8-sig", "replace")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        document = None
    if isinstance(document, dict) and isinstance(document.get("log"), dict):
        yield from _of_entries(document["log"].get("entries", ()))
        return
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield _of_line(line, number)


def _of_entries(entries: Any) -> Iterator[Recorded]:
    if not isinstance(entries, list | tuple):
        raise ValueError("this is no HAR: its entries are no list")
    for number, entry in enumerate(entries, 1):
        try:
            yield _of_har(entry["request"])
        except _WRONG as error:
            raise ValueError(f"this is no HAR: entry {number}: {error!r}") from error


def _of_har(said: Mapping[str, Any]) -> Recorded:
    url = urlsplit(_text(said["url"]))
    headers = _joined((_text(one["name"]), _text(one["value"])) for one in said.get("headers") or ())
    if "cookie" not in headers and said.get("cookies"):
        headers["cookie"] = "; ".join(f"{_text(one['name'])}={_text(one['value'])}" for one in said["cookies"])
    sent = said.get("postData") or {}
    headers.setdefault("content-type", _text(sent.get("mimeType", "")))
    body = _text(sent.get("text") or "")
    if not body and sent.get("params"):
        body = _of_params(sent["params"], headers)
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    return Recorded(_text(said["method"]), _quoted(target), "", headers, body)


def _of_params(params: Iterable[Mapping[str, Any]], headers: dict[str, str]) -> str:
    """The body of a form whose fields were recorded one by one."""
    fields = [(_text(one["name"]), _text(one.get("value") or ""), _text(one.get("fileName") or "")) for one in params]
    if not headers["content-type"].lower().startswith("multipart/"):
        return urlencode([(name, value) for name, value, _ in fields])
    headers["content-type"] = f"multipart/form-data; boundary={_BOUNDARY}"
    parts = [
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="{_escaped(name)}"'
        + (f'; filename="{_escaped(file)}"' if file else "")
        + f"\r\n\r\n{value}\r\n"
        for name, value, file in fields
    ]
    return "".join(parts) + f"--{_BOUNDARY}--\r\n"


def _escaped(name: str) -> str:
    """As browsers write names there (the HTML standard, multipart/form-data)."""
    return name.replace("\\", "\\\\").replace('"', '\\"').replace("\r", "%0D").replace("\n", "%0A")


def _of_line(line: str, number: int) -> Recorded:
    try:
        said = json.loads(line, parse_int=float)
        headers = _joined((name, _text(value)) for name, value in said.get("headers", {}).items())
        route, body = _text(said.get("route", "")), _text(said.get("body", ""))
        return Recorded(_text(said["method"]), _quoted(_text(said["target"])), route, headers, body)
    except _WRONG as error:
        raise ValueError(f"line {number} is no recorded request: {error!r}") from error


def _joined(fields: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Fields by their names; several of one name as one (RFC 9110 section 5.2, and RFC 6265 section 5.4)."""
    made: dict[str, str] = {}
    for written, value in fields:
        name = written.lower()
        made[name] = value if name not in made else made[name] + ("; " if name == "cookie" else ", ") + value
    return made


def _quoted(target: str) -> str:
    """A target as it is on the wire, where a recorder wrote what its escapes stand for."""
    return target if target.isascii() else quote(target, safe="".join(map(chr, range(0x21, 0x7F))), errors="replace")


def _text(said: Any) -> str:
    if not isinstance(said, str):
        raise TypeError(f"{said!r:.40} is no text")
    return said
