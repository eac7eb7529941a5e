"""Warnings, and the contradictions that the table of wrong files does not hold."""

from __future__ import annotations

from typing import Any

from proxy.settings.checks import check
from proxy.settings.document import Document
from proxy.settings.models import Settings
from proxy.settings.plugin_models import PluginEntry, RoutePlugin

APP = {"app": {"targets": ["http://a:1"]}}
ALL = {"name": "all", "upstream": "app"}


def found(**keys: Any) -> list[str]:
    settings = Settings.model_validate({"upstreams": APP, "routes": [ALL], **keys})
    return [problem.render() for problem in check(settings, Document())]


def test_a_sound_configuration_has_nothing() -> None:
    assert found() == []


def test_an_upstream_that_nobody_uses_is_doubtful() -> None:
    assert found(upstreams={**APP, "b": {"targets": ["http://b:1"]}}) == [
        "warning: upstreams.b: no route leads here; remove it, or write a route"
    ]


def test_trusting_everybody_is_doubtful() -> None:
    assert found(trusted_proxies=["10.0.0.0/8", "0.0.0.0/0", "::/0"]) == [
        "warning: trusted_proxies[1]: anybody may say who they are; name the proxies in front of this one",
        "warning: trusted_proxies[2]: anybody may say who they are; name the proxies in front of this one",
    ]


def test_a_route_may_be_answered_by_a_plugin_of_its_own() -> None:
    route = {"name": "hello", "plugins": {"respond": RoutePlugin.of("respond")}}
    assert found(routes=[ALL, route]) == []


def test_patience_without_an_upstream_is_an_error() -> None:
    route = {"name": "a", "plugins": {"respond": RoutePlugin.of("respond")}, "timeouts": {"connect": "1s"}}
    assert found(routes=[ALL, route]) == ["routes[1].timeouts: the route has no upstream to wait for; remove it"]


def test_a_plugin_is_named_once_on_a_route() -> None:
    plugins = {"m": RoutePlugin.of("m"), "./m.py": RoutePlugin.of("./m.py", at=("here",))}
    assert found(routes=[{**ALL, "plugins": plugins}]) == [
        'here: the plugin "m" is named twice on route "all"; keep one of them'
    ]


def test_the_same_plugin_may_stand_twice_under_two_ids() -> None:
    assert found(plugins=[PluginEntry.of("headers"), PluginEntry.of("headers", id="more")]) == []


def test_an_open_admin_listener_is_fine_with_a_token_and_none_needs_none() -> None:
    assert found(admin={"listen": "http://0.0.0.0:9090", "token": "x"}) == []
    assert found(admin=False) == []


def test_a_port_that_the_system_chooses_is_never_taken_twice() -> None:
    assert found(listen=["http://127.0.0.1:0", "http://127.0.0.1:0"], admin={"listen": "http://127.0.0.1:0"}) == []


def test_a_fallback_without_an_upstream_is_an_error() -> None:
    route = {"name": "a", "plugins": {"respond": RoutePlugin.of("respond")}, "on_error": {"respond": {}}}
    assert found(routes=[ALL, route]) == ["routes[1].on_error: the route has no upstream that could fail; remove it"]


def test_a_fallback_uses_its_upstream() -> None:
    upstreams = {**APP, "b": {"targets": ["http://b:1"]}}
    assert found(upstreams=upstreams, routes=[{**ALL, "on_error": {"upstream": "b"}}]) == []
