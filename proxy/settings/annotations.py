"""Finding one's way in a pydantic model by the path of a value, for messages that name what could stand there."""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from proxy.settings.problems import KeyPath


def models_at(model: type[BaseModel], path: KeyPath) -> list[type[BaseModel]]:
    """Return the models that a mapping at `path` may be validated against; none where the path leads nowhere."""
    found: list[Any] = [model]
    for part in path:
        found = [inner for annotation in found for inner in _step(annotation, part)]
    return [option for option in found if _is_model(option)]


def keys_at(model: type[BaseModel], path: KeyPath) -> list[str]:
    """Return the keys that may be written in the mapping at `path`, which may be one that stands for a list of one."""
    keys: list[str] = []
    for found in models_at(model, path) or models_at(model, (*path, 0)):
        keys += [info.alias or name for name, info in found.model_fields.items()]
        keys += getattr(found, "also_written", ())
    return keys


def field_at(model: type[BaseModel], path: KeyPath) -> FieldInfo | None:
    """Return the field that `path` ends in, or None when it ends in something else."""
    if not path:
        return None
    fields = (_field(found, path[-1]) for found in models_at(model, path[:-1]))
    return next((info for info in fields if info is not None), None)


def _field(model: type[BaseModel], key: str | int) -> FieldInfo | None:
    matches = (info for name, info in model.model_fields.items() if (info.alias or name) == key)
    return next(matches, None)


def _step(annotation: Any, part: str | int) -> Iterator[Any]:
    """Yield the annotations, unions taken apart, of what stands under `part` of a value so annotated."""
    if _is_model(annotation):
        info = _field(annotation, part)
        yield from _alternatives(info.annotation) if info is not None else ()
        return
    origin, arguments = get_origin(annotation), get_args(annotation)
    if isinstance(part, int) and origin in (tuple, list, set, frozenset):
        yield from _alternatives(arguments[0])
    elif isinstance(part, str) and isinstance(origin, type) and len(arguments) == 2:
        yield from _alternatives(arguments[1])


def _alternatives(annotation: Any) -> Iterator[Any]:
    if hasattr(annotation, "__metadata__"):  # Annotated
        yield from _alternatives(annotation.__origin__)
    elif get_origin(annotation) in (Union, types.UnionType):
        for option in get_args(annotation):
            yield from _alternatives(option)
    else:
        yield annotation


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
