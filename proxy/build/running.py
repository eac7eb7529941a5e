"""A plugin that was started, with all that it was lent: to be taken back when it is stopped.

A reload may replace a plugin while the process goes on, so what it has begun in the background and what it answers on
the admin listener belong to this instance and not to the process.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Coroutine, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from proxy.build.runtime import AdminTable, Runtime
from proxy.cache import DEFAULT_MEMORY, MAX_OBJECT, VALUES, Cache, Codec
from proxy.chain import Link
from proxy.plugin import Services
from proxy.tasks import Tasks
from proxy.waiting import RAISED

if TYPE_CHECKING:
    from proxy.store import Store

T = TypeVar("T")

log = logging.getLogger("passerelle")

_NAME = re.compile(r"[a-z][a-z0-9_-]*")
_STARTING = 60.0  # seconds that a plugin's start() may take: a reload waits for it, and so does whoever comes behind
_STOPPING = 10.0  # seconds that a plugin's stop() may take


class Running:
    """One instance.

    :param state: directory of what must outlast the process.
    :ivar link: the instance with its id.
    :ivar routes: the admin routes that it has added.
    """

    def __init__(
        self,
        link: Link,
        runtime: Runtime,
        beside: Iterable[AdminTable] = (),
        buffered_body: int = 10 * 1024 * 1024,
        state: Path = Path(".passerelle"),
    ) -> None:
        self.link = link
        self._state = state
        self._stores: list[Store] = []
        self._buffered_body = buffered_body
        self.routes = runtime.admin.layer(beside)
        self._runtime = runtime
        self._tasks = Tasks()
        self._caches: list[Cache[Any]] = []

    async def start(self) -> None:
        """Start it.

        :raises TimeoutError: when it takes too long.
        :raises Exception: whatever it raises.
        """
        try:
            async with asyncio.timeout(_STARTING) as limit:
                await self.link.plugin.start(self._services())
        except TimeoutError as error:
            if limit.expired():
                raise TimeoutError(f"it has not started within {_STARTING:g} s") from error
            raise

    async def stop(self) -> None:
        """Stop it, whatever it raises and however long it takes."""
        try:
            async with asyncio.timeout(_STOPPING):
                await self.link.plugin.stop()
        except TimeoutError:
            log.error("the plugin %s did not stop within %g s", self.link.id, _STOPPING)
        except RAISED as error:
            log.error("the plugin %s did not stop cleanly", self.link.id, exc_info=error)
        await self.end()

    async def end(self) -> None:
        """Cancel what it left in the background, and take back the caches and close the stores that it was lent."""
        await self._tasks.cancel()
        for cache in self._caches:
            self._runtime.caches.release(cache)
        self._caches.clear()
        stores, self._stores = self._stores, []
        for store in stores:
            await store.close()

    def _services(self) -> Services:
        runtime = self._runtime
        return Services(
            events=runtime.events,
            clock=runtime.clock,
            random=runtime.random,
            log=logging.getLogger(f"passerelle.plugin.{self.link.id}"),
            http=runtime.http,
            metrics=runtime.metrics,
            admin=self.routes,
            cache=self._cache,
            spawn=self._spawn,
            buffered_body=self._buffered_body,
            store=self._store,
        )

    def _store(self, name: str) -> Store:
        """:raises NotUsable: when no file can be kept in the directory. :raises ValueError: for what is no name."""
        if _NAME.fullmatch(name) is None:
            raise ValueError(f"not a name for a store: {name!r}")
        from proxy.store.sqlite import SqliteStore  # loaded by those who keep something

        store = SqliteStore(self._state / f"{name}.sqlite3")
        self._stores.append(store)
        return store

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        return self._tasks.adopt(self._runtime.spawn(work))

    def _cache(
        self,
        name: str,
        codec: Codec[T] = VALUES,
        *,
        memory: int = DEFAULT_MEMORY,
        redis: bool | None = None,
        max_object: int = MAX_OBJECT,
    ) -> Cache[T]:
        caches = self._runtime.caches
        cache = caches.lend(self.link.id, name, codec, memory=memory, redis=redis, max_object=max_object)
        self._caches.append(cache)
        return cache
