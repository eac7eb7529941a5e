"""`passerelle demo`: a sample upstream, the gateway in front of it, and requests to try."""

from __future__ import annotations

import argparse
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from proxy.cli.failures import Exit, say
from proxy.cli.logs import log_to_stderr
from proxy.cli.serve import add_log_level

if TYPE_CHECKING:
    from proxy.server.run import Server
    from proxy.server.source import Source
    from proxy.settings import Loaded, Settings, Trace

FILES = (Path("config/demo.yaml"), Path(__file__).with_name("demo.yaml"))  # the second one is what was installed

_PATIENCE = 10.0  # seconds that the sample upstream has to end


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the subcommand."""
    parser = commands.add_parser("demo", help="try it out: sample upstream, gateway, requests", description=__doc__)
    add_log_level(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Run both until told to end."""
    log_to_stderr(args.log_level)
    from proxy.registry import Registry
    from proxy.server.run import announce
    from proxy.server.run import run as run_gateway
    from proxy.server.sockets import CannotBind

    file = next(file for file in FILES if file.is_file())

    def ready(gateway: Server) -> None:
        announce(gateway)
        print(tour(gateway.urls[0], gateway.admin_url, file), flush=True)

    with sample_upstream() as url:
        if url is None:
            say("the sample upstream does not start")
            return Exit.BAD_CONFIGURATION
        env = {**os.environ, "DEMO_UPSTREAM": url}
        registry = Registry.installed()
        try:
            loaded = demo_configuration(file, env)
            return run_gateway(loaded, registry, ready, source=again(file, env, loaded))
        except CannotBind:  # somebody took a port after we had looked: look again
            loaded = demo_configuration(file, env)
            return run_gateway(loaded, registry, ready, source=again(file, env, loaded))


@contextmanager
def sample_upstream() -> Iterator[str | None]:
    """The sample upstream in a process of its own; gives its URL, or None when it did not start.

    It has a session of its own, so that Ctrl-C in a terminal reaches the gateway alone, which drains first. It ends
    when our end of its stdin is closed, which also happens when this process is killed.
    """
    command = [sys.executable, "-m", "proxy.server.sample", "--while-stdin"]
    with subprocess.Popen(  # noqa: S603 (our own module, run by our own interpreter)
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as p:
        try:
            yield (p.stdout.readline().strip() if p.stdout is not None else "") or None
        finally:
            if p.stdin is not None:
                p.stdin.close()
            try:
                p.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                p.kill()


def demo_configuration(file: Path, env: Mapping[str, str]) -> Loaded:
    """The demo's configuration, moved to free ports where its own are taken."""
    from proxy.settings import load

    loaded = load(file, env)
    return replace(loaded, settings=_with_free_ports(loaded.settings))


def again(file: Path, env: Mapping[str, str], first: Loaded) -> Source:
    """The demo's configuration once more, on the ports that were found free the first time."""
    from proxy.server.source import Source
    from proxy.settings import load

    def read(trace: Trace) -> Loaded:
        loaded = load(file, env, trace)
        kept = {"listen": first.settings.listen, "admin": first.settings.admin}
        return replace(loaded, settings=loaded.settings.model_copy(update=kept))

    return Source(read)


def _with_free_ports(settings: Settings) -> Settings:
    listen = tuple(listener.model_copy(update={"url": _free(listener.url)}) for listener in settings.listen)
    admin = settings.admin
    if admin is not None:
        admin = admin.model_copy(update={"listen": _free(admin.listen)})
    return settings.model_copy(update={"listen": listen, "admin": admin})


def _free(url: str) -> str:
    """The URL, or one with a port that the system chooses when this one is taken."""
    from proxy.server.sockets import CannotBind, bind
    from proxy.settings.fields import port_of, split_url

    host = split_url(url).hostname or ""
    try:
        for sock in bind(host, port_of(url)):
            sock.close()
    except CannotBind:
        say(f"{url} is taken; using another port")
        return f"http://{f'[{host}]' if ':' in host else host}:0"
    return url


def tour(url: str, admin: str | None, file: Path) -> str:
    """What to try, as lines to copy."""
    user = '{"name": "Ada"}'
    tries = [
        ("a page of the upstream", ["curl", "-i", f"{url}/"]),
        ("JSON of the upstream, without the /api", ["curl", "-i", f"{url}/api/users?page=2"]),
        ("sent there", ["curl", "-i", "-H", "Content-Type: application/json", "-d", user, f"{url}/api/users"]),
        ("what the upstream gets to see", ["curl", f"{url}/echo"]),
        ("answered by the gateway itself", ["curl", "-i", f"{url}/hello"]),
        ("a redirect", ["curl", "-iL", f"{url}/old"]),
        ("a slow answer", ["curl", "-i", f"{url}/slow?ms=1500"]),
        ("events as they happen", ["curl", "-N", f"{url}/stream?events=5&ms=300"]),
        ("a large answer", ["curl", "-o", "/dev/null", f"{url}/large?bytes=50000000"]),
        ("an upstream that fails", ["curl", "-i", f"{url}/fail?status=503"]),
        ("why?", ["passerelle", "explain", "GET", f"{url}/api/users", "-c", str(file)]),
    ]
    if admin is not None:
        tries += [("metrics", ["curl", f"{admin}/metrics"]), ("and more", ["curl", f"{admin}/api/v1"])]
    lines = [f"  {shlex.join(command)}   # {about}" for about, command in tries]
    return "\n".join(["", "Try, from another terminal:", "", *lines, "", "Ctrl-C ends it."])
