"""What is an address, as proxies write them, and what only looks like one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.frontend.addresses import parse_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.1", "192.0.2.1"),
        (" 192.0.2.1\t", "192.0.2.1"),
        ("192.0.2.1:80", "192.0.2.1"),
        ("2001:DB8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:443", "2001:db8::1"),
        ("[192.0.2.1]:443", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::1"),
    ],
)
def test_addresses(text: str, address: str) -> None:
    assert str(parse_address(text)) == address


NONE = """
unknown _x 1.2.3 1.2.3.4.5 1.2.3.04 256.1.1.1 1.2.3.4: 1.2.3.4:x 1.2.3.4:123456 a.example "1.2.3.4" 0x7f.0.0.1
[::1 ::1] [::1]x [::1]: [::1]:x [] []:1 2130706433 ::1:: 1.2.3.4, [[::1]] [::1]:1:2
"""


@pytest.mark.parametrize("text", [*NONE.split(), "", "\xb2.1.1.1", "1.2.3.4\n", "1.2.3.4 1.2.3.4"])
def test_no_addresses(text: str) -> None:
    assert parse_address(text) is None


@given(st.text(max_size=40))
def test_anything_can_be_asked(text: str) -> None:
    parse_address(text)
