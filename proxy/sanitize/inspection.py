"""The one question of this package: what in this text is dangerous?

Most texts are plain: letters, digits, a little punctuation. They are cleared by one look (`is_plain`), before anything
is decoded or cut into tokens. The others are read in every way that an application may read them, and each reading is
shown to the detectors. Time is linear in the text's length, whatever it holds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from typing import NamedTuple, TypeAlias

from proxy.sanitize import injections, paths, shell, shell_words, sql, sql_statements, xss
from proxy.sanitize.decode import Readings, is_literal, readings
from proxy.sanitize.padding import folded
from proxy.sanitize.reading import Reading
from proxy.sanitize.rules import FAMILIES, RULES, AnyHit, Hit, Rule
from proxy.sanitize.wordlists import words

# of texts in lower case: what no plain one holds,
_ODD = re.compile(
    r"[^\w .,:@+-]|\.\.|--|__|prototype|wp-config|id_rsa|@@|document\.|child_process|\+.*\+| -\w"
    r"|\dx?or\b|\dand\b|\.(?:ini|config|log|env|bak)\Z|\A\.",
    re.DOTALL,
)
# and of those with blanks, words that mean something to a database, of some two, and what begins commands
_WORD = re.compile(r"[a-z_]++")
_SPOKEN = words(
    "or xor and table set like database between not div mod in select union waitfor having shutdown regexp limit null"
    " into exec execute execfile execute_immediate delete wmic powershell invoke mkfifo selselectect ununionion"
    " uniunionon seselectlect oorr anandd collate offset fetch"
)
_SPOKEN_TOGETHER = (words("order by"), words("group by"), words("case when"), words("start process"))
_SECOND = words("by when process")
_FIRST = shell_words.NAMES | sql_statements.VERB_WORDS | words("update declare grant revoke copy call")
_MEANT = _SPOKEN | _SECOND
_BLANK = re.compile(r"[ +]")
_Find: TypeAlias = Callable[[Reading], Iterable[AnyHit]]
_DETECTORS: tuple[tuple[frozenset[str], _Find], ...] = (
    (frozenset({"sql"}), sql.find),
    (frozenset({"xss"}), xss.find),
    (frozenset({"shell"}), shell.find),
    (frozenset({"path"}), paths.find),
    (frozenset({"encoding", "header", "nosql", "template", "ldap", "xml", "lookup", "prototype"}), injections.find),
)
_RELATIVE = "path.relative"  # counts at every level where it is encoded, for nobody honest encodes the dots of a path
_COUNTED = {level: {name: rule for name, rule in RULES.items() if rule.level <= level} for level in (1, 2, 3)}
_COUNTED_DECODED = {level: {**rules, _RELATIVE: RULES[_RELATIVE]} for level, rules in _COUNTED.items()}
_ALL_OF_THEM = tuple(find for _, find in _DETECTORS)


class Finding(NamedTuple):
    """What a rule found.

    :ivar rule: which rule.
    :ivar reading: the text as it was read when the rule matched; the given one, or what became of it by decoding.
    :ivar hit: where.
    """

    rule: Rule
    reading: str
    hit: AnyHit

    @property
    def start(self) -> int:
        """Where in `reading` the match begins."""
        return self.hit.start

    @property
    def end(self) -> int:
        """Where it ends."""
        return self.hit.end

    @property
    def span(self) -> str:
        """What matched."""
        return self.reading[self.start : self.end]


def is_plain(text: str) -> bool:
    """Whether one look clears a text: no rule of any level can match it."""
    if text.isalnum():
        return True
    lowered = text.lower()
    if _ODD.search(lowered) is not None:
        return False
    return (" " not in text and "+" not in text) or not _is_spoken(lowered)


def _is_spoken(lowered: str) -> bool:
    """Whether words mean something to a database or a shell."""
    said = set(_WORD.findall(lowered))
    if lowered[0] == " " or _BLANK.split(lowered, 1)[0] in _FIRST or not said.isdisjoint(_SPOKEN):
        return True
    return not said.isdisjoint(_SECOND) and any(said >= both for both in _SPOKEN_TOGETHER)


def means_nothing(lowered: str, parts: Iterable[str]) -> bool:
    """Whether no word of a text means anything to a database, nor any of its parts to a shell: a look that may doubt
    what `is_plain` clears, and looks at many values at once.

    :param lowered: the text in lower case.
    :param parts: what stands between its blanks.
    """
    return _FIRST.isdisjoint(parts) and _MEANT.isdisjoint(_WORD.findall(lowered))


def inspect(
    text: str, *, paranoia: int = 1, families: Collection[str] = FAMILIES, name: bool = False
) -> tuple[Finding, ...]:
    """Every rule that matches, each once, in the first reading that shows it.

    :param text: a value as the application gets it: a decoded query parameter, a string of a JSON body.
    :param paranoia: 1 to 3; rules of higher levels are left out.
    :param families: the families of rules to look for (`proxy.sanitize.FAMILIES`).
    :param name: whether it is a name rather than a value: a key of JSON, a parameter's name.
    """
    if name:
        text = as_name(text)
    return () if is_plain(text) else examine(text, paranoia, families)


def as_name(text: str) -> str:
    """A name as it is to be examined: an operator of a document database is dangerous as a key only."""
    return f"[{text}]" if "$" in text else text


def examine(text: str, paranoia: int, families: Collection[str] = FAMILIES) -> tuple[Finding, ...]:
    """`inspect` of a text that is not plain; nothing is found in an empty one."""
    if not text:
        return ()
    found: dict[str, Finding] = {}
    finds: Iterable[_Find] = _ALL_OF_THEM if families is FAMILIES else _of(families)
    forms: tuple[str, ...]
    if is_literal(text):
        read, counted, fold = None, _COUNTED[paranoia], folded(text)
        forms = (text,) if fold == text else (text, fold)
    else:
        read, counted = readings(text), _COUNTED_DECODED[paranoia]
        forms = _unpadded(read.forms)
    for form in forms:
        reading = Reading(form, paranoia)
        for find in finds:
            for hit in find(reading):
                name = hit.rule
                if name not in found and name in counted:
                    found[name] = Finding(counted[name], form, hit)
    if read is not None:
        _tell_encodings(read, found, paranoia)
    if families is FAMILIES:
        return tuple(found.values())
    return tuple([one for one in found.values() if one.rule.family in families])


def _unpadded(forms: tuple[str, ...]) -> tuple[str, ...]:
    """Readings of a text, and these without what only fills them."""
    short = [fold for form in forms if (fold := folded(form)) != form]
    return (*forms, *short) if short else forms


def _of(families: Collection[str]) -> list[_Find]:
    return [find for of, find in _DETECTORS if not of.isdisjoint(families)]


def score(findings: Collection[Finding]) -> int:
    """The anomaly score of findings: what their rules add up to."""
    return sum(finding.rule.score for finding in findings)


def is_safe(text: str, *, paranoia: int = 1) -> bool:
    """Whether nothing dangerous is found in a text; `inspect` tells what was."""
    return not inspect(text, paranoia=paranoia)


def _tell_encodings(read: Readings, found: dict[str, Finding], paranoia: int) -> None:
    relative = found.get(_RELATIVE)
    if relative is not None and (read.percents or read.overlong or read.deep):
        found.setdefault("path.encoded", relative._replace(rule=RULES["path.encoded"]))
    if relative is not None and _RELATIVE not in _COUNTED[paranoia]:
        del found[_RELATIVE]
    whole = read.forms[0]
    for rule, told in (
        ("encoding.overlong", read.overlong),
        ("encoding.deep", read.deep),
        ("encoding.double", read.percents > 1),
    ):
        if told and rule in _COUNTED[paranoia]:
            found.setdefault(rule, Finding(RULES[rule], whole, Hit(rule, 0, len(whole))))
