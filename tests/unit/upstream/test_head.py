"""What the head of an upstream's answer says of its framing."""

from __future__ import annotations

import pytest

from proxy.errors import BadResponse
from proxy.upstream.head import AnswerParser, ResponseHead, read_head


def read(status: int, *fields: str) -> ResponseHead:
    return read_head("\r\n".join([f"HTTP/1.1 {status} X", *fields, "", ""]).encode(), AnswerParser())


def test_only_framing_fields_frame() -> None:
    framing = read(200, "Connection: close", "Transfer-Encoding: chunked", "Server: x", "Upgrade: y").framing
    assert framing is not None
    assert framing.items() == [("Transfer-Encoding", "chunked")]
    assert framing.keys == ["transfer-encoding"]
    assert read(200, "Connection: close", "Server: x", "Upgrade: y").framing is None


@pytest.mark.parametrize(("field", "length"), [("Content-Length: 5", 5), ("Transfer-Encoding: gzip", -1), ("C: 5", -1)])
def test_a_length_beyond_doubt_is_told(field: str, length: int) -> None:
    assert read(200, "A: b", field).length == length


@pytest.mark.parametrize("status", [103, 204])
def test_what_has_no_body_must_not_be_misframed_either(status: int) -> None:
    with pytest.raises(BadResponse, match="misframed"):
        read(status, "Transfer-Encoding: gzip")


@pytest.mark.parametrize("status", [103, 204])
def test_who_announces_a_body_where_none_can_be_is_not_trusted_further(status: int) -> None:
    assert read(status, "Content-Length: 0").keep
    assert not read(status, "Content-Length: 5").keep
