"""Clear most targets by one look, before they are taken apart: it may clear nothing that a closer look would find."""

from __future__ import annotations

import re

# targets that one look clears: no escapes but spaces, no slash or quote in the query, no runs of dots or dashes
_PLAIN = re.compile(
    r"(?:/[A-Za-z0-9_~\-]*+(?:\.[A-Za-z0-9_~\-]++)*+)++"
    r"(?:\?(?:[A-Za-z0-9_=&,.:\-]++|(?<=\w)(?:\+|%20)(?=[A-Za-z0-9]))*+)?+"
)
_SUSPECT = re.compile(  # what `is_plain` does not clear of these letters, and paths to what no site has; lower-case
    r"\.\.|--|__|[/?=&]\.|0x2[ef]|=[^&=]*+=|prototype|document\.|wp-config|id_[rd]sa"
    r"|\.(?:ini|config|log|env|bak|conf|asax)\b"
    r"|/(?:etc|proc|var|dev|root|boot|sys|usr|run|web-inf|meta-inf|windows|winnt|system32|inetpub|xampp|lampp|apache2?)/"
)
_SPOKEN = re.compile(  # where there are spaces: what means something to a database or shell, at the start of a word
    r"(?:\+|%20|[?&=])(?:x?or|and|order|group|by|having|waitfor|shutdown|table|set|like|database|between"
    r"|not|div|mod|in|is|into|limit|regexp|wmic|exec\w*|powershell|invoke-|start-process|ls|cat|rm|ps|ping|uname|netstat"
    r"|wget|curl|nslookup|xterm|openssl)(?![a-z0-9])|invoke-|start-process|select|union|waitfor|having"
)


def is_plain_target(target: str) -> bool:
    """Whether nothing is found in a path with its query, at any level."""
    if _PLAIN.fullmatch(target) is None:
        return False
    lowered = target.lower()
    if _SUSPECT.search(lowered) is not None:
        return False
    return ("+" not in target and "%" not in target) or _SPOKEN.search(lowered) is None
