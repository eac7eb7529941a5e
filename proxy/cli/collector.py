"""What a process of the command spares itself while it starts: rounds of the collector, and the system's authorities.

What is imported and built lives as long as the process. With the interpreter's own thresholds the collector looks
through all of it well over a hundred times, an eighth of a start, and finds next to nothing.
"""

from __future__ import annotations

import gc

from proxy.cli.deferral import defer_authorities

_CONTAINERS = 200_000  # a start makes some 100,000


def spare_start() -> None:
    """To be called first of all, once in a process that is the command's own.

    The collector waits until there is more than a start makes; a server gives it thresholds of its own then. aiohttp,
    if anything imports it, leaves the system's authorities unread until a handshake needs them.
    """
    gc.set_threshold(_CONTAINERS, *gc.get_threshold()[1:])
    defer_authorities()
