"""The purges of one cache in Redis: in steps that each tell all gateways, so that none keeps what is gone.

It needs nothing of the values, so a purge that is owed can be made when the cache itself is no longer in use.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress

from proxy.cache import scripts
from proxy.cache.coherence import CHANNEL, COUNTER, Change, Coherence
from proxy.cache.envelope import SOFT
from proxy.cache.link import Command, Link, Unreachable
from proxy.cache.purge import Purge

ROOT = b"passerelle:cache:"
_SPECIAL = b"\\*?[]"  # in patterns of SCAN


class Removal:
    """Removes entries of one cache.

    :param name: its namespace.
    :ivar entries: what keys of its entries begin with; of its tags and leases likewise.
    """

    def __init__(self, link: Link, coherence: Coherence, name: bytes) -> None:
        self._link = link
        self._coherence = coherence
        self.entries, self.tags, self.leases = (ROOT + name + kind for kind in (b"e", b"t", b"l"))

    async def remove(self, purge: Purge) -> int:
        """Remove what a purge concerns, or mark it, and tell all gateways; how many entries that was.

        :raises Unreachable: when it could not be done, or not all of it.
        """
        if purge.scope == "key":
            return await self._remove_key(purge)
        if purge.scope == "tag":
            return await (self._soften_tagged(purge) if purge.soft else self._remove_tagged(purge))
        return await self._sweep(purge)

    def post(self, purge: Purge) -> None:
        """Remove one entry in the background."""
        with suppress(Unreachable):
            self._link.post(self._removal(purge), wanted=lambda: True)

    def _removal(self, purge: Purge) -> Command:
        keys = (self.entries + purge.what, self.leases + purge.what, COUNTER)
        return ("EVAL", scripts.REMOVE, len(keys), *keys, CHANNEL, self._coherence.message(purge))

    async def _remove_key(self, purge: Purge) -> int:
        gone, number = await self._step(self._removal(purge), 2)
        self._coherence.told(number)
        return int(gone)

    async def _remove_tagged(self, purge: Purge) -> int:
        total, found, first = 0, scripts.CHUNK, True
        while found == scripts.CHUNK:
            gone, number, found = await self._step(
                (
                    *("EVAL", scripts.REMOVE_TAGGED, 2, self.tags + purge.what, COUNTER),
                    *(CHANNEL, self._coherence.message(purge), int(first), scripts.CHUNK),
                ),
                3,
            )
            if first:
                self._coherence.told(number)
            total, first = total + gone, False
        return total

    async def _soften_tagged(self, purge: Purge) -> int:
        """Mark what has a tag as outdated; the copies of all gateways go, and what they read again is marked."""
        total = seen = 0
        found = scripts.CHUNK
        while found == scripts.CHUNK:
            gone, number, found = await self._step(
                (
                    *("EVAL", scripts.SOFTEN_TAGGED, 2, self.tags + purge.what, COUNTER),
                    *(CHANNEL, self._coherence.message(purge), int(not seen), seen, scripts.CHUNK, SOFT),
                ),
                3,
            )
            if not seen:
                self._coherence.told(number)
            total, seen = total + gone, seen + found
        return total

    async def _sweep(self, purge: Purge) -> int:
        """All keys must be looked at, so the others are told before: what is to be swept counts for nothing."""
        await self._announce(purge, Change.GOING)
        total = 0
        async for keys in self._scan(purge.what):
            (gone,) = await self._step(("UNLINK", *keys), 1)
            total += gone
        if not purge.what:
            async for keys in self._scan(b"", self.tags):
                await self._step(("UNLINK", *keys), 1)
        await self._announce(purge, Change.SWEPT)
        return total

    async def _announce(self, purge: Purge, change: Change) -> None:
        message = self._coherence.message(purge, change)
        _, number = await self._step(("EVAL", scripts.ANNOUNCE, 1, COUNTER, CHANNEL, message), 2)
        self._coherence.told(number)

    async def count(self, purge: Purge) -> int:
        """How many entries `remove` would remove. :raises Unreachable: when there is no answer."""
        if purge.scope == "key":
            (found,) = await self._step(("EXISTS", self.entries + purge.what), 1)
            return int(found)
        if purge.scope == "tag":
            return await self._count_tagged(purge)
        return sum([len(keys) async for keys in self._scan(purge.what)])

    async def _count_tagged(self, purge: Purge) -> int:
        total, start, found = 0, 0, scripts.CHUNK
        while found == scripts.CHUNK:
            alive, found = await self._step(
                ("EVAL", scripts.COUNT_TAGGED, 1, self.tags + purge.what, start, scripts.CHUNK), 2
            )
            total, start = total + alive, start + found
        return total

    async def _scan(self, prefix: bytes, kind: bytes | None = None) -> AsyncIterator[list[bytes]]:
        """Yield lists of full keys that begin so, each once or, rarely, more often."""
        pattern = _escaped((self.entries if kind is None else kind) + prefix) + b"*"
        cursor = b"0"
        while True:
            (reply,) = await self._link.read(("SCAN", cursor, "MATCH", pattern, "COUNT", scripts.CHUNK))
            if not isinstance(reply, list) or len(reply) != 2:
                raise Unreachable(f"it does not look for keys: {reply!r:.100}")
            cursor, keys = reply
            if not isinstance(cursor, bytes) or not cursor.isdigit() or not isinstance(keys, list):
                raise Unreachable(f"it found no keys: {reply!r:.100}")
            if keys:
                yield keys
            if cursor == b"0":
                return

    async def _step(self, command: Command, figures: int) -> list[int]:
        """One step of a purge, after which nothing that was stored before it is still to come.

        :param figures: how many its reply has.
        """
        (reply,) = await self._link.write(command, alone=True)
        found = reply if isinstance(reply, list) else [reply]
        if len(found) != figures or not all(isinstance(figure, int) for figure in found):
            raise Unreachable(f"that is no answer: {reply!r:.100}")
        return found


def _escaped(text: bytes) -> bytes:
    return b"".join(b"\\" + bytes((byte,)) if byte in _SPECIAL else bytes((byte,)) for byte in text)
