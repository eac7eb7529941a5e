"""From settings to a Snapshot: router, chains, upstreams and plugins, whole or not at all.

A start, `check`, `explain` and a reload all come here, so that what one of them accepts the others accept too.
"""

from proxy.build.build import build
from proxy.build.built import Built
from proxy.build.runtime import Marks, Runtime

__all__ = ["Built", "Marks", "Runtime", "build"]
