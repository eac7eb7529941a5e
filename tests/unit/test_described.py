"""What stands under a field is in its model's JSON Schema, and nowhere before that is asked for."""

from __future__ import annotations

import subprocess
import sys
from typing import Annotated, Any

from pydantic import Field, WithJsonSchema

from proxy.described import Described, descriptions

Length = Annotated[int, WithJsonSchema({"type": "integer", "description": "Some length."})]


class Inner(Described):
    """A part."""

    width: int = 1
    """How wide,

    and no wider.
    """
    silent: int = 2


class Outer(Inner):
    """A whole."""

    inner: Inner
    """What is within."""
    length: Length = 3
    """How long."""
    told: int = Field(default=4, description="By itself.")
    """Not this."""
    renamed: int = Field(default=5, alias="as")
    """Under another name."""
    width: int = 7
    """Wider."""


def properties(model: type[Described]) -> Any:
    return model.model_json_schema()["properties"]


def test_what_stands_under_a_field_describes_it() -> None:
    found = properties(Outer)
    assert found["inner"]["description"] == "What is within."
    assert found["as"]["description"] == "Under another name."
    assert "description" not in found["silent"]


def test_it_says_more_than_the_type_and_less_than_a_description_of_the_fields_own() -> None:
    found = properties(Outer)
    assert found["length"]["description"] == "How long."
    assert found["told"]["description"] == "By itself."


def test_a_part_is_described_where_it_is_defined() -> None:
    inner = Outer.model_json_schema()["$defs"]["Inner"]["properties"]
    assert inner["width"]["description"] == "How wide,\n\nand no wider."


def test_the_last_word_counts() -> None:
    assert descriptions(Outer)["width"] == "Wider."
    assert descriptions(Inner) == {"width": "How wide,\n\nand no wider."}


def test_a_model_without_a_source_is_not_described() -> None:
    namespace: dict[str, Any] = {"Described": Described}
    exec("class Made(Described):\n    a: int = 1\n    '''Lost.'''\n", namespace)
    assert descriptions(namespace["Made"]) == {}
    assert properties(namespace["Made"])["a"] == {"default": 1, "title": "A", "type": "integer"}


def test_a_start_parses_no_source() -> None:
    """Of what a gateway imports nothing reads modules' sources again, which was a fifth of every start."""
    script = (
        "import ast, inspect\n"
        "def parse(*_, **__): raise SystemExit('a source was parsed')\n"
        "ast.parse = inspect.getsource = parse\n"
        "import proxy.server.run\n"
        "from proxy.registry import Registry\n"
        "from proxy.settings.models import DEFAULT_PLUGINS\n"
        "for entry in DEFAULT_PLUGINS: Registry.installed().get(entry.name)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=50, check=False)
    assert (done.returncode, done.stderr) == (0, "")
