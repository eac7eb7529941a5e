"""Judge recorded requests: how many would be refused, by which rule, on which route and field, and what to exclude."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from plugins.sanitize import bodies
from plugins.sanitize.config import Config
from plugins.sanitize.judge import Found, Judge
from plugins.sanitize.recorded import Recorded
from plugins.sanitize.values import Value, of_cookies, of_pairs, of_path
from proxy.sanitize import unquoted


class Rehearsal:
    """Counts what a Config would do to requests.

    :ivar requests: how many were judged.
    :ivar refused: how many would be refused.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._judge = Judge(config)
        self.requests = 0
        self.refused = 0
        self._reasons: Counter[tuple[str, str, str, str]] = Counter()  # route, where, field, rule
        self._samples: dict[tuple[str, str, str, str], str] = {}

    def add(self, request: Recorded) -> None:
        """Judge one request."""
        self.requests += 1
        found = self._judge.look(self._values(request))
        if self._judge.score(found) < self._judge.threshold:
            return
        self.refused += 1
        for key, one in {_key(request, one): one for one in found}.items():
            self._reasons[key] += 1
            self._samples.setdefault(key, one.span)

    def exclusions(self) -> Iterator[tuple[str, dict[str, str]]]:
        """The narrowest exclusions that would let everything recorded pass: each with its route."""
        for route, where, name, rule in self._reasons:
            yield route, {"rule": rule, "where": where, **({"field": name} if name else {})}

    def as_data(self) -> dict[str, Any]:
        """Everything, for programs."""
        return {
            "requests": self.requests,
            "refused": self.refused,
            "reasons": [
                {
                    "route": route,
                    "where": where,
                    "field": name,
                    "rule": rule,
                    "requests": count,
                    "matched": self._samples[key],
                }
                for key, count in self._reasons.most_common()
                for route, where, name, rule in (key,)
            ],
            "exclusions": [{"route": route, **exclusion} for route, exclusion in self.exclusions()],
        }

    def report(self) -> str:
        """Everything, for people."""
        share = 100 * self.refused / self.requests if self.requests else 0.0
        lines = [f"{self.requests} requests, {self.refused} would be refused ({share:.2f} %)"]
        for title, index in (("rule", 3), ("route", 0), ("field", 2)):
            lines += ["", f"by {title}", *self._table(index)]
        if self._reasons:
            lines += ["", "narrowest exclusions, if all of this was harmless"]
            lines += [
                f"  {_printable(route) or 'every route'}: {_shown(exclusion)}" for route, exclusion in self.exclusions()
            ]
        return "\n".join(lines)

    def _table(self, index: int) -> Iterable[str]:
        counts: Counter[str] = Counter()
        for key, count in self._reasons.items():
            name = f"{key[1]} {key[2]}".strip() if index == 2 else key[index]
            counts[_printable(name) or "(none)"] += count
        return [f"  {count:>6}  {name}" for name, count in counts.most_common()] or ["  nothing"]

    def _values(self, request: Recorded) -> Iterator[Value]:
        path, _, query = request.target.partition("?")
        yield from of_path(path)
        yield from of_pairs("query", query)
        for name in self._config.headers:
            text = request.headers.get(name.lower())
            if text is not None:
                yield Value("header", name.lower(), *unquoted(text))
        yield from of_cookies(request.headers.get("cookie", ""))
        content_type = request.headers.get("content-type", "")
        kind = bodies.kind_of(content_type) if request.body else ""
        if kind:
            yield from bodies.values(kind, request.body.encode("utf-8", "surrogatepass"), content_type)


def _key(request: Recorded, one: Found) -> tuple[str, str, str, str]:
    return request.route, one.value.where, one.value.field, one.rule.name


def _printable(name: str) -> str:
    """A name that clients made up, without what a terminal would act on."""
    return name if name.isprintable() else json.dumps(name)[1:-1]


def _shown(exclusion: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"{name}: {json.dumps(value)}" for name, value in exclusion.items()) + "}"
