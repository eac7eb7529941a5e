"""Changes that depend on what is there: made in one step, on the level that all share or else in memory.

They are for code that counts or locks through a cache by aiocache's interface; the gateway does neither.
"""

from __future__ import annotations

from typing import Any, TypeVar

from proxy.cache import scripts
from proxy.cache.cache import Cache
from proxy.cache.coherence import CHANNEL, Change
from proxy.cache.envelope import seal
from proxy.cache.link import Unreachable
from proxy.cache.purge import Purge
from proxy.cache.shared import Shared

T = TypeVar("T")


async def add(cache: Cache[T], key: bytes, value: T, ttl: float | None) -> bool:
    """Keep a value if there is none; whether there was none, as far as one can tell."""
    if cache.shared is not None and not await _add_shared(cache.shared, key, cache.codec.encode(value), ttl):
        return False
    if cache.shared is None and cache.memory.peek(key) is not None:
        return False
    cache.memory.store(key, value, ttl)
    return True


async def _add_shared(shared: Shared[Any], key: bytes, value: bytes, ttl: float | None) -> bool:
    full = shared.removal.entries + key
    life = () if ttl is None else ("PX", max(1, int(ttl * 1000)))
    try:
        (reply,) = await shared.link.write(("SET", full, seal(full, value), "NX", *life))
    except Unreachable:
        return True
    return reply is not None


async def replace(cache: Cache[T], key: bytes, old: T, new: T) -> bool:
    """Put a value in the place of another, for the rest of its time; False when it is not that one any more."""
    if cache.shared is None:
        return cache.memory.replace(key, old, new)
    cache.memory.drop(key)
    shared, full = cache.shared, cache.shared.removal.entries + key
    message = shared.coherence.message(Purge(cache.name, "key", key), Change.STORED)
    values = (seal(full, cache.codec.encode(old)), seal(full, cache.codec.encode(new)), CHANNEL, message)
    try:
        (reply,) = await shared.link.write(("EVAL", scripts.REPLACE, 1, full, *values))
    except Unreachable:
        return False
    return bool(reply == 1)


async def expire(cache: Cache[T], key: bytes, ttl: float | None) -> bool:
    """Give an entry another time to live; whether there is one."""
    value = await cache.get(key)
    if value is None:
        return False
    await cache.set(key, value, ttl=ttl)
    return True
