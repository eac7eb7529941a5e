"""The schema that editors use says what the models say."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from proxy.settings.models import Settings
from proxy.settings.schema import json_schema


class Rule(BaseModel):
    name: str


class Config(BaseModel):
    model_config = ConfigDict(extra="forbid")

    rules: list[Rule]
    size: int = 5


def schema() -> dict[str, Any]:
    return json_schema({"mine": Config.model_json_schema(), "empty": {"type": "object"}})


def references(value: Any) -> set[str]:
    if isinstance(value, list):
        return set().union(*map(references, value)) if value else set()
    if not isinstance(value, dict):
        return set()
    own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
    return own.union(*map(references, value.values())) if value else own


def test_every_key_is_there_with_a_description() -> None:
    properties = schema()["properties"]
    assert set(properties) == {*Settings.model_fields, "include"}
    assert all(part.get("description") for part in properties.values())
    assert schema()["additionalProperties"] is False


def test_every_model_describes_every_field() -> None:
    for name, definition in schema()["$defs"].items():
        if name[0].isupper():
            missing = [key for key, part in definition.get("properties", {}).items() if not describes(part)]
            assert missing == [], name


def describes(part: dict[str, Any]) -> bool:
    return bool(part.get("description") or part.get("title") or part.get("$ref", "").startswith("#/$defs/plugin."))


def test_every_reference_leads_somewhere() -> None:
    made = schema()
    assert references(made) <= {f"#/$defs/{name}" for name in made["$defs"]}
    assert "#/$defs/plugin.mine.Rule" in references(made)


def test_plugins_are_completed_with_their_options() -> None:
    definitions = schema()["$defs"]
    named, file, keyed = definitions["PluginEntry"]["anyOf"]
    assert named == {"enum": ["empty", "mine"]}
    assert file["pattern"] == r"\.py$"
    assert set(keyed["properties"]) == {"id", "mine", "empty"}
    assert keyed["additionalProperties"] is False
    assert definitions["plugin.mine"]["required"] == ["rules"]


def test_a_route_may_set_a_part_of_the_options() -> None:
    plugins = schema()["$defs"]["Route"]["properties"]["plugins"]
    options, switch = plugins["properties"]["mine"]["anyOf"]
    assert "required" not in options
    assert set(options["properties"]) == {"rules", "size"}
    assert {"type": "boolean"} in switch["anyOf"]
    assert plugins["properties"]["empty"]["anyOf"][0] == {"$ref": "#/$defs/plugin.empty"}


def test_a_variable_may_stand_for_a_number() -> None:
    fields = schema()["$defs"]["Limits"]["properties"]["fields"]
    assert fields["default"] == 100
    assert fields["anyOf"][1] == {"type": "string", "pattern": r"\$\{.+\}"}


def test_without_plugins_any_name_will_do() -> None:
    string, keyed = json_schema({})["$defs"]["PluginEntry"]["anyOf"]
    assert string == {"type": "string"}
    assert keyed["additionalProperties"] is True
