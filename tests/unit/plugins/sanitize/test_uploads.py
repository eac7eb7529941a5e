from __future__ import annotations

import json
import struct
import zlib
from urllib.parse import quote

import pytest

from proxy.message import Request
from proxy.testing import drive
from tests.unit.plugins.sanitize.sent import SQL, XSS, post, sanitize


def coded(data: bytes, kind: str, coding: str) -> Request:
    request = post(data, kind)
    request.headers["Content-Encoding"] = coding
    return request


@pytest.mark.parametrize("coding", ["foo", "gzip", '"gzip"', "gzip, br"])
@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (json.dumps({"a": SQL}).encode(), "application/json"),
        (json.dumps(SQL).encode(), "application/json"),
        (f"a={quote(SQL)}".encode(), "application/x-www-form-urlencoded"),
        (f'<a b="c">{SQL}</a>'.encode(), "text/xml"),
        (b'{a(b: "%b")}' % SQL.encode(), "application/graphql"),
        (
            f'--X\r\nContent-Disposition: form-data; name="a"\r\n\r\n{SQL}\r\n--X--'.encode(),
            "multipart/form-data; boundary=X",
        ),
    ],
    ids=["json", "string", "form", "xml", "graphql", "multipart"],
)
async def test_a_coding_that_is_only_named_hides_nothing(data: bytes, kind: str, coding: str) -> None:
    assert (await drive(sanitize(mode="block"), request=coded(data, kind, coding))).response.status == 403


async def test_what_is_mended_goes_on_without_the_coding_that_it_never_had() -> None:
    done = await drive(sanitize(mode="clean"), request=coded(b'{"a": "hi%b"}' % XSS.encode(), "application/json", "x"))
    assert done.forwarded is not None
    assert await done.forwarded.body.read(100) == b'{"a": "hi"}'
    assert "content-encoding" not in done.forwarded.headers


async def test_what_is_hidden_by_a_coding_goes_on_unread() -> None:
    data = bytes(range(256))
    done = await drive(sanitize(mode="block"), request=coded(data, "application/json", "lzma"))
    assert done.forwarded is not None
    assert await done.forwarded.body.read(1000) == data


def gzip_of(data: bytes, name: bytes) -> bytes:
    """RFC 1952: a member with a file's name."""
    coder = zlib.compressobj(9, zlib.DEFLATED, -15)
    coded = coder.compress(data) + coder.flush()
    return b"\x1f\x8b\x08\x08" + bytes(6) + name + b"\0" + coded + struct.pack("<II", zlib.crc32(data), len(data))


@pytest.mark.parametrize("mode", ["block", "clean"])
@pytest.mark.parametrize("said", [SQL, XSS])
async def test_what_only_who_undoes_no_coding_reads_is_looked_at(said: str, mode: str) -> None:
    form = coded(gzip_of(b"a=1", f"&a={quote(said)}&".encode()), "application/x-www-form-urlencoded", "gzip")
    assert (await drive(sanitize(mode=mode), request=form)).response.status == 403
    part = f'\r\n--X\r\nContent-Disposition: form-data; name="a"\r\n\r\n{said}\r\n--X--\r\n'.encode()
    parts = coded(gzip_of(b"--X--", part), "multipart/form-data; boundary=X", "gzip")
    assert (await drive(sanitize(mode=mode), request=parts)).response.status == 403


async def test_what_a_coding_makes_is_nothing_that_is_found() -> None:
    plugin = sanitize(mode="block", paranoia=3, max_body="1MiB")
    for start in range(20):
        said = "&".join(f"a{number}={zlib.crc32(b'%d' % number)}" for number in range(start, start + 2000))
        request = coded(gzip_of(said.encode(), b"x.txt"), "application/x-www-form-urlencoded", "gzip")
        assert (await drive(plugin, request=request)).response.status == 200
