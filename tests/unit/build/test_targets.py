"""What the settings say of targets becomes what chooses among them and watches them."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.build import Runtime
from proxy.build.upstreams import make_upstreams
from proxy.exchange import Exchange
from proxy.message import Request, Response
from proxy.peer import Peer
from proxy.ports import FetchPort
from proxy.server.admin_routes import AdminRoutes
from proxy.settings import Settings
from proxy.upstream.upstream import Upstream


def made(runtime: Runtime, **said: Any) -> Upstream:
    settings = Settings.model_validate({"upstreams": {"app": {"targets": ["http://127.0.0.1:9001"], **said}}})
    return make_upstreams(settings, runtime)["app"].thing


@pytest.mark.parametrize(
    ("balance", "told"),
    [
        ("round_robin", "round_robin"),
        ("least_busy", "least_busy"),
        ("two_choices", "two_choices"),
        ({"hash": "header:X-User"}, "hash of header:X-User"),
        ({"sticky": {"cookie": "at"}}, "sticky by the cookie at, else round_robin"),
        ({"sticky": {"cookie": "at", "otherwise": "two_choices"}}, "sticky by the cookie at, else two_choices"),
    ],
)
async def test_balancers(runtime: Runtime, balance: object, told: str) -> None:
    assert dict(made(runtime, balance=balance).describe())["balance"] == f"{told}, 1 of 1 targets ready"


async def test_what_is_off_is_off(runtime: Runtime) -> None:
    told = dict(made(runtime, eject=False).describe())
    assert (told["health"], told["eject"], told["breaker"]) == ("off", "off", "off")


async def test_every_rule_arrives(runtime: Runtime) -> None:
    eject = {"after": 2, "for": "3s", "at_most": "40%", "failure_ratio": "60%", "of_at_least": 7, "within": "8s"}
    breaker = {"failure_ratio": "30%", "of_at_least": 4, "within": "5s", "open": "6s"}
    health = {"path": "/up", "method": "HEAD", "status": [204, "300-301"], "body": "ok", "every": "9s"}
    more = {"timeout": "1s", "fall": 4, "rise": 5, "jitter": "20%", "host": "up.example"}
    upstream = made(runtime, eject=eject, breaker=breaker, health=health | more, slow_start="7s")
    told = dict(upstream.describe())
    assert told["balance"].endswith("slow start over 7 s")
    assert told["eject"] == (
        "after 2 failures in a row or 60% of at least 7 within 8 s, for 3 s, doubling, at most 40% of the targets"
    )
    assert told["breaker"] == "closed; opens for 6 s when 30% of at least 4 fail within 5 s"
    assert told["health"] == (
        "HEAD /up every 9 s expects 204, 300-301 and a body that matches 'ok' within 1 s; out after 4, back after 5"
    )
    assert upstream.checker is not None
    assert (upstream.checker.check.jitter, upstream.checker.check.host) == (0.2, "up.example")


async def test_a_secret_of_one_s_own_gives_the_same_cookie_everywhere(runtime: Runtime) -> None:
    def cookie(at: Runtime, **how: str) -> str | None:
        upstream = made(at, balance={"sticky": {"cookie": "at", **how}})
        x = Exchange("id", Request("GET", "/"), Peer("192.0.2.1"), FetchPort(), 0.0)
        x.endpoint = upstream.pick(x)
        upstream.answered(x, Response(200))
        return None if x.stays is None else x.stays[1]

    other = Runtime(AdminRoutes())
    assert cookie(runtime) == cookie(runtime) != cookie(other)
    assert cookie(runtime, secret="s" * 16) == cookie(other, secret="s" * 16)
    await other.close()
