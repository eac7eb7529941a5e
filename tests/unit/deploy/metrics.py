"""What a gateway measures, as names with their labels, and what an expression of Prometheus asks for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import trustme

from proxy.registry import Registry
from proxy.server.gateway import Gateway
from proxy.settings import load_text

# Everything that is measured: with each plugin, a circuit breaker, probes, a Redis that is not there, and TLS.
SETTINGS = """
listen:
  - http://127.0.0.1:0
  - {{url: https://127.0.0.1:0, tls: {{certificate: {place}/chain.pem, key: {place}/key.pem}}}}
admin: false
state: {place}/state
redis: redis://127.0.0.1:1/0
upstreams:
  app: {{targets: [http://127.0.0.1:9], breaker: {{failure_ratio: 50%}}, health: {{path: /, every: 1h}}}}
plugins:
  - access_log: {{file: {place}/access.log}}
  - request_id
  - sanitize
  - cache
  - compress
  - webhook: {{endpoints: [{{id: a, url: http://127.0.0.1:9, secret: a-secret-of-a-test, allow_private: true}}]}}
  - events
routes: [{{name: all, upstream: app}}]
"""

# Added by whoever collects: `up` and these labels by Prometheus, `le` by histograms.
COLLECTED = {"up": frozenset[str]()}
COLLECTORS = frozenset({"job", "instance", "namespace", "pod", "service", "le"})
# The supervisor's own; it has them when there are workers.
SUPERVISED = ("passerelle_worker_deaths_total", "passerelle_workers")

_FAMILY = re.compile(r"^# HELP (\w+) ", re.MULTILINE)
_SAMPLE = re.compile(r"^(\w+?)(?:_bucket|_sum|_count)?\{(.*)\} ", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="')


async def measured(place: Path) -> dict[str, frozenset[str] | None]:
    """The labels of every metric; None where no time series shows them yet."""
    made = trustme.CA().issue_cert("localhost")
    made.private_key_pem.write_to_path(place / "key.pem")
    for pem in made.cert_chain_pems:
        pem.write_to_path(place / "chain.pem", append=True)
    gateway = Gateway(load_text(SETTINGS.format(place=place), {}, place / "p.yaml"), Registry.installed())
    await gateway.start()
    try:
        text = gateway.metrics.exposition()[0]
    finally:
        await gateway.stop()
    return known(text.decode())


def known(text: str) -> dict[str, frozenset[str] | None]:
    """What an exposition names."""
    found: dict[str, frozenset[str] | None] = dict.fromkeys((*_FAMILY.findall(text), *SUPERVISED))
    found.update({name: frozenset(_LABEL.findall(labels)) for name, labels in _SAMPLE.findall(text)})
    return found | COLLECTED


def asked(expression: str) -> Iterator[tuple[str, frozenset[str]]]:
    """Every metric that an expression names, with the labels that it selects or groups by.

    :raises ValueError: when it is none.
    """
    text = expression.replace("$__rate_interval", "5m").replace("$__range", "1h")
    yield from _selected(promql_parser.parse(text), frozenset())


def _selected(node: Any, labels: frozenset[str]) -> Iterator[tuple[str, frozenset[str]]]:
    if isinstance(node, promql_parser.VectorSelector):
        yield str(node.name), labels | {matcher.name for matcher in node.matchers.matchers}
        return
    if isinstance(node, promql_parser.AggregateExpr) and node.modifier is not None:
        labels |= set(node.modifier.labels)
    for part in ("vector_selector", "expr", "lhs", "rhs"):
        if hasattr(node, part):
            yield from _selected(getattr(node, part), labels)
    for argument in getattr(node, "args", ()):
        yield from _selected(argument, labels)


def unknown(expression: str, metrics: dict[str, frozenset[str] | None]) -> list[str]:
    """What an expression asks for and no gateway measures."""
    wrong = []
    for name, labels in asked(expression):
        base = name if name in metrics else re.sub(r"_(bucket|sum|count)$", "", name)
        has = metrics.get(base, frozenset())
        if base not in metrics:
            wrong.append(name)
        elif has is not None:
            wrong += [f"{name}{{{label}}}" for label in sorted(labels - has - COLLECTORS)]
    return wrong
