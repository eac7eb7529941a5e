"""Addresses and shorthands."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Annotated, Any

import pytest
from pydantic import TypeAdapter, ValidationError

from proxy.settings.fields import (
    Cidr,
    FieldName,
    Listed,
    MatchHost,
    Model,
    Origin,
    PlainOrigin,
    Switch,
    TargetOrigin,
    UnderscoredName,
    is_address,
    is_loopback,
    port_of,
)


def validate(kind: Any, value: object) -> Any:
    return TypeAdapter(kind).validate_python(value)


@pytest.mark.parametrize(
    ("written", "origin", "port"),
    [
        ("http://127.0.0.1:9001", "http://127.0.0.1:9001", 9001),
        ("http://127.0.0.1:9001/", "http://127.0.0.1:9001", 9001),
        ("http://my_app", "http://my_app", 80),
        ("https://api.example.com", "https://api.example.com", 443),
        ("http://[::1]:80", "http://[::1]:80", 80),
        ("http://127.0.0.1:0", "http://127.0.0.1:0", 0),
    ],
)
def test_origins(written: str, origin: str, port: int) -> None:
    assert validate(Origin, written) == origin
    assert port_of(origin) == port


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Origin, "127.0.0.1:80"),
        (Origin, "ftp://a"),
        (Origin, "http://a/?x"),
        (Origin, "http://a/#x"),
        (Origin, "http://a b"),
        (Origin, "http://[::1"),
        (PlainOrigin, "https://a"),
        (TargetOrigin, "http://a:0"),
        (FieldName, "X Y"),
        (FieldName, ""),
        (MatchHost, "http://a"),
        (MatchHost, ""),
        (Cidr, 5),
    ],
)
def test_what_is_refused(kind: Any, value: object) -> None:
    with pytest.raises(ValidationError):
        validate(kind, value)


def test_a_range_may_be_one_address() -> None:
    assert validate(Cidr, "10.0.0.1") == ip_network("10.0.0.1/32")
    assert validate(Cidr, ip_network("fd00::/8")) == ip_network("fd00::/8")
    assert TypeAdapter(Cidr).dump_python(ip_network("10.0.0.0/8")) == "10.0.0.0/8"


@pytest.mark.parametrize(
    ("host", "address", "loopback"),
    [
        ("127.0.0.1", True, True),
        ("::1", True, True),
        ("localhost", False, True),
        ("0.0.0.0", True, False),
        ("example.com", False, False),
    ],
)
def test_kinds_of_hosts(host: str, address: bool, loopback: bool) -> None:
    assert (is_address(host), is_loopback(host)) == (address, loopback)


class Part(Model):
    size: int = 3


class Whole(Model):
    names: Annotated[tuple[str, ...], *Listed] = ()
    part: Annotated[Part | None, *Switch] = None


def test_a_list_of_one_needs_no_brackets() -> None:
    assert Whole.model_validate({"names": "a"}).names == ("a",)
    assert Whole.model_validate({"names": ["a", "b"]}).names == ("a", "b")


@pytest.mark.parametrize(
    ("value", "part"), [(False, None), ("false", None), (True, Part()), ("true", Part()), ({"size": 5}, Part(size=5))]
)
def test_a_section_may_be_switched(value: object, part: Part | None) -> None:
    assert Whole.model_validate({"part": value}).part == part


def test_switches_are_written_back() -> None:
    assert Whole().model_dump()["part"] is False
    assert Whole(part=Part()).model_dump()["part"] == {"size": 3}


def test_editors_know_the_shorthands() -> None:
    properties = Whole.model_json_schema()["properties"]
    assert properties["names"]["anyOf"] == [{"items": {"type": "string"}, "type": "array"}, {"type": "string"}]
    assert properties["part"]["anyOf"] == [{"$ref": "#/$defs/Part"}, {"type": "boolean"}]


def test_models_do_not_change_and_know_all_their_keys() -> None:
    with pytest.raises(ValidationError):
        Part().size = 5
    with pytest.raises(ValidationError):
        Part.model_validate({"sise": 5})


def test_an_underscored_name_has_one() -> None:
    names = TypeAdapter(UnderscoredName)
    assert names.validate_python("X_Legacy") == "X_Legacy"
    for name in ("X-Legacy", "X_ Legacy", ""):
        with pytest.raises(ValidationError):
            names.validate_python(name)
