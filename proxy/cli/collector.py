"""The collector of cycles while a command starts.

What is imported and built lives as long as the process. With the interpreter's own thresholds the collector looks
through all of it well over a hundred times, an eighth of a start, and finds next to nothing.
"""

from __future__ import annotations

import gc

_CONTAINERS = 200_000  # a start makes some 100,000


def spare_start() -> None:
    """Let the collector wait until there is more than a start makes; a server gives it thresholds of its own then."""
    gc.set_threshold(_CONTAINERS, *gc.get_threshold()[1:])
