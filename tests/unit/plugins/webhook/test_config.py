"""What is written about webhooks, and what of it is refused."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from plugins.webhook.config import Config, EndpointConfig
from proxy.api import ApiError, Event, RequestCompleted, WebhookTest
from proxy.events import ConfigReloaded, QuotaLow, UpstreamUnhealthy

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def endpoint(**more: Any) -> EndpointConfig:
    return EndpointConfig(**{"id": "ops", "url": "https://hooks.example.com/gw", "secret": SECRET, **more})


def refusal(**more: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        endpoint(**more)
    return str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://a.example/x?y=1",
        "https://[2600::1]:8443/",
        "http://localhost:9000/x",
        "http://127.0.0.1:1/",
        "http://[::1]/",
    ],
)
def test_urls(url: str) -> None:
    assert endpoint(url=url).url == url


@pytest.mark.parametrize(
    ("url", "private", "says"),
    [
        ("http://127.0.0.1:1/", False, ['to endpoint ops at 127.0.0.1, unless it says "allow_private: true"']),
        ("http://localhost:1/", False, ["at localhost, unless it says"]),
        ("https://[::ffff:10.0.0.1]/", False, ["unless it says"]),
        ("https://169.254.169.254/", False, ["at 169.254.169.254, whatever it says"]),
        ("https://169.254.169.254/", True, ["whatever it says"]),
        ("http://127.0.0.1:1/", True, []),
        ("https://[2600::1]/", False, []),
        ("https://hooks.example.com/", False, []),
    ],
)
def test_an_address_where_nothing_would_arrive_is_told(url: str, private: bool, says: list[str]) -> None:
    found = list(endpoint(url=url, allow_private=private).doubts)
    assert len(found) == len(says)
    assert all(said in doubt for said, doubt in zip(says, found, strict=True))


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://hooks.example.com/", "https is needed"),
        ("http://10.0.0.1/", "https is needed"),
        ("ftp://hooks.example.com/", "https is needed"),
        ("https://user:pass@hooks.example.com/", "no user"),
        ("https://@hooks.example.com/", "no user"),
        ("hooks.example.com", "write a URL"),
        ("https://", "write a URL"),
        ("https://a b/", "write a URL"),
        ("https://a.example\\@b.example/", "write a URL"),
        ("https://[::1/", "not a URL"),
        ("https://a:99999/", "not a URL"),
    ],
)
def test_urls_that_are_refused(url: str, why: str) -> None:
    assert why in refusal(url=url)


@pytest.mark.parametrize("secret", ["", (), "whsec_", " padded ", ("good enough for a test", "")])
def test_secrets_that_are_refused(secret: object) -> None:
    assert refusal(secret=secret)


def test_a_secret_is_not_shown() -> None:
    assert SECRET not in repr(endpoint())


@pytest.mark.parametrize(
    ("pattern", "hint"),
    [
        ("quota.lo", 'did you mean "quota.low"'),
        ("upstream.*x", "did you mean"),
        ("api.*.error", "did you mean"),
        ("cache.full", "no event is called"),
        ("errors", "no event is called"),
    ],
)
def test_events_that_there_are_not(pattern: str, hint: str) -> None:
    assert hint in refusal(events=(pattern,))


def test_other_plugins_events_are_looked_at_when_they_are_known() -> None:
    assert endpoint(events=("shop.order.*",)).events == ("shop.order.*",)


@pytest.mark.parametrize(
    ("events", "kind", "wanted"),
    [
        ((), ConfigReloaded, True),
        ((), WebhookTest, True),
        ((), ApiError, False),
        ((), RequestCompleted, False),
        (("api.error",), ApiError, True),
        (("api.error",), ConfigReloaded, False),
        (("quota.*",), QuotaLow, True),
        (("*",), UpstreamUnhealthy, True),
        (("*",), RequestCompleted, False),
        (("request.*",), RequestCompleted, False),
        (("request.completed",), RequestCompleted, True),
    ],
)
def test_subscriptions(events: tuple[str, ...], kind: type[Event], wanted: bool) -> None:
    assert endpoint(events=events).wants(kind) is wanted


def test_bad_filters_are_refused() -> None:
    assert "no operator $near" in refusal(filter={"data.percent": {"$near": 3}})


def test_two_endpoints_of_one_name() -> None:
    with pytest.raises(ValidationError, match='two endpoints have the id "ops"'):
        Config(endpoints=(endpoint(), endpoint(url="https://other.example/")))


def test_quantities_have_units() -> None:
    made = endpoint(retry={"schedule": ["0s", "5s", "2h"], "jitter": "10%"}, timeouts={"connect": "1s", "total": "9s"})
    assert (made.retry.schedule, made.retry.jitter, made.timeouts.total) == ((0, 5, 7200), 0.1, 9)
    assert "no unit" in refusal(timeouts={"total": 5})


def test_another_configuration_has_another_mark() -> None:
    assert endpoint().mark == endpoint().mark
    assert endpoint().mark != endpoint(secret="another secret, long enough").mark
