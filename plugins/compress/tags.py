"""Entity tags of coded answers (RFC 9110 section 8.8.3), there and back.

A coded body is not, byte for byte, what the upstream's strong tag names. So the tag that goes out is weakened, or gets
the coding as a suffix; and when a client comes back with it in a condition, the upstream's own form is put beside it,
so that the upstream finds it again, however it compares.
"""

from __future__ import annotations

import re
from typing import Literal

Style = Literal["weak", "suffix"]

SUFFIXES = ("-gzip", "-br", "-zstd", "-deflate", "-identity")

_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e\x80-\xff]*)"')
_MEMBER = r'(?:(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"[ \t]*)?'
_LIST = re.compile(rf"[ \t]*{_MEMBER}(?:,[ \t]*{_MEMBER})*")


def of_coded(tag: str, coding: str, style: Style) -> str:
    """The tag of an answer that was coded, or decoded, here.

    :param tag: the upstream's; one that is malformed or weak already stays as it is.
    :param coding: of what goes out, `identity` after decoding.
    """
    match = _TAG.fullmatch(tag)
    if match is None or match[1]:
        return tag
    return f"W/{tag}" if style == "weak" else f'"{match[2]}-{coding}"'


def tags_in(values: list[str]) -> list[str]:
    """The tags of If-Match, If-None-Match or If-Range; empty for `*`, a date, or what is malformed."""
    field = ",".join(values)
    if _LIST.fullmatch(field) is None:
        return []
    return [match[0] for match in _TAG.finditer(field)]


def upstreams_forms(tag: str, style: Style) -> list[str]:
    """What the upstream may call the representation that a client knows by `tag`: that, and what it was made of.

    Whether it was made here cannot be seen; an upstream that has not sent a tag does not match it either.
    """
    match = _TAG.fullmatch(tag)
    if match is None:
        return [tag]
    if style == "weak":
        return [tag, f'"{match[2]}"'] if match[1] else [tag]
    suffix = next((end for end in SUFFIXES if match[2].endswith(end)), "")
    return [tag, f'"{match[2].removesuffix(suffix)}"'] if suffix and not match[1] else [tag]


def widened(values: list[str], style: Style) -> str | None:
    """The field of a condition as the upstream gets it; None when it says all already."""
    tags = tags_in(values)
    forms = list(dict.fromkeys(form for tag in tags for form in upstreams_forms(tag, style)))
    return ", ".join(forms) if len(forms) > len(set(tags)) else None


def clients_form(tag: str, asked: list[str], style: Style) -> str:
    """The tag of a 304 as its 200 had it: the client's own word for what the upstream calls `tag`.

    :param asked: the tags of the client's If-None-Match.
    """
    if tag in asked:
        return tag
    return next((one for one in asked if tag in upstreams_forms(one, style)), tag)


def is_ours(tag: str, style: Style) -> bool:
    """Whether a tag may name a coded body made here, of which the upstream could give no range."""
    return len(upstreams_forms(tag, style)) > 1
