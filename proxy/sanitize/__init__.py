"""Judge and clean what clients send: pure functions on text, usable without the gateway.

    from proxy.sanitize import is_safe, sanitize, sanitize_html, validate_email, validate_filename, validate_url

`inspect` finds attacks and says what it found; the others answer yes or no, or give a cleaned copy.
"""

from proxy.sanitize.clean import (
    clean_filename,
    clean_text,
    has_markup,
    is_crowded,
    sanitize,
    sanitize_html,
    strip_controls,
)
from proxy.sanitize.decode import Readings, from_bytes, readings, unquoted
from proxy.sanitize.inspection import Finding, as_name, examine, inspect, is_plain, is_safe, means_nothing, score
from proxy.sanitize.rules import FAMILIES, RULES, Hit, Rule
from proxy.sanitize.validate import validate_email, validate_filename, validate_url

__all__ = [
    "FAMILIES",
    "RULES",
    "Finding",
    "Hit",
    "Readings",
    "Rule",
    "as_name",
    "clean_filename",
    "clean_text",
    "examine",
    "from_bytes",
    "has_markup",
    "inspect",
    "is_crowded",
    "is_plain",
    "is_safe",
    "means_nothing",
    "readings",
    "sanitize",
    "sanitize_html",
    "score",
    "strip_controls",
    "unquoted",
    "validate_email",
    "validate_filename",
    "validate_url",
]
