from __future__ import annotations

import pytest
from pydantic import ValidationError

from plugins.cache.config import Config


@pytest.mark.parametrize(
    "options",
    [
        {"methods": ["PUT"]},
        {"statuses": [206]},
        {"statuses": [416]},
        {"statuses": [100]},
        {"bypass": ["a b"]},
        {"key": {"query": "some"}},
        {"key": {"headers": ["a:"]}},
        {"vary_limit": 0},
        {"unknown": 1},
    ],
)
def test_options_that_mean_nothing_are_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Config.model_validate(options)


def test_what_it_is_without_a_word() -> None:
    config = Config()
    assert config.ttl is None
    assert config.methods == ("GET", "HEAD")
    assert config.grace == 0
    assert config.key.query == "all"
