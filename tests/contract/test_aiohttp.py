"""The parts of aiohttp that it does not promise to keep: which modules of ours touch them, and in which versions.

What those modules rely on is held by `test_aiohttp_shape.py` of the front end and of the upstream. This says that there
is nothing else to look at when an upgrade changes a shape.
"""

from __future__ import annotations

import ast
import inspect
import re
from configparser import ConfigParser
from functools import cache
from importlib.metadata import version
from pathlib import Path

import pytest
from aiohttp import TCPConnector

ROOT = Path(__file__).parent.parent.parent
SETUP = ROOT / "setup.cfg"

# The part, and the modules that import it. `server/admin.py` has aiohttp's server as it is, for the admin listener.
TOUCHED = {
    "aiohttp.web_protocol": {"proxy/frontend/line.py", "proxy/frontend/listener.py", "proxy/server/admin.py"},
    "aiohttp.web_server": {"proxy/frontend/listener.py", "proxy/server/admin.py"},
    "aiohttp.client_proto": {"proxy/upstream/member.py"},
    "aiohttp.client_reqrep": {"proxy/upstream/connector.py"},
    "aiohttp.connector": set(),  # by its public name in `upstream/connector.py`
    "aiohttp.http_parser": {"proxy/frontend/head.py", "proxy/frontend/listener.py", "proxy/upstream/head.py"},
    "aiohttp._http_parser": {"proxy/upstream/head.py"},
}


@cache
def nodes(file: Path) -> list[ast.AST]:
    """Everything that a file says; parsed once for all tests."""
    return list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))


@cache
def imported(file: Path) -> set[str]:
    """The modules that a file names in its imports, those made by name among them."""
    names = set()
    for node in nodes(file):
        match node:
            case ast.Import(names=aliases):
                names |= {alias.name for alias in aliases}
            case ast.ImportFrom(module=str(module)):
                names.add(module)
            case ast.Call(func=ast.Attribute(attr="import_module"), args=[ast.Constant(value=str(name))]):
                names.add(name)
    return names


def users(part: str) -> set[str]:
    return {
        str(file.relative_to(ROOT)) for file in [*ROOT.glob("proxy/**/*.py"), *ROOT.glob("plugins/**/*.py")]
        if part in imported(file)
    }  # fmt: skip


@pytest.mark.parametrize("part", TOUCHED)
def test_a_part_is_touched_where_it_is_said(part: str) -> None:
    assert users(part) == TOUCHED[part], f"{part} may change with any release: keep it to the modules that know it"


def test_traffic_has_one_subclass_of_each() -> None:
    """Who overrides aiohttp's connection of a client, that of a server, and its connector."""
    found: dict[str, set[str]] = {"RequestHandler": set(), "ResponseHandler": set(), "TCPConnector": set()}
    for file in ROOT.glob("proxy/**/*.py"):
        for node in nodes(file):
            for base in node.bases if isinstance(node, ast.ClassDef) else ():
                if isinstance(base, ast.Name) and base.id in found:
                    found[base.id].add(str(file.relative_to(ROOT)))
    assert found == {
        "RequestHandler": {"proxy/frontend/line.py", "proxy/server/admin.py"},  # of traffic, and of operators
        "ResponseHandler": {"proxy/upstream/member.py"},
        "TCPConnector": {"proxy/upstream/connector.py"},
    }


def test_the_connector_asks_for_addresses_by_this_method() -> None:
    parameters = inspect.signature(TCPConnector._resolve_host).parameters
    assert list(parameters) == ["self", "host", "port", "traces"], "adapt proxy/upstream/connector.py"
    assert "self._resolve_host(" in inspect.getsource(TCPConnector._create_direct_connection), (
        "our own is not asked any more, so time-outs of names are not told from others: "
        "adapt proxy/upstream/connector.py"
    )


def test_the_range_of_versions_is_closed_and_ours_is_in_it() -> None:
    settings = ConfigParser()
    settings.read(SETUP, encoding="utf-8")
    wanted = next(line for line in settings["options"]["install_requires"].split() if line.startswith("aiohttp"))
    found = re.fullmatch(r"aiohttp>=(\d+)\.(\d+)\.(\d+),<(\d+)\.(\d+)", wanted)
    assert found is not None, f"{wanted}: a lower and an upper bound, for other releases have another shape"
    lowest, above = tuple(map(int, found.groups()[:3])), tuple(map(int, found.groups()[3:]))
    assert above == (lowest[0], lowest[1] + 1), f"{wanted}: more than one minor release"
    installed = tuple(int(number) for number in re.findall(r"\d+", version("aiohttp"))[:3])
    assert lowest <= installed < (*above, 0)
