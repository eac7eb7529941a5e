"""Bodies decoded as they flow, for those who read them and for clients that could not.

What comes out of one piece may be many; the loop gets its turn between them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Literal

from proxy.body import Body, Filter
from proxy.codings.decoders import CodingError, Limits, TooMuch, Undoing
from proxy.codings.negotiation import applied
from proxy.errors import BadRequest, BadResponse, BodyTooLarge, GatewayError, ResponseTooLarge
from proxy.headers import Headers

_TURN = 256 * 1024  # bytes given out before others get their turn; a millisecond at the least
_STEP = 2048  # what a step costs by itself, in such bytes: an empty member of gzip takes its time too

Whose = Literal["request", "response"]


def decoding(codings: Sequence[str], limits: Limits, whose: Whose) -> Filter:
    """A filter that undoes `codings`, as `applied` gives them.

    What is wrong with a body is told as a GatewayError: of a request 400, or 413 where it is too much; of an answer
    502 in both cases, or a cut where it is under way.
    """

    async def change(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        undoing = Undoing(codings, limits)
        since = 0
        try:
            async for data in pieces:
                for piece in undoing.decode(data):
                    if piece:
                        yield piece
                    since += len(piece) + _STEP
                    if since >= _TURN:
                        since = 0
                        await asyncio.sleep(0)
            undoing.end()
        except CodingError as error:
            raise blame(error, whose) from error

    return change


def decoded(headers: Headers, body: Body, limits: Limits, whose: Whose) -> Body:
    """A message's body as it is without its content codings; the same object when there are none.

    :raises GatewayError: what `decoding` raises, while it is read; at once when it is in memory.
    """
    codings = applied(headers)
    return body.through(decoding(codings, limits, whose)) if codings else body


def blame(error: CodingError, whose: Whose) -> GatewayError:
    """What the gateway answers for a body that could not be decoded."""
    detail = f"the {whose}'s content could not be decoded: {error}"
    if whose == "request":
        return BodyTooLarge(detail) if isinstance(error, TooMuch) else BadRequest(detail)
    return ResponseTooLarge(detail) if isinstance(error, TooMuch) else BadResponse(detail)
