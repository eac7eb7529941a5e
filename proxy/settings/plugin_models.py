"""Which plugins stand in the chain, and how the YAML names them.

Only the shape is known here. What a plugin's options mean is the plugin's own affair: they are validated against its
`Config` by whoever has found its class, with `validate_model`, and `at` tells where they stand in the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any, Self

from pydantic import Field, GetJsonSchemaHandler, model_serializer
from pydantic_core import CoreSchema

from proxy.settings.fields import Model, Name
from proxy.settings.problems import KeyPath


def is_file(name: str) -> bool:
    """Tell whether a plugin is named by the path of its source rather than by its entry point."""
    return name.endswith(".py")


def default_id(name: str) -> str:
    """Return the id of a plugin that was given none: its name, or its file's name without `.py`."""
    return PurePosixPath(name).stem if is_file(name) else name


class PluginEntry(Model):
    """One plugin of the chain."""

    name: str
    """As written: the name of an entry point, or a path that ends in `.py`."""
    id: Name
    """Unique in the chain; routes refer to it."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Raw options, with variables replaced; not validated yet."""
    file: Path | None = None
    """Absolute path of the source, when `name` is a path."""
    at: KeyPath = Field(default=(), repr=False)
    """Where the options stand in the document, for error places."""

    @classmethod
    def of(cls, name: str, options: Mapping[str, Any] | None = None, **more: Any) -> Self:
        """Return an entry with the default id unless `more` holds one; ValidationError if the id is no name."""
        return cls(**{"name": name, "id": default_id(name), "options": dict(options or {}), **more})

    @model_serializer
    def as_yaml(self) -> dict[str, Any]:
        """Return the entry as it would be written."""
        written: dict[str, Any] = {self.name: self.options}
        return written if self.id == default_id(self.name) else {**written, "id": self.id}

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Return the shape of the YAML, which is not the shape of the fields."""
        return {"title": "Plugin", "anyOf": [{"type": "string"}, {"type": "object", "minProperties": 1}]}


class RoutePlugin(Model):
    """What a route says of one plugin: other options, off, or one more."""

    name: str
    """As written: an id of the chain, the name of an entry point, or a path that ends in `.py`."""
    id: Name
    """The id meant: `name`, or the file's name without `.py`."""
    enabled: bool = True
    """False when the route switches the plugin off."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Raw options that stand over those of the chain's entry; not validated yet."""
    file: Path | None = None
    """Absolute path of the source, when `name` is a path."""
    at: KeyPath = Field(default=(), repr=False)
    """Where the options stand in the document, for error places."""

    @classmethod
    def of(cls, name: str, options: Mapping[str, Any] | bool = True, **more: Any) -> Self:
        """Return what `name: options` on a route means; ValidationError if the name can be no id."""
        enabled = options is not False
        given = {} if isinstance(options, bool) else dict(options)
        return cls(**{"name": name, "id": default_id(name), "enabled": enabled, "options": given, **more})

    @model_serializer
    def as_yaml(self) -> dict[str, Any] | bool:
        """Return the value as it would be written after the name."""
        return self.options if self.enabled else False

    @classmethod
    def __get_pydantic_json_schema__(cls, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Return the shape of the YAML, which is not the shape of the fields."""
        return {"title": "Plugin options", "anyOf": [{"type": "object"}, {"type": "boolean"}]}
