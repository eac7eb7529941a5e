"""Find values that are an expression or a statement as a whole: `user()`, `1=1`, `drop table users`.

Nothing is closed or continued in them; a shape alone tells few of them from arithmetic and prose, so their words have
to agree.
"""

from __future__ import annotations

from proxy.sanitize import sql_shapes as shapes
from proxy.sanitize.sql_tokens import Tokens
from proxy.sanitize.wordlists import words

WHOLE_BEGINS = frozenset("TwX-anNosfvLK(")  # of shapes
KNOWLEDGE = words("user database version schema current_user session_user system_user sqlite_version current_database")
_SIGNS = words("- + ~ !")
_PROBING = words("if iif elt make_set nullif ifnull ascii ord substr substring load_file")
_REACHING = words(
    "load_file load_extension openrowset pg_read_file lo_import utl_http.request utl_inaddr.get_host_address"
)
_CHARACTERS = words("char chr nchar unhex")
_SECOND = {"sLs": "||", "nLs": "||", "noon": "sounds"}  # by shape, the word that must be second
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
    shape = stream.shape
    if "v" in shape:
        return any(word.startswith("@@") for word in words) or (len(words) > 1 and words[-1] in KNOWLEDGE)
    if "f" in shape:
        return _asks(shape, words)
    return _compares(shape, words[0], words[1:])


def _asks(shape: str, words: list[str]) -> bool:
    """Whether a call asks for what only a database knows or does."""
    first = words[0]
    if shape[0] == "f" and shape[2:3] == "s":
        return first in _REACHING
    if shape[0] == "f":
        return first in KNOWLEDGE or first in _CHARACTERS or (first == "concat" and words[2].startswith("0x"))
    return not (_PROBING.isdisjoint(words) and KNOWLEDGE.isdisjoint(words))


def _compares(shape: str, first: str, others: list[str]) -> bool:
    """Whether operands are the same, or joined as prose and arithmetic never do.

    :param others: the words behind the first; empty ones are left out.
    """
    second = others[0] if others else ""
    last = next((word for word in reversed(others) if word != ")"), first)
    if shape in _SECOND:
        return second == _SECOND[shape]
    if "M" in shape or "l" in shape:
        return second in ("limit", "offset", "fetch", "collate")
    if last in ("true", "false"):
        return not first.isalpha() or first in ("or", "and")
    if second in ("between", "asc", "desc") or (second == "in" and others[-1] == ")"):
        return True
    if (second == "is" and first.isdigit()) or (second in ("or", "and") and last in ("0", "null")):
        return True
    return first == last or "not" in others or first == "not" or second in ("||", "&&", "xor", "div")
