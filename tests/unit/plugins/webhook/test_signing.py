"""Signatures, against an implementation that is not ours."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime

import pytest
from standardwebhooks.webhooks import Webhook as Oracle
from standardwebhooks.webhooks import WebhookVerificationError

from plugins.webhook.signing import Secret, signature

KEY = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OLD = "whsec_" + base64.b64encode(bytes(range(32, 64))).decode()
BODY = json.dumps({"specversion": "1.0", "data": {"name": "Zoë"}}, ensure_ascii=False).encode()


@pytest.fixture
def now() -> int:
    """The time of the test, and not of its import: others refuse what is five minutes old."""
    return int(datetime.now(UTC).timestamp())


def fields(value: str, at: int, *, message: str = "abc") -> dict[str, str]:
    return {"webhook-id": message, "webhook-timestamp": str(at), "webhook-signature": value}


def test_another_implementation_verifies_it(now: int) -> None:
    assert Oracle(KEY).verify(BODY, fields(signature((Secret(KEY),), "abc", now, BODY), now))


def test_it_is_what_another_implementation_makes(now: int) -> None:
    assert Secret(KEY).sign("abc", now, BODY) == Oracle(KEY).sign(
        "abc", datetime.fromtimestamp(now, UTC), BODY.decode()
    )


@pytest.mark.parametrize("at", range(0, len(BODY), 7))
def test_one_bit_that_is_different_is_noticed(at: int, now: int) -> None:
    good = signature((Secret(KEY),), "abc", now, BODY)
    changed = BODY[:at] + bytes([BODY[at] ^ 1]) + BODY[at + 1 :]
    with pytest.raises((WebhookVerificationError, UnicodeDecodeError)):
        Oracle(KEY).verify(changed, fields(good, now))


def test_id_and_time_are_signed_as_well(now: int) -> None:
    good = signature((Secret(KEY),), "abc", now, BODY)
    for wrong in (fields(good, now, message="abd"), fields(good, now + 1)):
        with pytest.raises(WebhookVerificationError):
            Oracle(KEY).verify(BODY, wrong)


def test_while_rotating_both_secrets_verify_and_the_current_one_is_first(now: int) -> None:
    value = signature((Secret(KEY), Secret(OLD)), "abc", now, BODY)
    assert Oracle(KEY).verify(BODY, fields(value, now))
    assert Oracle(OLD).verify(BODY, fields(value, now))
    assert value.split(" ")[0] == Secret(KEY).sign("abc", now, BODY)


def test_a_plain_secret_is_its_bytes(now: int) -> None:
    secret = Secret("pässword of some length")
    assert secret.key == "pässword of some length".encode()
    assert Secret(secret.as_written).key == secret.key
    assert Oracle(secret.as_written).verify(BODY, fields(signature((secret,), "abc", now, BODY), now))


@pytest.mark.parametrize("text", ["", "whsec_", "whsec_###", "whsec_abc"])
def test_what_is_no_secret(text: str) -> None:
    with pytest.raises(ValueError, match=r"empty|base64"):
        Secret(text)


@pytest.mark.parametrize(("length", "short"), [(23, True), (24, False), (64, False)])
def test_short_ones_are_told(length: int, short: bool) -> None:
    assert Secret("x" * length).is_short is short
