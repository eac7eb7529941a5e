from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.errors import BadRequest
from proxy.message import Headers, Request
from proxy.routing import Match, Rewrite, Route, Router
from proxy.routing.router import precedence


def route(name: str, path: str = "/*", *hosts: str, **more: object) -> Route[str]:
    methods = frozenset(str(more.get("methods", "")).split())
    headers = tuple(tuple(pair.split("=")) for pair in str(more.get("headers", "")).split())
    match = Match(hosts, path, methods, headers)  # type: ignore[arg-type]  # pairs by construction
    return Route(name, match, name.upper(), priority=int(str(more.get("priority", 0))))


def found(router: Router[str], target: str, host: str = "a.example", method: str = "GET", **headers: str) -> str | None:
    fields = Headers({name.replace("_", "-"): value for name, value in headers.items()})
    hit = router.find(Request(method, target, host=host, headers=fields))
    return None if hit is None else hit.name


def test_the_payload_travels_with_the_route() -> None:
    hit = Router([route("all")]).find(Request("GET", "/x"))
    assert hit is not None
    assert hit.payload == "ALL"


def test_no_route_is_none() -> None:
    assert found(Router([route("a", "/a")]), "/b") is None
    assert found(Router([]), "/b") is None
    assert found(Router([route("a", "/*")]), "nonsense") is None


def test_longest_path_wins_whatever_the_order() -> None:
    routes = [route("root"), route("api", "/api/*"), route("users", "/api/users/*"), route("exact", "/api/users/7")]
    for order in (routes, routes[::-1]):
        router = Router(order)
        assert found(router, "/x") == "root"
        assert found(router, "/api") == "root"
        assert found(router, "/api/") == "api"
        assert found(router, "/api/users/8?x=/api/users/7") == "users"
        assert found(router, "/api/users/7") == "exact"


def test_exact_beats_pattern_beats_prefix_of_equal_length() -> None:
    router = Router([route("prefix", "/users/*"), route("pattern", "/users/{id}"), route("below", "/users/{id}/*")])
    assert found(router, "/users/7") == "pattern"
    assert found(router, "/users/7/x") == "below"
    assert found(router, "/users/") == "prefix"
    assert found(Router([route("prefix", "/u*"), route("exact", "/u")]), "/u") == "exact"


def test_a_pattern_with_more_literal_text_beats_a_deeper_prefix() -> None:
    router = Router([route("deep", "/users/7/*"), route("posts", "/users/{id}/posts")])
    assert found(router, "/users/7/posts") == "posts"
    assert found(router, "/users/7/other") == "deep"


def test_prefixes_inside_a_segment() -> None:
    router = Router([route("api", "/api*"), route("apid", "/apid*"), route("a", "/a*"), route("below", "/api/*")])
    assert [found(router, path) for path in ("/apix", "/apidoc", "/ab", "/api/x", "/api", "/b")] == [
        "api",
        "apid",
        "a",
        "below",
        "api",
        None,
    ]


def test_host_classes() -> None:
    hosts = ["shop.example", "*.example", "*.b.example", "shop.example:81", "*.example:81"]
    router = Router([route("any"), *(route(host, "/*", host) for host in hosts)])
    assert found(router, "/", "SHOP.example") == "shop.example"
    assert found(router, "/", "shop.example.") == "shop.example"
    assert found(router, "/", "shop.example:8080") == "shop.example"
    assert found(router, "/", "shop.example:81") == "shop.example:81"
    assert found(router, "/", "x.y.example") == "*.example"
    assert found(router, "/", "x.y.example:81") == "*.example:81"
    assert found(router, "/", "x.b.example:81") == "*.b.example"
    assert found(router, "/", "example") == "any"
    assert found(router, "/", "xexample") == "any"
    assert found(router, "/", "") == "any"


def test_a_port_that_the_scheme_implies_counts() -> None:
    router = Router([route("tls", "/*", "a.example:443"), route("any")])
    for scheme, name in (("https", "tls"), ("http", "any")):
        hit = router.find(Request("GET", "/", scheme=scheme, host="a.example"))
        assert hit is not None
        assert hit.name == name


def test_ipv6_hosts() -> None:
    router = Router([route("six", "/*", "[::1]"), route("port", "/*", "[::1]:81")])
    assert [found(router, "/", host) for host in ("[::1]", "[::1]:80", "[::1]:81", "[::2]")] == [
        "six",
        "six",
        "port",
        None,
    ]


def test_a_closer_host_beats_a_longer_path_and_falls_back() -> None:
    router = Router([route("host", "/a/*", "a.example"), route("path", "/a/b/c")])
    assert found(router, "/a/b/c") == "host"
    assert found(router, "/b") is None
    assert found(router, "/a/b/c", "b.example") == "path"


def test_a_route_may_have_several_hosts() -> None:
    router = Router([route("two", "/*", "a.example", "*.b.example", "A.example")])
    assert [found(router, "/", host) for host in ("a.example", "x.b.example", "b.example")] == ["two", "two", None]


def test_methods_and_fields_pass_over_what_does_not_fit() -> None:
    router = Router(
        [
            route("any", "/a"),
            route("post", "/a", methods="POST PUT"),
            route("beta", "/a", methods="POST", headers="X-Beta=1"),
            route("keyed", "/a", headers="X-Key=*", priority=1),
            route("root"),
        ]
    )
    assert found(router, "/a") == "any"
    assert found(router, "/a", method="PUT") == "post"
    assert found(router, "/a", method="POST", x_beta="1") == "beta"
    assert found(router, "/a", method="POST", x_beta="2") == "post"
    assert found(router, "/a", x_key="whatever") == "keyed"
    assert found(Router([route("a", "/a", methods="POST"), route("root")]), "/a") == "root"


def test_any_of_repeated_fields_may_fit() -> None:
    request = Request("GET", "/", headers=Headers([("x-a", "1"), ("X-A", "2")]))
    assert Router([route("two", headers="X-a=2")]).find(request) is not None


def test_priority_then_conditions_then_order() -> None:
    assert found(Router([route("one", "/a"), route("two", "/a", priority=1)]), "/a") == "two"
    assert found(Router([route("one", "/a"), route("two", "/a", methods="GET")]), "/a") == "two"
    assert found(Router([route("one", "/a/{x}"), route("two", "/a/{y}")]), "/a/b") == "one"
    assert found(Router([route("long", "/a/b*"), route("short", "/a/*", priority=9)]), "/a/b") == "long"


def test_asterisk_form_is_looked_up_as_the_root() -> None:
    assert found(Router([route("all"), route("a", "/a")]), "*", method="OPTIONS") == "all"
    assert found(Router([route("a", "/a")]), "*", method="OPTIONS") is None


@pytest.mark.parametrize(
    "target", ["/%61dmin/x", "//admin/x", "/admin//x", "/a%64min/%78", "/admin/%2Fx", "/admin/./x"]
)
def test_spellings_do_not_slip_past_a_route(target: str) -> None:
    assert found(Router([route("root"), route("admin", "/admin/*")]), target) == "admin"


@pytest.mark.parametrize(
    "target",
    [
        "/x/../admin/y",
        "/x/%2e%2e/admin/y",
        "/./admin/x",
        "/admin%2Fx",
        "/admin/../x",
        "/x%5C..%5Cadmin%5Cy",
        "/admin\\x",
        "/x/..;/admin/y",
    ],
)
def test_a_path_whose_readings_fall_to_different_routes_is_refused(target: str) -> None:
    with pytest.raises(BadRequest):
        found(Router([route("root"), route("admin", "/admin/*")]), target)


@pytest.mark.parametrize("target", ["/a/../b", "/@scope%2Fname", "/a/./b", "/a\\b", "/files/..hidden"])
def test_a_path_that_matches_alike_either_way_passes(target: str) -> None:
    assert found(Router([route("root")]), target) == "root"


def test_dots_are_refused_where_the_path_is_rewritten() -> None:
    match = Match(path="/api/*")
    router = Router([Route("api", match, None, rewrite=Rewrite("/api/*", strip="/api"))])
    with pytest.raises(BadRequest):
        router.find(Request("GET", "/api/../api/x"))
    hit = router.find(Request("GET", "/api/a%2Fb"))
    assert hit is not None
    assert hit.rewritten("/api/a%2Fb") == "/a%2Fb"


def test_a_malformed_target_is_refused() -> None:
    with pytest.raises(BadRequest):
        found(Router([route("root")]), "/a%00b")


def test_a_flood_of_hosts_changes_nothing() -> None:
    router = Router([route("a", "/*", "*.example"), route("any")])
    assert all(found(router, "/", f"h{at}.example") == "a" for at in range(3000))
    assert found(router, "/", "a." * 5000 + "example") == "any"
    assert len(router._memo) <= 1024


def test_consider_names_every_route_and_its_fate() -> None:
    router = Router(
        [
            route("other", "/api/*", "shop.example.com"),
            route("root"),
            route("many", "/*", "x.example", "y.example"),
            route("api", "/api/*", "api.example.com"),
            route("old", "/old"),
            route("post", "/api/users", "api.example.com", methods="POST"),
            route("writes", "/api/users", "api.example.com", methods="POST PUT"),
            route("beta", "/api/users", "api.example.com", headers="X-Beta=1"),
            route("keyed", "/api/users", "api.example.com", headers="X-Key=*"),
            route("wide", "/*", "api.example.com"),
        ]
    )
    request = Request("GET", "/api/users?q", host="api.example.com", headers=Headers({"X-Beta": "secret"}))
    considered = router.consider(request)
    assert {line.route.name: line.reason for line in considered} == {
        "api": "the first that fits",
        "other": "host api.example.com is not shop.example.com",
        "many": "host api.example.com is none of x.example, y.example",
        "old": "path /api/users does not fit /old",
        "post": "method GET is not POST",
        "writes": "method GET is none of POST, PUT",
        "beta": "field x-beta is not 1",
        "keyed": "field x-key is missing",
        "wide": "lost to `api`: its path /api/* is longer",
        "root": "lost to `api`: its host api.example.com is closer",
    }
    assert [line.route.name for line in considered if line.won] == ["api"]
    assert [line.route.name for line in considered][-4:] == ["old", "root", "other", "many"]


@pytest.mark.parametrize(
    ("winner", "loser", "reason"),
    [
        (route("w", "/a/{x}"), route("l", "/a/*"), "its path /a/{x} is more definite"),
        (route("w", "/a/*", priority=2), route("l", "/a/*"), "its priority 2 is higher"),
        (route("w", "/a/*", methods="GET"), route("l", "/a/*"), "it has more conditions"),
        (route("w", "/a/*"), route("l", "/a/*"), "it stands earlier in the file"),
    ],
)
def test_consider_says_what_decided(winner: Route[str], loser: Route[str], reason: str) -> None:
    lines = Router([winner, loser]).consider(Request("GET", "/a/b"))
    assert [(line.route.name, line.won, line.reason) for line in lines] == [
        ("w", True, "the first that fits"),
        ("l", False, f"lost to `w`: {reason}"),
    ]


def test_ties() -> None:
    tied = [(route("a", "/x/{a}"), route("b", "/x/{b}")), (route("c", "/y/*", "h"), route("d", "/y/*", "g", "h"))]
    apart = [
        route("e", "/z/*", methods="GET"),
        route("f", "/z/*", methods="PUT"),
        route("g", "/z/*", headers="a=1"),
        route("h", "/z/*", headers="A=2"),
        route("i", "/z/*"),
        route("j", "/z/*", priority=1),
        route("k", "/z/*", "h"),
    ]
    ties = Router([*apart, *(one for pair in tied for one in pair)]).ties()
    assert {(one.name, other.name) for one, other in ties} == {
        ("a", "b"),
        ("c", "d"),
        ("e", "g"),
        ("e", "h"),
        ("f", "g"),
        ("f", "h"),
    }


SEGMENTS = st.sampled_from(["a", "ab", "b", "{p}"])
HOSTS = st.sampled_from(["a.b", "*.b", "*.a.b", "b", "a.b:81"])


@st.composite
def routes(draw: st.DrawFn) -> Route[str]:
    segments = draw(st.lists(SEGMENTS, max_size=3))
    path = "".join("/" + segment.replace("p", f"p{at}") for at, segment in enumerate(segments))
    path += draw(st.sampled_from(["/", "/*", "/a*"] if not path else ["", "/", "/*", "/a*"]))
    hosts = draw(st.lists(HOSTS, max_size=2, unique=True))
    methods = draw(st.sampled_from(["", "GET", "GET PUT"]))
    return route(
        "", path, *hosts, methods=methods, priority=draw(st.integers(0, 1)), headers=draw(st.sampled_from(["", "x=1"]))
    )


@st.composite
def requests(draw: st.DrawFn) -> Request:
    path = "/" + "/".join(draw(st.lists(st.sampled_from(["a", "ab", "abc", "b", "c"]), max_size=4)))
    path += draw(st.sampled_from(["", "?q"]) if path == "/" else st.sampled_from(["", "/", "?q"]))
    host = draw(st.sampled_from(["a.b", "A.b:80", "b", "x.b", "x.a.b", "a.b:81", "c"]))
    headers = Headers(draw(st.sampled_from([[], [("X", "1")]])))
    return Request(draw(st.sampled_from(["GET", "PUT", "DELETE"])), path, host=host, headers=headers)


def fits_path(pattern: str, path: str) -> bool:
    """A reading of the grammar that shares nothing with the index: segment by segment."""
    star, wanted, given_ = pattern.endswith("*"), pattern.removesuffix("*").split("/"), path.split("/")
    if len(given_) < len(wanted) or (not star and len(given_) > len(wanted)):
        return False
    for want, have in zip(wanted[:-1], given_, strict=False):
        if want != have and not (want.startswith("{") and have):
            return False
    last, have = wanted[-1], given_[len(wanted) - 1]
    if last.startswith("{"):
        return bool(have)
    return have.startswith(last) if star else have == last


def host_place(pattern: str, host: str) -> int | None:
    name, _, port = host.lower().partition(":")
    wanted, _, wanted_port = pattern.partition(":")
    if wanted_port and wanted_port != (port or "80"):
        return None
    if wanted.startswith("*"):
        return 1000 - 2 * len(wanted) if name.endswith(wanted[1:]) else None
    return (0 if wanted_port else 1) if wanted == name else None


def brute(routes: Sequence[Route[str]], request: Request) -> Route[str] | None:
    def key(route: Route[str]) -> tuple[int, int, int, int, int]:
        path = route.match.path
        literal = len(re.sub(r"\{[^}]*\}", "", path.removesuffix("*")))
        kind = 3 if path.endswith("*") else 0
        if "{" in path:
            kind = 2 if kind else 1
        places = [place for host in route.match.hosts if (place := host_place(host, request.host)) is not None]
        host = min(places) if route.match.hosts else 2000
        conditions = len(route.match.headers) + bool(route.match.methods)
        return host, -literal, kind, -route.priority, -conditions

    fitting = [
        route
        for route in routes
        if (not route.match.hosts or any(host_place(host, request.host) is not None for host in route.match.hosts))
        and fits_path(route.match.path, request.path)
        and (not route.match.methods or request.method in route.match.methods)
        and (not route.match.headers or request.headers.get("x") == "1")
    ]
    return min(fitting, key=key, default=None)


@given(st.lists(routes(), max_size=12))
def test_ties_are_all_pairs_that_only_their_order_tells_apart(routes: list[Route[str]]) -> None:
    def tied(one: Route[str], other: Route[str]) -> bool:
        hosts, others = set(one.hosts), set(other.hosts)
        methods, more = one.match.methods, other.match.methods
        return (
            precedence(one) == precedence(other)
            and (hosts == others == set() or bool(hosts & others))
            and one.pattern.overlaps(other.pattern)
            and (not methods or not more or bool(methods & more))
        )

    found = {frozenset(map(id, pair)) for pair in Router(routes).ties()}
    assert found == {frozenset(map(id, pair)) for pair in combinations(routes, 2) if tied(*pair)}


@settings(max_examples=400, deadline=None)
@given(st.lists(routes(), max_size=12), st.lists(requests(), min_size=1, max_size=6))
def test_the_index_agrees_with_a_search_through_all_routes(routes: list[Route[str]], requests: list[Request]) -> None:
    router = Router(routes)
    for request in requests:
        assert router.find(request) is brute(routes, request)


@settings(max_examples=200, deadline=None)
@given(st.lists(routes(), max_size=8), requests())
def test_consider_agrees_with_find(routes: list[Route[str]], request_: Request) -> None:
    router = Router(routes)
    considered = router.consider(request_)
    assert [line.route for line in considered if line.won] == [
        hit for hit in [router.find(request_)] if hit is not None
    ]
    assert {line.route for line in considered} == set(routes)
    first_fitting = next((line for line in considered if line.won or line.reason.startswith("lost")), None)
    assert first_fitting is None or first_fitting.won


def test_routes_are_listed_in_the_order_of_precedence() -> None:
    router = Router([route("root"), route("exact", "/a/b", "a.example"), route("below", "/a/*")])
    assert repr(router.routes) == "[<Route exact a.example /a/b>, <Route below /a/*>, <Route root /*>]"
