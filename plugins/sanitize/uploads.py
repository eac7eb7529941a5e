"""Hold bodies of requests to look at them, without what they were coded with; they go on as they came.

A coded body (Content-Encoding, RFC 9110 section 8.4) is undone into a copy, and the limit is for what comes out as for
what came in: some bytes can stand for gigabytes. What cannot be undone is treated like what is too large, but
that it is still there as it is written: to name a coding is no way around being looked at, for most applications ask
for none.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import NamedTuple

from proxy.api import BadRequest, Body, BodyTooLarge, Limits, Request, Response, applied, can_decode, decoded, installed


class Held(NamedTuple):
    """The bytes of a body.

    :ivar data: what it says.
    :ivar is_undone: whether its codings were undone, if it has any; else `data` is what came.
    :ivar written: what came, where codings were undone.
    """

    data: bytes
    is_undone: bool = True
    written: bytes = b""


class Uploads:
    """Reads bodies.

    :param limit: the most bytes of a body that are held, and that a coded one may stand for.
    :param refuses: whether what cannot be looked at is refused; it goes on unread otherwise.
    """

    def __init__(self, limit: int, *, refuses: bool) -> None:
        self._limit = limit
        self._limits = Limits(size=limit)
        self._refuses = refuses

    def foreign(self, request: Request) -> Response | None:
        """The answer to what is coded as cannot be undone here, if that is refused (RFC 9110 section 15.5.16)."""
        if not self._refuses or _can_undo(request):
            return None
        detail = "The content is coded with what cannot be undone here."
        return Response.problem(415, detail, {"accept-encoding": ", ".join(installed())})

    async def read(self, request: Request) -> Held | None:
        """The body; None when it goes on unread. Either way it is still there, byte for byte.

        :raises BodyTooLarge: when it is over the limit and that is refused.
        :raises BadRequest: when it is not what its Content-Encoding says and that is refused.
        """
        data = await self._held(request)
        if data is None or not applied(request.headers):
            return None if data is None else Held(data)
        if not _can_undo(request):
            return Held(data, is_undone=False)
        try:
            said = await decoded(request.headers, Body(data), self._limits, "request").read(self._limit)
            return Held(said, written=data)
        except (BadRequest, BodyTooLarge):
            if self._refuses:
                raise
            return Held(data, is_undone=False)

    async def _held(self, request: Request) -> bytes | None:
        """The bytes as they came; None when there are more than may be held."""
        body = request.body
        if body.size is not None:
            return await body.read(self._limit) if self._is_within(body.size) else None
        parts: list[bytes] = []
        pieces = aiter(body)
        held = 0
        async for piece in pieces:
            parts.append(piece)
            held += len(piece)
            if not self._is_within(held):
                request.body = Body.of(_again(parts, pieces, body))
                return None
        trailers = body.trailers
        request.body = Body(b"".join(parts))
        request.body.trailers = trailers
        return request.body.data

    def _is_within(self, size: int) -> bool:
        if size > self._limit and self._refuses:
            raise BodyTooLarge(f"the body is over the limit of {self._limit} bytes")
        return size <= self._limit


def _can_undo(request: Request) -> bool:
    codings = applied(request.headers)
    return not codings or can_decode(codings)


async def _again(parts: list[bytes], rest: AsyncIterator[bytes], body: Body) -> AsyncIterator[bytes]:
    """What was read already, and then the rest."""
    try:
        for part in parts:
            yield part
        async for part in rest:
            yield part
    finally:
        body.close()
