"""From an upstream's settings to endpoints, pools and patience."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import pytest

from proxy.build import Runtime
from proxy.build.upstreams import make_upstreams, patience, start_upstreams
from proxy.settings import Settings, Timeouts
from proxy.upstream.authorities import Deferred, deferring, read_authorities
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


@pytest.mark.parametrize(
    ("said", "needed"),
    [
        ({"targets": ["https://127.0.0.1:1"]}, True),
        ({"targets": ["http://127.0.0.1:1", "https://127.0.0.1:1"], "tls": {"server_name": "b.test"}}, True),
        ({"targets": ["http://127.0.0.1:1"]}, False),
        ({"targets": ["https://127.0.0.1:1"], "tls": {"verify": False}}, False),
    ],
    ids=["https", "by another name", "http", "with a context of its own"],
)
async def test_the_systems_authorities_are_read_at_once_where_they_will_be_needed(
    runtime: Runtime, said: dict[str, object], needed: bool
) -> None:
    with deferring():
        context = ssl.create_default_context()
    settings = Settings.model_validate({"upstreams": {"app": said}})
    upstreams = {name: held.thing for name, held in make_upstreams(settings, runtime).items()}
    start_upstreams(upstreams, settings, runtime)
    assert isinstance(context, Deferred) is not needed
    read_authorities()
    await asyncio.gather(*(upstream.close() for upstream in upstreams.values()))


def test_timeouts_become_patience() -> None:
    waits = patience(Timeouts.model_validate({"connect": "1s", "first_byte": "2s", "between_bytes": "3s"}))
    assert (waits.connect, waits.first_byte, waits.between_bytes) == (1.0, 2.0, 3.0)
