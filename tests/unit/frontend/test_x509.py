"""What is read from a certificate is what a library for it reads, and anything else is refused in good order."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from functools import cache

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from proxy.frontend.x509 import Facts

CA = trustme.CA()


@cache
def der(*names: str, ends: datetime | None = None) -> bytes:
    made = CA.issue_cert(*names, not_before=datetime(1999, 1, 2, tzinfo=UTC), not_after=ends)
    return ssl.PEM_cert_to_DER_cert(made.cert_chain_pems[0].bytes().decode())


@pytest.mark.parametrize("ends", [datetime(2049, 12, 31, 23, 59, 59, tzinfo=UTC), datetime(2050, 1, 1, tzinfo=UTC)])
def test_names_addresses_and_times(ends: datetime) -> None:
    facts = Facts(der("a.example", "*.B.example", "192.0.2.1", "2001:db8::1", "me@a.example", ends=ends))
    assert facts.names == ("a.example", "*.b.example")
    assert facts.addresses == ("192.0.2.1", "2001:db8::1")
    assert (facts.begins, facts.ends) == (datetime(1999, 1, 2, tzinfo=UTC).timestamp(), ends.timestamp())


def test_an_authority_has_no_names() -> None:
    facts = Facts(ssl.PEM_cert_to_DER_cert(CA.cert_pem.bytes().decode()))
    assert (facts.names, facts.addresses) == ((), ())


@given(st.binary(max_size=64))
def test_noise_is_no_certificate(data: bytes) -> None:
    with pytest.raises(ValueError):
        Facts(data)


@given(st.data())
def test_a_damaged_certificate_is_read_or_refused(data: st.DataObject) -> None:
    whole = bytearray(der("a.example", "192.0.2.1"))
    for _ in range(data.draw(st.integers(1, 4))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    try:
        Facts(bytes(whole[: data.draw(st.integers(0, len(whole)))]))
    except ValueError:
        return
