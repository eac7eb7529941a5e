"""What the tests of detectors have in common."""

from __future__ import annotations

from proxy.sanitize import inspect


def rules(text: str, paranoia: int = 1) -> set[str]:
    """The names of the rules that match."""
    return {finding.rule.name for finding in inspect(text, paranoia=paranoia)}


def families(text: str, paranoia: int = 1) -> set[str]:
    """The families of the rules that match."""
    return {name.partition(".")[0] for name in rules(text, paranoia)}
