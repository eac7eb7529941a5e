"""Ask libinjection too, where that is installed and wanted: a second opinion on SQL and scripts.

It knows SQL by fingerprints that were collected over years, and says yes to much that only looks like an attack: an
option, not the rule. The package `libinjection-python` is built by a compiler, so it is an extra of the distribution.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Collection, Iterator
from functools import cache
from importlib.util import find_spec
from typing import Any

from proxy.sanitize import RULES, Finding, Hit

MODULE = "libinjection"


def is_installed() -> bool:
    """Whether it can be asked here."""
    return find_spec(MODULE) is not None


@cache
def _answers() -> tuple[tuple[str, Callable[[str], Any], str], ...]:
    library = importlib.import_module(MODULE)
    return (
        ("sql.libinjection", library.is_sql_injection, "is_sqli"),
        ("xss.libinjection", library.is_xss, "is_xss"),
    )


def opinion(text: str, families: Collection[str]) -> Iterator[Finding]:
    """What libinjection holds a text for.

    :param families: those of which it is asked, of `sql` and `xss`.
    :raises ImportError: when it is not installed.
    """
    plain = text.encode("utf-8", "replace").decode()  # it takes no lone surrogates
    for name, ask, answer in _answers():
        if RULES[name].family in families and ask(plain)[answer]:
            yield Finding(RULES[name], text, Hit(name, 0, len(text)))
