"""`passerelle schema`, and that the one in the repository is what it prints."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

Command = Callable[..., tuple[int, str, str]]

CONFIG = Path(__file__).parents[3] / "config"


def test_it_describes_the_file_and_every_plugin(command: Command) -> None:
    code, out, _ = command("schema")
    schema = json.loads(out)
    assert (code, schema["title"]) == (0, "Passerelle")
    assert {"include", "listen", "routes", "upstreams"} <= schema["properties"].keys()
    assert {"plugin.headers", "plugin.respond", "plugin.events", "plugin.request_id"} <= schema["$defs"].keys()


def test_it_is_written_and_compared(command: Command, place: Path) -> None:
    assert command("schema", "--check", "s.json")[0] == 1
    assert command("schema", "--write", "s.json") == (0, "", "")
    assert command("schema", "--check", "s.json") == (0, "", "")
    (place / "s.json").write_text("{}")
    code, _, err = command("schema", "--check", "s.json")
    assert (code, err) == (1, "passerelle: s.json is not up to date; run `passerelle schema --write s.json`\n")


def test_the_one_in_the_repository_is_up_to_date(command: Command) -> None:
    assert command("schema", "--check", str(CONFIG / "schema.json")) == (0, "", "")


def test_a_file_cannot_be_written_is_told(command: Command) -> None:
    code, _, err = command("schema", "--write", "no/such/place.json")
    assert (code, "no/such/place.json" in err) == (1, True)
