"""The front end's limits are those of the file."""

from __future__ import annotations

from proxy.build.clients import client_limits
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


def test_the_defaults_of_both_agree() -> None:
    limits, default = client_limits(Settings()), Limits()
    assert all(getattr(limits, name) == getattr(default, name) for name in Limits.__slots__)
