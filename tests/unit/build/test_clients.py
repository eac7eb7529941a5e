"""The front end's limits are those of the file."""

from __future__ import annotations

from proxy.build.clients import client_limits, client_trust
from proxy.frontend.listener import Limits
from proxy.settings import Settings


def test_what_is_written_counts() -> None:
    settings = Settings.model_validate(
        {
            "limits": {"head": "2KiB", "fields": 7, "target": "1KiB", "connections": 9},
            "timeouts": {"head": "1s", "between_bytes": "2s", "keep_alive": "3s", "slow_reader": "4s"},
        }
    )
    limits = client_limits(settings)
    assert (limits.head_bytes, limits.fields, limits.target_bytes) == (2048, 7, 1024)
    assert limits.connections == 9
    assert (limits.head, limits.body_gap, limits.idle, limits.slow_reader) == (1.0, 2.0, 3.0, 4.0)


def test_whose_word_counts() -> None:
    trust = client_trust(Settings.model_validate({"trusted_proxies": "10.0.0.0/8", "forwarded_header": True}))
    assert ("10.1.1.1" in trust, "11.1.1.1" in trust, trust.forwarded) == (True, False, True)
    assert not client_trust(Settings()).forwarded


def test_names_with_an_underscore_are_compared_without_case() -> None:
    assert client_limits(Settings.model_validate({"allow_underscores": "X_Legacy"})).underscores == {"x_legacy"}


def test_the_defaults_of_both_agree() -> None:
    limits, default = client_limits(Settings()), Limits()
    assert all(getattr(limits, name) == getattr(default, name) for name in Limits.__slots__)
