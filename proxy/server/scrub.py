"""Keeps secrets out of whatever the admin listener says.

The configuration is shown with its secrets masked by their place. But what is secret may turn up elsewhere: in a header
that an explanation shows, in the words of a plugin that failed, in an event. So every answer is looked through for the
values themselves.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, get_args

from pydantic import SecretBytes, SecretStr
from pydantic.fields import FieldInfo

from proxy.build import Built
from proxy.plugin import PluginConfig, config_of
from proxy.settings import KeyPath, dump
from proxy.settings.document import Source
from proxy.settings.secrets import MASK, is_secret

_SHORT = 4  # characters; shorter values are masked only where they stand alone
_USER_INFO = re.compile(r"://([^/@\s:]*):?([^/@\s]*)@")
_QUOTED = re.compile(r'"[^"\n]*"')


class Scrub:
    """The secrets of one configuration.

    :ivar hidden: where they stand, beyond what their keys tell.
    """

    def __init__(self, built: Built) -> None:
        loaded = built.loaded
        self.hidden = loaded.document.from_source(Source.FILE) | frozenset(_marked(built))
        values = set(_values(dump(loaded.settings, masked=False), (), self.hidden))
        self._whole = frozenset(values)
        parts = sorted((value for value in values if len(value) >= _SHORT), key=len, reverse=True)
        self._part = re.compile("|".join(map(re.escape, parts))) if parts else None

    def config(self, built: Built) -> dict[str, Any]:
        """The effective configuration, masked."""
        return dump(built.loaded.settings, hidden=self.hidden)

    def text(self, text: str) -> str:
        """A text without secrets."""
        if text in self._whole:
            return MASK
        return text if self._part is None else self._part.sub(MASK, text)

    def data(self, value: Any) -> Any:
        """Plain data without secrets."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(key): self.data(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.data(item) for item in value]
        return value

    def quoted(self, text: str) -> str:
        """A text whose words in quotation marks are without secrets: labels of metrics."""
        if not self._whole:
            return text
        return _QUOTED.sub(lambda found: f'"{self.text(found[0][1:-1])}"', text)


def _values(value: Any, path: KeyPath, hidden: frozenset[KeyPath]) -> Iterator[str]:
    """Every secret text of a configuration, and the parts of secret numbers that could be shown as text."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _values(item, (*path, key), hidden)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _values(item, (*path, index), hidden)
    elif path in hidden or is_secret(path) or any(path[:length] in hidden for length in range(len(path))):
        if value and not isinstance(value, bool):
            yield str(value)
    elif isinstance(value, str):
        for user, password in _USER_INFO.findall(value):
            yield from filter(None, (password or user,))


def _marked(built: Built) -> Iterator[KeyPath]:
    """Where options stand that a plugin marks as secret: by a SecretStr, or by `Field(repr=False)`."""
    secret = {link.id: list(_secret_fields(config_of(type(link.plugin)))) for link in built.links}
    settings = built.loaded.settings
    for index, entry in enumerate(settings.plugins):
        for field in secret.get(entry.id, ()):
            yield "plugins", index, entry.name, field
    for index, route in enumerate(settings.routes):
        for key, said in route.plugins.items():
            for field in secret.get(said.id, ()):
                yield "routes", index, "plugins", key, field


def _secret_fields(config: type[PluginConfig]) -> Iterator[str]:
    for name, info in config.model_fields.items():
        if not info.repr or _is_secret_type(info):
            yield info.alias or name


def _is_secret_type(info: FieldInfo) -> bool:
    kinds = (info.annotation, *get_args(info.annotation))
    return any(kind in (SecretStr, SecretBytes) for kind in kinds)
