"""Who the client is: what strangers write does not count, what trusted proxies write is walked from the right."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.frontend.identity import Network, Trust
from proxy.settings import SettingsError
from proxy.settings.fields import Model
from tests.unit.frontend.stage import Stage, fetch, get, staged
from tests.wire.strict import Message

TRUSTED = 'trusted_proxies: ["127.0.0.0/8", "10.0.0.0/8", "2001:db8::/32"]'
FORWARDING = ("x-forwarded-for", "x-real-ip", "x-forwarded-proto", "x-forwarded-host", "x-forwarded-port", "forwarded")


async def seen(stage: Stage, *fields: str) -> Message:
    """What the origin gets of a request with these fields."""
    assert (await fetch(stage, get("/", *fields))).status == 200
    return stage.origin.record.requests[-1]


async def test_what_an_upstream_is_told(stage: Stage) -> None:
    message = await seen(stage)
    told = {name: message.values(name) for name in FORWARDING}
    assert told == {
        "x-forwarded-for": ["127.0.0.1"],
        "x-real-ip": ["127.0.0.1"],
        "x-forwarded-proto": ["http"],
        "x-forwarded-host": ["example.test"],
        "x-forwarded-port": [str(stage.port)],
        "forwarded": [],
    }


async def test_a_stranger_is_not_believed(stage: Stage) -> None:
    lies = [f"{name}: 192.0.2.9" for name in (*FORWARDING, "X-Forwarded-Prefix", "X-Forwarded-Ssl")]
    message = await seen(stage, *lies)
    assert not [field for field in message.fields if field[1] == "192.0.2.9"]
    assert message.values("x-forwarded-for") == ["127.0.0.1"]


async def test_connection_does_not_strip_forwarding_fields(stage: Stage) -> None:
    message = await seen(stage, "Connection: X-Forwarded-For, X-Real-IP, Host, Via")
    assert message.values("x-forwarded-for") == ["127.0.0.1"]
    assert message.values("x-real-ip") == ["127.0.0.1"]


@pytest.mark.parametrize(
    ("chain", "client", "told"),
    [
        (["192.0.2.1"], "192.0.2.1", "192.0.2.1, 127.0.0.1"),
        (["203.0.113.66, 192.0.2.1"], "192.0.2.1", "203.0.113.66, 192.0.2.1, 127.0.0.1"),
        (["203.0.113.66, 192.0.2.1, 10.0.0.5"], "192.0.2.1", "203.0.113.66, 192.0.2.1, 10.0.0.5, 127.0.0.1"),
        (["192.0.2.1", "10.0.0.5"], "192.0.2.1", "192.0.2.1, 10.0.0.5, 127.0.0.1"),
        (["10.0.0.1, 10.0.0.2"], "10.0.0.1", "10.0.0.1, 10.0.0.2, 127.0.0.1"),
        (["192.0.2.1, unknown, 10.0.0.5"], "10.0.0.5", "192.0.2.1, unknown, 10.0.0.5, 127.0.0.1"),
        (["[2001:db9::1]:443"], "2001:db9::1", "[2001:db9::1]:443, 127.0.0.1"),
        (["192.0.2.1:5555"], "192.0.2.1", "192.0.2.1:5555, 127.0.0.1"),
        ([" , "], "127.0.0.1", "127.0.0.1"),
        (["10.0.0.9, <garbage;=>"], "127.0.0.1", "10.0.0.9, <garbage;=>, 127.0.0.1"),
        (["10.0.0.9, _hidden"], "127.0.0.1", "10.0.0.9, _hidden, 127.0.0.1"),
        (["203.0.113.66, [::ffff:192.0.2.1]:80"], "192.0.2.1", "203.0.113.66, [::ffff:192.0.2.1]:80, 127.0.0.1"),
        (["203.0.113.66, [2001:db9::1]evil"], "127.0.0.1", "203.0.113.66, [2001:db9::1]evil, 127.0.0.1"),
        (["192.0.2.1:port"], "127.0.0.1", "192.0.2.1:port, 127.0.0.1"),
        (["192.0.2.1 10.0.0.1"], "127.0.0.1", "192.0.2.1 10.0.0.1, 127.0.0.1"),
        (["10.0.0.9", "203.0.113.66,, 192.0.2.1 ,"], "192.0.2.1", "10.0.0.9, 203.0.113.66, 192.0.2.1, 127.0.0.1"),
        (["0x0a.0.0.1, 192.0.2.1, 10.0.0.5"], "192.0.2.1", "0x0a.0.0.1, 192.0.2.1, 10.0.0.5, 127.0.0.1"),
        (["10.0.0.010"], "127.0.0.1", "10.0.0.010, 127.0.0.1"),
    ],
)
async def test_a_trusted_chain_is_walked_from_the_right(chain: list[str], client: str, told: str) -> None:
    async with staged(top=TRUSTED) as stage:
        message = await seen(stage, *[f"X-Forwarded-For: {value}" for value in chain])
    assert (message.values("x-real-ip"), message.values("x-forwarded-for")) == ([client], [told])


async def test_what_else_a_trusted_proxy_tells_is_kept() -> None:
    async with staged(top=TRUSTED) as stage:
        message = await seen(
            stage,
            "X-Forwarded-Proto: https",
            "X-Forwarded-Host: shop.example",
            "X-Forwarded-Port: 443",
            "Forwarded: for=x",
        )
    got = {name: message.values(name) for name in FORWARDING[2:]}
    assert got == {
        "x-forwarded-proto": ["https"],
        "x-forwarded-host": ["shop.example"],
        "x-forwarded-port": ["443"],
        "forwarded": ["for=x"],
    }


@pytest.mark.parametrize(
    ("fields", "client", "told"),
    [
        (["X-Real-IP: 192.0.2.1"], "192.0.2.1", "192.0.2.1, 127.0.0.1"),
        (["X-Real-IP: 192.0.2.1", "X-Forwarded-For: 192.0.2.2"], "192.0.2.2", "192.0.2.2, 127.0.0.1"),
        (["X-Real-IP: nobody"], "127.0.0.1", "127.0.0.1"),
        (["X-Real-IP: 192.0.2.1", "X-Real-IP: 192.0.2.2"], "127.0.0.1", "127.0.0.1"),
    ],
)
async def test_a_real_ip_counts_where_there_is_no_chain(fields: list[str], client: str, told: str) -> None:
    async with staged(top=TRUSTED) as stage:
        message = await seen(stage, *fields)
    assert (message.values("x-real-ip"), message.values("x-forwarded-for")) == ([client], [told])


async def test_a_long_chain_is_walked_to_the_first_stranger() -> None:
    chain = ", ".join(["203.0.113.66"] * 500 + ["192.0.2.1"] + ["10.0.0.5"] * 500)
    async with staged(top=TRUSTED) as stage:
        message = await seen(stage, f"X-Forwarded-For: {chain}")
    assert message.values("x-real-ip") == ["192.0.2.1"]


# Forwarded (RFC 7239)

FORWARDED = f"{TRUSTED}\nforwarded_header: true"


async def test_forwarded_is_written_where_it_is_asked_for() -> None:
    async with staged(top="forwarded_header: true") as stage:
        message = await seen(stage, "Forwarded: for=192.0.2.9", "X-Forwarded-For: 192.0.2.9")
    assert message.values("forwarded") == ["for=127.0.0.1;proto=http;host=example.test"]
    assert message.values("x-forwarded-for") == ["127.0.0.1"]


@pytest.mark.parametrize(
    ("values", "client", "chain"),
    [
        (["for=192.0.2.1"], "192.0.2.1", "192.0.2.1, 127.0.0.1"),
        (['For="[2001:db9::1]:4711"'], "2001:db9::1", "2001:db9::1, 127.0.0.1"),
        (['for="192.0.2.1:80"'], "192.0.2.1", "192.0.2.1, 127.0.0.1"),
        (["for=192.0.2.1;by=203.0.113.43, for=10.0.0.5"], "192.0.2.1", "192.0.2.1, 10.0.0.5, 127.0.0.1"),
        (
            ["for=203.0.113.66", "for=192.0.2.1, for=10.0.0.5"],
            "192.0.2.1",
            "203.0.113.66, 192.0.2.1, 10.0.0.5, 127.0.0.1",
        ),
        (["for=10.0.0.9, for=_hidden"], "127.0.0.1", "10.0.0.9, unknown, 127.0.0.1"),
        (["for=10.0.0.9, for=unknown, for=10.0.0.5"], "10.0.0.5", "10.0.0.9, unknown, 10.0.0.5, 127.0.0.1"),
        (["proto=https"], "127.0.0.1", "unknown, 127.0.0.1"),
        # what stands to the left cannot spoil what a trusted proxy appended
        (['for="10.0.0.9, for=192.0.2.1'], "192.0.2.1", "unknown, 192.0.2.1, 127.0.0.1"),
        (['for=10.0.0.9;x="', "for=192.0.2.1"], "192.0.2.1", "unknown, 192.0.2.1, 127.0.0.1"),
        (["for=10.0.0.9;;;=, for=192.0.2.1"], "192.0.2.1", "unknown, 192.0.2.1, 127.0.0.1"),
        # nor can a host that a proxy quotes
        (['for=192.0.2.1;host="a, for=10.0.0.9"'], "127.0.0.1", "unknown, unknown, 127.0.0.1"),
        (['for=192.0.2.1;host="a, for=10.0.0.9;x=\\""'], "127.0.0.1", "unknown, unknown, 127.0.0.1"),
        (["for=192.0.2.1;for=10.0.0.9"], "127.0.0.1", "unknown, 127.0.0.1"),
        ([" , "], "127.0.0.1", "127.0.0.1"),
    ],
)
async def test_forwarded_is_walked_from_the_right(values: list[str], client: str, chain: str) -> None:
    async with staged(top=FORWARDED) as stage:
        fields = [f"Forwarded: {value}" for value in values]
        message = await seen(stage, *fields, "X-Forwarded-For: 198.51.100.1", "X-Real-IP: 198.51.100.1")
    assert (message.values("x-real-ip"), message.values("x-forwarded-for")) == ([client], [chain])
    own = "for=127.0.0.1;proto=http;host=example.test"
    assert message.values("forwarded") == [", ".join([*(value for value in values if value != " , "), own])]


async def test_what_the_client_s_own_proxy_says_of_it_counts() -> None:
    async with staged(top=FORWARDED) as stage:
        lies, truth = "for=203.0.113.66;proto=ftp;host=lie", 'for=192.0.2.1;proto=HTTPS;host="shop.example:444"'
        message = await seen(stage, f"Forwarded: {lies}, {truth}, for=10.0.0.5;proto=http;host=inner")
        assert message.values("x-forwarded-proto") == ["https"]
        assert message.values("x-forwarded-host") == ["shop.example:444"]
        message = await seen(stage, 'Forwarded: for=192.0.2.1;proto="a b";host="a/b"')
        assert message.values("x-forwarded-proto") == ["http"]
        assert message.values("x-forwarded-host") == ["example.test"]


async def test_without_forwarded_the_chain_is_translated() -> None:
    async with staged(top=FORWARDED) as stage:
        message = await seen(stage, "X-Forwarded-For: 2001:db9::1, odd, 10.0.0.5", "X-Forwarded-Proto: https")
    written = 'for="[2001:db9::1]", for=unknown, for=10.0.0.5, for=127.0.0.1;proto=http;host=example.test'
    assert message.values("forwarded") == [written]
    assert message.values("x-forwarded-proto") == ["https"]


# names with an underscore


async def test_names_with_an_underscore_are_dropped_unless_they_are_listed() -> None:
    sent = ("X_Forwarded_For: 192.0.2.9", "X_Legacy: 1", "x_legacy: 2", "X_Other: 3", "Content_Length: 5")
    async with staged() as stage:
        message = await seen(stage, *sent)
        assert not [name for name, _ in message.fields if "_" in name]
    async with staged(top="allow_underscores: [X_legacy]") as stage:
        message = await seen(stage, *sent)
        assert [field for field in message.fields if "_" in field[0]] == [("X_Legacy", "1"), ("x_legacy", "2")]


@pytest.mark.parametrize("name", ["X_Forwarded_For", "content_length", "X-Real_IP", "Transfer_Encoding", "host_"])
async def test_names_that_could_be_taken_for_our_own_cannot_be_listed(name: str) -> None:
    if name == "host_":
        async with staged(top=f"allow_underscores: {name}"):
            return
    with pytest.raises(SettingsError, match=f"forge a field of the gateway's own with {name}"):
        async with staged(top=f"allow_underscores: [{name}]"):
            pass


async def test_request_ids_of_strangers_are_replaced(stage: Stage) -> None:
    answer = await fetch(stage, get("/", "X-Request-ID: mine"))
    ours = answer.values("x-request-id")
    assert stage.origin.record.requests[-1].values("x-request-id") == ours
    assert re.fullmatch("[0-9a-f]{32}", ours[0])


async def test_request_ids_of_trusted_proxies_are_kept() -> None:
    async with staged(top=TRUSTED) as stage:
        answer = await fetch(stage, get("/", "X-Request-ID: mine"))
        assert stage.origin.record.requests[-1].values("x-request-id") == ["mine"] == answer.values("x-request-id")


async def test_via_is_added_both_ways(stage: Stage) -> None:
    answer = await fetch(stage, get("/", "Via: 1.0 fred"))
    via = stage.origin.record.requests[-1].values("via")
    assert via[0] == "1.0 fred"
    assert re.fullmatch(r"1\.1 passerelle \([0-9a-f]+\)", via[1])
    assert answer.values("via") == ["1.1 passerelle"]


async def test_a_loop_is_seen(stage: Stage) -> None:
    own = stage.gateway.runtime.token
    answer = await fetch(stage, get("/", f"Via: 1.1 passerelle ({own}), 1.1 other"))
    assert (answer.status, "proxy_loop_detected" in answer.values("proxy-status")[0]) == (508, True)
    assert (await fetch(stage, get("/", "Via: 1.1 passerelle (000000000000)"))).status == 200


async def test_a_gateway_behind_itself() -> None:
    async with staged() as inner:
        async with staged(targets=f"http://127.0.0.1:{inner.port}") as outer:
            assert (await fetch(outer, get("/"))).status == 200
        assert len(inner.origin.record.requests[-1].values("via")) == 2


# the walk itself


class Networks(Model):
    """Networks as the settings read them."""

    of: tuple[Network, ...]


ADDRESSES = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(str)


@given(st.lists(ADDRESSES | st.text(max_size=12), max_size=6), ADDRESSES)
def test_nobody_can_place_an_address_left_of_a_stranger(chain: list[str], stranger: str) -> None:
    trust = Trust(Networks(of=("10.0.0.0/8",)).of)  # type: ignore[arg-type]  # as YAML has them
    if stranger in trust:
        return
    found = trust.walk([*chain, stranger, "10.1.2.3"])
    assert found == (trust.walk([stranger])[0], len(chain))


def test_nobody_is_trusted_unless_named() -> None:
    assert "127.0.0.1" not in Trust([])
    trust = Trust(Networks(of=("127.0.0.1/32", "::1/128")).of)  # type: ignore[arg-type]  # as YAML has them
    assert "127.0.0.1" in trust
    assert "::ffff:127.0.0.1" in trust
    assert "::1" in trust
    assert "nonsense" not in trust
