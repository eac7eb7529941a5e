"""What an operator reads about a file that is wrong: every kind of slip with its exact lines.

Each case adds to a file that is valid, so that its lines are the only ones. The name of the file is `p.yaml`.
"""

from __future__ import annotations

import pytest

from proxy.settings import SettingsError, load_text

APP = "upstreams: {app: {targets: [http://a:1]}}\n"  # line 1 of most cases
GOOD = APP + "routes: [{name: all, upstream: app}]\n"  # lines 1 and 2
ANOTHER = 'give one of them another: "id: NAME"'
REDIS = 'write it as "redis://host:6379/0", "rediss://…" or "unix:///run/redis.sock"'
ENTRY = 'write "- name", or "- name: {option: value}"'
TOP_KEYS = (
    "admin, allow_underscores, dns, drain, errors, forwarded_header, include, limits, listen, plugins, redis, routes, "
    "state, tests, timeouts, traceparent, "
    "trusted_proxies, "
    "upstreams, workers"
)

# title, text, lines
WRONG: list[tuple[str, str, list[str]]] = [
    ("an empty file", "", ["p.yaml: is empty; write upstreams and routes"]),
    (
        "a list at the top",
        "- upstreams\n",
        ['p.yaml:1:1: must be a mapping at the top; begin with a key, such as "upstreams:"'],
    ),
    (
        "a misspelt key",
        "upstreams:\n  shop:\n    targets: [http://a:1]\n    tragets: [http://b:1]\n",
        ['p.yaml:4:5: upstreams.shop.tragets: unknown key; did you mean "targets"?'],
    ),
    ("a key like no other", GOOD + "zebra: 1\n", [f"p.yaml:3:1: zebra: unknown key; known keys are {TOP_KEYS}"]),
    ("a misspelt include", GOOD + "inclde: [x]\n", ['p.yaml:3:1: inclde: unknown key; did you mean "include"?']),
    (
        "a missing key",
        "upstreams:\n  shop:\n    pool: {}\n",
        ['p.yaml:2:3: upstreams.shop.targets: is missing; write "targets: [http://127.0.0.1:9001]"'],
    ),
    (
        "a duration without a unit",
        GOOD + "timeouts:\n  head: 5\n",
        ["p.yaml:4:9: timeouts.head: 5 has no unit; write the unit: 5s"],
    ),
    (
        "a unit that is none",
        GOOD + "limits: {head: 10M}\n",
        ['p.yaml:3:16: limits.head: "10M" is not a size; units are B, KiB, MiB, GiB, TiB, kB, MB, GB, TB'],
    ),
    (
        "a limit of zero",
        GOOD + "limits: {head: 0, fields: 0}\n",
        [
            'p.yaml:3:16: limits.head: must be more than 0; write how much, such as "64KiB"',
            "p.yaml:3:27: limits.fields: must be more than 0",
        ],
    ),
    (
        "a word where a number belongs",
        GOOD + "limits: {fields: many}\n",
        ["p.yaml:3:18: limits.fields: must be a whole number"],
    ),
    (
        "a number where text belongs",
        APP + "routes: [{name: 7, upstream: app, match: {headers: {X-Beta: true}}}]\n",
        [
            'p.yaml:2:17: routes[0].name: must be text; put it in quotes: "7"',
            'p.yaml:2:61: routes[0].match.headers.X-Beta: must be text; put it in quotes: "true"',
        ],
    ),
    (
        "a scalar where a list belongs",
        APP + "routes: all\n",
        ['p.yaml:2:9: routes: must be a list; write "[a, b]", or a line beginning with "- " for each item'],
    ),
    (
        "a list where a mapping belongs",
        "upstreams: [http://a:1]\n",
        ['p.yaml:1:1: upstreams: must be a mapping; write "key: value" pairs below it'],
    ),
    (
        "on and off of older YAML",
        "upstreams: {app: {targets: http://a:1, retry: off}}\n",
        ["p.yaml:1:47: upstreams.app.retry: must be a mapping; write false"],
    ),
    ("a key without a value", GOOD + "plugins:\n", ["p.yaml:3:1: plugins: has no value; write one, or remove the key"]),
    (
        "a key written twice",
        GOOD + "workers: 1\nworkers: 1\n",
        ["p.yaml:4:1: workers: the key is written twice; it already stands at p.yaml:3:1; keep one of them"],
    ),
    (
        "a tag",
        GOOD + "state: !!python/name:os.system x\n",
        [
            (
                'p.yaml:3:8: state: the tag "tag:yaml.org,2002:python/name:os.system" is not allowed; '
                "write a plain value; quotes make it text"
            )
        ],
    ),
    (
        "a variable that is not set",
        GOOD + "admin: {token: '${TOKEN}'}\n",
        ["p.yaml:3:16: admin.token: the variable TOKEN is not set; set it, or write ${TOKEN:-default}"],
    ),
    (
        "a variable that somebody must set",
        GOOD + "admin: {token: '${TOKEN:?ask the operator}'}\n",
        ["p.yaml:3:16: admin.token: the variable TOKEN is not set: ask the operator"],
    ),
    (
        "a variable that is never closed",
        GOOD + "admin: {token: '${TOKEN'}\n",
        [
            (
                'p.yaml:3:16: admin.token: "${" is never closed; '
                "write ${NAME}, ${NAME:-default}, ${NAME:?message} or ${file:path}, and $$ for a dollar sign"
            )
        ],
    ),
    (
        "a secret's file that is not there",
        GOOD + "admin: {token: '${file:/nonexistent/token}'}\n",
        ["p.yaml:3:16: admin.token: cannot read /nonexistent/token: no such file or directory"],
    ),
    (
        "URLs that are none",
        "upstreams: {app: {targets: ['a:1', 'http://a:1/base', 'http://u:p@a', 'http://', 'http://a:99999']}}\n",
        [
            'p.yaml:1:29: upstreams.app.targets[0]: "a:1" is no http URL; write "http://host:port"',
            'p.yaml:1:36: upstreams.app.targets[1]: must end after the port; write "http://a:1"',
            'p.yaml:1:55: upstreams.app.targets[2]: user and password do not belong here; write "http://host:port"',
            'p.yaml:1:71: upstreams.app.targets[3]: "http://" names no host; write "http://host:port"',
            (
                'p.yaml:1:82: upstreams.app.targets[4]: "http://a:99999" is not a URL: port out of range 0-65535; '
                'write "http://host:port"'
            ),
        ],
    ),
    (
        "a target listed twice",
        "upstreams: {app: {targets: [http://a:1, http://a:1]}}\n",
        ["p.yaml:1:19: upstreams.app.targets: http://a:1 is listed twice; give it a weight instead"],
    ),
    (
        "no targets",
        "upstreams: {app: {targets: []}}\n",
        ["p.yaml:1:19: upstreams.app.targets: must not be empty; write at least one"],
    ),
    (
        "an address that stands for all of them",
        GOOD + "listen: http://*:8080\n",
        ['p.yaml:3:9: listen: "*" is not an address; write 0.0.0.0, or [::], for every interface'],
    ),
    (
        "a range with bits below its mask",
        GOOD + "trusted_proxies: [10.0.0.1/8, internal]\n",
        [
            'p.yaml:3:19: trusted_proxies[0]: "10.0.0.1/8" is not an address range; write "10.0.0.0/8"',
            'p.yaml:3:31: trusted_proxies[1]: "internal" is not an address range; write it as "10.0.0.0/8"',
        ],
    ),
    (
        "a method in small letters",
        APP + "routes: [{name: all, upstream: app, match: {methods: [get, TRACE]}}]\n",
        [
            'p.yaml:2:55: routes[0].match.methods[0]: "get" is not a method; write GET',
            "p.yaml:2:60: routes[0].match.methods[1]: TRACE is never forwarded; remove it",
        ],
    ),
    (
        "a path without its slash",
        APP + "routes: [{name: all, upstream: app, match: {path: api/*}}]\n",
        ['p.yaml:2:51: routes[0].match.path: must begin with a slash; write "/api/*"'],
    ),
    (
        "a path edited twice",
        APP + "routes: [{name: all, upstream: app, path: {strip: /a, rewrite: /b}}]\n",
        ["p.yaml:2:37: routes[0].path: strip and rewrite exclude each other; keep one of them"],
    ),
    (
        "names that are none",
        "upstreams: {my app: {targets: [http://a:1]}}\n",
        [
            (
                'p.yaml:1:13: upstreams."my app": "my app" is not a name; '
                "use letters, digits, dot, dash and underscore, at most 64"
            )
        ],
    ),
    (
        "an upstream that does not exist",
        "upstreams: {shop: {targets: [http://a:1]}}\nroutes:\n  - {name: all, upstream: shpo}\n",
        [
            "p.yaml:1:13: warning: upstreams.shop: no route leads here; remove it, or write a route",
            'p.yaml:3:27: routes[0].upstream: there is no upstream "shpo"; did you mean "shop"?',
        ],
    ),
    (
        "a fallback to an upstream that does not exist",
        APP + "routes:\n  - {name: all, upstream: app, on_error: {upstream: apps}}\n",
        ['p.yaml:3:53: routes[0].on_error.upstream: there is no upstream "apps"; did you mean "app"?'],
    ),
    (
        "a fallback to the same upstream",
        APP + "routes:\n  - {name: all, upstream: app, on_error: {upstream: app}}\n",
        [
            (
                'p.yaml:3:53: routes[0].on_error.upstream: leads back to the upstream of the route, "app"; '
                "name another one; to try again, write retry"
            )
        ],
    ),
    (
        "a fallback of two kinds",
        APP + "routes:\n  - {name: all, upstream: app, on_error: {upstream: b, respond: {}}}\n",
        [
            (
                "p.yaml:3:32: routes[0].on_error: needs one of respond and upstream; "
                'write "upstream: NAME", or "respond: {status: 503}"'
            )
        ],
    ),
    (
        "a fallback for what is no failure",
        APP + "routes:\n  - {name: all, upstream: app, on_error: {respond: {}, when: [404]}}\n",
        [
            (
                'p.yaml:3:63: routes[0].on_error.when[0]: "404" is no failure of an upstream; '
                "choose from 500 to 599, connect, reset, timeout, unavailable, invalid, 5xx"
            )
        ],
    ),
    (
        "two routes of one name",
        APP + "routes:\n  - {name: a, upstream: app}\n  - {name: a, upstream: app}\n",
        ['p.yaml:4:12: routes[1].name: there are two routes named "a"; rename one'],
    ),
    (
        "a route that nobody answers",
        GOOD[:-2] + ", {name: b, plugins: {events: false}}]\n",
        [
            (
                'p.yaml:2:38: routes[1]: nothing answers on route "b"; '
                'write "upstream: NAME", or a plugin that answers, such as respond'
            )
        ],
    ),
    (
        "no routes and several upstreams",
        "upstreams: {a: {targets: [http://a:1]}, b: {targets: [http://b:1]}}\n",
        ["p.yaml:1:1: routes: there are no routes; write which requests go to which upstream"],
    ),
    ("nothing to do", "workers: 1\n", ["p.yaml:1:1: routes: there are no routes; write upstreams and routes"]),
    (
        "plugins in the wrong form",
        GOOD + "plugins:\n  - {}\n  - {a: {}, b: {}}\n  - headers: 5\n  - 7\n",
        [
            f"p.yaml:4:5: plugins[0]: names no plugin; {ENTRY}",
            'p.yaml:5:5: plugins[1]: names several plugins: a, b; begin each of them with "- "',
            f"p.yaml:6:14: plugins[2].headers: options must be a mapping; {ENTRY}",
            f"p.yaml:7:5: plugins[3]: names no plugin; {ENTRY}",
        ],
    ),
    (
        "a plugin twice without an id",
        GOOD + "plugins:\n  - events\n  - events: {}\n",
        [f'p.yaml:5:5: plugins[1].events: there are two plugins with the id "events"; {ANOTHER}'],
    ),
    (
        "a route's plugin in the wrong form",
        APP + "routes: [{name: all, upstream: app, plugins: {events: no}}]\n",
        ["p.yaml:2:55: routes[0].plugins.events: must be options, true or false; write options, true or false"],
    ),
    (
        "an admin listener open to all",
        GOOD + "admin: {listen: http://0.0.0.0:9090}\n",
        [
            (
                "p.yaml:3:17: admin.listen: is open to other machines without a token; "
                'write a token, such as "${PASSERELLE_ADMIN_TOKEN}", or listen on 127.0.0.1'
            )
        ],
    ),
    (
        "one address for two listeners",
        GOOD + "listen: [http://127.0.0.1:9090]\n",
        ["p.yaml:3:10: listen[0]: http://127.0.0.1:9090 is listened on twice; choose another port"],
    ),
    (
        "a test of a route that does not exist",
        GOOD + "tests: [{request: GET http://a/, expect: {route: al}}]\n",
        ['p.yaml:3:50: tests[0].expect.route: there is no route "al"; did you mean "all"?'],
    ),
    (
        "tests that are none",
        GOOD + "tests: [{request: /x, expect: {}}, {request: GET ftp://a/, expect: {route: all}}]\n",
        [
            (
                'p.yaml:3:19: tests[0].request: "/x" is not a request; '
                'write a method and a URL, such as "GET http://example.com/"'
            ),
            "p.yaml:3:23: tests[0].expect: expects nothing; write route, upstream, status, target or headers",
            (
                'p.yaml:3:46: tests[1].request: "ftp://a/" is not an http URL; '
                'write a method and a URL, such as "GET http://example.com/"'
            ),
        ],
    ),
    (
        "a misspelt choice",
        "upstreams: {app: {targets: [http://a:1], balance: round-robin}}\n",
        ['p.yaml:1:51: upstreams.app.balance: "round-robin" is not a way to balance; did you mean "round_robin"?'],
    ),
    (
        "a form that does not fit",
        "upstreams: {app: {targets: [http://a:1], balance: {hash: X-User}}}\n",
        ['p.yaml:1:58: upstreams.app.balance.hash: "X-User" does not have the right form; write "hash: header:X-User"'],
    ),
    (
        "a Redis that is none",
        "upstreams: {app: {targets: [http://a:1]}}\nredis: localhost:6379\n",
        [f"p.yaml:2:8: redis: is not the URL of a Redis; {REDIS}"],
    ),
    (
        "a Redis without a server",
        "upstreams: {app: {targets: [http://a:1]}}\nredis: redis://:6379/0\n",
        [f"p.yaml:2:8: redis: names no server; {REDIS}"],
    ),
    (
        "a Redis whose port is none",
        "upstreams: {app: {targets: [http://a:1]}}\nredis: redis://r:99999/0\n",
        [f"p.yaml:2:8: redis: names no server; {REDIS}"],
    ),
    (
        "slips of every stage at once",
        (
            "workers: ${N}\nupstreams:\n  shop: {targets: [http://a:1], pool: {max_idel: 5}}\n"
            "routes: [{name: all, upstream: shp}]\nplugins: [{}]\n"
        ),
        [
            "p.yaml:1:10: workers: the variable N is not set; set it, or write ${N:-default}",
            "p.yaml:3:3: warning: upstreams.shop: no route leads here; remove it, or write a route",
            'p.yaml:3:40: upstreams.shop.pool.max_idel: unknown key; did you mean "max_idle"?',
            'p.yaml:4:32: routes[0].upstream: there is no upstream "shp"; did you mean "shop"?',
            f"p.yaml:5:11: plugins[0]: names no plugin; {ENTRY}",
        ],
    ),
]


@pytest.mark.parametrize(("text", "lines"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_the_exact_lines(text: str, lines: list[str]) -> None:
    with pytest.raises(SettingsError) as raised:
        load_text(text, {}, "p.yaml")
    assert [problem.render() for problem in raised.value.problems] == lines


def test_the_valid_part_of_the_cases_is_valid() -> None:
    assert load_text(GOOD, {}, "p.yaml").warnings == ()
