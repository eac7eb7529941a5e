"""Puts a Snapshot together and looks for everything that is wrong before anything is started."""

from __future__ import annotations

from contextlib import suppress

from proxy.build.built import Built
from proxy.build.chains import Chains
from proxy.build.clients import check_underscores
from proxy.build.fallbacks import make_fallback
from proxy.build.listeners import make_certificates
from proxy.build.pages import make_pages
from proxy.build.runtime import Runtime
from proxy.build.upstreams import make_upstreams, patience
from proxy.chain import Chain, Link
from proxy.plan import Plan, Snapshot
from proxy.registry import PluginNotUsable, Registry
from proxy.routing import Match, Rewrite, Route, Router
from proxy.settings import Document, KeyPath, Loaded, PluginEntry, Problem, RoutePlugin, Settings, SettingsError
from proxy.settings import Route as RouteSettings
from proxy.upstream.upstream import Upstream


def build(loaded: Loaded, registry: Registry, runtime: Runtime, before: Built | None = None) -> Built:
    """Make everything that a configuration describes.

    :param before: the configuration that serves, started: upstreams and plugins that are as they were are kept.
    :raises SettingsError: with all that is wrong; nothing was started.
    """
    settings, document = loaded.settings, loaded.document
    chains = _chains(loaded, registry, before)
    problems: list[Problem] = []
    held = make_upstreams(
        settings,
        runtime,
        lambda path, error: problems.append(document.problem(path, str(error), error.remedy)),
        {} if before is None else before.upstreams,
    )
    upstreams = {name: one.thing for name, one in held.items()}
    pages = make_pages(settings.errors, ("errors",), document, problems)
    routes: list[Route[Plan]] = []
    plans: list[Plan] = []
    for index, said in enumerate(settings.routes):
        at: KeyPath = ("routes", index)
        chain = chains.for_route(said, at)
        plan = _plan(said, settings, chain, upstreams)
        problems += _unanswered(plan, chains, at, document)
        plan.fallback = make_fallback(said, chain, settings, upstreams, runtime)
        plan.pages = make_pages(said.errors, (*at, "errors"), document, problems, pages)
        route = _route(said, plan, document, index, problems)
        plans.append(plan)
        if route is not None:
            _rewriting(plan, route.rewrite)
            routes.append(route)
    check_underscores(settings, document, problems)
    certificates, doubts = make_certificates(settings, document, runtime, problems)
    problems += chains.problems
    if problems:
        raise SettingsError([*loaded.warnings, *problems])
    router = Router(routes)
    warnings = (*loaded.warnings, *doubts, *chains.doubts, *_ties(router, settings, document))
    snapshot = Snapshot(router, Plan("", chains.common(), None, pages=pages), upstreams, plans, loaded.revision)
    return Built(loaded, snapshot, chains, held, runtime, warnings, certificates)


def _rewriting(plan: Plan, rewrite: Rewrite | None) -> None:
    plan.rewrite = rewrite
    if plan.fallback is not None and plan.fallback.plan is not None:
        plan.fallback.plan.rewrite, plan.fallback.plan.pages = rewrite, plan.pages


def _chains(loaded: Loaded, registry: Registry, before: Built | None) -> Chains:
    """Load every plugin before the first is made: options may name events that a plugin further down brings along."""
    settings = loaded.settings
    wanted: list[PluginEntry | RoutePlugin] = list(settings.plugins)
    wanted += [said for route in settings.routes for said in route.plugins.values() if said.enabled]
    for said in wanted:
        with suppress(PluginNotUsable):  # which is told where it is made
            registry.get(said.name) if said.file is None else registry.get_file(said.file)
    return Chains(settings.plugins, registry, loaded.document, _known(settings, before))


def _known(settings: Settings, before: Built | None) -> dict[str, Link]:
    """The plugins that may go on: none when they are lent something else than before."""
    if before is None or before.loaded.settings.limits.buffered_body != settings.limits.buffered_body:
        return {}
    return {name: held.thing.link for name, held in before.plugins.items()}


def _unanswered(plan: Plan, chains: Chains, at: KeyPath, document: Document) -> list[Problem]:
    """A route that leads nowhere; nothing where a plugin that could not be made might have answered."""
    if plan.upstream is not None or any(link.plugin.answers for link in plan.chain.links) or chains.spoilt(at):
        return []
    says = f'route "{plan.name}" has no upstream, and none of its plugins answers by itself'
    return [document.problem(at, says, "name an upstream, or add a plugin such as respond")]


def _plan(said: RouteSettings, settings: Settings, chain: Chain, upstreams: dict[str, Upstream]) -> Plan:
    upstream = None if said.upstream is None else upstreams[said.upstream]
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
        return Route(said.name, match, plan, priority=said.priority, rewrite=rewrite, allow=frozenset(said.allow))
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
