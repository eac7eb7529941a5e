"""Headers of the PROXY protocol: those that are taken, those that are not, and where each ends."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.frontend.proxy_protocol import LONGEST, ProxyHeader, ProxyHeaderError, Told
from tests.unit.frontend.headers_of_proxies import EACH, SIGNATURE, TLVS, V1, ends, v2

ALL = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"
FOUR, SIX = Told("192.0.2.1", 56324, 443), Told("2001:db8::1", 56324, 443)
GOOD: list[tuple[bytes, Told | None]] = [
    (V1, FOUR),
    (b"PROXY TCP6 2001:db8::1 2001:DB8:0::2 56324 443\r\n", SIX),
    (b"PROXY TCP6 ::ffff:192.0.2.1 ::1 56324 443\r\n", FOUR),
    (b"PROXY TCP4 0.0.0.0 255.255.255.255 0 65535\r\n", Told("0.0.0.0", 0, 65535)),
    (b"PROXY UNKNOWN\r\n", None),
    (b"PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n", None),
    (b"PROXY UNKNOWN " + b"x" * 91 + b"\r\n", None),
    (b"PROXY TCP6 " + b" ".join([ALL.encode()] * 2) + b" 65535 65535\r\n", Told(ALL, 65535, 65535)),
    (v2(0x11, ends("192.0.2.1")), FOUR),
    (v2(0x11, ends("192.0.2.1"), TLVS), FOUR),
    (v2(0x21, ends("2001:db8::1")), SIX),
    (v2(0x21, ends("::ffff:192.0.2.1"), TLVS), FOUR),
    (v2(0x11, ends("192.0.2.1"), b"\xff" * 4068), FOUR),  # TLVs are skipped, well-formed or not
    (v2(0x00, b""), None),
    (v2(0x00, b"", TLVS), None),
    (v2(0x00, b"", first=0x20), None),
    (v2(0x11, ends("192.0.2.1"), first=0x20), None),  # LOCAL: its addresses do not count
    (v2(0x77, b"what", first=0x20), None),
    (v2(0x12, ends("192.0.2.1")), None),
    (v2(0x22, ends("2001:db8::1")), None),
    (v2(0x31, bytes(216)), None),
    (v2(0x32, bytes(216)), None),
]
BAD: list[bytes] = [
    b"GET / HTTP/1.1\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01",
    b"P\r\n",
    b"PROXYTCP4 1.1.1.1 2.2.2.2 1 2\r\n",
    b"proxy TCP4 1.1.1.1 2.2.2.2 1 2\r\n",
    b"PROXY tcp4 1.1.1.1 2.2.2.2 1 2\r\n",
    b"PROXY \r\n",
    b"PROXY UDP4 1.1.1.1 2.2.2.2 1 2\r\n",
    b"PROXY TCP4 1.1.1.1 2.2.2.2 1 2\n",
    b"PROXY TCP4 1.1.1.1\n2.2.2.2 1 2\r\n",
    b"PROXY TCP4  1.1.1.1 2.2.2.2 1 2\r\n",
    b"PROXY TCP4 1.1.1.1 2.2.2.2 1 2 \r\n",
    b"PROXY TCP4 1.1.1.1 2.2.2.2 1\r\n",
    b"PROXY TCP4 1.1.1.1 2.2.2.2 1 2 3\r\n",
    b"PROXY TCP4 1.1.1.1 2.2.2.2 01 2\r\n",
    b"PROXY TCP4 1.1.1.1 2.2.2.2 +1 2\r\n",
    b"PROXY TCP4 1.1.1.1 2.2.2.2 65536 2\r\n",
    b"PROXY TCP4 1.1.1.1 2.2.2.2 1 99999\r\n",
    b"PROXY TCP4 1.1.1.1 2.2.2.2 1 \xb2\r\n",
    b"PROXY TCP4 1.1.1.01 2.2.2.2 1 2\r\n",
    b"PROXY TCP4 1.1.1 2.2.2.2 1 2\r\n",
    b"PROXY TCP4 ::1 ::1 1 2\r\n",
    b"PROXY TCP6 1.1.1.1 2.2.2.2 1 2\r\n",
    b"PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n",
    b"PROXY TCP4 a.example 2.2.2.2 1 2\r\n",
    b"PROXY UNKNOWN " + b"x" * 92 + b"\r\n",
    b"PROXY UNKNOWN " + b"x" * 5000,
    SIGNATURE[:-1] + b"\r",
    SIGNATURE[:4] + b"GET / HTTP/1.1",
    v2(0x11, ends("192.0.2.1"), first=0x11),
    v2(0x11, ends("192.0.2.1"), first=0x31),
    v2(0x11, ends("192.0.2.1"), first=0x22),
    v2(0x11, ends("192.0.2.1")[:-1]),
    v2(0x21, ends("2001:db8::1")[:-1]),
    v2(0x21, ends("192.0.2.1")),
    v2(0x31, bytes(215)),
    v2(0x10, ends("192.0.2.1")),
    v2(0x41, ends("192.0.2.1")),
    v2(0x13, ends("192.0.2.1")),
    v2(0x11, ends("192.0.2.1"), length=LONGEST - 15),
    v2(0x11, ends("192.0.2.1"), length=65535),
]


@pytest.mark.parametrize(("data", "told"), GOOD)
@pytest.mark.parametrize("rest", [b"", b"GET / HTTP/1.1\r\n", b"\r\n\r\n"])
def test_a_header_ends_where_it_ends(data: bytes, told: Told | None, rest: bytes) -> None:
    header = ProxyHeader()
    assert header.feed(data + rest) == len(data)
    assert (header.done, header.told) == (True, told)


@pytest.mark.parametrize("data", [data for data, _ in GOOD if len(data) < 300])
def test_it_may_come_byte_by_byte(data: bytes) -> None:
    whole, header = ProxyHeader(), ProxyHeader()
    whole.feed(data)
    for at in range(len(data)):
        assert not header.done
        assert header.feed(data[at : at + 1]) == 1
    assert (header.done, header.told) == (True, whole.told)


@pytest.mark.parametrize("data", EACH)
def test_it_may_be_split_anywhere(data: bytes) -> None:
    for at in range(1, len(data)):
        header = ProxyHeader()
        assert header.feed(data[:at]) == at
        assert not header.done
        assert header.feed(data[at:] + b"rest") == len(data) - at
        assert header.done


@pytest.mark.parametrize("data", BAD)
def test_what_is_none_is_refused(data: bytes) -> None:
    with pytest.raises(ProxyHeaderError):
        ProxyHeader().feed(data)
    header = ProxyHeader()
    with pytest.raises(ProxyHeaderError):
        for at in range(len(data)):
            header.feed(data[at : at + 1])
    assert header.told is None


@pytest.mark.parametrize("data", [data for data, _ in GOOD])
def test_a_beginning_is_not_whole(data: bytes) -> None:
    header = ProxyHeader()
    header.feed(data[:-1])
    assert (header.done, header.told) == (False, None)


PIECES = st.lists(
    st.sampled_from([*EACH, SIGNATURE, b"PROXY ", b"TCP4 ", b"1.1.1.1 ", b"1 ", b"\r\n", b"\x21\x11\x00\x0c"])
    | st.binary(max_size=20),
    max_size=6,
).map(b"".join)


@given(PIECES | st.binary(max_size=400), st.lists(st.integers(1, 40), max_size=20))
def test_the_pieces_make_no_difference_and_nothing_grows(data: bytes, cuts: list[int]) -> None:
    def read(pieces: list[bytes]) -> tuple[str, int, Told | None]:
        header, taken = ProxyHeader(), 0
        try:
            for piece in filter(None, pieces):
                count = header.feed(piece)
                taken += count
                if header.done:
                    assert count <= len(piece)
                    return "done", taken, header.told
                assert count == len(piece)
                assert len(header._held) <= LONGEST
        except ProxyHeaderError:
            return "bad", 0, None
        return "more", taken, header.told

    at, pieces = 0, []
    for cut in cuts:
        pieces.append(data[at : at + cut])
        at += cut
    whole = read([data])
    assert read([*pieces, data[at:]]) == whole
    assert whole[2] is None or whole[0] == "done"
