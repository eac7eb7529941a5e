"""Where plugin classes come from: entry points of installed packages, and single files. An object, never a global."""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.machinery import SourceFileLoader
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from traceback import walk_tb
from types import ModuleType
from typing import Any

from proxy.plugin import Plugin, Rank, config_of
from proxy.waiting import RAISED

GROUP = "passerelle.plugins"


@cache
def installed() -> tuple[EntryPoint, ...]:
    """The entry points of plugins; looked for once, in the metadata of every package that there is."""
    return tuple(entry_points(group=GROUP))


class PluginNotUsable(Exception):
    """A plugin cannot be had.

    :ivar reason: what is wrong.
    :ivar known: the names that could have been meant; empty when the name was found.
    """

    def __init__(self, reason: str, known: Iterable[str] = ()) -> None:
        super().__init__(reason)
        self.reason = reason
        self.known = tuple(known)


class Registry:
    """Plugin classes by name; each is imported when it is first asked for.

    :param points: entry points of the group `passerelle.plugins`, from any number of packages.
    """

    def __init__(self, points: Iterable[EntryPoint]) -> None:
        self._points: dict[str, list[EntryPoint]] = {}
        for point in points:
            found = self._points.setdefault(point.name, [])
            if all(other.value != point.value for other in found):
                found.append(point)
        self._classes: dict[str, type[Plugin[Any]]] = {}
        self._files: dict[Path, tuple[bytes, type[Plugin[Any]]]] = {}  # what was run, and what came of it

    @classmethod
    def installed(cls) -> Registry:
        """The registry of what is installed beside the gateway."""
        return cls(installed())

    @property
    def names(self) -> tuple[str, ...]:
        """Every name, sorted."""
        return tuple(sorted(self._points))

    @property
    def sources(self) -> Mapping[str, str]:
        """Where each name comes from: `package.module:Class`."""
        return {name: ", ".join(point.value for point in points) for name, points in sorted(self._points.items())}

    def get(self, name: str) -> type[Plugin[Any]]:
        """The class of an entry point.

        :raises PluginNotUsable: when there is none, when two packages offer the name, when importing it fails, or when
            it is no Plugin.
        """
        known = self._classes.get(name)
        if known is not None:
            return known
        points = self._points.get(name, [])
        if not points:
            raise PluginNotUsable(f'no plugin is called "{name}"', self.names)
        if len(points) > 1:
            rivals = " and ".join(sorted(point.value for point in points))
            raise PluginNotUsable(f'two packages offer a plugin called "{name}": {rivals}; uninstall one of them')
        try:
            loaded = points[0].load()
        except RAISED as error:
            raise PluginNotUsable(f"{points[0].value} cannot be imported: {_words(error)}") from error
        if not (inspect.isclass(loaded) and issubclass(loaded, Plugin)):
            raise PluginNotUsable(f"{points[0].value} is no Plugin class")
        _check(loaded)
        self._classes[name] = loaded
        return loaded

    def get_file(self, path: Path) -> type[Plugin[Any]]:
        """The one Plugin class that a Python file defines: the same one until the file's text is another.

        :raises PluginNotUsable: when the file is missing, does not run, or holds none or several.
        """
        source = _read(path)
        known = self._files.get(path)
        if known is not None and known[0] == source:
            return known[1]
        module = _run(path, source)
        found = [
            value
            for value in vars(module).values()
            if inspect.isclass(value) and issubclass(value, Plugin) and value.__module__ == module.__name__
        ]
        if len(found) != 1:
            count = "no Plugin class" if not found else f"{len(found)} Plugin classes"
            raise PluginNotUsable(f"{path.name} holds {count}; a plugin file holds one")
        _check(found[0])
        self._files[path] = source, found[0]
        return found[0]


def _check(cls: Any) -> None:
    """:raises PluginNotUsable: when the class says of itself what no plugin can be."""
    if not isinstance(cls.rank, Rank):
        ranks = ", ".join(f"Rank.{rank.name}" for rank in Rank)
        raise PluginNotUsable(f"{cls.__name__}: rank is one of {ranks}, not {cls.rank!r}")
    if cls.on_error not in ("fail", "skip"):
        raise PluginNotUsable(f'{cls.__name__}: on_error is "fail" or "skip", not {cls.on_error!r}')
    try:
        config_of(cls)
    except TypeError as error:
        raise PluginNotUsable(str(error)) from error


class _Source(SourceFileLoader):
    """Runs the text that was read, never a compiled copy: that one knows a file by its second and its size."""

    def __init__(self, name: str, path: Path, source: bytes) -> None:
        super().__init__(name, str(path))
        self._source = source

    def get_data(self, path: str) -> bytes:
        """The text. :see: `importlib.abc.ResourceLoader`."""
        return self._source

    def path_stats(self, path: str) -> Mapping[str, Any]:
        """:raises OSError: always, which says that there is no compiled copy to look for."""
        raise OSError


def _read(path: Path) -> bytes:
    """:raises PluginNotUsable: when there is nothing to read."""
    if not path.is_file():
        raise PluginNotUsable(f"there is no file {path}")
    if path.suffix != ".py":
        raise PluginNotUsable(f"{path.name} is no Python file")
    try:
        return path.read_bytes()
    except OSError as error:
        raise PluginNotUsable(f"{path.name} cannot be read: {(error.strerror or 'error').lower()}") from error


def _run(path: Path, source: bytes) -> Any:
    """The file's module, under a name of its own, so that two files of one name do not meet."""
    name = f"passerelle_plugin_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}"
    loader = _Source(name, path, source)
    spec = importlib.util.spec_from_file_location(name, path, loader=loader)
    if spec is None:
        raise PluginNotUsable(f"{path.name} cannot be run")
    module = importlib.util.module_from_spec(spec)
    before = sys.modules.get(name)
    sys.modules[name] = module  # pydantic looks annotations up there
    try:
        loader.exec_module(module)
    except RAISED as error:
        _put_back(name, before)
        raise PluginNotUsable(f"{path.name} does not run: {_place(error, path)}{_words(error)}") from error
    return module


def _put_back(name: str, module: ModuleType | None) -> None:
    """A module that did not run leaves the one before it in its place."""
    if module is None:
        del sys.modules[name]
    else:
        sys.modules[name] = module


def _place(error: BaseException, path: Path) -> str:
    """The line of the file that came to grief."""
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return f"line {error.lineno}: "
    lines = [line for frame, line in walk_tb(error.__traceback__) if frame.f_code.co_filename == str(path)]
    return f"line {lines[-1]}: " if lines else ""


def _words(error: BaseException) -> str:
    """An error in one line."""
    if isinstance(error, SyntaxError):
        return error.msg
    return f"{type(error).__name__}: {error}".splitlines()[0]
