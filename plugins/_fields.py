"""Header fields as options write them, for the plugins that write fields.

Names and values are checked when the configuration is read. What is left to do for an exchange is to append pairs
that are known to be good, so a literal value costs no more than that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, TypeAlias

from pydantic import AfterValidator

from plugins._templates import ON_REQUEST, ON_RESPONSE, Fact, Template
from proxy.api import HOP_BY_HOP, Exchange, Headers

# (name, lower-case name, value)
Field: TypeAlias = tuple[str, str, str | Template]


def checked_name(name: str) -> str:
    """The name, if it can be one of a field at all. :raises ValueError: when it is no token."""
    Headers([(name, "")])
    return name


def _name(name: str) -> str:
    checked_name(name)
    if name.lower() in HOP_BY_HOP:
        raise ValueError(f"the gateway itself writes {name}")
    return name


def _value(value: str) -> str:
    try:
        Headers([("x", value)])
    except ValueError:  # whose message shows the value, which may be secret
        raise ValueError("holds a control character, or one beyond latin-1") from None
    return value


def _of_request(name: str) -> str:
    if name.lower() == "expect":
        raise ValueError(f"the gateway itself writes {name}")
    return name


def _of_response(name: str) -> str:
    if name.lower() == "x-request-id":
        raise ValueError(f"the gateway itself writes {name}; the plugin request_id has options for it")
    return name


def _naming(facts: Mapping[str, Fact]) -> AfterValidator:
    """Refuses a `${exchange.…}` that is not among the facts."""

    def check(value: str) -> str:
        Template(value, facts)
        return value

    return AfterValidator(check)


FieldName = Annotated[str, AfterValidator(_name)]
FieldValue = Annotated[str, AfterValidator(_value)]
RequestName = Annotated[FieldName, AfterValidator(_of_request)]
RequestValue = Annotated[FieldValue, _naming(ON_REQUEST)]
ResponseName = Annotated[FieldName, AfterValidator(_of_response)]
ResponseValue = Annotated[FieldValue, _naming(ON_RESPONSE)]


def compiled(fields: Mapping[str, str], facts: Mapping[str, Fact]) -> tuple[Field, ...]:
    """Fields ready for `write`.

    :param fields: names and values that were checked.
    :param facts: what `${exchange.…}` may name in the values.
    """
    return tuple((name, name.lower(), _text(value, facts)) for name, value in fields.items())


def _text(value: str, facts: Mapping[str, Fact]) -> str | Template:
    return Template(value, facts) if "${exchange." in value else value


def write(headers: Headers, fields: Sequence[Field], exchange: Exchange) -> None:
    """Append fields; one whose `${exchange.…}` leave nothing is left out."""
    for name, key, text in fields:
        if isinstance(text, str):
            headers.push(name, key, text)
            continue
        value = text.render(exchange)
        if value:
            headers.push(name, key, value)
