"""How a body gets from one end to the other: written at once, spliced, or pumped.

Both ends send bodies by this one function: the front end answers with it, the transport uploads with it.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from typing import Any, Protocol, cast

from proxy.body import Body, Filtered
from proxy.errors import GatewayError, PluginFailed
from proxy.stream import Sink, Stream
from proxy.waiting import RAISED

log = logging.getLogger("passerelle.flow")

Spawn = Callable[[Coroutine[Any, Any, None]], "asyncio.Task[None]"]


PARTING = 1.0  # seconds that filters have for what came before the failure of what they read from
SMALL = 65536  # bytes of content that are copied behind what goes before them, so that both leave in one write
PIECE = 262144  # bytes of a body in memory that are written at once: TLS copies what waits for a slow reader


def put(transport: asyncio.WriteTransport, buffers: tuple[bytes, ...], size: int) -> None:
    """Write one piece of a body with its framing.

    :param size: bytes of content in it; many are not copied.
    """
    if len(buffers) == 1:
        transport.write(buffers[0])
    elif size <= SMALL:
        transport.write(b"".join(buffers))
    else:
        transport.writelines(buffers)


class Drain(Sink, Protocol):
    """A sink that can also make a pump wait."""

    full: bool

    def drained(self) -> Awaitable[None]:
        """Completes when there is room again, or nothing will ever be written any more."""


class Room:
    """Room in front of a connection: what a sink that makes a pump wait has of it.

    :ivar full: whether the other side takes bytes more slowly than they come.
    """

    __slots__ = ("_waiter", "full")

    def __init__(self) -> None:
        self.full = False
        self._waiter: asyncio.Future[None] | None = None

    def drained(self) -> Awaitable[None]:
        """:see: `proxy.flow.Drain`."""
        waiter = self._waiter = asyncio.get_running_loop().create_future()
        if not self.full:
            waiter.set_result(None)
        return waiter

    def make_room(self) -> None:
        """Let a pump go on, into nothing if the connection is gone."""
        self.full = False
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)


def splices(body: Body) -> bool:
    """Whether this body's bytes can be pushed on as they arrive, since nobody pulls it."""
    return isinstance(body, Stream) and body.spliceable


def send(body: Body, sink: Drain, spawn: Spawn) -> asyncio.Task[None] | None:
    """Send `body` into `sink`, the cheapest way that it allows.

    :returns: the pump's task when a plugin made or changes the body; else None, and bytes come by callbacks.
    """
    data = body.data
    if data is not None:
        rest = _begun(data, sink)
        if rest is None:
            sink.body_end(body.trailers)
            return None
        rest.trailers, body = body.trailers, rest
    elif isinstance(body, Stream) and body.spliceable:
        body.attach(sink)
        return None
    ending = _Ending(body, sink)
    ending.task = spawn(_pump(body, sink, ending))
    return ending.task


def _begun(data: bytes, sink: Drain) -> Body | None:
    """Write what is in memory while there is room for it; what is left when there is none, to be pumped."""
    size = len(data)
    if size <= PIECE:
        if data:
            sink.body_data(data)
        return None
    whole = cast("bytes", memoryview(data))  # to be cut without copies: a sink does with it what it does with bytes
    for at in range(0, size, PIECE):
        if at and sink.full:
            return Body.of(_left(whole, at))
        sink.body_data(whole[at : at + PIECE])
    return None


async def _left(whole: bytes, at: int) -> AsyncIterator[bytes]:
    for begin in range(at, len(whole), PIECE):
        yield whole[begin : begin + PIECE]


class _Ending:
    """Ends a pump whose source has failed while a filter goes on waiting for something of its own.

    What came before the failure may still be changed and passed on, for a moment, and as slowly as the sink takes it.

    :ivar error: the source's failure, once the pump is cancelled for it.
    """

    __slots__ = ("_sink", "_source", "error", "task")

    def __init__(self, body: Body, sink: Drain) -> None:
        while isinstance(body, Filtered):
            body = body.inner
        self._source = body
        self._sink = sink
        self.error: GatewayError | None = None
        self.task: asyncio.Task[None] | None = None
        body.on_end(self._later)

    def _later(self) -> None:
        if isinstance(self._source, Stream) and self._source.error is not None:
            asyncio.get_running_loop().call_later(PARTING, self._end)

    def _end(self) -> None:
        task, source = self.task, self._source
        if task is None or task.done() or not isinstance(source, Stream):
            return
        if self._sink.full:  # it waits for who takes the bytes, which has a limit of its own
            self._later()
        else:
            self.error = source.error
            task.cancel()


async def _pump(body: Body, sink: Drain, ending: _Ending) -> None:
    """Pull the body piece by piece; the sink's room is the pace."""
    pieces = aiter(body)
    try:
        async for piece in pieces:
            if piece:
                sink.body_data(piece)
                if sink.full:
                    await sink.drained()
    except GatewayError as error:
        sink.body_failed(error)
    except asyncio.CancelledError as cancelled:
        if ending.error is not None:
            sink.body_failed(ending.error)
            return
        if ending.task is None or ending.task.cancelling():
            raise
        sink.body_failed(_failure(cancelled, "a body's filter was cancelled from inside"))
    except RAISED as error:  # a plugin's filter may raise anything: the stream is cut, and the log says why
        log.exception("a body's filter raised")
        sink.body_failed(_failure(error, f"a body's filter raised {type(error).__name__}"))
    else:
        sink.body_end(body.trailers)
    finally:
        close = getattr(pieces, "aclose", None)
        if close is not None:
            await close()


def _failure(cause: BaseException, detail: str) -> PluginFailed:
    """The failure of a filter; the engine finds out by its cause whose filter it was."""
    error = PluginFailed(detail)
    error.__cause__ = cause
    return error
