"""Puts a Snapshot together and looks for everything that is wrong before anything is started."""

from __future__ import annotations

import logging

from proxy.build.chains import Chains
from proxy.build.pages import make_pages
from proxy.build.runtime import Runtime
from proxy.build.upstreams import make_upstreams, patience, register_metrics
from proxy.chain import Chain, Link
from proxy.plan import Plan, Snapshot
from proxy.plugin import Services
from proxy.registry import Registry
from proxy.routing import Match, Rewrite, Route, Router
from proxy.settings import Document, Loaded, Problem, Settings, SettingsError
from proxy.settings import Route as RouteSettings
from proxy.upstream.upstream import Upstream

log = logging.getLogger("passerelle")


class Built:
    """A configuration that is sound, and not started yet.

    :ivar snapshot: what the engine serves with.
    :ivar links: every plugin instance with its id, in the order of the file.
    :ivar warnings: doubtful, but no reason not to start.
    """

    def __init__(
        self, loaded: Loaded, snapshot: Snapshot, chains: Chains, runtime: Runtime, warnings: tuple[Problem, ...]
    ) -> None:
        self.loaded = loaded
        self.snapshot = snapshot
        self.warnings = warnings
        self.links = tuple(chains.instances.values())
        self._twins = chains.twins
        self._runtime = runtime
        self._started: list[Link] = []

    async def start(self) -> None:
        """Start every plugin, in the order of the file.

        :raises SettingsError: when one refuses; those started before are stopped again.
        """
        register_metrics(self.snapshot.upstreams, self._runtime)
        for link in self.links:
            try:
                await link.plugin.start(self._services(link))
            except Exception as error:
                log.error("the plugin %s does not start", link.id, exc_info=error)
                await self.stop()
                reason = f'the plugin "{link.id}" does not start: {type(error).__name__}: {error}'
                raise SettingsError([Problem((), reason)]) from error
            self._started.append(link)
            for instance, twin in self._twins:
                if instance is link.plugin:
                    twin.share(instance)

    async def stop(self) -> None:
        """Stop the plugins, last started first, and close the pools. One that raises does not keep the others."""
        while self._started:
            link = self._started.pop()
            try:
                await link.plugin.stop()
            except Exception as error:
                log.error("the plugin %s did not stop cleanly", link.id, exc_info=error)
        for upstream in self.snapshot.upstreams.values():
            await upstream.close()

    def _services(self, link: Link) -> Services:
        runtime = self._runtime
        return Services(
            events=runtime.events,
            clock=runtime.clock,
            random=runtime.random,
            log=logging.getLogger(f"passerelle.plugin.{link.id}"),
            http=runtime.http,
            metrics=runtime.metrics,
            admin=runtime.admin,
            spawn=runtime.spawn,
            buffered_body=self.loaded.settings.limits.buffered_body,
        )


def build(loaded: Loaded, registry: Registry, runtime: Runtime) -> Built:
    """Make everything that a configuration describes.

    :raises SettingsError: with all that is wrong; nothing was started.
    """
    settings, document = loaded.settings, loaded.document
    chains = Chains(settings.plugins, registry, document)
    problems: list[Problem] = []
    upstreams = make_upstreams(
        settings, runtime, lambda path, error: problems.append(document.problem(path, str(error), error.remedy))
    )
    pages = make_pages(settings.errors, ("errors",), document, problems)
    routes: list[Route[Plan]] = []
    plans: list[Plan] = []
    for index, said in enumerate(settings.routes):
        chain = chains.for_route(said, ("routes", index))
        plan = _plan(settings, index, chain, upstreams, document, problems)
        plan.pages = make_pages(said.errors, ("routes", index, "errors"), document, problems, pages)
        route = _route(said, plan, document, index, problems)
        plans.append(plan)
        if route is not None:
            plan.rewrite = route.rewrite
            routes.append(route)
    problems += chains.problems
    if problems:
        raise SettingsError([*loaded.warnings, *problems])
    router = Router(routes)
    warnings = (*loaded.warnings, *_ties(router, settings, document))
    snapshot = Snapshot(router, Plan("", chains.common(), None, pages=pages), dict(upstreams), plans, loaded.revision)
    return Built(loaded, snapshot, chains, runtime, warnings)


def _plan(
    settings: Settings,
    index: int,
    chain: Chain,
    upstreams: dict[str, Upstream],
    document: Document,
    problems: list[Problem],
) -> Plan:
    said = settings.routes[index]
    upstream = None if said.upstream is None else upstreams[said.upstream]
    if upstream is None and not any(link.plugin.answers for link in chain.links):
        problems.append(
            document.problem(
                ("routes", index),
                f'route "{said.name}" has no upstream, and none of its plugins answers by itself',
                "name an upstream, or add a plugin such as respond",
            )
        )
    plan = Plan(said.name, chain, upstream)
    if said.upstream is not None:
        plan.patience = patience(said.timeouts.over(settings.upstreams[said.upstream].timeouts))
    return plan


def _route(
    said: RouteSettings, plan: Plan, document: Document, index: int, problems: list[Problem]
) -> Route[Plan] | None:
    """The router's route; None, with a problem, when a pattern is malformed."""
    match = Match(said.match.host, said.match.path, frozenset(said.match.methods), tuple(said.match.headers.items()))
    try:
        rewrite = None
        if not said.path.is_empty:
            rewrite = Rewrite(said.match.path, strip=said.path.strip or "", template=said.path.rewrite or "")
        return Route(said.name, match, plan, priority=said.priority, rewrite=rewrite)
    except ValueError as error:
        key = "match" if said.path.is_empty else "path"
        problems.append(document.problem(("routes", index, key), str(error)))
        return None


def _ties(router: Router[Plan], settings: Settings, document: Document) -> list[Problem]:
    """Routes that only their order in the file tells apart."""
    index = {said.name: at for at, said in enumerate(settings.routes)}
    return [
        document.warning(
            ("routes", index[other.name]),
            f'routes "{one.name}" and "{other.name}" take the same requests; the first in the file wins',
            "give one of them a priority",
        )
        for one, other in router.ties()
    ]
