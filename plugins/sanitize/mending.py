"""Put values that were mended in the place of what was found, and leave every other byte as it came."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from urllib.parse import quote_plus

from proxy.sanitize import unquoted

_STRING = re.compile(r'"(?:[^"\\]++|\\.)*+"', re.DOTALL)


def mended(kind: str, data: bytes, changes: Mapping[str, str]) -> bytes:
    """A body with texts replaced; every other byte stays.

    :param changes: what takes the place of which text.
    """
    if kind == "form":
        return mended_pairs(data.decode("latin-1"), changes).encode("latin-1")
    if kind == "json":
        text = data.decode("utf-8", "replace")
        return _STRING.sub(lambda found: _changed(found[0], changes), text).encode()
    text = data.decode("utf-8", "surrogateescape")
    for old, new in sorted(changes.items(), key=lambda change: -len(change[0])):
        text = text.replace(old, new)
    return text.encode("utf-8", "surrogateescape")


def mended_pairs(text: str, changes: Mapping[str, str]) -> str:
    """A query or form with names and values replaced; every pair that is not concerned stays as it was written."""
    pairs = []
    for pair in text.split("&"):
        name, equals, value = pair.partition("=")
        pairs.append(_replaced(name, changes) + equals + _replaced(value, changes))
    return "&".join(pairs)


def _replaced(written: str, changes: Mapping[str, str]) -> str:
    new = changes.get(unquoted(written.replace("+", " "))[0])
    return written if new is None else quote_plus(new)


def _changed(written: str, changes: Mapping[str, str]) -> str:
    try:
        new = changes.get(json.loads(written, strict=False))
    except ValueError:
        return written
    return written if new is None else json.dumps(new, ensure_ascii=False)
