"""The door for plugins: what is behind it, and that the built-in ones use no other."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import proxy.api
from plugins import events

PLUGINS = Path(events.__file__).parent


def imports(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    named = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    return named | {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}


def test_everything_that_is_named_is_there_and_nothing_else() -> None:
    names = set(proxy.api.__all__)
    assert len(names) == len(proxy.api.__all__)
    assert [name for name in sorted(names) if not hasattr(proxy.api, name)] == []
    public = {name for name, value in vars(proxy.api).items() if not name.startswith("_")}
    assert public - {"TYPE_CHECKING", "importlib"} == names


def test_what_it_does_not_name_is_not_there() -> None:
    with pytest.raises(AttributeError, match=r"module 'proxy\.api' has no attribute 'Attempt'"):
        _ = getattr(proxy.api, "Attempt")  # noqa: B009 (a name that no type checker would let pass)


def test_it_only_passes_on_what_is_defined_elsewhere() -> None:
    tree = ast.parse(Path(proxy.api.__file__).read_text())
    (outbox,) = (node for node in tree.body if isinstance(node, ast.If))
    kinds = {type(node).__name__ for node in (*tree.body, *outbox.body)}
    assert kinds == {"Expr", "Import", "ImportFrom", "Assign", "If"}
    assert [type(node).__name__ for node in outbox.orelse] == ["FunctionDef"]


def test_what_plugins_are_made_of_is_there() -> None:
    furniture = "Plugin PluginConfig Services Exchange Chain EventBus Request Response Body Headers Answer Rank Key"
    assert set(furniture.split()) <= set(proxy.api.__all__)


def test_classes_behind_the_door_are_documented() -> None:
    classes = [getattr(proxy.api, name) for name in proxy.api.__all__]
    assert [one.__name__ for one in classes if isinstance(one, type) and not one.__doc__] == []


def test_built_in_plugins_come_in_by_it() -> None:
    for path in sorted(PLUGINS.glob("*.py")):
        used = {name for name in imports(path) if name.split(".")[0] == "proxy"}
        assert used <= {"proxy.api"} or used <= {"proxy.api", "proxy.sanitize"}, path.name
        assert not any(name.split(".")[0] == "aiohttp" for name in imports(path)), path.name


def test_the_engine_knows_no_plugin() -> None:
    for path in sorted(Path(proxy.api.__file__).parent.rglob("*.py")):
        assert not any(name.split(".")[0] == "plugins" for name in imports(path)), path
