"""How targets are chosen and watched, as it is written."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from proxy.settings.target_models import Breaker, Eject, Health, StickyCookie
from proxy.settings.upstream_models import Upstream


def upstream(**keys: Any) -> Upstream:
    return Upstream.model_validate({"targets": ["http://a:1"], **keys})


def test_defaults() -> None:
    eject, breaker, health = Eject(), Breaker(), Health()
    assert (eject.after, eject.lasting, eject.at_most) == (5, 30, 0.5)
    assert (eject.failure_ratio, eject.of_at_least, eject.within) == (0.5, 20, 10)
    assert (breaker.failure_ratio, breaker.of_at_least, breaker.within, breaker.open) == (0.5, 20, 10, 5)
    assert (health.method, health.path, health.status, health.body) == ("GET", "/", ("200-399",), None)
    assert upstream().eject == eject
    assert upstream().slow_start == 0


@pytest.mark.parametrize(
    ("written", "read"),
    [(204, ("204",)), ("200-299", ("200-299",)), ([200, "300-304"], ("200", "300-304"))],
)
def test_statuses(written: object, read: tuple[str, ...]) -> None:
    assert Health.model_validate({"status": written}).status == read


@pytest.mark.parametrize(
    "said",
    [
        {"health": {"status": "299-200"}},
        {"health": {"status": 99}},
        {"health": {"status": "2xx"}},
        {"health": {"status": []}},
        {"health": {"body": "("}},
        {"health": {"method": "POST"}},
        {"health": {"path": "no-slash"}},
        {"health": {"path": "/a b"}},
        {"eject": {"failure_ratio": "0%"}},
        {"eject": {"after": 0}},
        {"breaker": {"failure_ratio": "0%"}},
        {"balance": {"hash": "body"}},
        {"balance": {"sticky": {}}},
        {"balance": {"sticky": {"cookie": "a b"}}},
        {"balance": {"sticky": {"cookie": "at", "secret": "short"}}},
        {"balance": {"sticky": {"cookie": "at", "otherwise": "sticky"}}},
    ],
)
def test_what_is_refused(said: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        upstream(**said)


def test_a_sticky_cookie() -> None:
    made = upstream(balance={"sticky": {"cookie": "at", "max_age": "1h", "otherwise": "least_busy"}}).balance
    assert not isinstance(made, str)
    assert made.model_dump()["sticky"] == StickyCookie(cookie="at", max_age="1h", otherwise="least_busy").model_dump()  # type: ignore[arg-type]  # as written
