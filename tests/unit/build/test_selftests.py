"""A configuration's own tests: which are met, and what is said of the others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from proxy.build import Built, Runtime
from proxy.build.selftests import run_tests

Make = Callable[[str], Built]

TEXT = """
upstreams: {app: {targets: [http://127.0.0.1:9001]}}
plugins: [{headers: {request: {set: {X-Env: prod, Authorization: Bearer hidden}}}}]
routes:
  - {name: api, match: {path: /api/*}, path: {strip: /api}, upstream: app}
  - {name: moved, match: {path: /old}, plugins: {respond: {redirect: /new, status: 308}}}
tests:
"""


async def told(make: Make, runtime: Runtime, *tests: str) -> list[str]:
    text = TEXT + "".join(f"  - {{request: {test}}}\n" for test in tests)
    return [problem.render().partition("p.yaml:")[2] for problem in await run_tests(make(text), runtime)]


async def test_what_is_met_is_not_mentioned(make: Make, runtime: Runtime) -> None:
    assert (
        await told(
            make,
            runtime,
            "GET http://a/api/x?y, expect: {upstream: app, target: /x?y, headers: {x-env: prod, X-No: null}}",
            "GET http://a/api/, expect: {route: api}",
            "GET http://a/old, expect: {route: moved, status: 308, headers: {Location: /new}}",
            "GET http://a/nowhere, expect: {status: 404}",
            "GET http://a/api/x, expect: {headers: {Host: a, Authorization: Bearer hidden}}",
            "GET http://a/api/x, headers: {Host: b}, expect: {headers: {Host: b}}",
        )
        == []
    )


@pytest.mark.parametrize(
    ("test", "says"),
    [
        ("GET http://a/old, expect: {route: api}", "8:49: tests[0].expect.route: {}the route is moved, not api"),
        ("GET http://a/no, expect: {route: api}", "8:48: tests[0].expect.route: {}the route is none, not api"),
        (
            "GET http://a/old, expect: {upstream: app}",
            "tests[0].expect.upstream: {}it is answered with status 308, not upstream app",
        ),
        (
            "GET http://a/no, expect: {upstream: app}",
            "{}it is answered with status 404 (no route matches this request), not upstream app",
        ),
        ("GET http://a/api/x, expect: {status: 200}", "{}it goes to upstream app, not status 200"),
        ("GET http://a/old, expect: {status: 301}", "{}it is answered with status 308, not status 301"),
        ("GET http://a/api/x, expect: {target: /y}", "{}the target is /x, not /y"),
        ("GET http://a/old, expect: {target: /y}", "{}the target is not sent anywhere, not /y"),
        ("GET http://a/api/x, expect: {headers: {X-Env: dev}}", "expect.headers.X-Env: {}X-Env is prod, not dev"),
        ("GET http://a/api/x, expect: {headers: {X-No: a}}", "{}X-No is not there, not a"),
        ("GET http://a/api/x, expect: {headers: {X-Env: null}}", "{}there is a field X-Env: prod"),
        ("GET http://a/api/x, expect: {headers: {Authorization: x}}", "{}Authorization is ***, not ***"),
        ("'GET http://a/api/x', headers: {A: \"b\\r\\nC: d\"}, expect: {route: api}", "tests[0].expect: {}a line end"),
    ],
)
async def test_what_is_not_met_is_told_at_its_place(make: Make, runtime: Runtime, test: str, says: str) -> None:
    (problem,) = await told(make, runtime, test)
    request = test.partition(",")[0].strip("'")
    assert says.format(f"{request}: ") in problem


async def test_every_unmet_expectation_of_every_test_is_told(make: Make, runtime: Runtime) -> None:
    problems = await told(
        make,
        runtime,
        "GET http://a/old, expect: {route: api, upstream: app, target: /}",
        "GET http://a/old, expect: {status: 200}",
    )
    assert len(problems) == 4


async def test_a_plugin_that_is_not_run_is_named(make: Make, runtime: Runtime, tmp_path: Path) -> None:
    (tmp_path / "door.py").write_text(
        "from proxy.api import *\n\nclass Door(Plugin[PluginConfig]):\n    answers = True\n"
        "    def on_request(self, exchange):\n        return Response(403)\n"
    )
    text = "plugins: []\nroutes: [{name: a, plugins: {./door.py: {}}}]\n"
    text += "tests: [{request: GET http://a/, expect: {status: 403}}]\n"
    (problem,) = await run_tests(make(text), runtime)
    assert problem.message.endswith(
        "nothing is known of the answer (unless door answers, which is not run here), not status 403"
    )


async def test_what_the_cache_would_do(make: Make, runtime: Runtime) -> None:
    text = """
upstreams: {app: {targets: [http://127.0.0.1:9001]}}
plugins: [cache]
routes: [{name: all, upstream: app}, {name: not, match: {path: /not}, upstream: app, plugins: {cache: false}}]
tests:
  - {request: GET http://a/x, expect: {cache: eligible}}
  - {request: DELETE http://a/x, expect: {cache: bypass}}
  - {request: GET http://a/x, expect: {cache: hit}}
  - {request: GET http://a/not, expect: {cache: eligible}}
"""
    problems = [problem.render() for problem in await run_tests(make(text), runtime)]
    assert [line.partition(": GET ")[2] for line in problems] == [
        "http://a/x: the cache's verdict is eligible, not hit",
        "http://a/not: the cache's verdict is none, since it is not reached, not eligible",
    ]
