"""What a reload is told to have changed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest

from proxy.build import Built, Runtime, build
from proxy.registry import Registry
from proxy.server.admin_routes import AdminRoutes
from proxy.server.changes import changes, fixed
from proxy.settings import load_text

Make = Callable[[str], Built]
TEXT = """
upstreams: {{app: {{targets: ["http://127.0.0.1:9001"]}}, {more} }}
plugins: [{plugins}]
routes: [{routes}]
"""


def text(
    more: str = "b: {targets: ['http://127.0.0.1:9002']}",
    plugins: str = "request_id, events",
    routes: str = "{name: a, upstream: app}, {name: b, upstream: b, match: {path: /b}}",
) -> str:
    return TEXT.format(more=more, plugins=plugins, routes=routes)


@pytest.fixture
async def make() -> AsyncIterator[Make]:
    runtime = Runtime(AdminRoutes())
    async with AsyncExitStack() as stack:
        stack.push_async_callback(runtime.close)

        def makes(text: str) -> Built:
            built = build(load_text(text, {}), Registry.installed(), runtime)
            stack.push_async_callback(built.stop)
            return built

        yield makes


@pytest.mark.parametrize(
    ("after", "told"),
    [
        (text(), ()),
        (text(more="b: {targets: ['http://127.0.0.1:9003']}"), ("upstream b changed",)),
        (
            text(more="c: {targets: ['http://127.0.0.1:9002']}", routes="{name: a, upstream: c}"),
            ("upstream c added", "upstream b removed", "route a changed", "route b removed"),
        ),
        (
            text(routes="{name: b, upstream: b, match: {path: /b}}, {name: a, upstream: app}"),
            ("routes stand in another order",),
        ),
        (text(plugins="events, request_id"), ("plugins stand in another order",)),
        (
            text() + "listen: [http://127.0.0.1:1]\n",
            ("listener http://127.0.0.1:1 added", "listener http://127.0.0.1:8080 removed"),
        ),
        (text() + "limits: {head: 1KiB}\ntimeouts: {head: 1s}\n", ("limits changed", "timeouts changed")),
    ],
)
async def test_each_difference_is_a_line(make: Make, after: str, told: tuple[str, ...]) -> None:
    assert changes(make(text()), make(after)) == told


def test_what_takes_a_restart_is_named_with_its_place() -> None:
    before = load_text(text(), {}).settings
    (problem,) = fixed(before, load_text(text() + "state: x\n", {}, "p.yaml"))
    assert problem.render().startswith("p.yaml:5:8: state: cannot change while the server runs; restart")
    assert fixed(before, load_text(text() + "admin: {token: x}\nlimits: {head: 1KiB}\n", {})) == []
