"""`passerelle serve`: run the gateway."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from typing import TYPE_CHECKING

from proxy.cli.configuration import add_config, find_config
from proxy.cli.failures import Exit, say
from proxy.cli.logs import LEVELS, log_to_stderr

if TYPE_CHECKING:
    from proxy.settings import Loaded, Settings


# How a worker is started: by the interpreter that runs the command, and without looking into the present directory.
WORKER = (sys.executable, "-P", "-m", "proxy.cli.worker")


def add_log_level(parser: argparse.ArgumentParser) -> None:
    """The option that says how much is told."""
    parser.add_argument("--log-level", choices=LEVELS, default="info", help="default: info")


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the subcommand."""
    parser = commands.add_parser("serve", help="run the gateway", description=__doc__)
    add_config(parser)
    parser.add_argument("--to", metavar="URL", help="forward everything there, without a file")
    parser.add_argument("--listen", metavar="URL", help="with --to: where to listen; default: http://127.0.0.1:8080")
    parser.add_argument("--admin", metavar="URL", help="with --to: where the admin listener is, or off")
    parser.add_argument("--watch", action="store_true", help="reload when a file of the configuration has changed")
    parser.add_argument("--record", metavar="FILE", help="write requests there, masked, for `sanitize rehearse`")
    add_log_level(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Serve until told to end."""
    if args.to is None and (args.listen or args.admin):
        say("--listen and --admin go with --to; a file says these itself")
        return Exit.USAGE
    if args.to is not None and (args.config is not None or args.watch):
        say("--to and -c exclude each other" if args.config is not None else "--watch goes with a file, not with --to")
        return Exit.USAGE
    log_to_stderr(args.log_level)
    _heed_term()
    from proxy.registry import Registry
    from proxy.server.run import run as run_gateway
    from proxy.server.source import Source
    from proxy.settings import load

    if args.to is not None:
        return run_gateway(_recording(_without_file(args), args.record), Registry.installed())
    file = find_config(args.config)
    source = Source(lambda trace: _recording(load(file, os.environ, trace), args.record))
    return run_gateway(source.load(), Registry.installed(), source=source, watch=args.watch, worker=WORKER)


def _heed_term() -> None:
    """End at once on TERM for as long as the server does not listen for it itself.

    Process 1 of a container gets no signal that it does not handle (pid_namespaces(7)): one that came while it started
    would be lost, and the container killed after its whole grace.
    """
    if os.getpid() == 1:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(Exit.FINE))


def _recording(loaded: Loaded, file: str | None) -> Loaded:
    """The configuration with the plugin that records requests in front of its chain."""
    if file is None:
        return loaded
    from dataclasses import replace

    from proxy.settings import PluginEntry

    entry = PluginEntry.of("record", {"file": os.path.abspath(file)}, id="recording")
    settings = loaded.settings.model_copy(update={"plugins": (entry, *loaded.settings.plugins)})
    return replace(loaded, settings=settings)


def _without_file(args: argparse.Namespace) -> Loaded:
    from dataclasses import replace

    from proxy.settings import Loaded, loaded_for

    loaded = loaded_for(args.to, **({"listen": args.listen} if args.listen else {}), env=os.environ)
    if args.admin is None:
        return loaded
    return replace(Loaded.of(_with_admin(loaded.settings, args.admin)), document=loaded.document)


def _with_admin(settings: Settings, url: str) -> Settings:
    """The settings with their admin listener somewhere else, or off."""
    from proxy.settings import Admin, Document, Problem, SettingsError, validate_model
    from proxy.settings.fields import is_loopback

    if url == "off":
        return settings.model_copy(update={"admin": None})
    admin, problems = validate_model(Admin, {"listen": url}, (), Document())
    if admin is not None and not is_loopback(admin.host):
        problems = [Problem((), "is open to other machines without a token", "write a file that sets admin.token")]
    if problems:
        raise SettingsError(Problem((), said.message, said.remedy, file="--admin") for said in problems)
    return settings.model_copy(update={"admin": admin})
