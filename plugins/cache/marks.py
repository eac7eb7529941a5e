"""Cache-Status (RFC 9211): on every answer, what the cache did with the request and why."""

from __future__ import annotations

from functools import lru_cache

_NAME = "passerelle"
# What RFC 9211 section 2.2 has a word for; everything else is told in `detail`
_FORWARDS = frozenset({"bypass", "method", "uri-miss", "vary-miss", "miss", "request", "stale", "partial"})


@lru_cache(maxsize=4096)
def hit(ttl: int, detail: str = "") -> str:
    """A stored answer was used.

    :param ttl: seconds that it stays fresh; negative when it is stale already.
    """
    return f"{_NAME}; hit; ttl={ttl}" + (f"; detail={detail}" if detail else "")


@lru_cache(maxsize=1024)
def forwarded(
    why: str,
    status: int = 0,
    *,
    stored: bool = False,
    collapsed: bool = False,
    detail: str = "",
    ttl: int | None = None,
) -> str:
    """The request went on, or waited for one that did.

    :param status: of the answer that came, where it is not the one that the client gets; 0 for none.
    """
    fwd = why if why in _FORWARDS else "bypass"
    told = [f"{_NAME}; fwd={fwd}"]
    if status:
        told.append(f"fwd-status={status}")
    if ttl is not None:
        told.append(f"ttl={ttl}")
    if stored:
        told.append("stored")
    if collapsed:
        told.append("collapsed")
    if fwd != why and not detail:
        detail = why
    if detail:
        told.append(f"detail={detail}")
    return "; ".join(told)
