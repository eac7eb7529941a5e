"""What is hidden, and what is not."""

from __future__ import annotations

import pytest

from proxy.settings.secrets import is_secret_field, is_secret_key, mask


@pytest.mark.parametrize(
    "key", ["token", "client_secret", "Authorization", "X-Api-Key", "api_keys", "private_key", "Cookie", "db-password"]
)
def test_secret_keys(key: str) -> None:
    assert is_secret_key(key)


@pytest.mark.parametrize("key", ["tokenizer", "key", "max_idle", "name", "", 0])
def test_other_keys(key: str | int) -> None:
    assert not is_secret_key(key)


@pytest.mark.parametrize(
    "name",
    [
        *("Authorization", "Proxy-Authorization", "Cookie", "Set-Cookie", "X-API-Key", "ApiKey", "X-Auth-Token"),
        *("X-CSRF", "X-SessionId", "Cf-Access-Jwt-Assertion", "x_private_key"),
    ],
)
def test_fields_whose_names_tell_of_a_secret(name: str) -> None:
    assert is_secret_field(name)


@pytest.mark.parametrize("name", ["User-Agent", "Referer", "Accept", "Content-Type", "X-Author", "Age", "Key"])
def test_fields_whose_names_do_not(name: str) -> None:
    assert not is_secret_field(name)


def test_everything_below_a_secret_key_is_hidden() -> None:
    data = {"secrets": {"a": "x", "b": ["y", 5]}, "name": "x", "token": ""}
    assert mask(data) == {"secrets": {"a": "***", "b": ["***", "***"]}, "name": "x", "token": ""}


def test_passwords_in_urls_are_hidden() -> None:
    assert mask({"redis": "redis://user:pw@r:6379/0"}) == {"redis": "redis://***@r:6379/0"}


def test_further_paths_are_hidden() -> None:
    assert mask({"a": ["x", "y"], "on": True}, {("a", 1), ("on",)}) == {"a": ["x", "***"], "on": True}
