"""The entry point: finds the subcommand, and turns what goes wrong into a line and an exit code."""

from __future__ import annotations

import argparse
import logging
import sys
import traceback
from collections.abc import Sequence

from proxy import __version__
from proxy.cli import check, explain, plugin, schema, serve
from proxy.cli.configuration import NoConfiguration
from proxy.cli.failures import Exit, say

_COMMANDS = (serve, check, explain, plugin, schema)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    :param arguments: those after the command's name; the process's own when None.
    :returns: the exit code.
    """
    args = _parser().parse_args(sys.argv[1:] if arguments is None else arguments)
    try:
        code: int = args.run(args)
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except NoConfiguration as error:
        say(str(error))
        return Exit.USAGE
    except Exception as error:
        return _told(error)
    return code


def _told(error: Exception) -> int:
    """Say in words what ended the command. The types are heavy to import, so that is done only now."""
    from proxy.server.sockets import CannotBind
    from proxy.settings import SettingsError

    if isinstance(error, SettingsError):
        for problem in error.problems:
            print(problem.render(), file=sys.stderr)
        return Exit.BAD_CONFIGURATION
    if isinstance(error, CannotBind):
        say(str(error))
        return Exit.CANNOT_BIND
    say(f"internal error: {''.join(traceback.format_exception_only(error)).strip()}")
    logging.getLogger("passerelle").debug("the command failed", exc_info=error)
    return Exit.BAD_CONFIGURATION


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="passerelle", description="A reverse proxy that a Python team can program.")
    parser.add_argument("--version", action="version", version=f"passerelle {__version__}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in _COMMANDS:
        command.add(commands)
    return parser
