"""The receivers of the documentation: ours are verified by them, and what is changed is not."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import Any

import pytest

from plugins.webhook.signing import Secret, signature

PAGE = Path(__file__).parents[4] / "docs" / "webhooks.md"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


@pytest.fixture(scope="module")
def verify() -> Any:
    found = re.search(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert found is not None
    room: dict[str, Any] = {}
    exec(found[1], room)
    return room["verify"]


def fields(at: float, body: bytes, *secrets: str) -> dict[str, str]:
    value = signature(tuple(Secret(one) for one in secrets or (SECRET,)), "id", int(at), body)
    return {"webhook-id": "id", "webhook-timestamp": str(int(at)), "webhook-signature": value}


def test_what_is_ours_is_verified(verify: Any) -> None:
    assert verify(SECRET, fields(time.time(), b"{}"), b"{}")
    assert verify(SECRET, fields(time.time(), b"{}", "another secret that is newer", SECRET), b"{}")


def test_what_is_changed_is_not(verify: Any) -> None:
    assert not verify(SECRET, fields(time.time(), b"{}"), b"{|")
    assert not verify(SECRET, {**fields(time.time(), b"{}"), "webhook-id": "ie"}, b"{}")
    assert not verify(SECRET, fields(time.time(), b"{}", "another secret"), b"{}")


def test_what_is_old_is_not(verify: Any) -> None:
    assert not verify(SECRET, fields(time.time() - 301, b"{}"), b"{}")
    assert not verify(SECRET, fields(time.time() + 302, b"{}"), b"{}")
