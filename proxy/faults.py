"""What is done about a hook that raised, or gave what no hook may give: fail closed, and say whose defect it is.

A `GatewayError` is an answer that the plugin meant; anything else is a 500 and an event, unless the plugin declared
that it may be skipped.
"""

from __future__ import annotations

import logging
from traceback import walk_tb
from typing import Any

from proxy.answers import error_response
from proxy.errors import GatewayError, PluginFailed
from proxy.events import EventBus, PluginError
from proxy.exchange import Exchange
from proxy.message import Response
from proxy.waiting import Failed

log = logging.getLogger("passerelle.engine")


class Faults:
    """Answers for hooks that failed. The plugin in question is the one at `exchange.cursor`."""

    __slots__ = ("_events",)

    def __init__(self, events: EventBus) -> None:
        self._events = events

    def raised(self, x: Exchange, error: BaseException) -> Response | None:
        """A hook raised: the answer for it, or None to go on."""
        if isinstance(error, GatewayError):
            x.error = error
            return error_response(x, error)
        link = x.plan.chain.links[x.cursor]
        self.tell(x, error)
        if link.plugin.on_error == "skip":
            return None
        x.error = PluginFailed(f"the plugin {link.id} failed")
        return error_response(x, x.error)

    def settled(self, x: Exchange, result: Any) -> Response | None:
        """What a hook that waited has decided."""
        if result is None or isinstance(result, Response):
            return result
        if isinstance(result, Failed):
            return self.raised(x, result.error)
        return self.raised(x, TypeError(f"a hook gave {type(result).__name__}; it takes None or a Response"))

    def filtered(self, x: Exchange, error: PluginFailed) -> None:
        """A body's filter raised, outside of every hook: whose it is tells the innermost plugin's module on its way."""
        cause = error.__cause__
        if cause is None:
            return
        links = {type(link.plugin).__module__: link.id for link in reversed(x.plan.chain.links)}
        passed = [frame.f_globals.get("__name__", "") for frame, _ in walk_tb(cause.__traceback__)]
        plugin = next((links[module] for module in reversed(passed) if module in links), "")
        if self._events.wants(PluginError):
            self._events.publish(PluginError(plugin, f"{type(cause).__name__}: {cause}", x.id))

    def tell(self, x: Exchange, error: BaseException) -> None:
        """Log the failure and publish it."""
        link = x.plan.chain.links[x.cursor]
        log.error("plugin %s raised on request %s", link.id, x.id, exc_info=error)
        if self._events.wants(PluginError):
            self._events.publish(PluginError(link.id, f"{type(error).__name__}: {error}", x.id))
