"""Validation against a pydantic model, with messages for the person who wrote the file.

The same function serves the settings and every plugin's `Config`, so that a slip in a plugin's options is reported as
well as one in the engine's own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from proxy.settings.annotations import field_at, keys_at
from proxy.settings.document import Document, Source
from proxy.settings.problems import KeyPath, Problem, nearest, suggestion
from proxy.settings.secrets import MASK, is_secret

M = TypeVar("M", bound=BaseModel)

_LIST = ("must be a list", 'write "[a, b]", or a line beginning with "- " for each item')
_MAPPING = ("must be a mapping", 'write "key: value" pairs below it')
_TEXT = ("must be text", "")
_WHOLE = ("must be a whole number", "")
_NUMBER = ("must be a number", "")
_TRUTH = ("must be true or false", "")

_FIXED: dict[str, tuple[str, str]] = {
    **dict.fromkeys(("tuple_type", "list_type", "set_type", "frozen_set_type"), _LIST),
    **dict.fromkeys(("dict_type", "mapping_type", "model_type", "model_attributes_type"), _MAPPING),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float", "int_parsing_size"), _WHOLE),
    **dict.fromkeys(("float_type", "float_parsing", "finite_number", "decimal_parsing"), _NUMBER),
    **dict.fromkeys(("bool_type", "bool_parsing"), _TRUTH),
    **dict.fromkeys(("string_type", "path_type", "bytes_type", "url_type"), _TEXT),
    "too_short": ("must not be empty", ""),
    "string_too_short": ("must not be empty", ""),
}
_BOUNDS = {
    "greater_than": ("gt", "more than"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "less than"),
    "less_than_equal": ("le", "at most"),
}
_SWITCHES = {"off": "false", "no": "false", "on": "true", "yes": "true"}
_QUOTED = re.compile(r"'([^']*)'")


def validate_model(model: type[M], data: object, at: KeyPath, document: Document) -> tuple[M | None, list[Problem]]:
    """Validate data against a model.

    :param data: plain data, as read from YAML.
    :param at: where the data stands in the document; the problems' paths begin with it.
    :return: the instance, or None and everything that is wrong.
    """
    try:
        made = model.model_validate(data, context={"base": document.base(at)})
    except ValidationError as error:
        return None, _problems(model, data, at, document, error.errors(include_url=False))
    found = [document.problem((*at, *path), *_WHOLE) for path in _truths(data, made, ())]
    return (None if found else made), found


def _truths(data: object, made: object, path: KeyPath) -> Iterator[KeyPath]:
    """Yield where `true` or `false` stands for a number, which pydantic takes for 1 or 0."""
    if isinstance(data, bool):
        if isinstance(made, int | float) and not isinstance(made, bool):
            yield path
    elif isinstance(data, Mapping):
        parts = _parts(made)
        for key, value in data.items():
            yield from _truths(value, parts.get(key), (*path, key))
    elif isinstance(data, list) and isinstance(made, list | tuple):
        for index, (value, item) in enumerate(zip(data, made, strict=False)):
            yield from _truths(value, item, (*path, index))


def _parts(made: object) -> Mapping[str, object]:
    """What was made of a mapping, by the keys that are written."""
    if isinstance(made, BaseModel):
        fields = type(made).model_fields
        return {field.alias or name: getattr(made, name) for name, field in fields.items()}
    return made if isinstance(made, Mapping) else {}


def _problems(
    model: type[BaseModel], data: object, at: KeyPath, document: Document, errors: Sequence[ErrorDetails]
) -> list[Problem]:
    found: dict[KeyPath, Problem] = {}
    for error in errors:
        path, is_key = _path(error, data)
        message, remedy = _explain(model, path, error)
        full = (*at, *path)
        if path and (is_secret(full) or full in document.from_source(Source.FILE)):
            message = _without(message, error["input"])
        if full not in found:  # a union reports once for each of its options: the first one is the usual form
            found[full] = document.problem(full, message, remedy, key=is_key)
    return list(found.values())


def _path(error: ErrorDetails, data: object) -> tuple[KeyPath, bool]:
    """Return where in the data an error is, and whether it is about the key there.

    Pydantic's location also holds names of union options and parts that a shorthand left out; neither is in the data.
    """
    location = error["loc"]
    is_key = bool(location) and location[-1] == "[key]"
    is_absent = error["type"] == "missing"
    path: list[str | int] = []
    for part in location[:-1] if is_key or is_absent else location:
        if _holds(data, part):
            path.append(part)
            data = data[part]  # type: ignore[index]  # _holds has looked
    return (*path, location[-1]) if is_absent else tuple(path), is_key or error["type"] == "extra_forbidden"


def _holds(data: object, part: str | int) -> bool:
    if isinstance(data, Mapping):
        return part in data
    return isinstance(data, list | tuple) and isinstance(part, int) and part < len(data)


def _explain(model: type[BaseModel], path: KeyPath, error: ErrorDetails) -> tuple[str, str]:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "settings":
        return context["message"], context["remedy"]
    if kind in _BOUNDS:
        bound, words = _BOUNDS[kind]
        return f"must be {words} {context[bound]}", ""
    if kind in _FIXED:
        message, remedy = _FIXED[kind]
        return message, _remedy_for(error["input"], message) or _example(model, path) or remedy
    special = _SPECIAL.get(kind)
    return special(model, path, error) if special is not None else (_plain(error), "")


def _remedy_for(value: object, message: str) -> str:
    """Return a remedy that what was written suggests."""
    if message == _TEXT[0] and isinstance(value, int | float):
        return f'put it in quotes: "{str(value).lower() if isinstance(value, bool) else value}"'
    if message in (_MAPPING[0], _TRUTH[0]) and isinstance(value, str) and value.lower() in _SWITCHES:
        return f"write {_SWITCHES[value.lower()]}"
    return ""


def _missing(model: type[BaseModel], path: KeyPath, _error: ErrorDetails) -> tuple[str, str]:
    return "is missing", _example(model, path) or "add it"


def _unknown(model: type[BaseModel], path: KeyPath, _error: ErrorDetails) -> tuple[str, str]:
    keys = keys_at(model, path[:-1])
    near = nearest(str(path[-1]), keys)
    if not keys:
        return "unknown key", "none can be written here; remove it"
    return "unknown key", f'did you mean "{near}"?' if near else f"known keys are {', '.join(sorted(keys))}"


def _choice(_model: type[BaseModel], _path: KeyPath, error: ErrorDetails) -> tuple[str, str]:
    choices = _QUOTED.findall(str(error.get("ctx", {}).get("expected", "")))
    return f'"{error["input"]}" is not known here', suggestion(str(error["input"]), choices)


def _form(model: type[BaseModel], path: KeyPath, error: ErrorDetails) -> tuple[str, str]:
    return f'"{error["input"]}" does not have the right form', _example(model, path)


_SPECIAL: dict[str, Callable[[type[BaseModel], KeyPath, ErrorDetails], tuple[str, str]]] = {
    "missing": _missing,
    "extra_forbidden": _unknown,
    "literal_error": _choice,
    "enum": _choice,
    "string_pattern_mismatch": _form,
}


def _example(model: type[BaseModel], path: KeyPath) -> str:
    info = field_at(model, path)
    return f'write "{path[-1]}: {info.examples[0]}"' if info is not None and info.examples else ""


def _plain(error: ErrorDetails) -> str:
    """Return a message of pydantic, or of a plugin's own validator, in the tone of the others."""
    text = error["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return text[:1].lower() + text[1:]


def _without(message: str, value: Any) -> str:
    return message.replace(str(value), MASK) if isinstance(value, str | int) and str(value) else message
