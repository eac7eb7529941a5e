"""`passerelle plugin list`."""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.metadata import EntryPoint

from proxy.cli.plugin import listed
from proxy.registry import GROUP, Registry

Command = Callable[..., tuple[int, str, str]]


def test_a_table_for_people(command: Command) -> None:
    code, out, _ = command("plugin", "list")
    head, *rows = out.splitlines()
    assert (code, head.split()) == (0, ["NAME", "RANK", "CLASS", "ABOUT"])
    names = [row.split()[0] for row in rows]
    assert names == sorted(names)
    assert {"events", "headers", "request_id", "respond"} <= set(names)
    (respond,) = [row for row in rows if row.startswith("respond ")]
    assert respond.split()[1:3] == ["rewrite", "plugins.respond:Respond"]


def test_json_tells_the_options_as_files_write_them(command: Command) -> None:
    found = {one["name"]: one for one in json.loads(command("plugin", "list", "--json")[1])}
    assert {"status", "body", "json", "redirect"} <= set(found["respond"]["options"])


def test_one_that_cannot_be_used_is_listed_with_the_reason() -> None:
    (one,) = listed(Registry([EntryPoint("broken", "no.such:Thing", GROUP)]))
    assert (one.name, one.rank, one.options) == ("broken", "", None)
    assert "no.such:Thing cannot be imported: ModuleNotFoundError" in one.about
