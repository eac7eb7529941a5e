"""Webhook endpoints that the environment names: `WEBHOOK_1_URL`, `WEBHOOK_1_SECRET`, and so on.

They make the same options that a file would, so that the plugin validates both alike. Numbers may have gaps, and one
variable is enough to have the plugin in the chain.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from proxy.settings.document import Document
from proxy.settings.models import DEFAULT_PLUGINS
from proxy.settings.plugin_models import PluginEntry
from proxy.settings.problems import KeyPath, Problem, suggestion

_PLUGIN = "webhook"
_NAME = re.compile(r"WEBHOOK_(\d+)_([A-Z_0-9]+)")
_WORDS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
_SUFFIXES = ("URL", "SECRET", "SECRET_PREVIOUS", "EVENTS", "FORMAT", "ALLOW_PRIVATE", "ENABLED")


def add_endpoints(
    data: dict[str, Any], env: Mapping[str, str], problems: list[Problem], document: Document
) -> dict[str, Any]:
    """Return the document's data with the environment's endpoints in the options of the plugin.

    :param data: as `PluginReader` gives it.
    :param problems: is told what is wrong with the variables.
    :param document: is told which variables stand for which options, for whoever validates these.
    """
    endpoints = list(_endpoints(env, problems))
    if not endpoints:
        return data
    plugins = data.get("plugins", DEFAULT_PLUGINS)
    if not isinstance(plugins, list | tuple):
        return data
    entries = [entry for entry in plugins if isinstance(entry, PluginEntry)]
    if not any(entry.name == _PLUGIN for entry in entries):
        entries.append(PluginEntry.of(_PLUGIN, at=("plugins",)))
    return {**data, "plugins": [_extended(entry, endpoints, document) for entry in entries]}


def _extended(entry: PluginEntry, endpoints: list[dict[str, Any]], document: Document) -> PluginEntry:
    written = entry.options.get("endpoints", [])
    if entry.name != _PLUGIN or not isinstance(written, list):
        return entry
    for place, endpoint in enumerate(endpoints, len(written)):
        _name_variables(document, (*entry.at, "endpoints", place), endpoint["id"])
    return entry.model_copy(update={"options": {**entry.options, "endpoints": [*written, *endpoints]}})


def _name_variables(document: Document, at: KeyPath, endpoint: str) -> None:
    prefix = endpoint.upper().replace("-", "_")
    document.name_variable(at, f"{prefix}_*")
    for suffix in _SUFFIXES:
        document.name_variable((*at, suffix.lower()), f"{prefix}_{suffix}")
    document.name_variable((*at, "secret", 1), f"{prefix}_SECRET_PREVIOUS")


def _endpoints(env: Mapping[str, str], problems: list[Problem]) -> Iterator[dict[str, Any]]:
    found: dict[int, dict[str, str]] = {}
    for name in sorted(env):
        match = _NAME.fullmatch(name)
        if match is None:
            continue
        if match[2] not in _SUFFIXES:
            known = tuple(f"WEBHOOK_{match[1]}_{suffix}" for suffix in _SUFFIXES)
            problems.append(_problem(f"no variable is called {name}", suggestion(name, known)))
            continue
        found.setdefault(int(match[1]), {})[match[2]] = env[name]
    for number, said in sorted(found.items()):
        endpoint = _endpoint(number, said, problems)
        if endpoint is not None:
            yield endpoint


def _endpoint(number: int, said: Mapping[str, str], problems: list[Problem]) -> dict[str, Any] | None:
    """One endpoint's options; None, with a problem, when what it needs is missing."""
    before = len(problems)
    missing = [suffix for suffix in ("URL", "SECRET") if not said.get(suffix, "").strip()]
    problems += [_problem(f"WEBHOOK_{number}_{suffix} is missing or empty", "set it") for suffix in missing]
    options: dict[str, Any] = {"id": f"webhook-{number}", "url": said.get("URL", ""), "secret": said.get("SECRET", "")}
    if said.get("SECRET_PREVIOUS"):
        options["secret"] = [options["secret"], said["SECRET_PREVIOUS"]]
    if events := [part.strip() for part in said.get("EVENTS", "").split(",") if part.strip()]:
        options["events"] = events
    if said.get("FORMAT"):
        options["format"] = said["FORMAT"]
    for suffix in ("ALLOW_PRIVATE", "ENABLED"):
        word = said.get(suffix, "").strip().lower()
        if word and word not in _WORDS:
            problems.append(_problem(f"WEBHOOK_{number}_{suffix} is neither true nor false", "write true or false"))
        elif word:
            options[suffix.lower()] = _WORDS[word]
    return options if len(problems) == before else None


def _problem(message: str, remedy: str) -> Problem:
    return Problem((), message, remedy, file="environment")
