"""From the ways in which YAML names a plugin to one form.

In the chain a plugin is a name, or `{name: {options}}`, either with an `id`. On a route it is a key whose value holds
options, or switches it on or off. Paths are resolved here, against the file that names them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from proxy.settings.document import Document
from proxy.settings.plugin_models import PluginEntry, RoutePlugin, is_file
from proxy.settings.problems import KeyPath, Problem

_ENTRY_FORM = 'write "- name", or "- name: {option: value}"'
_ROUTE_FORM = "write options, true or false"


class PluginReader:
    """Reads the plugins of one document.

    :ivar problems: what was malformed; such plugins are left out.
    """

    def __init__(self, document: Document) -> None:
        self.problems: list[Problem] = []
        self._document = document

    def read(self) -> dict[str, Any]:
        """Return the document's data with the plugins of chain and routes as models."""
        data = dict(self._document.data)
        if isinstance(data.get("plugins"), list):
            data["plugins"] = self._chain(data["plugins"])
        if isinstance(data.get("routes"), list):
            data["routes"] = [self._route(index, route) for index, route in enumerate(data["routes"])]
        return data

    def _chain(self, items: list[object]) -> list[PluginEntry]:
        entries = [self._entry(("plugins", index), item) for index, item in enumerate(items)]
        return [entry for entry in entries if entry is not None]

    def _entry(self, at: KeyPath, item: object) -> PluginEntry | None:
        if isinstance(item, str):
            return self._make_entry(item, {}, at, {})
        names = [key for key in item if key != "id"] if isinstance(item, dict) else []
        if not isinstance(item, dict) or len(names) != 1:
            message = "names no plugin" if not names else f"names several plugins: {', '.join(names)}"
            remedy = _ENTRY_FORM if not names else 'begin each of them with "- "'
            self.problems.append(self._document.problem(at, message, remedy))
            return None
        more = {"id": item["id"]} if "id" in item else {}
        return self._make_entry(names[0], item[names[0]], (*at, names[0]), more)

    def _make_entry(self, name: str, options: object, at: KeyPath, more: dict[str, Any]) -> PluginEntry | None:
        options = {} if options is None else options
        if not isinstance(options, Mapping):
            self.problems.append(self._document.problem(at, "options must be a mapping", _ENTRY_FORM))
            return None
        try:
            return PluginEntry.of(name, options, at=at, **self._file(name, at), **more)
        except ValidationError as error:
            place = (*at[:2], "id") if more else at
            self.problems.append(self._document.problem(place, *_reason(error)))
            return None

    def _route(self, index: int, route: object) -> object:
        if not isinstance(route, dict) or not isinstance(route.get("plugins"), dict):
            return route
        at: KeyPath = ("routes", index, "plugins")
        plugins = {name: self._on_route(name, value, (*at, name)) for name, value in route["plugins"].items()}
        return {**route, "plugins": {name: plugin for name, plugin in plugins.items() if plugin is not None}}

    def _on_route(self, name: str, value: object, at: KeyPath) -> RoutePlugin | None:
        value = {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value
        options = True if value is None else value
        if not isinstance(options, Mapping | bool):
            self.problems.append(self._document.problem(at, "must be options, true or false", _ROUTE_FORM))
            return None
        try:
            return RoutePlugin.of(name, options, at=at, **self._file(name, at))
        except ValidationError as error:
            self.problems.append(self._document.problem(at, *_reason(error), key=True))
            return None

    def _file(self, name: str, at: KeyPath) -> dict[str, Any]:
        return {"file": (self._document.base(at) / name).resolve()} if is_file(name) else {}


def _reason(error: ValidationError) -> tuple[str, str]:
    first = error.errors()[0]
    context = first.get("ctx", {})
    return context.get("message", "must be text"), context.get("remedy", "")
