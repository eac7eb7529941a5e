"""What clients may do: from the settings to the front end's limits."""

from __future__ import annotations

from proxy.fields import REQUEST_KINDS
from proxy.frontend.identity import Trust
from proxy.frontend.listener import Limits
from proxy.settings import Document, Problem, Settings


def client_limits(settings: Settings) -> Limits:
    """Seconds and bytes for every listener."""
    return Limits(
        head=settings.timeouts.head,
        body_gap=settings.timeouts.between_bytes,
        idle=settings.timeouts.keep_alive,
        slow_reader=settings.timeouts.slow_reader,
        head_bytes=settings.limits.head,
        fields=settings.limits.fields,
        target_bytes=settings.limits.target,
        connections=settings.limits.connections,
        underscores=frozenset(name.lower() for name in settings.allow_underscores),
        traces=settings.traceparent,
    )


def client_trust(settings: Settings) -> Trust:
    """Whose word is believed, and in which fields."""
    return Trust(settings.trusted_proxies, forwarded=settings.forwarded_header)


def check_underscores(settings: Settings, document: Document, problems: list[Problem]) -> None:
    """Look for names that would be taken for fields of the gateway's own by who reads `-` and `_` alike."""
    for index, name in enumerate(settings.allow_underscores):
        if name.lower().replace("_", "-") in REQUEST_KINDS:
            message = f"clients could forge a field of the gateway's own with {name}"
            problems.append(document.problem(("allow_underscores", index), message, "remove it"))
