"""The admin API of a server with several processes: what is asked is asked of every worker, and answered once."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import suppress
from typing import Any

from proxy.body import Body
from proxy.message import Response
from proxy.plugin import AdminRequest
from proxy.server.admin_routes import PREFIX, AdminRoute, AdminRoutes
from proxy.server.channel import ChannelClosed, Refused
from proxy.server.crew import Crew, Member
from proxy.server.merge import documents
from proxy.server.orders import Question, Reply

log = logging.getLogger("passerelle.admin")

_WAITING = 256  # pieces of a stream that wait for a slow reader; what is beyond is lost and told of
_SECONDS = 5.0  # for the workers' answers
_SHARED = f"{PREFIX}/webhooks"  # kept in a file that all workers share: one of them answers, and acts once


class _Flow:
    """One stream's pieces from several workers.

    :ivar question: what the stream is the answer to.
    :ivar joinable: whether workers that come later have a part in it, too.
    :ivar pieces: what came and was not read yet; None ends one worker's part.
    :ivar parts: which workers' parts have not ended, with their numbers.
    :ivar bereft: whether the last part ended by its worker's death, so that a successor goes on.
    """

    def __init__(self, question: Question, *, joinable: bool) -> None:
        self.question = question
        self.joinable = joinable
        self.pieces: asyncio.Queue[bytes | None] = asyncio.Queue(_WAITING)
        self.parts: dict[Member, int] = {}
        self.bereft = False
        self.lost = 0

    def add(self, piece: bytes | None) -> None:
        """Take a piece, or count it as lost when the reader is too slow."""
        if piece is not None and self.pieces.full():
            self.lost += 1
            return
        if self.pieces.full():
            self.pieces.get_nowait()
            self.lost += 1
        self.pieces.put_nowait(piece)


class Relay:
    """Stands where one process has its table of admin routes.

    :ivar own: what the supervisor answers by itself.
    """

    def __init__(self, crew: Crew) -> None:
        self._crew = crew
        self.own = AdminRoutes()
        self._flows: set[_Flow] = set()
        self._known: set[Member] = set()
        self._inviting: set[asyncio.Task[None]] = set()

    def welcome(self, member: Member) -> None:
        """Take what a worker sends for streams."""
        self._known.add(member)

        async def piece(content: tuple[int, bytes]) -> None:
            self._came(member, content[0], content[1])

        async def end(number: int) -> None:
            self._came(member, number, None)

        member.channel.on("piece", piece)
        member.channel.on("end", end)

    def forget(self, member: Member) -> None:
        """A worker is gone: its parts of streams end."""
        self._known.discard(member)
        for flow in self._flows:
            if flow.parts.pop(member, None) is not None:
                flow.bereft = flow.joinable and not flow.parts
                flow.add(None)

    def open(self) -> list[_Flow]:
        """The streams of events that are read now: workers that come later have a part in them, too."""
        return [flow for flow in self._flows if flow.joinable]

    async def join(self, member: Member, answered: Iterable[tuple[_Flow, Reply]]) -> None:
        """Have a worker that came later take part in the streams that are open.

        :param answered: those that it has replied to already, before it took a connection.
        """
        for flow, reply in answered:
            self._begin(flow, member, reply)
        for flow in [flow for flow in self.open() if member not in flow.parts]:
            await self._invite(flow, member)

    async def _invite(self, flow: _Flow, member: Member) -> None:
        """Ask a worker for its part of a stream. One that does not serve yet is asked again by `join`."""
        with suppress(ChannelClosed, Refused, TimeoutError):
            self._begin(flow, member, await member.channel.ask("ask", flow.question, _SECONDS))

    def close(self) -> None:
        """No worker follows any more: the streams end."""
        for flow in self._flows:
            flow.joinable = flow.bereft = False
            flow.add(None)

    # in the place of AdminRoutes

    def find(self, method: str, path: str) -> tuple[AdminRoute, dict[str, str]] | None:
        """A route for everything: whether there is one, the workers say."""
        return self.own.find(method, path) or (AdminRoute(method, path, self.relay, ""), {})

    def methods(self, path: str) -> list[str]:
        """None: never asked, since `find` always finds."""
        return []

    def __iter__(self) -> Iterator[AdminRoute]:
        return iter(())

    # answers

    async def ask(self, request: AdminRequest) -> list[tuple[Member, Reply]]:
        """Every worker's reply, in the order of their indexes; those that could not give one are left out."""
        question = _question(request)
        members = self._crew.serving[: 1 if request.path.startswith(_SHARED) else None]
        asked = (member.channel.ask("ask", question, _SECONDS) for member in members)
        found = await asyncio.gather(*asked, return_exceptions=True)
        replies: list[tuple[Member, Reply]] = []
        for member, reply in zip(members, found, strict=True):
            if isinstance(reply, Reply):
                replies.append((member, reply))
            elif not isinstance(reply, ChannelClosed | Refused | TimeoutError):
                raise reply
        return replies

    async def relay(self, request: AdminRequest) -> Response:
        """What all of them answer."""
        replies = await self.ask(request)
        if not replies:
            return Response.problem(503, "no worker answers now", {"Retry-After": "1"})
        if any(reply.stream for _, reply in replies):
            return self._stream(_question(request), replies)
        return merged([reply for _, reply in replies])

    def _stream(self, question: Question, replies: list[tuple[Member, Reply]]) -> Response:
        replies = [(member, reply) for member, reply in replies if reply.stream]
        first = replies[0][1]
        flow = _Flow(question, joinable=_kind(first).startswith("text/event-stream"))
        self._flows.add(flow)
        for member, reply in replies:
            self._begin(flow, member, reply)
        if flow.joinable:
            self._invite_late(flow)
        headers = {name: value for name, value in first.headers if name.lower() != "content-length"}
        body = Body.of(self._pieces(flow))
        body.on_end(lambda: self._end(flow))
        return Response(first.status, headers, body)

    def _invite_late(self, flow: _Flow) -> None:
        """Those who came up while the others were asked have not heard of it."""
        for member in self._known - flow.parts.keys():
            task = asyncio.get_running_loop().create_task(self._invite(flow, member))
            self._inviting.add(task)
            task.add_done_callback(self._inviting.discard)

    def _begin(self, flow: _Flow, member: Member, reply: Reply) -> None:
        """A worker's part begins, unless it has one, or there is nobody to read it or to send it any more."""
        if not reply.stream:
            return
        if flow not in self._flows or member in flow.parts:
            member.channel.tell("enough", reply.stream)
        elif not member.channel.closed.is_set():
            flow.parts[member] = reply.stream
            flow.bereft = False
            member.channel.tell("flow", reply.stream)

    def _end(self, flow: _Flow) -> None:
        """Nobody reads it any more."""
        self._flows.discard(flow)
        for member, number in flow.parts.items():
            member.channel.tell("enough", number)
        flow.parts.clear()

    async def _pieces(self, flow: _Flow) -> AsyncIterator[bytes]:
        try:
            while flow.bereft or flow.parts or not flow.pieces.empty():
                piece = await flow.pieces.get()
                if piece is not None:
                    yield piece
                if flow.lost:
                    lost, flow.lost = flow.lost, 0
                    yield f": {lost} pieces were lost, since they were not read in time\n\n".encode()
        finally:
            self._end(flow)

    def _came(self, member: Member, number: int, piece: bytes | None) -> None:
        flow = next((flow for flow in self._flows if flow.parts.get(member) == number), None)
        if flow is None:
            if piece is not None:
                member.channel.tell("enough", number)
            return
        if piece is None:
            del flow.parts[member]
        flow.add(piece)


def _question(request: AdminRequest) -> Question:
    return Question(request.method, request.path, dict(request.query), request.body)


def merged(replies: list[Reply]) -> Response:
    """One answer out of the workers': the first that failed, or their JSON documents as one."""
    chosen = next((reply for reply in replies if reply.status >= 400), replies[0])
    contents = [_json(reply) for reply in replies]
    if chosen.status >= 400 or any(content is None for content in contents):
        return Response(chosen.status, dict(chosen.headers), chosen.body)
    return Response.json(chosen.status, documents(contents))


def _json(reply: Reply) -> Any:
    return json.loads(reply.body) if _kind(reply).startswith("application/json") and reply.body else None


def _kind(reply: Reply) -> str:
    return next((value for name, value in reply.headers if name.lower() == "content-type"), "")
