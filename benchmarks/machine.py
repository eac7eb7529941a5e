"""What the figures were taken on. A ratio travels between machines; a rate does not, so the machine is named."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Protocol

from benchmarks.environments import installed
from benchmarks.origin import origin_kind
from benchmarks.peers import asked_version
from benchmarks.process import can_pin
from benchmarks.results import PeerResult

LIBRARIES = ("aiohttp", "uvloop", "pydantic")


def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Return the processor's name, as far as the system tells it."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def placement() -> str:
    """Say on which cores the parts ran."""
    if can_pin():
        return "each proxy alone on core 0; wrk and the origin on core 1"
    return "NOT PINNED: taskset or a second core is missing, so these figures mean little"


def origin_line() -> str:
    """Say what the origin was."""
    if origin_kind() == "nginx":
        return f"nginx {asked_version(shutil.which('nginx') or 'nginx', '-v')}"
    return "a small Python server, since nginx is not installed: it is slow, which flatters slow proxies"


class Measured(Protocol):
    """A result whose peers have versions."""

    @property
    def peers(self) -> Mapping[str, PeerResult]: ...


def described(results: Iterable[Measured]) -> dict[str, str]:
    """Return everything a reader needs to place the figures, as names and texts."""
    peers = {peer.name: peer.version for result in results for peer in result.peers.values() if peer.version}
    return {
        "machine": f"{processor()}, {os.cpu_count()} cores, {platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}, "
        + ", ".join(pin.replace("==", " ") for pin in installed(*LIBRARIES)),
        "placement": placement(),
        "origin": origin_line(),
        "load": f"wrk {_wrk_version()}",
        **peers,
    }


def _wrk_version() -> str:
    return asked_version("wrk", "-v")
