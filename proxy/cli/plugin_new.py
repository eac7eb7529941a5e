"""`passerelle plugin new`: a plugin to begin with, and its test. Both run as they are, so that a change can be tried.

What is written is the shortest plugin that has options and answers; whoever changes it has something that works before
and after each step.
"""

from __future__ import annotations

import argparse
import keyword
import re
import sys
from pathlib import Path
from string import Template

from proxy.cli.failures import Exit, say

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:[-_][A-Za-z0-9]+)*")
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_OURS = frozenset({"proxy", "plugins"})  # packages that a file of this name would hide

_PLUGIN = Template('''"""Close the house to everyone but a few addresses."""

from proxy.api import Answer, Exchange, Plugin, PluginConfig, Response


class Config(PluginConfig):
    retry_after: int = 120  # seconds
    allow: frozenset[str] = frozenset()  # addresses still let in


class $cls(Plugin[Config]):
    """Answer 503 unless the client's address is allowed."""

    pure = True  # `explain` and a file's own tests may run its hooks

    def on_request(self, exchange: Exchange) -> Answer:
        if exchange.peer.host in self.config.allow:
            return None
        return Response.text(503, "down for maintenance", {"retry-after": str(self.config.retry_after)})
''')

_TEST = Template('''"""The house is closed, but for those who are allowed."""

import asyncio

from $module import Config, $cls

from proxy.api import Peer
from proxy.testing import check_plugin, drive


def test_the_house_is_closed() -> None:
    done = asyncio.run(drive($cls(Config(retry_after=5)), request="GET /"))
    assert (done.response.status, done.response.headers.get("retry-after")) == (503, "5")
    assert done.forwarded is None


def test_who_is_allowed_gets_in() -> None:
    done = asyncio.run(drive($cls(Config(allow=frozenset({"10.0.0.7"}))), request="GET /", peer=Peer("10.0.0.7")))
    assert done.forwarded is not None


def test_it_keeps_the_contract_of_hooks() -> None:
    asyncio.run(check_plugin($cls))
''')


def add(actions: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the action."""
    parser = actions.add_parser("new", help="write a plugin to begin with, and its test", description=__doc__)
    parser.add_argument("name", metavar="NAME", type=_name, help="such as maintenance, or rate-limit")
    parser.add_argument(
        "-d", "--directory", metavar="DIR", type=Path, default=Path(), help="where to; this directory unless written"
    )
    parser.set_defaults(run=run_new)


def run_new(args: argparse.Namespace) -> int:
    """Write both files, or neither; nothing that is there is overwritten."""
    module, cls = names(args.name)
    directory: Path = args.directory
    files = {
        directory / f"{module}.py": _PLUGIN.substitute(cls=cls),
        directory / f"test_{module}.py": _TEST.substitute(module=module, cls=cls),
    }
    taken = [str(path) for path in files if path.exists()]
    if taken:
        say(f"{taken[0]} is there already; choose another name, or remove it")
        return Exit.BAD_CONFIGURATION
    directory.mkdir(parents=True, exist_ok=True)
    for path, text in files.items():
        path.write_text(text, encoding="utf-8")
    _tell(directory, module)
    return Exit.FINE


def names(name: str) -> tuple[str, str]:
    """Name of the module and of the class: `rate_limit` and `RateLimit` for `rate-limit`."""
    words = [word for part in re.split("[-_]", name) for word in _WORDS.findall(part)]
    return "_".join(word.lower() for word in words), "".join(word[:1].upper() + word[1:] for word in words)


def _name(text: str) -> str:
    """:raises argparse.ArgumentTypeError: for what cannot name a module of its own."""
    if not _NAME.fullmatch(text):
        raise argparse.ArgumentTypeError(f'"{text}" is no name; write letters and digits, such as rate-limit')
    module, cls = names(text)
    if keyword.iskeyword(module) or module in sys.stdlib_module_names | _OURS or cls in ("Config", "Plugin"):
        raise argparse.ArgumentTypeError(f'"{text}" has a meaning of its own in Python or here; choose another name')
    return text


def _tell(directory: Path, module: str) -> None:
    path = directory / module
    print(f"{path}.py and {directory / f'test_{module}.py'} are written. Then:")
    print(f"  passerelle plugin test {path}.py    what every plugin must withstand")
    print(f"  python -m pytest {directory / f'test_{module}.py'}")
    print("  and in the configuration beside it:")
    print(f"    plugins: [./{module}.py: {{allow: [127.0.0.1]}}]")
