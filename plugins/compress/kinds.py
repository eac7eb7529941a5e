"""What a media type means for compression: whether it is coded, how hard, and whether it is made of events."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from fnmatch import translate

from plugins.compress.coders import Coder
from plugins.compress.config import Config, Levels
from plugins.compress.filters import BlankLine, EndsEvent, line_end

_REMEMBERED = 256  # spellings of Content-Type; upstreams write it

_EVENTS: Mapping[str, Callable[[], EndsEvent]] = {
    "text/event-stream": BlankLine,
    "application/x-ndjson": lambda: line_end,
    "application/ndjson": lambda: line_end,
    "application/jsonl": lambda: line_end,
    "application/x-jsonlines": lambda: line_end,
    "application/json-seq": lambda: line_end,
    "application/stream+json": lambda: line_end,
}


class Kind:
    """A media type that is coded.

    :ivar coders: by the name of their coding.
    :ivar events: makes what tells the end of an event, or None.
    """

    __slots__ = ("coders", "events")

    def __init__(self, coders: Mapping[str, Coder], events: Callable[[], EndsEvent] | None) -> None:
        self.coders = coders
        self.events = events


class Kinds:
    """The media types of one configuration."""

    def __init__(self, config: Config) -> None:
        self._coded = _any_of(config.types)
        self._levels = [
            (_any_of([pattern]), _coders(config, levels)) for pattern, levels in config.levels_by_type.items()
        ]
        self._usual = _coders(config, config.levels)
        self._known: dict[str, Kind | None] = {}

    def find(self, content_type: str) -> Kind | None:
        """The kind of a Content-Type, or None for one that is not coded."""
        try:
            return self._known[content_type]
        except KeyError:
            kind = self._find(content_type.partition(";")[0].strip(" \t").lower())
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[content_type] = kind
        return kind

    def _find(self, media_type: str) -> Kind | None:
        if self._coded.fullmatch(media_type) is None:
            return None
        coders = next((coders for fits, coders in self._levels if fits.fullmatch(media_type)), self._usual)
        return Kind(coders, _EVENTS.get(media_type))


def _any_of(patterns: Sequence[str]) -> re.Pattern[str]:
    return re.compile("|".join(map(translate, patterns)) or "(?!)")


def _coders(config: Config, levels: Levels) -> Mapping[str, Coder]:
    return {coding: Coder(coding, getattr(levels, coding)) for coding in config.offered}
