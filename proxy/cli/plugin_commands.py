"""Subcommands that installed plugins bring along. Looking for them imports every plugin, so it is done last."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from proxy.plugin import Command
    from proxy.registry import Registry


class Rivals(Exception):
    """Two plugins bring a subcommand of one name, or one brings a name that is the engine's."""


def commands(registry: Registry, own: Collection[str]) -> dict[str, Command]:
    """Every subcommand of the plugins by name. A plugin that cannot be imported brings none.

    :param own: names that are taken.
    :raises Rivals: when a name is brought twice.
    """
    from proxy.registry import PluginNotUsable

    found: dict[str, tuple[str, Command]] = {}
    for name in registry.names:
        try:
            plugin = registry.get(name)
        except PluginNotUsable:
            continue  # `plugin list` and `check` tell why
        for command in plugin.commands:
            other = "passerelle itself" if command.name in own else found.get(command.name, ("", None))[0]
            if other and other != name:
                raise Rivals(f'the subcommand "{command.name}" of the plugin {name} is taken by {other}')
            found[command.name] = name, command
    return {name: command for name, (_, command) in found.items()}
