"""Has aiohttp imported in the one way that is cheap, whoever imports it first: a module of ours or a plugin.

Whether it reads the system's authorities is settled while it is imported, once in a process. Were that a call to be
made before the import, each command would have to remember it before anything that leads to aiohttp, and whoever sorts
imports would undo it unseen. So whoever imports it is waited for. Nothing but names is imported here: a command that
never comes to aiohttp pays nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

_NAME = "aiohttp"
_RUNS = "exec_module"


def defer_authorities() -> None:
    """From now on. A process that has imported aiohttp already keeps what it has.

    :see: `proxy.upstream.authorities.deferring`.
    """
    if _NAME not in sys.modules and not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.insert(0, _Finder())


class _Finder:
    """Finds nothing itself; is gone as soon as aiohttp was found."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """:see: `importlib.abc.MetaPathFinder`."""
        if fullname != _NAME:
            return None
        sys.meta_path.remove(self)
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and spec.loader is not None:
            _defer(spec.loader)
        return spec


def _defer(loader: object) -> None:
    """Have it run its module, this once, with contexts that read authorities later."""
    run = getattr(loader, _RUNS)

    def deferred(module: ModuleType) -> None:
        from proxy.upstream.authorities import deferring

        delattr(loader, _RUNS)  # which stays with the module
        with deferring():
            run(module)

    setattr(loader, _RUNS, deferred)
