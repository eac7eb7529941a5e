"""`passerelle explain`: what would happen to a request, and why? Nothing is sent."""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import json
import os
from typing import TYPE_CHECKING

from proxy.cli.configuration import add_config, built, find_config
from proxy.cli.failures import Exit, say

if TYPE_CHECKING:
    from proxy.build.explanation import Explanation
    from proxy.registry import Registry
    from proxy.settings import Loaded


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the subcommand."""
    parser = commands.add_parser("explain", help="tell what would happen to a request", description=__doc__)
    parser.add_argument("method", metavar="METHOD", type=_method)
    parser.add_argument("url", metavar="URL", help="absolute, such as http://example.com/users?page=2")
    parser.add_argument("-H", "--header", metavar="FIELD", type=_field, action="append", default=[], help="Name: value")
    parser.add_argument("--from", dest="client", metavar="ADDRESS", type=_address, default="127.0.0.1")
    add_config(parser)
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Explain, and tell."""
    from proxy.registry import Registry
    from proxy.settings import load

    loaded = load(find_config(args.config), os.environ)
    try:
        explanation = asyncio.run(_explain(loaded, Registry.installed(), args))
    except ValueError as error:
        say(str(error))
        return Exit.USAGE
    print(json.dumps(explanation.to_dict(), indent=2) if args.json else explanation.render())
    return Exit.FINE


async def _explain(loaded: Loaded, registry: Registry, args: argparse.Namespace) -> Explanation:
    async with built(loaded, registry) as (made, runtime):
        from proxy.build.explain import Explainer

        return await Explainer(made, runtime).explain(args.method, args.url, args.header, args.client)


def _method(text: str) -> str:
    """As it goes on the wire: methods are case-sensitive, and nobody means `get`."""
    return text.upper()


def _field(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise argparse.ArgumentTypeError(f'"{text}" is not a header field; write "Name: value"')
    return name.strip(), value.strip()


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise argparse.ArgumentTypeError(f'"{text}" is not an address') from None
