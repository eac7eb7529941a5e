"""What an operator says about compression."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, Self, TypeAlias

from pydantic import AfterValidator, Field, NonNegativeInt, model_validator

from plugins.compress.coders import LEVELS, RANGES
from proxy.api import PathSet, PluginConfig, Size, installed

Coding: TypeAlias = Literal["zstd", "br", "gzip", "deflate"]

EXTRAS = {"br": "brotli", "zstd": "zstd"}

TYPES = (
    "text/*",
    "*/*+json",
    "*/*+xml",
    "application/atom+xml",
    "application/dart",
    "application/graphql",
    "application/javascript",
    "application/json",
    "application/json-seq",
    "application/jsonl",
    "application/ld+json",
    "application/manifest+json",
    "application/ndjson",
    "application/wasm",
    "application/x-javascript",
    "application/x-ndjson",
    "application/xml",
    "application/yaml",
    "font/otf",
    "font/ttf",
    "image/bmp",
    "image/svg+xml",
    "image/x-icon",
)

_TYPE = re.compile(r"[a-z0-9!#$&^_.+*-]+/[a-z0-9!#$&^_.+*-]+")


def _type(text: str) -> str:
    lowered = text.lower()
    if _TYPE.fullmatch(lowered) is None:
        raise ValueError(f"not a media type: {text!r}; write text/html, text/* or */*+json, without parameters")
    return lowered


def _paths(paths: tuple[str, ...]) -> tuple[str, ...]:
    PathSet(paths)
    return paths


MediaType: TypeAlias = Annotated[str, AfterValidator(_type)]
Paths: TypeAlias = Annotated[tuple[str, ...], AfterValidator(_paths)]


def _level(coding: str) -> Any:
    low, high = RANGES[coding]
    return Field(default=LEVELS[coding], ge=low, le=high)


class Levels(PluginConfig):
    """How much work each coding is given: more is smaller and slower."""

    zstd: int = _level("zstd")
    """1 to 19."""
    br: int = _level("br")
    """0 to 11; from 10 on a hundred times slower than 4, so for what a cache keeps."""
    gzip: int = _level("gzip")
    """1 to 9."""
    deflate: int = _level("deflate")
    """1 to 9."""


class Decode(PluginConfig):
    """What a coded body may stand for, where it has to be decoded."""

    size: Size = 64 * 1024 * 1024
    """Bytes at most when decoded."""
    ratio: int = Field(default=200, ge=1)
    """Bytes at most for each coded byte; looked at once a mebibyte has come out."""


class Config(PluginConfig):
    """Which answers are coded, how, and how hard."""

    codings: tuple[Coding, ...] = ()
    """Which to offer, the most preferred first, where a client wants several alike. Without it: those of zstd, br,
    gzip and deflate that are installed."""
    min_size: NonNegativeInt | Size = 500
    """Bytes below which an answer is left alone, when its length is known; a bare number is bytes."""
    types: tuple[MediaType, ...] = TYPES
    """Media types that are coded; `*` stands for any run of characters."""
    levels: Levels = Levels()
    """How hard each coding works."""
    levels_by_type: dict[MediaType, Levels] = Field(default_factory=dict)
    """Other levels for media types; the first pattern that fits counts."""
    etag: Literal["weak", "suffix"] = "weak"
    """What a coded answer's strong entity tag becomes: weak, or another strong one with the coding at its end."""
    upstream: Literal["pass", "identity", "recode"] = "pass"
    """What the upstream is asked for: what the client asks for (`pass`), no coding (`identity`), or what can be decoded
    here, so that each client gets the coding that suits it best (`recode`)."""
    off: Paths = ()
    """Paths, as a route's `match.path` has them, whose answers are never coded: pages that show a secret beside what
    an attacker may write into them (BREACH)."""
    requests: Literal["pass", "decode"] = "pass"
    """Whether coded bodies of requests are decoded for the plugins listed after this one and for the upstream."""
    decode: Decode = Decode()
    """What a coded body may stand for."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        here = installed()
        for coding in self.codings:
            if coding not in here:
                extra = EXTRAS[coding]
                raise ValueError(f"{coding} is not installed here: pip install 'passerelle[{extra}]'")
        if len(set(self.codings)) < len(self.codings):
            raise ValueError("a coding is named twice")
        return self

    @property
    def offered(self) -> tuple[str, ...]:
        """The codings to choose from, the most preferred first."""
        here = installed()
        return self.codings or tuple(coding for coding in LEVELS if coding in here)
