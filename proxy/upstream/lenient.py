"""Heads of a legacy upstream, written anew so that the strict reading takes them (`strict: false`).

What such a server writes carelessly, but without leaving a doubt about where its answer ends, is put right here: lines
that end in LF alone, folded lines, white space before a colon, and control bytes in values or the reason phrase, which
become spaces (RFC 9112 sections 2.2, 5.1 and 5.2, RFC 9110 section 5.5). NUL is never taken. The fields by which the
two ends understand each other's framing get no such help: where one of them is written like that the answer is refused
as ever, and so is every body that breaks its framing.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from proxy.errors import BadResponse, ResponseHeadTooLarge
from proxy.upstream.head import MAX_HEAD

_END = re.compile(rb"\n\r?\n")
_FOLD = re.compile(rb"\r?\n[ \t]+")
_FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+)([ \t]*):(.*)", re.DOTALL)
_CONTROL = re.compile(rb"[\x01-\x08\x0b-\x1f\x7f]")
_FRAMING = frozenset(
    {b"connection", b"content-length", b"keep-alive", b"proxy-connection", b"te", b"trailer", b"transfer-encoding"}
    | {b"upgrade"}
)
_SWITCHED = b"101"


class Straightener:
    """Puts the heads of one connection's answers right.

    :param refuse: told of what cannot be put right.
    """

    __slots__ = ("_held", "_refuse")

    def __init__(self, refuse: Callable[[BadResponse], None]) -> None:
        self._held = b""
        self._refuse = refuse

    def begin(self) -> None:
        """Another request is sent."""
        self._held = b""

    def feed(self, data: bytes) -> bytes:
        """Take bytes while a head is due.

        :returns: whole heads, put right, and behind a final one what came behind it; empty while a head is not whole,
            and when it was refused.
        """
        try:
            return self._feed(data)
        except BadResponse as error:
            self._refuse(error)
            return b""

    def _feed(self, data: bytes) -> bytes:
        data, self._held = self._held + data, b""
        heads = []
        while (end := _END.search(data)) is not None:
            head, data = data[: end.start()], data[end.end() :]
            heads.append(straight(head))
            code = head[9:12]
            if not code.startswith(b"1") or code == _SWITCHED:
                return b"".join(heads) + data
        if len(data) > MAX_HEAD:
            raise ResponseHeadTooLarge(f"the head of the upstream's answer is over {MAX_HEAD} bytes")
        self._held = data
        return b"".join(heads)


def straight(head: bytes) -> bytes:
    """A head without its empty line, as the grammar has it, with the empty line.

    :raises BadResponse: for NUL, for a first line that is folded, and for carelessness in a field about framing.
    """
    if b"\0" in head:
        raise BadResponse("the upstream's answer holds a NUL byte")
    status, *lines = _FOLD.sub(b"\n ", head).split(b"\n")
    whole: list[list[bytes]] = []
    for line in lines:
        line = line.removesuffix(b"\r")
        if not line.startswith(b" "):
            whole.append([line])
        elif whole:
            whole[-1].append(line)
        else:
            raise BadResponse("the upstream's answer has a folded status line (RFC 9112 section 5.2)")
    fields = [_field(parts) for parts in whole]
    return b"\r\n".join([_CONTROL.sub(b" ", status.removesuffix(b"\r")), *fields]) + b"\r\n\r\n"


def _field(parts: list[bytes]) -> bytes:
    """One field line, of the lines that it was folded into."""
    line = b"".join(parts)
    match = _FIELD.fullmatch(line)
    if match is None:
        return line  # the strict reading refuses it
    name, space, value = match.groups()
    careless = bool(space) or len(parts) > 1 or _CONTROL.search(value) is not None
    if careless and name.lower() in _FRAMING:
        raise BadResponse("the upstream's answer is malformed in a field about its framing (RFC 9112 section 6)")
    return name + b":" + _CONTROL.sub(b" ", value)
