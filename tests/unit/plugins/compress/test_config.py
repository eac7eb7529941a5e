from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from pydantic import ValidationError

from plugins.compress import Config, config


def errors(**options: Any) -> str:
    with pytest.raises(ValidationError) as raised:
        Config.model_validate(options)
    return str(raised.value)


def test_what_is_offered_without_a_word() -> None:
    assert Config().offered == ("zstd", "br", "gzip", "deflate")


def test_only_what_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def here() -> Sequence[str]:
        return ("gzip", "deflate")

    monkeypatch.setattr(config, "installed", here)
    assert Config().offered == ("gzip", "deflate")
    assert "pip install 'passerelle[brotli]'" in errors(codings=["br", "gzip"])


@pytest.mark.parametrize("size", [500, "500", "500B"])
def test_sizes_may_be_bare_bytes(size: object) -> None:
    assert Config.model_validate({"min_size": size}).min_size == 500


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"codings": ["gzip", "gzip"]}, "a coding is named twice"),
        ({"codings": ["compress"]}, "codings"),
        ({"min_size": -1}, "min_size"),
        ({"min_size": "5 bytes"}, "min_size"),
        ({"types": ["json"]}, "not a media type"),
        ({"types": ["text/html;charset=utf-8"]}, "not a media type"),
        ({"levels": {"gzip": 0}}, "levels.gzip"),
        ({"levels": {"br": 12}}, "levels.br"),
        ({"levels_by_type": {"html": {}}}, "not a media type"),
        ({"off": ["account"]}, "a path begins with '/'"),
        ({"decode": {"ratio": 0}}, "decode.ratio"),
        ({"upstream": "gzip"}, "upstream"),
        ({"level": 5}, "level"),
    ],
)
def test_mistakes(options: dict[str, Any], words: str) -> None:
    assert words in errors(**options)
