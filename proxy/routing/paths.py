"""How a target is read for matching.

The target is forwarded byte for byte, but an upstream may decode it, merge its slashes or resolve its dots. If
routes were matched on the raw bytes, `/%61dmin` or `//admin` would slip past the route that guards `/admin`. So
matching reads a normalised copy; and where a path has two honest readings (`..`, an encoded slash), the router
compares both and refuses a path whose readings fall to different routes.
"""

from __future__ import annotations

import re

from proxy.errors import BadRequest

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_SPECIAL = re.compile(r"%[0-9A-Fa-f]{2}|//+|[\x80-\xff]")
_NOTHING: frozenset[str] = frozenset()
_SEPARATORS = re.compile(r"%2F|%5C|\\")
_DOTS = re.compile(r"/\.\.?(?:[/;]|$)")


def plain_path(target: str) -> str | None:
    """The path of a target that has only one reading, which is nearly every target; None when it needs thought."""
    path = target.partition("?")[0]
    if "%" in path or "//" in path or "/." in path or "\\" in path:
        return None
    return path if target.isascii() and target.isprintable() else None


def matching_path(target: str) -> str:
    """The normalised copy of a target's path that routes are matched on (RFC 3986 section 6.2.2).

    Encoded printable characters are decoded, except `/`, `\\` and `%`; what stays encoded has upper-case digits;
    bytes beyond ASCII are encoded; runs of slashes are one slash. Dot segments and encoded slashes stay as they
    are: only the router can tell whether they would change the match.

    :param target: origin-form target, latin-1 text of the bytes received.
    :raises BadRequest: for a raw control byte anywhere, `%00` in the path, or dot segments that climb above `/`.
    """
    path = plain_path(target)
    if path is not None:
        return path
    kept, _, _, odd = readings(target)
    if "nul" in odd:
        raise BadRequest("the request path holds an encoded NUL")
    return kept


def readings(target: str) -> tuple[str, str, bool, frozenset[str]]:
    """The path as `matching_path` gives it, its other reading and whether `..` stood in it: see `resolved`.

    :returns: these, and what is odd about it: `dots`, `slashes` (encoded ones, or backslashes), `nul` (encoded).
    :raises BadRequest: for a raw control byte anywhere, or dot segments that climb above `/`.
    """
    if _CONTROL.search(target) is not None:
        raise BadRequest("the request target holds a control character")
    path = target.partition("?")[0]
    kept = _SPECIAL.sub(_normal, path)
    other, climbs = resolved(kept)
    if other == kept and not climbs and "%00" not in kept:
        return kept, other, climbs, _NOTHING
    slashes, dots = _SEPARATORS.search(kept), _DOTS.search(_SEPARATORS.sub("/", kept))
    found = (("slashes", slashes), ("dots", dots), ("nul", "%00" in kept))
    return kept, other, climbs, frozenset(name for name, there in found if there)


def aligned(path: str) -> tuple[str, list[int]]:
    """The normalised path, and for each of its characters (and its end) the place in `path` that it came from.

    What a rewriting needs to cut the raw path where the normalised one was matched.
    """
    pieces: list[str] = []
    places: list[int] = []
    at = 0
    for special in _SPECIAL.finditer(path):
        start, end = special.span()
        text = _normal(special)
        if at < start:
            pieces.append(path[at:start])
            places.extend(range(at, start))
        pieces.append(text)
        places.extend([start] * len(text))
        at = end
    pieces.append(path[at:])
    places.extend(range(at, len(path) + 1))
    return "".join(pieces), places


def resolved(path: str) -> tuple[str, bool]:
    """The other reading of a normalised path: encoded slashes and backslashes separate, dots are resolved.

    :returns: the path read so, and whether `..` stood in it (`..;x` counts, as some servers drop what follows `;`).
    :raises BadRequest: when `..` climbs above the root.
    """
    if "/." not in path and _SEPARATORS.search(path) is None:
        return path, False
    segments: list[str] = []
    climbs = False
    names = _SEPARATORS.sub("/", path).split("/")[1:]
    for name in names:
        bare = name.partition(";")[0]
        if bare == "..":
            climbs = True
            if not segments:
                raise BadRequest("the request path climbs above the root")
            segments.pop()
        elif bare != "." and name:
            segments.append(name)
    below = "/" if segments and (not names[-1] or names[-1].partition(";")[0] in (".", "..")) else ""
    return "/" + "/".join(segments) + below, climbs


def _normal(special: re.Match[str]) -> str:
    return _NORMAL.get(special[0], "/")


def _normal_forms() -> dict[str, str]:
    """Every spelling of an encoded byte, and every byte beyond ASCII, to the form that is matched."""
    forms: dict[str, str] = {}
    for code in range(256):
        char = chr(code)
        encoded = f"%{code:02X}"
        normal = char if 0x21 <= code <= 0x7E and char not in "/\\%" else encoded
        if code >= 0x80:
            forms[char] = encoded
        for high in {encoded[1], encoded[1].lower()}:
            for low in {encoded[2], encoded[2].lower()}:
                forms[f"%{high}{low}"] = normal
    return forms


_NORMAL = _normal_forms()
