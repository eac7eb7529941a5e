"""What clients may do: from the settings to the front end's limits."""

from __future__ import annotations

from proxy.frontend.listener import Limits
from proxy.settings import Settings


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
    )
