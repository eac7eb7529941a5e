"""`passerelle plugin`: what plugins there are, one to begin with, and what every one must withstand."""

from __future__ import annotations

import argparse
import inspect
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from proxy.cli import plugin_new, plugin_trial
from proxy.cli.failures import Exit

if TYPE_CHECKING:
    from proxy.plugin import Plugin
    from proxy.registry import Registry


@dataclass(frozen=True, slots=True)
class Listed:
    """One plugin of the list.

    :ivar source: `package.module:Class`.
    :ivar options: names of its options; None when the plugin cannot be used.
    :ivar about: the first line of its description, or why it cannot be used.
    """

    name: str
    source: str
    rank: str
    options: tuple[str, ...] | None
    about: str


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the subcommand."""
    parser = commands.add_parser("plugin", help="list plugins, begin one, try one", description=__doc__)
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="every installed plugin, by the name that files use")
    listing.add_argument("--json", action="store_true", help="print it as JSON")
    listing.set_defaults(run=run_list)
    plugin_new.add(actions)
    plugin_trial.add(actions)


def run_list(args: argparse.Namespace) -> int:
    """List them."""
    from proxy.registry import Registry

    found = listed(Registry.installed())
    if args.json:
        print(json.dumps([asdict(one) for one in found], indent=2))
    else:
        for line in _table(found):
            print(line)
    return Exit.FINE


def listed(registry: Registry) -> list[Listed]:
    """Every plugin of a registry, sorted by name."""
    return [_listed(registry, name, source) for name, source in registry.sources.items()]


def _listed(registry: Registry, name: str, source: str) -> Listed:
    from proxy.plugin import config_of
    from proxy.registry import PluginNotUsable

    try:
        cls = registry.get(name)
    except PluginNotUsable as error:
        return Listed(name, source, "", None, error.reason)
    fields = config_of(cls).model_fields
    options = tuple(field.alias or key for key, field in fields.items())
    return Listed(name, source, cls.rank.name.lower(), options, _first_line(cls))


def _first_line(cls: type[Plugin[Any]]) -> str:
    return (inspect.getdoc(cls) or "").partition("\n")[0]


def _table(found: list[Listed]) -> list[str]:
    rows = [("NAME", "RANK", "CLASS", "ABOUT"), *((one.name, one.rank or "-", one.source, one.about) for one in found)]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return ["  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]]) for row in rows]
