"""One of several processes of a server: a whole gateway without an admin listener.

Its supervisor bound the sockets, accepted the configuration and answers operators; the worker serves, and does what it
is told over its channel. Should the supervisor be gone it drains: nobody would be left who could end it.
"""

from __future__ import annotations

import asyncio
import importlib
import logging
import socket
from contextlib import suppress
from dataclasses import replace
from typing import Any

from proxy.build import Built
from proxy.cache import Purge
from proxy.events import Event
from proxy.message import Response
from proxy.plugin import AdminRequest
from proxy.registry import Registry
from proxy.server import guard
from proxy.server.admin import missing
from proxy.server.channel import Channel, Refused
from proxy.server.flows import Flows
from proxy.server.gateway import Gateway
from proxy.server.levels import set_level
from proxy.server.models import Level
from proxy.server.orders import HandedOver, Order, Outcome, Question, Reply
from proxy.server.run import fast_loop, raise_file_limit, settle_memory, unless
from proxy.server.sockets import CannotBind
from proxy.server.source import Source
from proxy.server.steering import Steering, steer, steering
from proxy.settings import Loaded, Problem, SettingsError
from proxy.upstream.probing import Finding, Probing

log = logging.getLogger("passerelle")


class Worker:
    """Does what its supervisor tells.

    :ivar over: set when it is to end.
    :ivar at_once: set when it is to wait for nobody.
    """

    def __init__(self, channel: Channel, handed: HandedOver) -> None:
        self._channel = channel
        self._handed = handed
        self._gateway: Gateway | None = None
        self._order: Order | None = None
        self._streams = Flows(channel)
        self.over = asyncio.Event()
        self.at_once = asyncio.Event()
        for subject, handler in (
            ("serve", self.serve),
            ("reload", self.reload),
            ("ask", self.ask),
            ("metrics", self.metrics),
            ("lead", self.lead),
            ("heard", self.heard),
            ("purged", self.purged),
            ("scrub", self.scrub),
            ("publish", self.publish),
            ("level", self.level),
            ("reopen", self.reopen),
            ("steering", self.steering),
            ("steer", self.steer),
            ("drain", self.drain),
            ("stop", self.stop),
            ("ping", self.ping),
        ):
            channel.on(subject, handler)

    @property
    def gateway(self) -> Gateway:
        """What serves. :raises Refused: before there is one."""
        if self._gateway is None:
            raise Refused("it does not serve yet")
        return self._gateway

    async def serve(self, order: Order) -> Outcome:
        """Begin, unless the configuration does not start in this process."""
        for name, level in order.levels:
            await self.level((name, level))
        self._take(order)
        source = Source(lambda _trace: self._ordered())
        replies: list[Reply] = []

        async def shown(built: Built) -> None:
            steer(built.snapshot.upstreams, order.steering)
            answered = [await _answered(gateway, question) for question in order.streams]
            replies.extend([await self._streams.answer(response) for response in answered])

        gateway = Gateway(
            self._ordered(),
            Registry.installed(),
            source=source,
            bind=self._handed.bind,
            upward=self._tell,
            marks=order.marks,
            share=order.share,
            joins=lambda probing: self._join(probing, order.leads),
            shown=shown,
        )
        try:
            await gateway.start()
        except SettingsError as error:
            return Outcome(False, tuple(error.problems))
        except CannotBind as error:
            return Outcome(False, (Problem((), str(error)),))
        gateway.runtime.caches.upward = lambda purge: self._channel.tell("purge", purge)
        self._gateway = gateway
        settle_memory()
        return Outcome(True, replies=tuple(replies))

    def _join(self, probing: Probing, leads: bool) -> None:
        probing.leads = leads
        probing.tell = lambda finding: self._channel.tell("found", finding)

    async def lead(self, leads: bool) -> None:
        """Probe targets for all workers from now on, or take another's word."""
        self.gateway.runtime.probing.lead(leads)

    async def heard(self, finding: Finding) -> None:
        """Another worker has probed a target."""
        if self._gateway is not None:
            self._gateway.runtime.probing.heard(finding)

    async def purged(self, purge: Purge) -> None:
        """Another worker has purged something from a cache."""
        if self._gateway is not None:
            self._gateway.runtime.caches.heard(purge)

    async def reload(self, order: Order) -> Outcome:
        """Go over to another configuration, or stay with the one there."""
        before = self._order
        self._take(order)
        done = await self.gateway.reload(order.cause)
        self._handed.close()
        if not done.ok:
            self._order = before
        return Outcome(done.ok, done.problems, done.changes)

    async def ask(self, question: Question) -> Reply:
        """Answer for this process what an operator asked."""
        return await self._streams.answer(await _answered(self.gateway, question))

    async def metrics(self, _: object) -> list[Any]:
        """The figures of this process. Importing the client library blocks, so the first time does that elsewhere."""
        await asyncio.to_thread(importlib.import_module, "prometheus_client.core")
        found = list(self.gateway.metrics.collect())
        for metric in found:
            metric.samples = [
                sample._replace(labels=self.gateway.scrub.data(sample.labels)) for sample in metric.samples
            ]
        return found

    async def scrub(self, data: Any) -> Any:
        """Plain data without the secrets of the configuration that is served."""
        return self.gateway.scrub.data(data)

    async def publish(self, event: Event) -> None:
        """Tell those who listen here of something that concerns the whole server."""
        self.gateway.runtime.events.publish_here(event)

    async def level(self, wanted: tuple[str, Level | None]) -> None:
        """Log more or less: a logger's name, and its level."""
        with suppress(KeyError):  # a plugin's logger that is not made yet
            set_level(*wanted)

    async def steering(self, _: object) -> Steering:
        """What operators asked for about targets."""
        return steering(self.gateway.built.snapshot.upstreams)

    async def steer(self, asked: Steering) -> None:
        """Do to targets what operators asked of the others."""
        steer(self.gateway.built.snapshot.upstreams, asked)

    async def reopen(self, _: object) -> None:
        """Open log files anew; one that does not serve yet has opened them just now."""
        if self._gateway is not None:
            self._gateway.reopen_logs()

    async def drain(self, _: object) -> None:
        """End gracefully."""
        self.over.set()

    async def stop(self, _: object) -> None:
        """End at once."""
        self.at_once.set()
        self.over.set()

    async def ping(self, _: object) -> None:
        """Give a sign of life: that this process does what it is told."""
        self._channel.tell("pong")

    def _tell(self, event: Event) -> None:
        self._channel.tell("event", event)

    def _take(self, order: Order) -> None:
        self._handed.receive(order.sockets)
        self._order = order

    def _ordered(self) -> Loaded:
        """The configuration, as one process of several has it: no admin listener, and a share of what is limited."""
        if self._order is None:
            raise Refused("it was told nothing yet")
        loaded, share = self._order.loaded, self._order.share
        limits = loaded.settings.limits
        limits = limits.model_copy(update={"connections": -(-limits.connections // share)})
        return replace(loaded, settings=loaded.settings.model_copy(update={"admin": None, "limits": limits}))


async def _answered(gateway: Gateway, question: Question) -> Response:
    """What one process says to an operator."""
    found = gateway.routes.find(question.method, question.path)
    if found is None:
        allowed = ", ".join(gateway.routes.methods(question.path))
        return missing(question.method, allowed)
    route, params = found
    request = AdminRequest(question.method, question.path, dict(question.query), params, question.body)
    try:
        return await route.handler(request)
    except guard.Refused as refused:
        return Response.problem(refused.status, refused.detail, refused.headers)


async def work(channel_socket: socket.socket, descriptors: socket.socket) -> None:
    """Serve until told to end, or until the supervisor is gone."""
    channel = await Channel.over(channel_socket, "the supervisor")
    handed = HandedOver(descriptors)
    worker = Worker(channel, handed)
    channel.listen()
    ends = [asyncio.ensure_future(channel.closed.wait()), asyncio.ensure_future(worker.over.wait())]
    await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
    for end in ends:
        end.cancel()
    gateway = worker._gateway
    if gateway is not None and not await unless(gateway.drain(), worker.at_once):
        await gateway.stop()
    handed.close()
    await channel.close()


def main(argv: list[str]) -> int:
    """Be a worker.

    :param argv: the numbers of two descriptors: of the channel, and for sockets.
    """
    raise_file_limit()
    channel, descriptors = (socket.socket(fileno=int(number)) for number in argv)
    with asyncio.Runner(loop_factory=fast_loop()) as runner:
        runner.run(work(channel, descriptors))
    return 0
