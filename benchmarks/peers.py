"""Who is measured: each peer knows whether it is here, its version, its configuration and how to start.

Configurations are meant to be what an operator who wants speed would write: connections to the origin kept, nothing
logged, one core. They are whole files under configs/, so that anyone can judge them.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from benchmarks import environments
from benchmarks.origin import fill
from benchmarks.process import PROXY_CORE, Child, free_port
from benchmarks.scenarios import BARE, DIRECT, FLOOR, FORWARD_FLOOR, PLUGINS, ROUTES, SUBJECT, Serve

_HERE = Path(__file__).parent
_VERSION = re.compile(r"\d+\.\d+(?:\.\d+)?")


class Absent(Exception):
    """A peer cannot run on this machine; the message says why."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Where a peer is to listen, what is behind it, where it may write, and what the scenario asks of it."""

    directory: Path
    port: int
    origin: int
    serve: Serve

    def write(self, template: str, **more: str) -> Path:
        """Write the filled-in `template` into the plan's directory and return where."""
        path = self.directory / template
        values = {
            "PORT": self.port,
            "ORIGIN": self.origin,
            "DIR": self.directory,
            "CHAIN": "plugins: []",
            "ROUTES": "",
            **more,
        }
        path.write_text(fill(template, **values), encoding="utf-8")
        return path


class Peer:
    """A program that is started for a scenario. Subclasses say how."""

    name: ClassVar[str]

    def version(self) -> str:
        """Return the version in one short text.

        Raises:
            Absent: when the peer is not on this machine.
        """
        raise Absent(f"{self.name} has no program")

    def argv(self, plan: Plan) -> list[str]:
        """Write what configuration there is and return the command.

        Raises:
            Absent: when the peer is not on this machine.
        """
        raise Absent(f"{self.name} has no program")

    def env(self, plan: Plan) -> Mapping[str, str]:
        """Return what the child's environment needs beyond the present one."""
        return {}

    @contextmanager
    def running(self, directory: Path, origin: int, serve: Serve) -> Iterator[tuple[Child, int]]:
        """Run the peer on the proxy's core, in a directory of its own, for the block; yield it and its port.

        Raises:
            Absent: when the peer is not on this machine.
        """
        home = directory / self.name
        home.mkdir(exist_ok=True)
        plan = Plan(home, free_port(), origin, serve)
        argv, env = self.argv(plan), self.env(plan)
        with Child(argv, core=PROXY_CORE, log=home / "log", env=env) as child:
            yield child, plan.port


def program(name: str) -> str:
    """Return the full name of an installed program.

    Raises:
        Absent: when it is not installed.
    """
    found = shutil.which(name)
    if found is None:
        raise Absent("not installed")
    return found


def asked_version(*argv: str) -> str:
    """Return the first version number in what a program says of itself, or `unknown`."""
    said = subprocess.run(argv, capture_output=True, text=True, timeout=20, check=False)
    found = _VERSION.search(said.stdout + said.stderr)
    return found[0] if found else "unknown"


class Nginx(Peer):
    """nginx with the buffers that it has unless told otherwise: eight of 4 KiB."""

    name = "nginx"
    buffers: ClassVar[str] = ""

    def version(self) -> str:
        return asked_version(program("nginx"), "-v")

    def argv(self, plan: Plan) -> list[str]:
        return [program("nginx"), "-p", str(plan.directory), "-c", str(plan.write("nginx.conf", BUFFERS=self.buffers))]


class NginxLargeBuffers(Nginx):
    """nginx told to buffer more: on large answers it is about twice as fast, and so the harder one to keep up with."""

    name = "nginx-large-buffers"
    buffers = "proxy_buffer_size 16k; proxy_buffers 16 64k; proxy_busy_buffers_size 128k;"


class HAProxy(Peer):
    name = "haproxy"

    def version(self) -> str:
        return asked_version(program("haproxy"), "-v")

    def argv(self, plan: Plan) -> list[str]:
        return [program("haproxy"), "-db", "-f", str(plan.write("haproxy.cfg"))]


class Caddy(Peer):
    name = "caddy"

    def version(self) -> str:
        return asked_version(program("caddy"), "version")

    def argv(self, plan: Plan) -> list[str]:
        return [program("caddy"), "run", "--adapter", "caddyfile", "--config", str(plan.write("Caddyfile"))]

    def env(self, plan: Plan) -> Mapping[str, str]:
        home = str(plan.directory)  # it would otherwise write into the user's own directories
        return {"GOMAXPROCS": "1", "HOME": home, "XDG_DATA_HOME": home, "XDG_CONFIG_HOME": home}


class Textbook(Peer):
    """A Python proxy in one file, run by the interpreter of its own environment."""

    libraries: ClassVar[tuple[str, ...]]

    def pins(self) -> tuple[str, ...]:
        return environments.written(self.name)

    def version(self) -> str:
        chosen = [pin.replace("==", " ") for pin in self.pins() if pin.partition("==")[0] in self.libraries]
        return ", ".join(chosen)

    def argv(self, plan: Plan) -> list[str]:
        try:
            python = environments.ensure(self.name, self.pins())
        except environments.Unavailable as error:
            print(f"{self.name}: {error}", flush=True)
            raise Absent("its environment could not be made") from error
        script = _HERE / f"{self.name.replace('-', '_')}.py"
        return [str(python), str(script), str(plan.port), str(plan.origin)]


class TextbookAiohttp(Textbook):
    name = "textbook-aiohttp"
    libraries = ("aiohttp", "uvloop")

    def pins(self) -> tuple[str, ...]:
        return environments.installed(*self.libraries)  # the very versions that the project runs on


class ParserFloor(Textbook):
    """Not a proxy: what a fixed answer costs that is parsed by aiohttp, before anything of a gateway has run."""

    name = FLOOR
    libraries = ("aiohttp", "uvloop")

    def pins(self) -> tuple[str, ...]:
        return environments.installed(*self.libraries)


class ForwardFloor(ParserFloor):
    """Not a proxy either: what a forward costs whose two heads are parsed by aiohttp, and nothing else."""

    name = FORWARD_FLOOR


class TextbookStarlette(Textbook):
    name = "textbook-starlette"
    libraries = ("starlette", "httpx", "uvicorn", "uvloop")


class Passerelle(Peer):
    """The project itself, by its own command, from the environment that runs the benchmark."""

    name = SUBJECT

    def _command(self) -> str:
        beside = Path(sys.executable).parent / "passerelle"
        if not beside.exists():
            raise Absent("the command is not installed in this environment")
        return str(beside)

    def version(self) -> str:
        self._command()
        from proxy import __version__

        return __version__

    def argv(self, plan: Plan) -> list[str]:
        return [self._command(), "serve", "-c", str(self._write(plan))]

    def _write(self, plan: Plan) -> Path:
        if plan.serve in ("forward", "respond"):
            return plan.write(f"passerelle-{plan.serve}.yaml")
        return plan.write("passerelle-forward.yaml", **_MORE[plan.serve])


class PasserelleBare(Passerelle):
    """The project itself with one route and no plugin, whatever the scenario asks of it elsewhere."""

    name = BARE

    def _write(self, plan: Plan) -> Path:
        return plan.write("passerelle-forward.yaml")


def idle_chain(file: str) -> str:
    """Return YAML for a chain of `PLUGINS` instances of the plugin in `file`."""
    path = _HERE / "configs" / file
    return "[" + ", ".join(f"{{{path}: {{}}, id: idle{number}}}" for number in range(PLUGINS)) + "]"


def other_routes() -> str:
    """Routes beside the one that is asked for."""
    rows = (f"\n  - {{name: r{n}, match: {{path: /r{n}/*}}, upstream: origin}}" for n in range(ROUTES - 1))
    return "".join(rows)


# What the scenarios add to the bare configuration.
_MORE: dict[Serve, dict[str, str]] = {
    "plugins": {"CHAIN": f"plugins: {idle_chain('idle.py')}"},
    "plugins-thrice": {"CHAIN": f"plugins: {idle_chain('idle3.py')}"},
    "routes": {"ROUTES": other_routes()},
    "default-chain": {"CHAIN": ""},
}


class Direct(Peer):
    """Nobody between the load and the origin: the floor for latencies. It starts nothing of its own."""

    name = DIRECT

    def version(self) -> str:
        return "the origin itself"


_ALL = (
    Passerelle(),
    PasserelleBare(),
    ParserFloor(),
    ForwardFloor(),
    Nginx(),
    NginxLargeBuffers(),
    HAProxy(),
    Caddy(),
    TextbookAiohttp(),
    TextbookStarlette(),
    Direct(),
)
PEERS: dict[str, Peer] = {peer.name: peer for peer in _ALL}
