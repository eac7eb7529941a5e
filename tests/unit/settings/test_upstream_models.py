"""Upstreams as they are written."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from proxy.settings.target_models import Breaker, Eject, HashBy, Health
from proxy.settings.upstream_models import (
    Retry,
    RouteTimeouts,
    Target,
    Timeouts,
    Upstream,
    UpstreamTls,
)


def upstream(**keys: Any) -> Upstream:
    return Upstream.model_validate({"targets": ["http://a:1"], **keys})


def test_the_defaults_are_those_of_the_manual() -> None:
    made = upstream()
    assert made.balance == "round_robin"
    assert (made.pool.max_connections, made.pool.max_idle, made.pool.idle_timeout) == (100, 20, 60)
    assert (made.timeouts.connect, made.timeouts.first_byte, made.timeouts.between_bytes) == (5, 60, 60)
    assert made.retry == Retry(attempts=1, on=("connect", "reset", "timeout", 502, 503, 504))
    assert made.retry.budget == 0.2
    assert (made.health, made.eject, made.breaker) == (None, Eject(), None)


def test_a_target_is_a_url_or_more() -> None:
    first, second = upstream(targets=["http://a", {"url": "https://b:2", "weight": 3}]).targets
    assert (first.scheme, first.host, first.port, first.weight) == ("http", "a", 80, 1)
    assert (second.scheme, second.host, second.port, second.weight) == ("https", "b", 2, 3)


def test_a_target_may_be_a_unix_socket() -> None:
    first, second = upstream(targets=["unix:/run/app.sock", "unix:///run/b.sock"]).targets
    assert (first.scheme, first.host, first.port, first.path) == ("http", "localhost", 80, "/run/app.sock")
    assert (second.url, second.path) == ("unix:/run/b.sock", "/run/b.sock")
    assert upstream().targets[0].path == ""


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("unix:app.sock", "not the whole path"),
        ("unix://run/app.sock", "not the whole path"),
        ("unix:/run/", "not the whole path"),
        ("unix:/" + "x" * 103, "longer than a socket's path can be"),
    ],
)
def test_what_is_no_path_of_a_socket(target: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        upstream(targets=[target])


def test_resolving_is_for_names() -> None:
    named, addressed = "http://app.test", "http://10.0.0.1"
    made = upstream(targets=[named, {"url": "http://b.test", "resolve": "all"}, addressed])
    assert [target.is_named for target in made.targets] == [True, True, False]
    assert [made.resolve_for(target) for target in made.targets] == ["first", "all", "first"]
    made = upstream(targets=[{"url": named, "resolve": "first"}, "http://b.test"], resolve="all")
    assert [made.resolve_for(target) for target in made.targets] == ["first", "all"]
    for nameless in (addressed, "http://[::1]", "http://localhost", "unix:/run/app.sock"):
        with pytest.raises(ValidationError, match="no target whose name"):
            upstream(targets=[nameless], resolve="all")
        with pytest.raises(ValidationError, match="no name that could"):
            upstream(targets=[{"url": nameless, "resolve": "all"}])


def test_tls_is_for_targets_that_speak_it() -> None:
    https = ["https://a.test"]
    assert upstream(targets=https, tls={"server_name": "b.test"}).tls == UpstreamTls(server_name="b.test")
    made = UpstreamTls()
    assert (made.verify, made.minimum_version, made.ca, made.certificate) == (True, "1.2", None, None)
    with pytest.raises(ValidationError, match="no target with https"):
        upstream(tls={})
    with pytest.raises(ValidationError, match="a key without a certificate"):
        upstream(targets=https, tls={"key": "k.pem"})
    for name in ("10.0.0.1", "a b", "https://a.test"):
        with pytest.raises(ValidationError, match="not the name of a host"):
            upstream(targets=https, tls={"server_name": name})


def test_everything_can_be_written() -> None:
    made = upstream(
        balance={"hash": "header:X-User"},
        retry={"attempts": 2, "on": ["connect", 502, "503"], "budget": "10%"},
        health={"path": "/up", "every": "1s"},
        eject={"after": 3, "for": "10s", "at_most": "25%"},
        breaker={"failure_ratio": "30%"},
    )
    assert made.balance == HashBy(hash="header:X-User")
    assert made.retry == Retry(attempts=2, on=("connect", 502, "503"), budget="10%")  # type: ignore[arg-type]  # as YAML
    assert made.retry is not None
    assert made.retry.on == ("connect", 502, 503)
    assert made.health == Health.model_validate({"path": "/up", "every": "1s"})
    assert made.eject is not None
    assert (made.eject.after, made.eject.lasting, made.eject.at_most) == (3, 10, 0.25)
    assert made.breaker == Breaker.model_validate({"failure_ratio": "30%"})


def test_sections_can_be_switched() -> None:
    made = upstream(retry=False, health=True, eject=True)
    assert (made.retry, made.health, made.eject) == (None, Health(), Eject())


@pytest.mark.parametrize(
    "keys",
    [
        {"targets": []},
        {"targets": ["http://a", "http://a"]},
        {"targets": [{"url": "http://a", "weight": 0}]},
        {"balance": "random"},
        {"balance": {"hash": "X-User"}},
        {"retry": {"attempts": 11}},
        {"retry": {"on": [404]}},
        {"retry": {"on": ["unavailable"]}},
        {"retry": {"buffer": "2MiB"}},
        {"host": "a b"},
        {"eject": {"lasting": "3s"}},
    ],
)
def test_what_is_refused(keys: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        upstream(**keys)


@pytest.mark.parametrize(
    ("host", "target", "policy"),
    [
        (None, "http://a", "pass"),
        (None, "https://api.example.com", "upstream"),
        (None, "https://10.0.0.1", "pass"),
        ("pass", "https://api.example.com", "pass"),
        ("upstream", "http://a", "upstream"),
        ("shop.example.com", "https://a", "shop.example.com"),
    ],
)
def test_which_host_is_sent(host: str | None, target: str, policy: str) -> None:
    made = Upstream(targets=(Target(url=target),), host=host)
    assert made.host_for(made.targets[0]) == policy


def test_a_routes_timeouts_stand_over_the_upstreams() -> None:
    written = RouteTimeouts.model_validate({"first_byte": "2m"})
    assert written.over(Timeouts()) == Timeouts().model_copy(update={"first_byte": 120.0})
    assert RouteTimeouts().over(Timeouts()) == Timeouts()
