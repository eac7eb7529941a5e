"""Keys from the arguments of a call: the same for calls that mean the same, however they are written.

Arguments are bound to the function's parameters, so that position, name and default make no difference; then written
as values are, so that 1, 1.0, True and "1" do. What has no such form names itself by `__cache_key__`, or is named by
its class and fields; the instance of a method may also be just that very instance.
"""

from __future__ import annotations

import inspect
import secrets
from collections.abc import Callable, Collection
from dataclasses import fields, is_dataclass
from enum import Enum
from hashlib import blake2b
from itertools import count
from pathlib import PurePath
from typing import Any
from weakref import WeakKeyDictionary

from proxy.cache.values import NotStorable, encode

_PROCESS = secrets.token_hex(8)


class Instances:
    """Names for instances that have none of their own: never the same for two, in whatever process."""

    def __init__(self) -> None:
        self._names: WeakKeyDictionary[Any, str] = WeakKeyDictionary()
        self._numbers = count()

    def name(self, instance: Any) -> str:
        """:raises TypeError: when it can neither be hashed nor referred to weakly."""
        name = self._names.get(instance)
        if name is None:
            name = self._names[instance] = f"{_PROCESS} {next(self._numbers)}"
        return name


class Arguments:
    """Makes keys of one function's calls.

    :param method: whether its first parameter is the instance of a method.
    :param ignore: names of parameters that make no difference.
    :raises TypeError: when one of these is no parameter.
    """

    def __init__(self, function: Callable[..., Any], ignore: Collection[str] = ()) -> None:
        self._name = function.__qualname__
        self._signature = inspect.signature(function)
        parameters = list(self._signature.parameters)
        unknown = sorted(set(ignore) - set(parameters))
        if unknown:
            raise TypeError(f"{self._name} has no parameter {', '.join(unknown)} to ignore")
        self._ignored = frozenset(ignore)
        self._first = parameters[0] if parameters[:1] in (["self"], ["cls"]) else None
        self._instances = Instances()

    def key(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bytes:
        """What is the same for calls that mean the same.

        :raises TypeError: when the call does not fit the function, or an argument has no key.
        """
        bound = self._signature.bind(*args, **kwargs)
        bound.apply_defaults()
        found = {}
        for name, value in bound.arguments.items():
            if name not in self._ignored:
                found[name] = self._told(name, value)
        return blake2b(encode(found), digest_size=16).digest()

    def _told(self, name: str, value: Any) -> Any:
        if name == self._first:
            return self._instance(value)
        try:
            plain = _plain(value)
            encode(plain)
        except (NotStorable, RecursionError) as error:
            raise TypeError(
                f"{self._name}({name}=…): {error}; give its class a __cache_key__(), or write ignore=({name!r},)"
            ) from error
        return plain

    def _instance(self, value: Any) -> Any:
        """A method's instance: by what it says of itself, or else that very one."""
        if isinstance(value, type):
            return "class", value.__module__, value.__qualname__
        if hasattr(value, "__cache_key__") or is_dataclass(value):
            return _plain(value)
        return "instance", self._instances.name(value)


def _plain(value: Any) -> Any:
    """A value in terms of what can be written."""
    own = getattr(value, "__cache_key__", None)
    kind = type(value)
    if own is not None and not isinstance(value, type):
        return "key", kind.__module__, kind.__qualname__, _plain(own())
    if isinstance(value, Enum):
        return "enum", kind.__module__, kind.__qualname__, value.name
    if is_dataclass(value) and not isinstance(value, type):
        held = {item.name: _plain(getattr(value, item.name)) for item in fields(value)}
        return "dataclass", kind.__module__, kind.__qualname__, held
    if isinstance(value, PurePath):
        return "path", kind.__qualname__, str(value)
    if kind is dict:
        return {_plain(key): _plain(item) for key, item in value.items()}
    if kind in (list, tuple, set, frozenset):
        return kind(map(_plain, value))
    return value
