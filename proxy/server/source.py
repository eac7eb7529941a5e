"""Where a configuration comes from, so that it can be read again."""

from __future__ import annotations

from collections.abc import Callable

from proxy.registry import PluginNotUsable, Registry
from proxy.server.watch import Picture, picture
from proxy.settings import Loaded, Settings, Trace


class Source:
    """A configuration that can be read again.

    :param read: reads it; tells the trace what it has looked at.
    :ivar seen: what the files were like when it was last read.
    :ivar trace: what the configuration depends on; where the last reading failed, with what the one before depended on.
    """

    def __init__(self, read: Callable[[Trace], Loaded]) -> None:
        self._read = read
        self.trace = Trace()
        self.seen: Picture = {}

    def load(self) -> Loaded:
        """Read it. Blocks.

        :raises SettingsError: with everything that is wrong.
        """
        trace = Trace()
        try:
            loaded = self._read(trace)
        except BaseException:
            self.trace = Trace(self.trace.files | trace.files, self.trace.patterns | trace.patterns)
            raise
        self.trace = trace
        self.seen = picture(trace)
        return loaded


def preload(registry: Registry, settings: Settings) -> None:
    """Import every plugin that is named, so that this does not hold up the loop later. What cannot be had is told by
    whoever builds the configuration.
    """
    for said in settings.named_plugins:
        try:
            if said.file is not None:
                registry.get_file(said.file)
            else:
                registry.get(said.name)
        except PluginNotUsable:
            continue
