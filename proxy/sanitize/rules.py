"""The rules by name: how sure each is, and what it says to people.

A rule's family is its name up to the dot. `level` is the paranoia level from which on it counts; `score` is what it
adds to a request's anomaly score, with the weights of the OWASP Core Rule Set:
5 critical, 4 error, 3 warning, 2 notice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple, TypeAlias

CRITICAL, ERROR, WARNING, NOTICE = 5, 4, 3, 2


class Rule(NamedTuple):
    """One thing that is looked for.

    :ivar name: family, dot, name.
    :ivar level: paranoia level from which on it counts, 1 to 3.
    :ivar score: what it adds to the anomaly score.
    :ivar summary: what it finds, for people.
    """

    name: str
    level: int
    score: int
    summary: str

    @property
    def family(self) -> str:
        """What kind of attack it is about."""
        return self.name.partition(".")[0]


class Hit(NamedTuple):
    """A rule's match in one reading of a text: `text[start:end]`."""

    rule: str
    start: int
    end: int


class LateHit:
    """A match whose place is worked out when somebody asks for it: whoever only refuses does not."""

    __slots__ = ("_place", "rule")

    def __init__(self, rule: str, place: Callable[[], tuple[int, int]]) -> None:
        self.rule = rule
        self._place = place

    @property
    def start(self) -> int:
        """Where it begins."""
        return self._place()[0]

    @property
    def end(self) -> int:
        """Where it ends."""
        return self._place()[1]


AnyHit: TypeAlias = Hit | LateHit


def _table(rows: Iterable[tuple[str, int, int, str]]) -> Mapping[str, Rule]:
    return {name: Rule(name, level, score, summary) for name, level, score, summary in rows}


RULES = _table(
    (
        ("sql.union", 1, CRITICAL, "UNION SELECT"),
        ("sql.boolean", 1, CRITICAL, "a condition appended by AND or OR"),
        ("sql.comment", 1, CRITICAL, "a quote or parenthesis closed and the rest commented out"),
        ("sql.stacked", 1, CRITICAL, "a second statement behind a semicolon"),
        ("sql.time", 1, CRITICAL, "a function or statement that makes the database wait"),
        ("sql.subselect", 1, CRITICAL, "a SELECT in parentheses"),
        ("sql.function", 1, CRITICAL, "a database's function where an operand is expected"),
        ("sql.operator", 1, CRITICAL, "a quote closed and the string continued by an operator"),
        ("sql.clause", 1, CRITICAL, "ORDER BY, HAVING, LIMIT or INTO appended"),
        ("sql.file", 1, CRITICAL, "INTO OUTFILE or DUMPFILE"),
        ("sql.catalogue", 1, CRITICAL, "a SELECT from a database's own tables"),
        ("sql.whole", 1, CRITICAL, "a whole statement or expression that changes or compares"),
        ("sql.statement", 2, CRITICAL, "a whole SQL statement"),
        ("sql.fragment", 2, CRITICAL, "a fragment that could continue a statement"),
        ("sql.libinjection", 1, CRITICAL, "SQL injection, in the opinion of libinjection"),
        ("sql.quote", 3, WARNING, "an unbalanced quote"),
        ("xss.tag", 1, CRITICAL, "an element that runs code or loads it"),
        ("xss.handler", 1, CRITICAL, "an event handler"),
        ("xss.uri", 1, CRITICAL, "a URL whose scheme runs code"),
        ("xss.style", 1, CRITICAL, "a style that runs code"),
        ("xss.breakout", 1, CRITICAL, "an attribute or string closed and continued by code"),
        ("xss.script", 1, CRITICAL, "JavaScript that reaches for the page or runs text"),
        ("xss.markup", 1, CRITICAL, "markup that smuggles: entities, conditional comments, namespaces"),
        ("xss.libinjection", 1, CRITICAL, "XSS, in the opinion of libinjection"),
        ("xss.element", 2, CRITICAL, "an element that can be misused"),
        ("xss.html", 3, WARNING, "any markup"),
        ("shell.command", 1, CRITICAL, "a command behind a shell's separator"),
        ("shell.substitution", 1, CRITICAL, "a command substitution"),
        ("shell.disguise", 1, CRITICAL, "a command spelt in a way that only a shell understands"),
        ("shell.pipe", 1, CRITICAL, "text piped into an interpreter, or a shell on a socket"),
        ("shell.code", 1, CRITICAL, "a call that runs code in PHP, Python, Java, Perl, Ruby or JavaScript"),
        ("shell.shellshock", 1, CRITICAL, "a function definition for bash's environment"),
        ("shell.include", 1, CRITICAL, "a server-side include"),
        ("shell.word", 2, CRITICAL, "a command whose name is a common word behind a separator"),
        ("path.climb", 1, CRITICAL, "a path that climbs out"),
        ("path.encoded", 1, CRITICAL, "a climbing path in disguise"),
        ("path.file", 1, CRITICAL, "a file that only the system should read"),
        ("path.wrapper", 1, CRITICAL, "a stream wrapper or file URL"),
        ("path.relative", 2, CRITICAL, "a relative path that goes up"),
        ("path.mention", 2, CRITICAL, "a system file within text"),
        ("encoding.null", 1, CRITICAL, "a null byte"),
        ("encoding.overlong", 1, CRITICAL, "UTF-8 longer than it may be"),
        ("encoding.deep", 1, CRITICAL, "encoded more often than is honest"),
        ("encoding.double", 2, ERROR, "percent-encoded twice"),
        ("encoding.control", 2, WARNING, "control characters"),
        ("header.split", 1, CRITICAL, "a line break and a header field"),
        ("header.break", 2, CRITICAL, "a line break where none belongs"),
        ("nosql.operator", 1, CRITICAL, "an operator of a document database as a key"),
        ("nosql.script", 1, CRITICAL, "JavaScript for a document database"),
        ("template.expression", 1, CRITICAL, "a template expression that computes or reaches for objects"),
        ("template.mark", 2, ERROR, "a template's marks"),
        ("ldap.filter", 1, CRITICAL, "an LDAP filter closed and continued"),
        ("xml.entity", 1, CRITICAL, "an XML entity or document type that reads from elsewhere"),
        ("xml.include", 1, CRITICAL, "an XInclude"),
        ("lookup.jndi", 1, CRITICAL, "a look-up that a logger carries out"),
        ("prototype.key", 1, CRITICAL, "a key that reaches JavaScript's prototypes"),
    )
)
FAMILIES = tuple(dict.fromkeys(rule.family for rule in RULES.values()))
