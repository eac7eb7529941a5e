"""`passerelle plugin test`: send a plugin what it may meet, and tell what it does wrong.

The cases are those of `proxy.testing.check_plugin`; a plugin's own tests say whether it does what it is for.
"""

from __future__ import annotations

import argparse
import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proxy.cli.failures import Exit, say, show

if TYPE_CHECKING:
    from proxy.plugin import Plugin, PluginConfig


def add(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the action."""
    parser = actions.add_parser("test", help="try what every plugin must withstand", description=__doc__)
    parser.add_argument("plugin", metavar="NAME|FILE", help="an installed plugin, or a file that ends in .py")
    parser.add_argument(
        "--options", metavar="JSON", type=_options, default={}, help="its options, such as '{\"retry_after\": 5}'"
    )
    parser.set_defaults(run=run_test)


def run_test(args: argparse.Namespace) -> int:
    """Try the plugin in memory; nothing is sent anywhere.

    :raises PluginNotUsable: when there is no such plugin.
    """
    cls = _found(args.plugin)
    config = _config(cls, args.options)
    if config is None:
        return Exit.BAD_CONFIGURATION
    findings = _findings(cls, config)
    for finding in findings:
        say(f"{args.plugin}: {finding}")
    if findings:
        return Exit.BAD_CONFIGURATION
    print(f"{args.plugin}: fine: {cls.__name__} keeps the contract of hooks")
    return Exit.FINE


def _found(named: str) -> type[Plugin[Any]]:
    from proxy.registry import Registry

    registry = Registry.installed()
    return registry.get_file(Path(named)) if named.endswith(".py") else registry.get(named)


def _config(cls: type[Plugin[Any]], options: dict[str, Any]) -> PluginConfig | None:
    """Its options; None when they are wrong, which is told."""
    from proxy.plugin import config_of
    from proxy.settings import Document, validate_model

    config, problems = validate_model(config_of(cls), options, ("options",), Document())
    show(problems)
    return config


def _findings(cls: type[Plugin[Any]], config: PluginConfig) -> list[str]:
    from proxy.testing import ContractBroken, check_plugin

    try:
        asyncio.run(check_plugin(cls, config))
    except ContractBroken as error:
        return error.findings
    except Exception as error:  # whatever it raises outside of its hooks, such as in start, is the finding
        return [f"raises {type(error).__name__}: {error}"]
    return []


def _options(text: str) -> dict[str, Any]:
    """:raises argparse.ArgumentTypeError: for what is no JSON object."""
    try:
        found = json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"not JSON: {error}") from None
    if not isinstance(found, dict):
        raise argparse.ArgumentTypeError('write an object, such as {"retry_after": 5}')
    return found
