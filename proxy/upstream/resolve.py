"""Names and their addresses: kept for a while, looked up again in time, and kept on when nobody can tell any more.

A process has one resolver, for exchanges and for plugins. Names that upstreams follow are looked up again each time
that an answer's time is over, so that addresses that change are noticed although every request finds an idle
connection. While a name server is down the last good answer serves on (RFC 8767): an outage of DNS alone is none of
the upstream's.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable, Sequence
from math import inf
from typing import TypeAlias

from aiohttp.abc import AbstractResolver, ResolveResult

from proxy.clock import Clock
from proxy.flow import Spawn
from proxy.metrics import Metrics
from proxy.timers import Timer, Wheel

log = logging.getLogger("passerelle.dns")

Addresses: TypeAlias = tuple[str, ...]
Lookup: TypeAlias = Callable[[str], Awaitable[Sequence[str]]]
Changed: TypeAlias = Callable[[Addresses], None]

_MOST = 1000  # names, those that are followed not counted
_PATIENCE = 1.0  # seconds that a connection waits for a new answer when there is an old one
_AGAIN = 5.0  # seconds at most until a failed look-up is repeated


async def system_lookup(host: str) -> Sequence[str]:
    """The addresses of a name as the system knows them, in its order (RFC 6724).

    :raises OSError: when there are none.
    """
    loop = asyncio.get_running_loop()
    infos = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return [str(info[4][0]) for info in infos]


class _Name(Timer):
    """What is known of one name; as a timer, when to look again because somebody follows it."""

    __slots__ = ("_resolver", "addresses", "error", "fresh_until", "good_until", "host", "looking", "watchers")

    def __init__(self, resolver: Resolver, host: str) -> None:
        super().__init__()
        self._resolver = resolver
        self.host = host
        self.addresses: Addresses = ()
        self.error: OSError | UnicodeError | None = None  # what the last look-up ended in
        self.fresh_until = -inf
        self.good_until = -inf
        self.looking: asyncio.Task[None] | None = None
        self.watchers: list[Changed] = []

    def expired(self) -> None:
        self._resolver.look(self)

    def failure(self) -> OSError | UnicodeError:
        """Why nothing is known, to be raised: a new one each time, as each raising adds to its traceback."""
        return OSError("no answer") if self.error is None else type(self.error)(*self.error.args)


class Resolver(AbstractResolver):
    """Looks names up and keeps the answers.

    :param lookup: asks for the addresses of a name, and raises OSError when there are none.
    :ivar ttl: seconds for which an answer is kept.
    :ivar stale: seconds for which it still serves after that while look-ups fail.
    """

    def __init__(
        self, *, clock: Clock, wheel: Wheel, spawn: Spawn, metrics: Metrics, lookup: Lookup | None = None
    ) -> None:
        self.ttl = 10.0
        self.stale = 300.0
        self._now = clock.monotonic
        self._wheel = wheel
        self._spawn = spawn
        self._lookup = lookup or system_lookup
        self._names: dict[str, _Name] = {}
        lookups = metrics.counter("passerelle_dns_lookups_total", "Names looked up, by what came of it.", ("result",))
        self._succeeded, self._failed = lookups.child("ok"), lookups.child("failed")
        self._served_stale = metrics.counter(
            "passerelle_dns_stale_answers_total", "Connections made by an old answer, since no new one could be had."
        ).child()
        metrics.gauge("passerelle_dns_names", "Names that are known, by state.", ("state",), self._states)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """The face that aiohttp knows. :raises OSError: when the name has no address."""
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in await self.addresses(host)
        ]

    async def addresses(self, host: str) -> Addresses:
        """The addresses of a name. :raises OSError: when it has none, and had none for so long that it is over."""
        name = self._name(host)
        if self._now() >= name.fresh_until:
            known = self._now() < name.good_until
            await asyncio.wait([self.look(name)], timeout=_PATIENCE if known else None)
        now = self._now()
        if now >= name.good_until:
            raise name.failure()
        if name.error or now >= name.fresh_until:
            self._served_stale.value += 1
        return name.addresses

    def watch(self, host: str, changed: Changed) -> Callable[[], None]:
        """Follow a name: `changed` is called with its addresses, now if they are known, and whenever they change.

        :returns: a function that ends it.
        """
        name = self._name(host)
        name.watchers.append(changed)
        if name.addresses:
            changed(name.addresses)
        self._wheel.arm(name, max(0.0, name.fresh_until - self._now()))
        if self._now() >= name.fresh_until:
            self.look(name)

        def stop() -> None:
            if changed in name.watchers:
                name.watchers.remove(changed)
            if not name.watchers:
                self._wheel.forget(name)

        return stop

    def look(self, name: _Name) -> asyncio.Task[None]:
        """Look a name up, once for all who want to know."""
        if name.looking is None:
            name.looking = self._spawn(self._look(name))
        return name.looking

    async def _look(self, name: _Name) -> None:
        try:
            found = tuple(dict.fromkeys(await self._lookup(name.host)))
            if not found:
                raise OSError("the name has no address")
        except (OSError, UnicodeError) as error:
            self._missed(name, error)
        else:
            self._learnt(name, found)
        finally:
            name.looking = None
            if name.watchers:
                self._wheel.arm(name, max(0.0, name.fresh_until - self._now()))

    def _learnt(self, name: _Name, found: Addresses) -> None:
        self._succeeded.value += 1
        now, old = self._now(), name.addresses
        if name.error and old:
            log.info("%s is known again", name.host)
        name.addresses, name.error = found, None
        name.fresh_until = now + self.ttl
        name.good_until = name.fresh_until + self.stale
        if set(found) != set(old):
            if old:
                log.info("the addresses of %s have changed: %s", name.host, ", ".join(found))
            for changed in list(name.watchers):
                changed(found)

    def _missed(self, name: _Name, error: OSError | UnicodeError) -> None:
        self._failed.value += 1
        now = self._now()
        if not name.error:
            left = name.good_until - now
            then = f"its last addresses serve for {left:.0f} s more" if left > 0 else "nothing is known of it"
            log.warning("%s cannot be looked up (%s); %s", name.host, error, then)
        name.error = error
        name.fresh_until = now + min(self.ttl, _AGAIN) if now < name.good_until or name.watchers else now

    def _name(self, host: str) -> _Name:
        name = self._names.get(host)
        if name is None:
            name = self._names[host] = _Name(self, host)
            if len(self._names) > _MOST:
                idle = (one for one in self._names.values() if one is not name and not one.watchers)
                if (oldest := next(idle, None)) is not None:
                    del self._names[oldest.host]
        return name

    def _states(self) -> dict[tuple[str, ...], float]:
        """How many names there are of each kind."""
        counts = {"fresh": 0, "stale": 0, "unknown": 0}
        for name in self._names.values():
            known = self._now() < name.good_until
            counts["unknown" if not known else "stale" if name.error else "fresh"] += 1
        return {(state,): count for state, count in counts.items()}

    async def close(self) -> None:
        """Follow nothing any more."""
        for name in self._names.values():
            name.watchers.clear()
            self._wheel.forget(name)
