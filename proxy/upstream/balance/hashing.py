"""Equal requests go to the same target, and go on to do so when other targets come and go.

Weighted rendezvous hashing over a fixed number of slots: a key falls into a slot, and of all targets the one with the
highest score for the slot has it. A target that leaves gives up its own slots and moves no other; one that comes takes
a fair share from each. A slot's owner is found when it is first asked for, so that nothing is computed in advance.

Loads are bounded: a target that has a quarter more under way than its share passes requests on to the one that
comes second for their slot, so that one popular key cannot drown its target.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from hashlib import blake2b
from math import ceil, log

from proxy.exchange import Endpoint, Exchange
from proxy.upstream.balance.balancer import NONE, Plain
from proxy.upstream.balance.keys import Key
from proxy.upstream.balance.round_robin import Turns
from proxy.upstream.condition import Target, identity

SLOTS = 65536
BOUND = 1.25  # what a target may have under way, relative to its fair share
_WIDTH = 8  # bytes of a hash
_TOP = 1 << 8 * _WIDTH


class Hashed(Plain):
    """Choose by a hash of something in the request; requests that lack it take turns.

    :param key: what is hashed.
    :param said: how that is written, for people.
    """

    __slots__ = ("_key", "_owners", "_ready", "_said", "_seeds", "_total", "_turns")

    affine = True

    def __init__(self, key: Key, said: str) -> None:
        self._key = key
        self._said = said

    def use(self, ready: Sequence[Target], every: Sequence[Target]) -> None:
        """:see: `Balancer.use`."""
        self._ready = tuple(ready)
        self._seeds = [blake2b(identity(target.endpoint).encode(), digest_size=16).digest() for target in ready]
        self._total = sum(target.share for target in ready)
        self._owners: dict[int, Target] = {}  # never more than there are slots
        self._turns = Turns(ready)

    def pick(self, exchange: Exchange, avoid: Collection[Endpoint] = NONE) -> Target:
        """:see: `Balancer.pick`."""
        key = self._key(exchange)
        if key:
            return self._choose(_slot(key), avoid)
        if avoid:
            return next(target for target in self._turns.coming() if target.endpoint not in avoid)
        return self._turns.next()

    def preview(self, exchange: Exchange) -> Target:
        """:see: `Balancer.preview`."""
        key = self._key(exchange)
        return self._choose(_slot(key), NONE) if key else self._turns.peek()

    def _choose(self, slot: int, avoid: Collection[Endpoint]) -> Target:
        owner = self._owners.get(slot)
        if owner is None:
            owner = self._owners[slot] = self.ranking(slot)[0]
        if owner.endpoint not in avoid and (not owner.condition.active or self._has_room(owner)):
            return owner
        left = [target for target in self.ranking(slot) if target.endpoint not in avoid]
        return next(filter(self._has_room, left), left[0])

    def ranking(self, slot: int) -> list[Target]:
        """The targets by their score for a slot, best first."""
        number = slot.to_bytes(4)
        scores = [_score(number, seed, target.share) for seed, target in zip(self._seeds, self._ready, strict=True)]
        order = sorted(range(len(scores)), key=scores.__getitem__, reverse=True)
        return [self._ready[i] for i in order]

    def _has_room(self, target: Target) -> bool:
        """Whether one more request leaves it within the bound."""
        active = 1 + sum(one.condition.active for one in self._ready)
        return target.condition.active < ceil(BOUND * active * target.share / self._total)

    def describe(self) -> str:
        """:see: `Balancer.describe`."""
        return f"hash of {self._said}"


def _slot(key: str) -> int:
    digest = blake2b(key.encode("utf-8", "surrogateescape"), digest_size=4).digest()
    return int.from_bytes(digest) % SLOTS


def _score(slot: bytes, seed: bytes, share: int) -> float:
    """An exponential race: the highest score falls to each target with a probability in proportion to its share."""
    drawn = int.from_bytes(blake2b(slot, key=seed, digest_size=_WIDTH).digest()) + 1
    return -share / log(drawn / (_TOP + 1))
