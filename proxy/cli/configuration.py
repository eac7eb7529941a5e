"""What several subcommands do with a configuration: find the file, and build what it says without starting it."""

from __future__ import annotations

import argparse
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from proxy.build import Built, Runtime
    from proxy.registry import Registry
    from proxy.settings import Loaded

PLACES = (Path("config/passerelle.yaml"), Path("passerelle.yaml"))


class NoConfiguration(Exception):
    """No file was named, and none is where one would be looked for."""


def add_config(parser: argparse.ArgumentParser) -> None:
    """The option that names the file."""
    parser.add_argument("-c", "--config", type=Path, metavar="FILE", help=f"default: {PLACES[0]} or {PLACES[1]}")


def find_config(named: Path | None) -> Path:
    """The file to use. :raises NoConfiguration: when there is none."""
    if named is not None:
        return named
    for place in PLACES:
        if place.is_file():
            return place
    raise NoConfiguration(f"there is no {PLACES[0]} here: name a file, or an upstream by `passerelle serve --to URL`")


@asynccontextmanager
async def built(loaded: Loaded, registry: Registry) -> AsyncIterator[tuple[Built, Runtime]]:
    """The configuration as a start would build it, with no plugin started and nothing listening.

    The engine is imported in here, for those commands alone that build.

    :raises SettingsError: when it cannot be built.
    """
    from proxy.build import Runtime, build
    from proxy.server.admin_routes import AdminRoutes

    runtime = Runtime(AdminRoutes())
    try:
        made = build(loaded, registry, runtime)
        yield made, runtime
        await made.stop()
    finally:
        await runtime.close()
