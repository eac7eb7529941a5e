"""Tell statements from prose: what must follow a verb before it means something to a database.

Prose has "update", "drop" and "set" as well, but not with what a statement needs behind them.
"""

from __future__ import annotations

import re

from proxy.sanitize.late import Late
from proxy.sanitize.sql_tokens import Tokens
from proxy.sanitize.wordlists import words

_VERBS = {
    "drop": "table database schema user view function procedure index column trigger login role",
    "insert": "into", "delete": "from", "truncate": "table", "load": "data", "merge": "into", "replace": "into",
    "create": "table database function user or procedure view trigger login alias temp temporary unique extension role",
    "alter": "table user database login system session", "attach": "database", "backup": "database log",
    "show": "tables databases schemas columns grants processlist variables", "flush": "tables privileges logs hosts",
    "lock": "tables table",
    "begin": "declare execute dbms_lock.sleep dbms_pipe.receive_message user_lock.sleep", "restore": "database",
}  # fmt: skip
_ANY_OBJECT = words("update declare grant revoke copy set prepare rename handler dbcc pragma exec execute call")
_SPOKEN = {  # verbs that prose has as well, and what must follow them
    "call": Late(r"X[fFZ]"), "set": Late(r"T[wv]w?(?:o|a)"), "copy": Late(r"Tw[rwl(]"),
    "update": Late(r"Tw(?:l?w)?T"), "prepare": Late(r"Tw[rs]"), "rename": Late(r"Tww[wl]"),
}  # fmt: skip
_OBJECTS = {verb: frozenset(objects.split()) for verb, objects in _VERBS.items()}
_ALONE = words("shutdown commit rollback vacuum")
VERB_WORDS = frozenset(_VERBS) | _ANY_OBJECT | _ALONE | {"if", "case", "do"}
# procedures that come with SQL Server, called behind a value: its statements need no semicolon between them
PROCEDURE = Late(
    r"(?:(?!exec)[\w.@-]{1,40}+)?+['\")]{0,3}+[\s;)]{0,20}+(?:exec|execute)[\s(]++(?:@\w{1,20}\s*+=\s*+)?+"
    r"(?:\[?(?:master|msdb|sys|dbo)\]?\.{1,2}){0,2}+\[?[xs]p_\w"
)

# a short statement without a blank behind the semicolon, which nobody writes but where one statement ends
JOINED = re.compile(r"[0-9]{1,12}+['\")]{0,3}+;(?:use|describe|desc|show|truncate|handler|grant|if|kill)\s++[\w=]")


def is_statement(stream: Tokens, at: int) -> bool:
    """Whether what begins at a place in the shape is a statement, opening marks left aside."""
    shape = stream.shape
    while at < len(shape) and shape[at] in ";{(":
        at += 1
    verb, follows = stream.name(at), stream.name(at + 1)
    if verb in _OBJECTS:
        return follows in _OBJECTS[verb]
    if verb in _SPOKEN:
        return _SPOKEN[verb].match(shape, at) is not None
    if verb in _ANY_OBJECT:
        return shape[at + 1 : at + 2] in ("w", "f", "F", "v", "s", "d", "(") and (
            shape[at + 2 : at + 3] != "w" or shape[at + 1] == "v"
        )
    if shape.startswith("ws", at):
        return verb == "do" and follows.startswith("$")
    return verb not in _ALONE or shape[at + 1 : at + 2] in ("", "c", ";", "L") or follows == "with"
