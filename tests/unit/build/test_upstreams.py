"""From an upstream's settings to endpoints, pools and patience."""

from __future__ import annotations

import pytest

from proxy.build import Runtime
from proxy.build.upstreams import make_upstreams, patience
from proxy.settings import Settings, Timeouts
from proxy.upstream.upstream import Upstream


def made(runtime: Runtime, **said: object) -> Upstream:
    settings = Settings.model_validate({"upstreams": {"app": {"targets": ["http://127.0.0.1:9001"], **said}}})
    return make_upstreams(settings, runtime)["app"]


async def test_targets_become_endpoints(runtime: Runtime) -> None:
    targets = ["http://a.example", "http://[::1]:81", {"url": "https://b.example:8443", "weight": 3}]
    one, two, three = made(runtime, targets=targets).endpoints
    assert (one.scheme, one.host, one.port, one.authority, one.weight) == ("http", "a.example", 80, "a.example", 1)
    assert (two.host, two.port, two.authority) == ("::1", 81, "[::1]:81")
    assert (three.port, three.authority, three.weight) == (8443, "b.example:8443", 3)


@pytest.mark.parametrize(
    ("target", "host", "field"),
    [
        ("http://a.example", None, ""),
        ("https://a.example", None, "a.example"),  # a name behind TLS wants to be asked for by that name
        ("https://a.example:8443", "upstream", "a.example:8443"),
        ("https://a.example", "pass", ""),
        ("http://a.example", "b.example", "b.example"),
    ],
)
async def test_which_host_is_sent(runtime: Runtime, target: str, host: str | None, field: str) -> None:
    said = {"targets": [target]} | ({} if host is None else {"host": host})
    assert made(runtime, **said).endpoints[0].host_field == field


async def test_the_pool_s_limits_are_those_written(runtime: Runtime) -> None:
    limits = made(runtime, pool={"max_connections": 7, "max_idle": 3, "idle_timeout": "9s"}).pool.limits
    assert (limits.max_connections, limits.max_idle, limits.idle_timeout) == (7, 3, 9.0)


def test_timeouts_become_patience() -> None:
    waits = patience(Timeouts.model_validate({"connect": "1s", "first_byte": "2s", "between_bytes": "3s"}))
    assert (waits.connect, waits.first_byte, waits.between_bytes) == (1.0, 2.0, 3.0)
