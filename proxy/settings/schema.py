"""The JSON Schema by which editors complete and check configuration files.

Made from the models, so that it cannot say anything else than they do. Two things are added that only the YAML knows:
`include`, and that `${VAR}` may stand wherever a number or a boolean may.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from proxy.settings.models import Settings

Schema: TypeAlias = dict[str, Any]

_DIALECT = "http://json-schema.org/draft-07/schema#"  # what editors' YAML servers know best
_VARIABLE: Schema = {"type": "string", "pattern": r"\$\{.+\}"}
_INCLUDE: Schema = {
    "description": "Files to merge: upstreams, plugins, routes and tests. Globs, relative to this file.",
    "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
    "examples": [["routes/*.yaml"]],
}
_FILE = r"\.py$"  # keys that name a plugin by its source


def json_schema(plugin_configs: Mapping[str, Schema]) -> Schema:
    """Return the schema of a configuration file (JSON Schema draft 7).

    :param plugin_configs: JSON Schema of each plugin's options by name, as `Config.model_json_schema()` makes it.
    """
    schema = Settings.model_json_schema(mode="validation", by_alias=True)
    definitions: Schema = schema.pop("$defs")
    names = {name: _adopt(name, config, definitions) for name, config in sorted(plugin_configs.items())}
    definitions["PluginEntry"] = _entry(names)
    definitions["RoutePlugin"] = _on_route({"type": "object"})
    definitions["Route"]["properties"]["plugins"] = _route_plugins(names, definitions)
    schema["properties"] = {"include": _INCLUDE, **schema["properties"]}
    whole = {**schema, "title": "Passerelle", "$defs": definitions}
    return {"$schema": _DIALECT, **_with_variables(whole)}


def _adopt(name: str, config: Schema, definitions: Schema) -> Schema:
    """Put a plugin's schema, and what it is made of, among the definitions; return a reference to it."""
    prefix = f"plugin.{name}"
    inner = {key: value for key, value in config.items() if key != "$defs"}
    for key, value in config.get("$defs", {}).items():
        definitions[f"{prefix}.{key}"] = _renamed(value, prefix)
    definitions[prefix] = _renamed(inner, prefix)
    return {"$ref": f"#/$defs/{prefix}"}


def _renamed(value: Any, prefix: str) -> Any:
    """Return a schema whose references lead to the adopted definitions."""
    if isinstance(value, dict):
        return {
            key: _reference(item, prefix) if key == "$ref" else _renamed(item, prefix) for key, item in value.items()
        }
    return [_renamed(item, prefix) for item in value] if isinstance(value, list) else value


def _reference(reference: str, prefix: str) -> str:
    return reference.replace("#/$defs/", f"#/$defs/{prefix}.")


def _entry(names: Mapping[str, Schema]) -> Schema:
    """Return the schema of one item of `plugins`."""
    options = {name: {"anyOf": [reference, {"type": "null"}]} for name, reference in names.items()}
    keyed: Schema = {
        "type": "object",
        "properties": {"id": {"type": "string", "description": "Unique in the chain; routes refer to it."}, **options},
        "patternProperties": {_FILE: {"type": ["object", "null"]}},
        "additionalProperties": not names,
        "minProperties": 1,
        "maxProperties": 2,
    }
    named: list[Schema] = [{"enum": sorted(names)}, {"type": "string", "pattern": _FILE}] if names else []
    return {"title": "Plugin", "anyOf": [*(named or [{"type": "string"}]), keyed]}


def _route_plugins(names: Mapping[str, Schema], definitions: Schema) -> Schema:
    """Return the schema of a route's `plugins`; ids are free, so unknown keys are allowed there."""
    return {
        "type": "object",
        "description": definitions["Route"]["properties"]["plugins"]["description"],
        "properties": {name: _on_route(_partial(name, definitions)) for name in names},
        "additionalProperties": {"$ref": "#/$defs/RoutePlugin"},
    }


def _partial(name: str, definitions: Schema) -> Schema:
    """Return a reference to a plugin's options of which none is required, since the chain may hold the others."""
    whole: Schema = definitions[f"plugin.{name}"]
    if "required" not in whole:
        return {"$ref": f"#/$defs/plugin.{name}"}
    return {key: value for key, value in whole.items() if key != "required"}


def _on_route(options: Schema) -> Schema:
    return {"title": "Options for this route; false switches the plugin off", "anyOf": [options, {"type": "boolean"}]}


def _with_variables(value: Any) -> Any:
    """Return a schema in which text with a variable may stand for numbers and booleans."""
    if isinstance(value, list):
        return [_with_variables(item) for item in value]
    if not isinstance(value, dict):
        return value
    inner = {key: item if key in ("default", "examples") else _with_variables(item) for key, item in value.items()}
    if inner.get("type") not in ("integer", "number", "boolean"):
        return inner
    about = {key: inner.pop(key) for key in ("title", "description", "default", "examples") if key in inner}
    return {**about, "anyOf": [inner, _VARIABLE]}
