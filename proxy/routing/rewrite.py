"""What the upstream is asked for: a prefix taken away, or the path put together anew.

Both work on the raw target, so that what the route does not name (an encoded slash, a doubled one, the query)
reaches the upstream as the client wrote it.
"""

from __future__ import annotations

import re

from proxy.routing.paths import aligned, plain_path
from proxy.routing.patterns import PathPattern

_FIELD = re.compile(r"\{([^{}]*)\}")
_TEMPLATE = re.compile(r"[!$&'()*+,\-./0-9:;=@A-Z_a-z~%{}]+")


class Rewrite:
    """A route's rewriting of the target.

    :param path: the route's path pattern, as in `match`.
    :param strip: prefix that goes, on a segment's boundary: `/api` makes `/api/x` `/x`, and `/api` `/`. A path that
        does not begin so is left alone.
    :param template: or the new path, with the pattern's `{name}`s and `{rest}` (what `*` matched):
        `/users/{id}/*` by `/v2/{id}/{rest}`.
    :raises ValueError: unless exactly one of them is given and makes sense under `path`.
    """

    __slots__ = ("_pattern", "_pieces", "strip", "template")

    def __init__(self, path: str, *, strip: str = "", template: str = "") -> None:
        if bool(strip) == bool(template):
            raise ValueError("a rewriting is either a prefix to strip or a template")
        self._pattern = PathPattern(path)
        self.strip = _prefix(strip, self._pattern) if strip else ""
        self.template = template
        self._pieces = _compiled(template, self._pattern) if template else []

    def apply(self, target: str) -> str:
        """The target to ask the upstream for; the query passes byte for byte, and `*` (of OPTIONS) stays.

        :param target: the raw target; one that the route's pattern does not fit (a hook replaced it) comes back as is.
        """
        if target == "*":
            return target
        path, mark, query = target.partition("?")
        return (self._stripped(path) if self.strip else self._composed(path)) + mark + query

    def _stripped(self, path: str) -> str:
        end = len(self.strip)
        if plain_path(path) is not None:
            fits = path.startswith(self.strip) and path[end : end + 1] in ("", "/")
            return (path[end:] or "/") if fits else path
        normal, places = aligned(path)
        fits = normal.startswith(self.strip) and normal[end : end + 1] in ("", "/")
        return (path[places[end] :] or "/") if fits else path

    def _composed(self, path: str) -> str:
        captures = self._pattern.captures(path)
        if captures is None:
            return path
        return "".join([captures[piece] if at % 2 else piece for at, piece in enumerate(self._pieces)])


def _prefix(strip: str, path: PathPattern) -> str:
    """The prefix in its normalised form."""
    pattern = PathPattern(strip.rstrip("/") or "/")
    prefix = pattern.literals[0]
    if pattern.names or pattern.star or prefix == "/":
        raise ValueError(f"strip takes a fixed prefix such as /api: {strip!r}")
    start = path.literals[0]
    if not (start.startswith(prefix) or (prefix.startswith(start) and (path.star or path.names))):
        raise ValueError(f"no path that fits {path.text} begins with {strip!r}")
    return prefix


def _compiled(template: str, path: PathPattern) -> list[str]:
    """Literal text and names by turns, the names at odd places."""
    if not template.startswith("/") or _TEMPLATE.fullmatch(template) is None:
        raise ValueError(f"a rewrite template is a path, percent-encoded, without a query: {template!r}")
    pieces = _FIELD.split(template)
    known = [*path.names, "rest"] if path.star else list(path.names)
    for name in pieces[1::2]:
        if name not in known:
            raise ValueError(
                f"{{{name}}} in {template!r} is not in {path.text}; there are: {', '.join(known) or 'none'}"
            )
    if any("{" in piece or "}" in piece for piece in pieces[::2]):
        raise ValueError(f"a brace without its partner: {template!r}")
    return pieces
