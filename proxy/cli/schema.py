"""`passerelle schema`: the JSON Schema by which editors complete and check configuration files."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from proxy.cli.failures import Exit, say


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the subcommand."""
    parser = commands.add_parser("schema", help="print the JSON Schema of configuration files", description=__doc__)
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--write", type=Path, metavar="FILE", help="write it there instead")
    choice.add_argument("--check", type=Path, metavar="FILE", help="tell by the exit code whether that file is it")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print, write or compare."""
    text = json.dumps(schema(), indent=2) + "\n"
    if args.write is not None:
        args.write.write_text(text, encoding="utf-8")
    elif args.check is not None:
        return _compare(args.check, text)
    else:
        print(text, end="")
    return Exit.FINE


def schema() -> dict[str, Any]:
    """The schema with the options of every installed plugin."""
    from proxy.plugin import config_of
    from proxy.registry import Registry
    from proxy.settings import json_schema

    registry = Registry.installed()
    configs = {name: config_of(registry.get(name)) for name in registry.names}
    return json_schema({name: config.model_json_schema() for name, config in configs.items()})


def _compare(file: Path, text: str) -> int:
    if file.is_file() and file.read_text(encoding="utf-8") == text:
        return Exit.FINE
    say(f"{file} is not up to date; run `passerelle schema --write {file}`")
    return Exit.BAD_CONFIGURATION
