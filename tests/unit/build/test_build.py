"""From settings to a snapshot: what comes of them, and everything that is refused before anything is started."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from proxy.build import Built, Runtime
from proxy.settings import SettingsError

Make = Callable[[str], Built]

APP = "upstreams: {app: {targets: [http://127.0.0.1:9001]}}\n"


def problems(make: Make, text: str) -> list[str]:
    with pytest.raises(SettingsError) as refused:
        make(text)
    return [problem.render().partition("p.yaml:")[2] for problem in refused.value.problems]


async def test_a_snapshot_holds_what_the_file_says(make: Make) -> None:
    built = make(
        APP
        + "routes:\n- {name: a, match: {path: /a/*}, path: {strip: /a}, upstream: app, timeouts: {first_byte: 2s}}\n"
        "- {name: b, match: {path: /b}, plugins: {respond: {status: 204}, events: false}}\n"
    )
    snapshot = built.snapshot
    a, b = snapshot.plans
    assert (a.name, a.upstream is snapshot.upstreams["app"], a.patience.first_byte) == ("a", True, 2.0)
    assert a.rewrite is not None
    assert (b.upstream, [link.id for link in b.chain.links]) == (
        None,
        ["request_id", "sanitize", "respond", "cache", "compress"],
    )
    assert [link.id for link in built.links] == ["request_id", "sanitize", "cache", "compress", "events", "respond"]
    assert snapshot.revision == built.loaded.revision
    assert [link.id for link in snapshot.fallback.chain.links] == [
        "request_id",
        "sanitize",
        "cache",
        "compress",
        "events",
    ]


async def test_every_problem_is_told_at_once(make: Make) -> None:
    found = problems(
        make,
        APP + "plugins:\n- headrs\n- respond: {status: 99}\n- ./none.py\n"
        "routes:\n- {name: a, match: {path: '/{a'}, upstream: app}\n"
        "- {name: b, match: {path: /b}, plugins: {events: {}, headers: {request: {sett: {}}}}}\n",
    )
    assert [line.partition(" ")[0] for line in found] == ["3:3:", "4:21:", "5:3:", "7:13:", "8:74:"]
    assert 'no plugin is called "headrs"; did you mean "headers"?' in found[0]


@pytest.mark.parametrize("there", ["", "headers: {request: {sett: {}}}", "respond: {status: 99}", "./none.py: {}"])
async def test_a_route_that_leads_nowhere_is_told_unless_a_plugin_of_it_is(make: Make, there: str) -> None:
    found = problems(make, f"plugins: []\nroutes: [{{name: a, plugins: {{events: {{}}, {there}}}}}]\n")
    assert len(found) == 1
    assert ("none of its plugins answers by itself" in found[0]) is (not there)


async def test_routes_that_only_their_order_tells_apart_are_warned_of(make: Make) -> None:
    built = make(APP + "routes: [{name: a, upstream: app}, {name: b, upstream: app}]\n")
    (warning,) = built.warnings
    assert '"a" and "b" take the same requests' in warning.message


async def test_a_rewriting_that_makes_no_sense_is_refused(make: Make) -> None:
    (found,) = problems(make, APP + "routes: [{name: a, path: {rewrite: '/{id}'}, upstream: app}]\n")
    assert "routes[0].path" in found


async def test_plugins_start_in_order_and_stop_in_reverse(make: Make, tmp_path: Path) -> None:
    told = tmp_path / "told"
    for name in ("one", "two"):
        (tmp_path / f"{name}.py").write_text(
            f"from proxy.api import *\n\nclass P(Plugin[PluginConfig]):\n"
            f"    def tell(self, what):\n        with open({str(told)!r}, 'a') as file:\n"
            f"            file.write('{name} ' + what + '\\n')\n"
            f"    async def start(self, services):\n        self.tell('starts')\n"
            f"    async def stop(self):\n        self.tell('stops')\n        {'raise RuntimeError' * (name == 'two')}\n"
        )
    built = make(APP + "plugins: [./one.py, ./two.py]\n")
    assert not told.exists()
    await built.start()
    await built.stop()
    assert told.read_text().splitlines() == ["one starts", "two starts", "two stops", "one stops"]


async def test_pools_are_shown_while_it_serves(make: Make, runtime: Runtime) -> None:
    built = make(APP)
    await built.start()
    built.show()
    text = runtime.metrics.exposition()[0].decode()
    assert 'passerelle_upstream_connections{state="idle",upstream="app"} 0.0' in text
    assert 'passerelle_upstream_connections_created_total{upstream="app"} 0.0' in text


async def test_a_file_of_tls_that_is_no_good_is_told_with_its_place(make: Make, tmp_path: Path) -> None:
    """With everything else that is wrong, and what to do about it."""
    text = (
        "upstreams:\n  app:\n    targets: [https://a.test]\n    tls: {ca: none.pem}\n"
        "routes: [{name: a, upstream: app}, {name: b, match: {path: /b}, plugins: {events: {}}}]\n"
    )
    tls, route = problems(make, text)
    assert tls.startswith(f"4:15: upstreams.app.tls.ca: {tmp_path / 'none.pem'} cannot be read: ")
    assert "write the path of a PEM file" in tls
    assert 'route "b" has no upstream' in route


async def test_what_a_plugin_doubts_is_a_warning_at_its_place(make: Make) -> None:
    built = make("""
upstreams: {app: {targets: [http://127.0.0.1:9001]}}
plugins: [cache]
routes: [{name: all, upstream: app, plugins: {cache: {force_ttl: 1h}}}]
""")
    (warning,) = built.warnings
    assert "force_ttl stores what answers forbid" in warning.render()
    assert ":4:" in warning.render()
