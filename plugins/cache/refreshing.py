"""Renews stale answers in the background, after they have been used (RFC 5861 section 3)."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import replace

from plugins.cache.answers import store
from plugins.cache.conditions import validators
from plugins.cache.config import Config
from plugins.cache.directives import of_response
from plugins.cache.freshness import lifetime
from plugins.cache.shelf import Shelf
from plugins.cache.stored import Stored
from plugins.cache.storing import refusal
from plugins.cache.updating import confirms, freshened, withdrawn
from plugins.cache.visit import announce, unconditional
from proxy.api import Exchange, GatewayError, Request, Response


class Refreshing:
    """At most so many at a time, and one for each variant."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    def refresh(self, x: Exchange, key: str, stored: Stored, config: Config) -> None:
        """Ask upstream in the background, for a request that was answered with `stored`; synchronous."""
        shelf = self._shelf
        mine = f"{key}\0{stored.selecting}\0{stored.coding}"
        if mine in shelf.refreshing or len(shelf.refreshing) >= config.refreshes:
            return
        shelf.refreshing.add(mine)
        method = "GET" if x.request.method == "HEAD" else x.request.method
        asks = validators(stored.headers) if method == "GET" else []  # with another it means 412 (RFC 9110, 13.1.2)
        request = unconditional(x.request, asks, method)
        announce(request, trusted=x.peer.trusted)
        shelf.spawn(self._refresh(x.fetch(request), mine, key, request, stored, config))

    async def _refresh(
        self, fetched: Awaitable[Response], mine: str, key: str, request: Request, stored: Stored, config: Config
    ) -> None:
        shelf = self._shelf
        asked, mark = shelf.now(), shelf.cache.mark()
        try:
            response = await fetched
            try:
                times = (asked, shelf.now())
                if response.status == 304 and confirms(stored, response.headers):
                    fresh = freshened(stored, response, times, config)
                    if withdrawn(fresh, request, config):
                        await shelf.forget([key])
                    else:
                        shelf.keep(key, fresh, config, mark, newest=False)
                elif response.status < 500 and response.status != 304:
                    await self._renew(response, key, request, times, mark, config)
            finally:
                response.close()
        except GatewayError:
            return  # the stale one goes on to be used, for as long as it may
        finally:
            shelf.refreshing.discard(mine)

    async def _renew(
        self, response: Response, key: str, request: Request, times: tuple[float, float], mark: int, config: Config
    ) -> None:
        told = of_response(response.headers)
        life = lifetime(response.status, response.headers, told, times[1], config)
        if refusal(request, response, told, life, config):
            await self._shelf.cache.delete(key)  # what is stored is older than an answer that is not for everybody
            return
        new = store(request, response, told, life, times, config)
        body = await response.body.read(config.max_object)
        if not response.body.trailers:
            self._shelf.keep(key, replace(new, body=body, memo={}), config, mark)
