"""Read a body in the charset that its type names, besides reading it as UTF-8.

Some servers decode forms and documents as the client says (`charset=ibm037`), and then find in bytes that look like
nothing what was meant. The reading as UTF-8 is looked at as well: other servers do not ask.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote_to_bytes

from plugins.sanitize.values import Value

_NAMED = re.compile(r"(?i);\s*+charset\s*+=\s*+[\"']?([\w.:-]{1,40})")
_IN_XML = re.compile(rb"\s*+<\?xml\s[^>]{0,80}?encoding\s*+=\s*+[\"']([\w.:-]{1,40})")
_OURS = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})
_KNOWN = re.compile(r"(?i)(?:utf|iso|windows|ibm|cp|ebcdic|latin|mac|koi8|shift|sjis|euc|gb|big5|tis|hz)[\w-]{0,20}")


def foreign(kind: str, data: bytes, content_type: str) -> str | None:
    """The charset of a body that is not UTF-8, as its type or its declaration of XML names it; None for UTF-8."""
    found = _NAMED.search(content_type)
    name = found[1] if found is not None else ""
    if not name and kind == "xml" and (declared := _IN_XML.match(data)) is not None:
        name = declared[1].decode("latin-1")
    return name.lower() if name and name.lower() not in _OURS else None


def decoded(data: bytes, charset: str) -> str | None:
    """The text; None when the charset is not known here, or none of text."""
    if _KNOWN.fullmatch(charset) is None:
        return None
    try:
        return data.decode(charset, "replace")
    except (LookupError, ValueError):
        return None


def pairs(data: bytes, charset: str) -> Iterator[Value]:
    """The names and values of a form whose escapes stand for bytes of the charset, and whose signs are ASCII."""
    for pair in data.split(b"&"):
        written, _, value = pair.partition(b"=")
        name = decoded(unquote_to_bytes(written.replace(b"+", b" ")), charset) or ""
        if not name.isalnum():
            yield Value("form", name, name, is_name=True)
        yield Value("form", name, decoded(unquote_to_bytes(value.replace(b"+", b" ")), charset) or "")
