"""What becomes of what is found: rules with their modes, exclusions, and the score.

A judge is compiled from a Config once. A value that is plain costs one look; values of fields that repeat, such as
User-Agent, are remembered when they were found harmless.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from plugins.sanitize.config import Config, Exclusion, Mode
from plugins.sanitize.opinion import opinion
from plugins.sanitize.values import Value
from proxy.sanitize import (
    FAMILIES,
    RULES,
    Finding,
    Rule,
    as_name,
    clean_filename,
    clean_text,
    examine,
    is_crowded,
    is_plain,
    strip_controls,
)

MENDABLE = frozenset({"query", "form", "json"})  # paths, headers, cookies and documents are refused or let be
_OVERLONG = RULES["encoding.overlong"]
_MANY = 64  # findings that are collected for the log; from then on only what may change the answer is looked for


class Found(NamedTuple):
    """What a rule found in a request.

    :ivar mode: what is to become of it: observe, block or clean.
    :ivar finding: what the detectors say; None when the bytes of the value were enough.
    """

    rule: Rule
    mode: Mode
    value: Value
    finding: Finding | None = None

    @property
    def span(self) -> str:
        """What matched."""
        return self.finding.span if self.finding is not None else ""


class Findings(list[Found]):
    """What is found in a part of a request, with its score: to add that up anew for each value takes too long.

    :ivar score: of what is to be refused; who appends counts.
    """

    score = 0


class Judge:
    """Looks at values, as one Config wants it."""

    def __init__(self, config: Config) -> None:
        self.threshold = config.threshold
        self._paranoia = config.paranoia
        self._exclude = config.exclude
        self._asks = config.second_opinion is not None
        self._modes = {name: _mode(rule, config) for name, rule in RULES.items()}
        self._decisive = {RULES[name].family for name, mode in self._modes.items() if mode in ("block", "clean")}
        families = {RULES[name].family for name, mode in self._modes.items() if mode != "off"}
        self._families: Collection[str] = FAMILIES if families == set(FAMILIES) else families

    def look(self, values: Iterable[Value], before: Findings | None = None) -> Findings:
        """What is found in values: everything, but when that is very much, no more than decides.

        :param before: what was found in others of the request; more is added to it.
        """
        found = Findings() if before is None else before
        for value in values:
            _, _, text, overlong, is_name, _ = value
            if not is_plain(text) or overlong or (is_name and "$" in text):
                if len(found) < _MANY:
                    self._add(found, value, self._families)
                elif self.is_decided(found):
                    break
                else:
                    self._add(found, value, self._decisive)
        return found

    def is_decided(self, found: Findings) -> bool:
        """Whether so much was found that nothing more is looked for."""
        return len(found) >= _MANY and (not self._decisive or found.score >= self.threshold)

    def clears(self, text: str) -> bool:
        """Whether nothing is found in a text that is no name, wherever it stands."""
        return is_plain(text) or not self._findings(text, self._families)

    def _findings(self, text: str, families: Collection[str]) -> tuple[Finding, ...]:
        findings = examine(text, self._paranoia, families)
        return findings if findings or not self._asks else tuple(opinion(text, families))

    def score(self, found: Iterable[Found]) -> int:
        """The anomaly score of what is to be refused."""
        return sum(one.rule.score for one in found if one.mode == "block")

    def refuses(self, left: Iterable[Found]) -> bool:
        """Whether what is left when all was mended that can be, is too much: it counts as if it was to be blocked."""
        return sum(one.rule.score for one in left if one.mode in ("block", "clean")) >= self.threshold

    def mend(self, found: Iterable[Found]) -> dict[Value, str]:
        """What takes the place of which values, of those that are to be cleaned and become harmless by it."""
        return {value: new for value in self.mendable(found) if (new := self.mended(value)) is not None}

    def mendable(self, found: Iterable[Found]) -> Iterable[Value]:
        """The values that are to be cleaned, each once."""
        return dict.fromkeys(one.value for one in found if one.mode == "clean" and one.value.where in MENDABLE)

    def mended(self, value: Value) -> str | None:
        """The text with the least taken out that makes it harmless; None when nothing does."""
        for new in _cleaned(value):
            left = self.look([value._replace(text=new, overlong=False)])
            if new != value.text and all(one.mode == "observe" for one in left):
                return new
        return None

    def _add(self, found: Findings, value: Value, families: Collection[str]) -> None:
        _, _, text, overlong, is_name, only = value
        if is_name:
            text = as_name(text)
        findings = self._findings(text, only.intersection(families) if only else families)
        modes, exclude = self._modes, self._exclude
        told: Iterable[Finding | None] = findings
        if overlong and not any(finding.rule is _OVERLONG for finding in findings):
            told = (*findings, None)  # which the bytes told
        for finding in told:
            rule = _OVERLONG if finding is None else finding[0]
            mode = modes[rule[0]]
            if mode != "off" and not (exclude and self._excludes(rule, value)):
                found.append(Found(rule, mode, value, finding))
                if mode == "block":
                    found.score += rule.score

    def _excludes(self, rule: Rule, value: Value) -> bool:
        return any(_agrees(exclusion, rule, value) for exclusion in self._exclude)


def _mode(rule: Rule, config: Config) -> Mode:
    return config.rules.get(rule.name) or config.rules.get(rule.family) or config.mode


def _agrees(exclusion: Exclusion, rule: Rule, value: Value) -> bool:
    if exclusion.rule is not None and exclusion.rule not in (rule.name, rule.family):
        return False
    if exclusion.where is not None and exclusion.where != value.where:
        return False
    name = exclusion.field
    if name is None or name == value.field:
        return True
    if value.where == "header":
        name = name.lower()  # in which names of fields are known here
    return name == value.field or (name.endswith("*") and value.field.startswith(name[:-1]))


def _cleaned(value: Value) -> Iterator[str]:
    if value.is_name and value.where == "form" and value.text != value.field:
        yield clean_filename(value.text)
        return
    yield strip_controls(value.text)  # enough where markup may stay
    if not is_crowded(value.text):
        yield clean_text(value.text)
