"""A configuration that is sound: started beside the one that serves, shown in its place, and let go of in the end."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from proxy.build.chains import Chains
from proxy.build.holding import Held
from proxy.build.running import Running
from proxy.build.runtime import Runtime
from proxy.build.upstreams import start_upstreams
from proxy.chain import Link
from proxy.plan import Snapshot
from proxy.settings import ListenerTls, Loaded, Problem, SettingsError
from proxy.upstream.upstream import Upstream
from proxy.waiting import RAISED

if TYPE_CHECKING:
    from proxy.frontend.tls import Certificates

log = logging.getLogger("passerelle")


class Built:
    """A configuration that is sound, and not started yet.

    :ivar snapshot: what the engine serves with.
    :ivar links: every plugin instance with its id, in the order of the file.
    :ivar warnings: doubtful, but no reason not to start.
    :ivar certificates: of listeners, by what is written about them.
    :ivar upstreams: by name; some may be those of the configuration before.
    :ivar plugins: the started plugins, by id; some may be those of the configuration before.
    """

    def __init__(
        self,
        loaded: Loaded,
        snapshot: Snapshot,
        chains: Chains,
        upstreams: Mapping[str, Held[Upstream]],
        runtime: Runtime,
        warnings: tuple[Problem, ...],
        certificates: Mapping[ListenerTls, Certificates],
    ) -> None:
        self.loaded = loaded
        self.snapshot = snapshot
        self.warnings = warnings
        self.certificates = certificates
        self.links = tuple(chains.instances.values())
        self.upstreams = {name: held.hold() for name, held in upstreams.items()}
        self.plugins: dict[str, Held[Running]] = {}
        self._twins = chains.twins
        self._places = chains.places
        self._runtime = runtime
        self._stopped = False

    async def start(self, before: Built | None = None) -> None:
        """Start every plugin, in the order of the file; those that serve already are taken over as they are.

        :param before: the configuration that serves, from which this one was built.
        :raises SettingsError: when one refuses; those started here are stopped again.
        """
        functions = self._runtime.metrics.functions()
        try:
            for link in self.links:
                self.plugins[link.id] = (_same(link, before) or await self._begun(link)).hold()
                self._share(link)
        except BaseException:
            await self.stop()
            self._runtime.metrics.restore(functions)
            raise

    def show(self, before: Built | None = None) -> None:
        """Let the admin listener and the metrics tell of this configuration, and follow and watch its targets.

        :param before: the configuration that served until now: what it has learnt of targets that stay goes on.
        """
        self._runtime.admin.show([held.thing.routes for held in self.plugins.values()])
        start_upstreams(self.snapshot.upstreams, self.loaded.settings, self._runtime)
        for name, held in self.upstreams.items():
            old = None if before is None else before.upstreams.get(name)
            if old is not None and old is not held:
                held.thing.adopt(old.thing)

    async def stop(self) -> None:
        """Let go of plugins, last started first, and of upstreams: what no other configuration holds ends.

        May be called twice.
        """
        if self._stopped:
            return
        self._stopped = True
        for running in reversed(self.plugins.values()):
            await running.release()
        for upstream in self.upstreams.values():
            await upstream.release()

    async def _begun(self, link: Link) -> Held[Running]:
        beside = [held.thing.routes for held in self.plugins.values()]
        settings = self.loaded.settings
        running = Running(link, self._runtime, beside, settings.limits.buffered_body, settings.state)
        try:
            await running.start()
        except RAISED as error:
            log.error("the plugin %s does not start", link.id, exc_info=error)
            await running.end()
            reason = f'the plugin "{link.id}" does not start: {type(error).__name__}: {error}'
            raise SettingsError([self.loaded.document.problem(self._places[link.id], reason, key=True)]) from error
        return Held(running, running.stop)

    def _share(self, link: Link) -> None:
        for instance, twin in self._twins:
            if instance is link.plugin:
                twin.share(instance)


def _same(link: Link, before: Built | None) -> Held[Running] | None:
    """The plugin as it runs already, when the chain was built with that very instance."""
    held = None if before is None else before.plugins.get(link.id)
    return held if held is not None and held.thing.link is link else None
