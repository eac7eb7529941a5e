"""What no single value can tell: names that must exist, that must be unique, and parts that contradict each other.

Errors would make the server do something else than the file says. Warnings are for what is legal and rarely meant.
What depends on how routes are matched (patterns, ties) is the router's to say, which is built from these settings.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator

from proxy.settings.document import Document
from proxy.settings.fields import is_loopback, port_of, split_url
from proxy.settings.models import Settings
from proxy.settings.problems import KeyPath, Problem, suggestion
from proxy.settings.unsupported import unsupported


def check(settings: Settings, document: Document) -> list[Problem]:
    """Return everything that is wrong or doubtful about settings whose single values are all valid."""
    return [problem for rule in _RULES for problem in rule(settings, document)]


def _unsupported(settings: Settings, document: Document) -> Iterator[Problem]:
    for path, remedy in unsupported(settings):
        yield document.problem(path, "is not supported by this version", remedy)


def _some_route(settings: Settings, document: Document) -> Iterator[Problem]:
    if not settings.routes:
        remedy = "write upstreams and routes" if not settings.upstreams else "write which requests go to which upstream"
        yield document.problem(("routes",), "there are no routes", remedy)


def _route_names(settings: Settings, document: Document) -> Iterator[Problem]:
    for index in _repeated(route.name for route in settings.routes):
        path = ("routes", index, "name")
        yield document.problem(path, f'there are two routes named "{settings.routes[index].name}"', "rename one")


def _route_upstreams(settings: Settings, document: Document) -> Iterator[Problem]:
    for index, route in enumerate(settings.routes):
        if route.upstream is not None and route.upstream not in settings.upstreams:
            message = f'there is no upstream "{route.upstream}"'
            remedy = suggestion(route.upstream, tuple(settings.upstreams))
            yield document.problem(("routes", index, "upstream"), message, remedy or "write it below upstreams")


def _fallbacks(settings: Settings, document: Document) -> Iterator[Problem]:
    for index, route in enumerate(settings.routes):
        if route.on_error is None:
            continue
        other, path = route.on_error.upstream, ("routes", index, "on_error")
        if route.upstream is None:
            yield document.problem(path, "the route has no upstream that could fail", "remove it")
        elif other == route.upstream:
            message = f'leads back to the upstream of the route, "{other}"'
            yield document.problem((*path, "upstream"), message, "name another one; to try again, write retry")
        elif other is not None and other not in settings.upstreams:
            remedy = suggestion(other, tuple(settings.upstreams)) or "write it below upstreams"
            yield document.problem((*path, "upstream"), f'there is no upstream "{other}"', remedy)


def _route_answers(settings: Settings, document: Document) -> Iterator[Problem]:
    for index, route in enumerate(settings.routes):
        if route.upstream is None and not any(plugin.enabled for plugin in route.plugins.values()):
            remedy = 'write "upstream: NAME", or a plugin that answers, such as respond'
            yield document.problem(("routes", index), f'nothing answers on route "{route.name}"', remedy)


def _plugin_ids(settings: Settings, document: Document) -> Iterator[Problem]:
    for index in _repeated(entry.id for entry in settings.plugins):
        message = f'there are two plugins with the id "{settings.plugins[index].id}"'
        yield document.problem(settings.plugins[index].at, message, 'give one of them another: "id: NAME"')


def _route_plugin_ids(settings: Settings, document: Document) -> Iterator[Problem]:
    for route in settings.routes:
        plugins = list(route.plugins.values())
        for index in _repeated(plugin.id for plugin in plugins):
            message = f'the plugin "{plugins[index].id}" is named twice on route "{route.name}"'
            yield document.problem(plugins[index].at, message, "keep one of them")


def _admin_token(settings: Settings, document: Document) -> Iterator[Problem]:
    admin = settings.admin
    if admin is not None and not is_loopback(admin.host) and not admin.token:
        remedy = 'write a token, such as "${PASSERELLE_ADMIN_TOKEN}", or listen on 127.0.0.1'
        yield document.problem(("admin", "listen"), "is open to other machines without a token", remedy)


def _addresses(settings: Settings, document: Document) -> Iterator[Problem]:
    urls: list[tuple[KeyPath, str]] = [(("listen", i), listener.url) for i, listener in enumerate(settings.listen)]
    if settings.admin is not None:
        urls.append((("admin", "listen"), settings.admin.listen))
        urls += [(("admin", "probes"), settings.admin.probes)] if settings.admin.probes else []
    # of two addresses the one that is written is to be changed, not the default
    urls.sort(key=lambda item: (document.holds(item[0][:1]), document.holds(item[0])))
    ends = [(split_url(url).hostname, port_of(url)) for _, url in urls]
    for index in _repeated(ends):
        if ends[index][1]:  # port 0 is another one each time
            yield document.problem(urls[index][0], f"{urls[index][1]} is listened on twice", "choose another port")


def _test_names(settings: Settings, document: Document) -> Iterator[Problem]:
    known = {"route": tuple(route.name for route in settings.routes), "upstream": tuple(settings.upstreams)}
    for index, test in enumerate(settings.tests):
        for kind, names in known.items():
            name = getattr(test.expect, kind)
            if name is not None and name not in names:
                path = ("tests", index, "expect", kind)
                yield document.problem(path, f'there is no {kind} "{name}"', suggestion(name, names))


def _unused_upstreams(settings: Settings, document: Document) -> Iterator[Problem]:
    used = {route.upstream for route in settings.routes}
    used |= {route.on_error.upstream for route in settings.routes if route.on_error is not None}
    for name in settings.upstreams:
        if settings.routes and name not in used:
            yield document.warning(("upstreams", name), "no route leads here", "remove it, or write a route")


def _useless_timeouts(settings: Settings, document: Document) -> Iterator[Problem]:
    for index, route in enumerate(settings.routes):
        if route.upstream is None and route.timeouts.model_fields_set:
            message = "the route has no upstream to wait for"
            yield document.problem(("routes", index, "timeouts"), message, "remove it")


def _trusting_all(settings: Settings, document: Document) -> Iterator[Problem]:
    for index, network in enumerate(settings.trusted_proxies):
        if network.prefixlen == 0:
            message = "anybody may say who they are"
            yield document.warning(("trusted_proxies", index), message, "name the proxies in front of this one")


def _unverified(settings: Settings, document: Document) -> Iterator[Problem]:
    for name, upstream in settings.upstreams.items():
        if upstream.tls is not None and not upstream.tls.verify:
            message = "anybody on the way may answer in its place, read every request and change every answer"
            yield document.warning(("upstreams", name, "tls", "verify"), message, "name its authority as ca instead")


def _repeated(names: Iterable[object]) -> Iterator[int]:
    """Yield the index of every name that has stood before."""
    seen: Counter[object] = Counter()
    for index, name in enumerate(names):
        if seen[name]:
            yield index
        seen[name] += 1


_RULES: tuple[Callable[[Settings, Document], Iterator[Problem]], ...] = (
    _unsupported,
    _some_route,
    _route_names,
    _route_upstreams,
    _fallbacks,
    _route_answers,
    _plugin_ids,
    _route_plugin_ids,
    _admin_token,
    _addresses,
    _test_names,
    _unused_upstreams,
    _useless_timeouts,
    _trusting_all,
    _unverified,
)
