"""Elements of Forwarded: read each for itself, written so that they can be read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.frontend import forwarded


@pytest.mark.parametrize(
    ("element", "said"),
    [
        ("for=192.0.2.60;proto=http;by=203.0.113.43", {"for": "192.0.2.60", "proto": "http", "by": "203.0.113.43"}),
        ('For="[2001:db8:cafe::17]:4711"', {"for": "[2001:db8:cafe::17]:4711"}),
        ('for="_gazonk"', {"for": "_gazonk"}),
        ('for=a; host="x\\"y\\\\z" ;proto=b', {"for": "a", "host": 'x"y\\z', "proto": "b"}),
        ('for=""', {"for": ""}),
        ("for=a;", {"for": "a"}),
        ("for", {}),
        ("for=", {}),
        ("=a", {}),
        ("for =a", {}),
        ("for= a", {}),
        ("for=a b", {}),
        ('for="a', {}),
        ('for=a"', {}),
        ('for="a"b', {}),
        ("for=[::1]", {}),
        ("for=192.0.2.1:80", {}),
        ("for=a;;proto=b", {}),
        ("for=a;FOR=b", {}),
        ("", {}),
    ],
)
def test_what_an_element_says(element: str, said: dict[str, str]) -> None:
    assert forwarded.read(element) == said


def test_elements_are_split_over_fields() -> None:
    assert forwarded.split(["for=a, for=b ,", "", ",for=c"]) == ["for=a", "for=b", "for=c"]


@pytest.mark.parametrize(
    ("address", "node"),
    [("192.0.2.1", "192.0.2.1"), ("2001:db8::1", '"[2001:db8::1]"'), ("", "unknown"), ("unix", "unknown")],
)
def test_nodes(address: str, node: str) -> None:
    assert forwarded.node(address) == node


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=30))
def test_what_is_written_can_be_read(value: str) -> None:
    assert forwarded.read(f"host={forwarded.text(value)};proto=http") == {"host": value, "proto": "http"}


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF), max_size=60), st.ip_addresses().map(str))
def test_nothing_to_the_left_changes_what_was_appended(lie: str, address: str) -> None:
    elements = forwarded.split([f"{lie}, for={forwarded.node(address)}"])
    assert forwarded.read(elements[-1])["for"].strip("[]") == address.removeprefix("::ffff:") or "::ffff:" in address
