"""An origin in memory that reads every byte strictly, and answers each request with a mark of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tests.wire import strict

if TYPE_CHECKING:
    from tests.fuzz.memory import MemoryTransport, Stage

End = Literal["keep", "close", "reset"]


@dataclass(frozen=True)
class Said:
    """What an origin answers.

    :ivar pieces: bytes, a turn of the loop or more between two.
    :ivar end: what it does with the connection then.
    """

    pieces: Sequence[bytes]
    end: End = "keep"


Script = Callable[[strict.Message], Said]


class OriginWire:
    """The origin's end of one connection.

    :ivar requests: what came, whole, with the mark that its answer carries.
    :ivar held: bytes of a request that is not whole.
    :ivar malformed: why these bytes are no request, or `""`.
    :ivar over: whether the gateway has ended it.
    """

    transport: MemoryTransport

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self.requests: list[tuple[str, strict.Message]] = []
        self.held = b""
        self.malformed = ""
        self.over = False

    def received(self, data: bytes) -> None:
        self.held += data
        while self.held and not self.malformed:
            try:
                message, self.held = strict.request(self.held)
            except strict.Unfinished:
                return
            except strict.Malformed as error:
                self.malformed = str(error)
                return
            self._answer(message)

    def ended(self, *, reset: bool) -> None:
        self.over = True

    def _answer(self, message: strict.Message) -> None:
        self._stage.serial += 1
        mark = f"m{self._stage.serial}"
        self.requests.append((mark, message))
        target = message.line.partition(" ")[2]
        script = self._stage.scripts.get(target)
        if script is None:
            self._say(Said([echo(mark, message)]))
        else:
            self._say(script(message))

    def _say(self, said: Said) -> None:
        """Later, as a network would."""
        loop = self._stage.gateway.runtime.connector._loop
        for piece in said.pieces:
            loop.call_soon(self.transport.feed, piece)
        if said.end == "close":
            loop.call_soon(self.transport.finish)
        elif said.end == "reset":
            loop.call_soon(self.transport.reset)


def echo(mark: str, message: strict.Message) -> bytes:
    """An answer that tells which request it is for."""
    head = f"HTTP/1.1 200 OK\r\nX-Mark: {mark}\r\nContent-Length: {len(mark)}\r\n\r\n"
    return (head if message.line.startswith("HEAD ") else head + mark).encode()
