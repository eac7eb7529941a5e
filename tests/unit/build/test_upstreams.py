"""From an upstream's settings to endpoints, pools and patience."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from proxy.build import Runtime
from proxy.build.upstreams import make_upstreams, patience
from proxy.settings import Settings, Timeouts
from proxy.upstream.tls import ClientTls, TlsFileError
from proxy.upstream.upstream import Upstream


def made(runtime: Runtime, **said: object) -> Upstream:
    settings = Settings.model_validate({"upstreams": {"app": {"targets": ["http://127.0.0.1:9001"], **said}}})
    return make_upstreams(settings, runtime)["app"].thing


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


async def test_a_context_is_made_only_for_what_differs(runtime: Runtime, tmp_path: Path) -> None:
    def tls(**said: object) -> object:
        return made(runtime, targets=["https://a.test"], tls=said).endpoints[0].tls

    assert made(runtime, targets=["https://a.test"]).endpoints[0].tls is None
    named, newer, lax = tls(server_name="b.test"), tls(minimum_version="1.3"), tls(verify=False)
    assert isinstance(named, ClientTls)
    assert (named.context, named.server_name) == (True, "b.test")
    assert isinstance(newer, ClientTls)
    assert isinstance(newer.context, ssl.SSLContext)
    assert newer.context.minimum_version is ssl.TLSVersion.TLSv1_3
    assert newer.context.verify_mode is ssl.CERT_REQUIRED
    assert isinstance(lax, ClientTls)
    assert isinstance(lax.context, ssl.SSLContext)
    assert lax.context.verify_mode is ssl.CERT_NONE
    with pytest.raises(TlsFileError):
        tls(ca=tmp_path / "none.pem")


def test_timeouts_become_patience() -> None:
    waits = patience(Timeouts.model_validate({"connect": "1s", "first_byte": "2s", "between_bytes": "3s"}))
    assert (waits.connect, waits.first_byte, waits.between_bytes) == (1.0, 2.0, 3.0)
