"""Who is let in, and who is not."""

from __future__ import annotations

import pytest

from proxy.server.guard import Guard, Refused
from proxy.settings import Admin

LOCAL = Guard(Admin())
OPEN = Guard(Admin(listen="http://0.0.0.0:9090", token="s3cret"))


@pytest.mark.parametrize(
    "host", ["127.0.0.1:9090", "localhost", "LOCALHOST:1", "localhost.", "[::1]:9090", "127.9.9.9", ""]
)
def test_loopback_names_are_ours(host: str) -> None:
    LOCAL.check_host(host)


@pytest.mark.parametrize("host", ["10.0.0.1", "[2001:db8::1]:9090", "0.0.0.0:9090"])
def test_an_address_cannot_be_rebound(host: str) -> None:
    LOCAL.check_host(host)
    OPEN.check_host(host)


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:9090", "localhost.evil.example", "1.2.3"])
def test_other_names_are_not(host: str) -> None:
    with pytest.raises(Refused) as refused:
        LOCAL.check_host(host)
    assert refused.value.status == 421


def test_beyond_loopback_names_are_ours_that_the_configuration_says() -> None:
    with pytest.raises(Refused):
        OPEN.check_host("gateway.example:9090")
    Guard(Admin(listen="http://0.0.0.0:9090", token="s3cret", names=("Gateway.example",))).check_host(
        "gateway.EXAMPLE:9090"
    )


@pytest.mark.parametrize("origin", [None, "http://127.0.0.1:9090", "https://127.0.0.1:9090"])
def test_our_own_pages_and_no_page_at_all_may_ask(origin: str | None) -> None:
    LOCAL.check_origin(origin, "127.0.0.1:9090")


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:3000"])
def test_another_sites_pages_may_not(origin: str) -> None:
    with pytest.raises(Refused) as refused:
        LOCAL.check_origin(origin, "127.0.0.1:9090")
    assert refused.value.status == 403


@pytest.mark.parametrize("kind", [None, "", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_without_a_token_nothing_is_changed_by_what_a_form_could_send(method: str, kind: str | None) -> None:
    with pytest.raises(Refused) as refused:
        LOCAL.check_kind(method, kind)
    assert refused.value.status == 415
    LOCAL.check_kind("GET", kind)
    LOCAL.check_kind(method, "application/json; charset=utf-8")
    OPEN.check_kind(method, kind)


@pytest.mark.parametrize("shown", ["Bearer s3cret", "bearer s3cret", "BEARER  s3cret"])
def test_the_token_opens(shown: str) -> None:
    OPEN.check_token(shown)


@pytest.mark.parametrize("shown", [None, "", "s3cret", "Bearer", "Bearer s3cre", "Basic s3cret", "Bearer s3cret\udcff"])
def test_anything_else_does_not(shown: str | None) -> None:
    with pytest.raises(Refused) as refused:
        OPEN.check_token(shown)
    assert refused.value.status == 401
    assert refused.value.headers["WWW-Authenticate"].startswith("Bearer")


def test_without_a_token_nobody_is_asked() -> None:
    LOCAL.check_token(None)
