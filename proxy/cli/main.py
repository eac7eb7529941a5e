"""The entry point: finds the subcommand, and turns what goes wrong into a line and an exit code."""

from __future__ import annotations

import argparse
import importlib
import logging
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NoReturn

from proxy.cli.collector import spare_start
from proxy.cli.configuration import NoConfiguration
from proxy.cli.failures import Exit, say, show
from proxy.cli.plugin_commands import Rivals, commands

if TYPE_CHECKING:
    from proxy.plugin import Command
    from proxy.registry import Registry

_COMMANDS = ("demo", "serve", "check", "explain", "plugin", "schema", "status", "cache", "events", "webhooks")


def main(arguments: Sequence[str] | None = None, registry: Registry | None = None) -> int:
    """Run the command.

    :param arguments: those after the command's name; the process's own when None.
    :param registry: where plugins' subcommands come from; what is installed when None.
    :returns: the exit code.
    """
    if arguments is None:  # the process is the command's own
        spare_start()
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return _run(given, registry)
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else the interpreter complains when it ends
        return Exit.FINE
    except (NoConfiguration, Rivals) as error:
        say(str(error))
        return Exit.USAGE
    except Exception as error:
        return _told(error)


def _run(given: list[str], registry: Registry | None) -> int:
    theirs: Mapping[str, Command] = {}
    first = given[0] if given else "--help"
    if first not in _COMMANDS and first != "--version":
        theirs = commands(registry or _installed(), _COMMANDS)
        if first in theirs:
            return theirs[first].run(given[1:])
    shown = (first,) if first in _COMMANDS else _COMMANDS  # the others are not even imported
    args = _parser(shown, theirs).parse_args(given)
    code: int = args.run(args)
    return code


def _installed() -> Registry:
    from proxy.registry import Registry

    return Registry.installed()


def _parser(shown: Sequence[str], theirs: Mapping[str, Command]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="passerelle",
        description="A reverse proxy that a Python team can program.",
        epilog=_epilog(theirs),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="tell the version and the commit, and end")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for name in shown:
        importlib.import_module(f"proxy.cli.{name}").add(subparsers)
    return parser


class _Version(argparse.Action):
    """Finds the commit only when it is asked for: every command makes this parser."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from proxy.cli.version import described

        print(f"passerelle {described()}")
        parser.exit()


def _epilog(theirs: Mapping[str, Command]) -> str:
    if not theirs:
        return ""
    return "\n".join(["commands of plugins:", *(f"  {name:<20}  {it.summary}" for name, it in sorted(theirs.items()))])


def _told(error: Exception) -> int:
    """Say in words what ended the command. The types are heavy to import, so that is done only now."""
    from proxy.registry import PluginNotUsable
    from proxy.server.sockets import CannotBind
    from proxy.settings import SettingsError

    if isinstance(error, SettingsError):
        show(error.problems)
        return Exit.BAD_CONFIGURATION
    if isinstance(error, CannotBind):
        say(str(error))
        return Exit.CANNOT_BIND
    if isinstance(error, PluginNotUsable | OSError):
        say(str(error))
        return Exit.BAD_CONFIGURATION
    say(f"internal error: {''.join(traceback.format_exception_only(error)).strip()}")
    logging.getLogger("passerelle").debug("the command failed", exc_info=error)
    return Exit.BAD_CONFIGURATION
