"""What coding does to an answer's fields, and what answers must not be touched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from plugins.compress.tags import Style, clients_form, of_coded
from proxy.api import Headers

# They are about bytes that go out no more (RFC 9110 section 14.3, RFC 9530, RFC 1864, RFC 3230).
OF_THE_BYTES = frozenset({"accept-ranges", "content-digest", "content-length", "content-md5", "digest", "repr-digest"})
_OF_THE_CODING = OF_THE_BYTES | {"content-encoding", "etag"}
DIGESTS = OF_THE_BYTES - {"accept-ranges", "content-length"}

IDENTITY = "identity"
_FIELD = "Accept-Encoding"
_FIELD_OF_VARY = "Vary"
_VARIES = (_FIELD_OF_VARY.encode(), _FIELD.encode())


def vary(headers: Headers, values: Sequence[str]) -> None:
    """Say that the answer depends on Accept-Encoding, unless that is said already (RFC 9110 section 12.5.5).

    :param values: of Vary.
    """
    if not values:
        headers.push(_FIELD_OF_VARY, "vary", _FIELD)
        return
    named = {name.strip(" \t").lower() for value in values for name in value.split(",")}
    if "*" in named or "accept-encoding" in named:
        return
    if len(values) == 1 and values[0].strip(" \t,"):
        headers["Vary"] = f"{values[0]}, {_FIELD}"
    else:
        headers.add("Vary", _FIELD)


def recoded(headers: Headers, fields: Mapping[str, Sequence[str]], coding: str, style: Style) -> None:
    """The fields of an answer whose content goes out in another coding than it came in, Vary among them.

    :param fields: the values of Vary and ETag as far as there are any.
    """
    named = fields.get("vary")
    if named:
        vary(headers, named)
    more = [] if named else [_VARIES]
    if coding != IDENTITY:
        more.append((b"Content-Encoding", coding.encode()))
    tags = fields.get("etag")
    if tags:
        more.append((b"ETag", of_coded(tags[0], coding, style).encode("latin-1")))
    headers.swap(_OF_THE_CODING, more)


def unchanged(headers: Headers, asked: list[str], coding: str, style: Style) -> bool:
    """Give a 304 the entity tag that its 200 had.

    :param asked: the tags of the client's If-None-Match.
    :param coding: what a 200 would be coded in, as far as can be known: the fallback where the client named no tag.
    :returns: whether the client's representation was coded here.
    """
    tag = headers.get("etag")
    if tag is None:
        return False
    known = clients_form(tag, asked, style) if asked else of_coded(tag, coding, style) if coding != IDENTITY else tag
    if known == tag:
        return False
    headers["ETag"] = known
    headers.remove_all(OF_THE_BYTES)
    return True


def forbids(values: Sequence[str]) -> bool:
    """Whether Cache-Control holds `no-transform` (RFC 9111 sections 5.2.1.6 and 5.2.2.6)."""
    return any(
        part.strip(" \t").lower() == "no-transform"
        for value in values
        if "no-transform" in value.lower()  # seldom so, and the rest costs
        for part in value.split(",")
    )
