"""Find values that are an expression or a statement as a whole: `user()`, `1=1`, `drop table users`.

Nothing is closed or continued in them; a shape alone tells few of them from arithmetic and prose, so their words have
to agree.
"""

from __future__ import annotations

from proxy.sanitize import sql_shapes as shapes
from proxy.sanitize.sql_tokens import Tokens
from proxy.sanitize.wordlists import words

WHOLE_BEGINS = frozenset("TwX-anNosfvLK")  # of shapes
KNOWLEDGE = words("user database version schema current_user session_user system_user sqlite_version current_database")
_SIGNS = words("- + ~ !")
_PROBING = words("if iif elt make_set nullif ifnull ascii ord substr substring load_file")
_REACHING = words(
    "load_file load_extension openrowset pg_read_file lo_import utl_http.request utl_inaddr.get_host_address"
)
_CHARACTERS = words("char chr nchar unhex")
_CHANGES = {"drop": "drop", "truncate": "drop", "create": "create", "alter": "alter"}


def whole(stream: Tokens) -> int:
    """Where in the shape ends what a text is as a whole; 0 when it is nothing of that kind."""
    found = shapes.WHOLE.match(stream.shape)
    if found is None and stream.shape.startswith("Tw") and stream.name(1) in ("table", "database"):
        pattern = shapes.OF_TABLES.get(_CHANGES.get(stream.name(0), ""))
        found = pattern.match(stream.shape) if pattern is not None else None
    if found is None and (likely := shapes.LIKELY.match(stream.shape)) is not None and _is_probe(stream):
        found = likely
    return found.end() if found is not None else 0


def _is_probe(stream: Tokens) -> bool:
    """Whether a short expression has no sense but to try a database: `user()`, `@@version`, `1=1`, `0||1`."""
    names = map(stream.name, range(len(stream.shape)))
    words = [word for word in names if word and word not in _SIGNS and word[0] not in "-#/"]
    first, second = words[0], words[1] if len(words) > 1 else ""
    if "v" in stream.shape:
        return any(word.startswith("@@") for word in words) or (len(words) > 1 and words[-1] in KNOWLEDGE)
    if stream.shape in ("sLs", "nLs"):
        return second == "||"
    if stream.shape == "noon":
        return second == "sounds"
    if stream.shape[0] == "f" and stream.shape[2:3] == "s":
        return first in _REACHING
    if stream.shape[0] == "f":
        return first in KNOWLEDGE or first in _CHARACTERS or (first == "concat" and words[2].startswith("0x"))
    if "f" in stream.shape:
        return not (_PROBING.isdisjoint(words) and KNOWLEDGE.isdisjoint(words))
    if "M" in stream.shape:
        return second == "limit"
    if words[-1] in ("true", "false"):
        return not first.isalpha() or first in ("or", "and")
    if second == "between" or (second == "in" and words[-1] == ")"):
        return True
    if second == "is" and first.isdigit():
        return True
    if second in ("asc", "desc") or (second in ("or", "and") and words[-1] in ("0", "null")):
        return True
    return first == words[-1] or "not" in words or second in ("||", "&&", "xor", "div")
