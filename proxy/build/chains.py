"""Plugins and chains: from entries in the settings to hooks."""

from __future__ import annotations

from collections.abc import Mapping
from inspect import iscoroutinefunction
from typing import Any

from proxy.chain import Chain, Link, misplaced, place
from proxy.plugin import Plugin, PluginConfig, config_of
from proxy.registry import PluginNotUsable, Registry
from proxy.settings import (
    Document,
    KeyPath,
    PluginEntry,
    Problem,
    Route,
    RoutePlugin,
    nearest,
    suggestion,
    validate_model,
)
from proxy.waiting import RAISED


class Chains:
    """Makes one instance for each id, and each route's chain out of them.

    :param known: instances that serve already, by id: one of the same class and with equal options is kept.
    :ivar problems: what was found wrong so far.
    :ivar doubts: what plugins doubt of their options.
    :ivar twins: each instance with one that a route sees in its place because it sets other options.
    :ivar places: where each instance's options stand in the document, by id.
    :ivar instances: what must be started and stopped, in the order of the file.
    """

    def __init__(
        self,
        entries: tuple[PluginEntry, ...],
        registry: Registry,
        document: Document,
        known: Mapping[str, Link] | None = None,
    ) -> None:
        self._known = known or {}
        self._registry = registry
        self._document = document
        self._entries = {entry.id: entry for entry in entries}
        self.problems: list[Problem] = []
        self.doubts: list[Problem] = []
        self.instances: dict[str, Link] = {}
        self.places: dict[str, KeyPath] = {}
        self.twins: list[tuple[Plugin[Any], Plugin[Any]]] = []
        self._common: list[Link] = []
        for entry in entries:
            link = self._instance(entry, entry.options, entry.at)
            if link is not None:
                self._common.append(link)
        self._check_order(self._common, entries[0].at[:1] if entries else ())

    def common(self) -> Chain:
        """The chain of requests that match no route."""
        return Chain(self._common)

    def for_route(self, route: Route, at: KeyPath) -> Chain:
        """A route's chain: the common one with its options set over, plugins switched off, and others added."""
        links = [self._over(link, route.plugin(link.id)) for link in self._common]
        kept = [link for link in links if link is not None]
        added = []
        for said in route.plugins.values():
            if said.id in self._entries:
                continue
            if not said.enabled:
                self._unknown_id(said)
                continue
            link = self._added(said)
            if link is not None:
                added.append(link)
        chain = place(kept, added)
        self._check_order(chain, (*at, "plugins"))
        return Chain(chain)

    def spoilt(self, at: KeyPath) -> bool:
        """Whether a plugin of a route's chain could not be made, so that the chain does not tell what it would do."""
        where = (("plugins",), (*at, "plugins"))
        return any(problem.path[: len(place)] == place for problem in self.problems for place in where)

    def _over(self, link: Link, said: RoutePlugin | None) -> Link | None:
        """A plugin of the common chain as a route wants it; None when it is switched off."""
        if said is None:
            return link
        if not said.enabled:
            return None
        if said.file is not None and said.file != self._entries[link.id].file:
            self._other_plugin(said)
            return None
        if not said.options:
            return link
        return self._twin(link, {**self._entries[link.id].options, **said.options}, said)

    def _added(self, said: RoutePlugin) -> Link | None:
        """A plugin that only routes have: its first appearance makes the instance."""
        link = self.instances.get(said.id)
        if link is None:
            cls = self._find(said)
            return (
                None if cls is None or self._wide(config_of(cls), said) else self._instance(said, said.options, said.at)
            )
        if self._find(said) is not type(link.plugin):
            self._other_plugin(said)
            return None
        return self._twin(link, said.options, said)

    def _twin(self, link: Link, options: Mapping[str, Any], said: RoutePlugin) -> Link | None:
        kind = config_of(type(link.plugin))
        config = None if self._wide(kind, said) else self._config(kind, options, said.at)
        if config is None:
            return None
        try:
            twin = link.plugin.for_route(config)
        except RAISED as error:
            self._problem(said.at, f"the plugin refuses these options: {error}")
            return None
        self.twins.append((link.plugin, twin))
        self._doubt(twin, said.at)
        return Link(link.id, link.name, twin)

    def _wide(self, kind: type[PluginConfig], said: RoutePlugin) -> bool:
        """Whether a route says what is not its own to say."""
        wide = sorted(kind.process_wide & said.options.keys())
        for name in wide:
            self._problem(
                (*said.at, name),
                "belongs to the whole process and cannot differ by route",
                "write it under the plugin in `plugins` at the top",
            )
        return bool(wide)

    def _instance(self, entry: PluginEntry | RoutePlugin, options: Mapping[str, Any], at: KeyPath) -> Link | None:
        cls = self._find(entry)
        if cls is None:
            return None
        if iscoroutinefunction(cls.on_complete):
            self._problem(at, "the plugin's on_complete is asynchronous, and nobody would await it")
            return None
        config = self._config(config_of(cls), options, at)
        if config is None:
            return None
        link = self._kept(entry, cls, config) or self._made(entry, cls, config, at)
        if link is not None:
            self.instances[entry.id] = link
            self.places[entry.id] = at
        return link

    def _kept(self, entry: PluginEntry | RoutePlugin, cls: type[Plugin[Any]], config: PluginConfig) -> Link | None:
        link = self._known.get(entry.id)
        if link is None or link.name != entry.name or type(link.plugin) is not cls or link.plugin.config != config:
            return None
        return link

    def _made(
        self, entry: PluginEntry | RoutePlugin, cls: type[Plugin[Any]], config: PluginConfig, at: KeyPath
    ) -> Link | None:
        try:
            plugin = cls(config)
            self._doubt(plugin, at)
            return Link(entry.id, entry.name, plugin)
        except RAISED as error:
            self._problem(at, f"the plugin refuses these options: {error}")
            return None

    def _find(self, entry: PluginEntry | RoutePlugin) -> type[Plugin[Any]] | None:
        try:
            return self._registry.get(entry.name) if entry.file is None else self._registry.get_file(entry.file)
        except PluginNotUsable as error:
            remedy = suggestion(entry.name, error.known) if error.known else ""
            self.problems.append(self._document.problem(entry.at, error.reason, remedy, key=True))
            return None

    def _config(self, kind: type[PluginConfig], options: Mapping[str, Any], at: KeyPath) -> PluginConfig | None:
        config, problems = validate_model(kind, dict(options), at, self._document)
        self.problems += problems
        return config

    def _other_plugin(self, said: RoutePlugin) -> None:
        self._problem(
            said.at,
            f'"{said.id}" is the id of another plugin',
            "write this one in `plugins` at the top, with an id of its own",
        )

    def _unknown_id(self, said: RoutePlugin) -> None:
        close = nearest(said.id, tuple(self._entries))
        remedy = f'did you mean "{close}"?' if close else "remove it"
        self.problems.append(
            self._document.problem(said.at, f'no plugin "{said.id}" is in the chain to switch off', remedy, key=True)
        )

    def _check_order(self, links: list[Link], at: KeyPath) -> None:
        for link, cache in misplaced(links):
            rank = link.plugin.rank.name.lower()
            self._problem(
                at,
                f'"{link.id}" ({rank}) stands inside the cache "{cache.id}", where a hit would pass it by',
                f'move it before "{cache.id}"',
            )

    def _doubt(self, plugin: Plugin[Any], at: KeyPath) -> None:
        self.doubts += [self._document.warning(at, doubt) for doubt in plugin.doubts()]

    def _problem(self, at: KeyPath, message: str, remedy: str = "") -> None:
        problem = self._document.problem(at, message, remedy)
        if problem not in self.problems:
            self.problems.append(problem)
