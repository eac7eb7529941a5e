"""Clear most targets by one look, before they are taken apart: it may clear nothing that a closer look would find."""

from __future__ import annotations

import re

from proxy.sanitize import is_plain, means_nothing

# What one look clears, in lower case: words of letters and digits with single marks between them, spaces as the only
# escapes; no paths to what no site has, no files that tell secrets, and nothing else that `is_plain` does not clear.
_LETTERS = r"[a-z0-9]++"
_MARK = r"(?:-(?!config)|_(?![rd]sa|process)|(?<!document)\.(?!(?:ini|config|log|env|bak|conf|asax)\b))"
_NOWHERE = (
    r"(?!(?:etc|proc|var|dev|root|boot|sys|usr|run|web-inf|meta-inf|windows|winnt|system32|inetpub|xampp|lampp"
    r"|apache2?|tmp|conf|tomcat)/)"
)
_WORD = rf"{_LETTERS}(?:(?:{_MARK}|[,:]){_LETTERS})*+"
_VALUE = rf"{_WORD}(?:(?:\+|%20){_WORD})*+"
_PAIR = rf"{_WORD}(?:=(?:{_VALUE})?+)?+"
_PLAIN = re.compile(
    rf"(?:/{_NOWHERE}(?:{_LETTERS}(?:(?:{_MARK}|~){_LETTERS})*+)?+)++(?:\?(?:{_PAIR}(?:&{_PAIR})*+)?+)?+"
)
_PLAINEST = re.compile(rf"(?:/{_NOWHERE}[a-z0-9]*+)++(?:\?(?:{_LETTERS}=[a-z0-9]*+(?:&(?!&)|\Z))*+)?+")  # most, sooner
_APPENDED = re.compile(r"[0-9](?:x?or|and)(?![a-z0-9])")  # a condition right behind a number, as in `1or-2`
_PARTS = re.compile(r"%20|[+=&?]")
_SPACED = re.compile(r"[a-z0-9._,:-]++(?:\+|%20)[^&=]++")  # a name or value with spaces in it


def cleared(target: str) -> int:
    """How much of a path with its query holds nothing that is found at any level: all, at least the path, or 0."""
    lowered = target.lower()
    if "prototype" in lowered or "0x2" in lowered:
        return 0
    plainest = _PLAINEST.match(lowered)
    end = 0 if plainest is None else plainest.end()
    if end == len(target):
        return end
    if (
        _PLAIN.fullmatch(lowered) is not None
        and _APPENDED.search(lowered) is None
        and (("+" not in target and "%" not in target) or _is_prose(lowered))
    ):
        return len(target)
    return end if end > target.find("?") > 0 else 0


def _is_prose(lowered: str) -> bool:
    """Whether what has spaces in it means nothing to a database or shell."""
    return means_nothing(lowered, _PARTS.split(lowered)) or all(
        is_plain(said.replace("+", " ").replace("%20", " ")) for said in _SPACED.findall(lowered)
    )


def is_plain_target(target: str) -> bool:
    """Whether nothing is found in a path with its query, at any level."""
    return cleared(target) == len(target)
