"""The answer to "what would happen to this request?": data, as JSON, and as text for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from proxy.patience import Patience
from proxy.settings.secrets import MASK, is_secret_field

Fields = Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A route, and why it won or lost.

    :ivar matches: its conditions in short: hosts, path, methods.
    """

    name: str
    matches: str
    won: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Step:
    """One plugin of the chain.

    :ivar plugin: its name, or that of its file.
    :ivar ran: whether its hooks were run for real, since they change nothing but the exchange.
    :ivar reached: whether the request came as far as this plugin.
    :ivar says: its own description of what it would do; may be empty.
    :ivar changes: what its hooks were seen to do.
    """

    id: str
    plugin: str
    rank: str
    ran: bool
    reached: bool
    says: str
    changes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Forward:
    """What an upstream would be sent.

    :ivar host: the Host field.
    :ivar fields: all others, in order.
    :ivar choice: how the endpoint was chosen and is watched: pairs of a topic and words.
    :ivar on_error: what is done instead of answering with a failure; `""` for nothing.
    """

    upstream: str
    endpoint: str
    method: str
    target: str
    host: str
    fields: Fields
    patience: Patience
    on_error: str = ""
    choice: Fields = ()


@dataclass(frozen=True, slots=True)
class Made:
    """An answer that is made without asking an upstream.

    :ivar by: the plugin's id; `""` when the gateway itself answers.
    :ivar reason: why the gateway answers; `""` when a plugin does.
    """

    status: int
    by: str
    reason: str
    fields: Fields


@dataclass(frozen=True, slots=True)
class Explanation:
    """What would happen to a request.

    :ivar request: method and URL.
    :ivar client: the address that it is taken to come from.
    :ivar candidates: every route in the order in which it was considered.
    :ivar route: the one that takes it; `""` for none.
    :ivar forward: what the upstream would be sent, or None.
    :ivar made: the answer that is made here, or None.
    :ivar unknown: ids of plugins that were not run and may answer instead.
    :ivar cache: what the cache would do: `hit`, `eligible` or `bypass`; `""` when none is reached.
    :ivar pages: the operator's error pages, by status or class: each page's type and the file that it is from.
    """

    request: str
    client: str
    candidates: tuple[Candidate, ...]
    route: str
    steps: tuple[Step, ...]
    forward: Forward | None
    made: Made | None
    unknown: tuple[str, ...]
    pages: tuple[tuple[str, tuple[tuple[str, str], ...]], ...] = ()
    cache: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; values of fields that carry secrets are masked."""
        return {
            "request": self.request,
            "client": self.client,
            "routes": [{"name": c.name, "match": c.matches, "won": c.won, "reason": c.reason} for c in self.candidates],
            "route": self.route or None,
            "chain": [_step(step) for step in self.steps],
            "forward": None if self.forward is None else _forward(self.forward),
            "answer": None if self.made is None else _made(self.made),
            "cache": self.cache or None,
            "may_answer": list(self.unknown),
            "error_pages": {key: [{"type": t, "file": f or None} for t, f in pages] for key, pages in self.pages},
        }

    def render(self) -> str:
        """Text for people, some lines for each question."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        yield f"{self.request}   (from {self.client})"
        yield from _section("routes", [(_mark(c.won) + c.name, f"{c.matches}: {c.reason}") for c in self.candidates])
        yield from _section("chain", [(f"  {s.id}", _told(s)) for s in self.steps])
        if self.forward is not None:
            yield from _section("forward", _forward_rows(self.forward))
        if self.made is not None:
            by = f"by {self.made.by}" if self.made.by else f"by the gateway: {self.made.reason}"
            rows = [("  status", f"{self.made.status} {by}")]
            yield from _section("answer", rows + _field_rows(self.made.fields))
        if self.pages:
            yield from _section("error pages", [(f"  {key}", _pages_told(pages)) for key, pages in self.pages])
        if self.unknown:
            yield ""
            yield f"not run, and may answer instead: {', '.join(self.unknown)}"


def shown(name: str, value: str) -> str:
    """A field's value, hidden when the field carries secrets."""
    return MASK if is_secret_field(name) else value


def _step(step: Step) -> dict[str, Any]:
    return {
        "id": step.id,
        "plugin": step.plugin,
        "rank": step.rank,
        "ran": step.ran,
        "reached": step.reached,
        "says": step.says,
        "changes": list(step.changes),
    }


def _forward(forward: Forward) -> dict[str, Any]:
    patience = forward.patience
    return {
        "upstream": forward.upstream,
        "endpoint": forward.endpoint,
        "method": forward.method,
        "target": forward.target,
        "host": forward.host,
        "headers": [[name, shown(name, value)] for name, value in forward.fields],
        "timeouts": {
            "connect": patience.connect,
            "first_byte": patience.first_byte,
            "between_bytes": patience.between_bytes,
            "total": patience.total or None,
        },
        "on_error": forward.on_error or None,
        "choice": dict(forward.choice),
    }


def _made(made: Made) -> dict[str, Any]:
    headers = [[name, shown(name, value)] for name, value in made.fields]
    return {"status": made.status, "by": made.by or None, "reason": made.reason, "headers": headers}


def _section(title: str, rows: list[tuple[str, str]]) -> Iterator[str]:
    yield ""
    yield title
    if not rows:
        yield "  none"
    width = max((len(name) for name, _ in rows), default=0)
    for name, text in rows:
        yield f"{name.ljust(width)}  {text}".rstrip()


def _pages_told(pages: Sequence[tuple[str, str]]) -> str:
    return ", ".join(f"{kind} from {file}" if file else kind for kind, file in pages)


def _mark(won: bool) -> str:
    return "> " if won else "  "


def _told(step: Step) -> str:
    name = f"{step.plugin}, {step.rank}" if step.plugin != step.id else step.rank
    if not step.reached:
        return f"({name}) not reached on the way in"
    told = [*([step.says] if step.says else []), *step.changes]
    if not told:
        told = ["does nothing here" if step.ran else "not run here; it does not describe itself"]
    return f"({name}) {'; '.join(told)}"


def _forward_rows(forward: Forward) -> list[tuple[str, str]]:
    patience = forward.patience
    total = f", in all {patience.total:g} s" if patience.total else ""
    waits = f"connect {patience.connect:g} s, first byte {patience.first_byte:g} s"
    return [
        ("  upstream", forward.upstream),
        ("  endpoint", forward.endpoint),
        ("  request", f"{forward.method} {forward.target}"),
        ("  Host", forward.host),
        *_field_rows(forward.fields),
        ("  timeouts", f"{waits}, between bytes {patience.between_bytes:g} s{total}"),
        *((f"  {topic}", words) for topic, words in forward.choice),
        *([("  on error", forward.on_error)] if forward.on_error else []),
    ]


def _field_rows(fields: Fields) -> list[tuple[str, str]]:
    return [(f"  {name}", shown(name, value)) for name, value in fields]
