from __future__ import annotations

import json
from urllib.parse import quote, quote_plus

import pytest

from plugins.sanitize import charsets
from plugins.sanitize.values import Value
from proxy.message import Request
from proxy.testing import drive
from tests.unit.plugins.sanitize.sent import SQL, XSS, post, sanitize

FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize("mode", ["block", "clean"])
@pytest.mark.parametrize(
    "request_",
    [
        post(f"id={SQL}".encode("ibm037"), f"{FORM}; charset=ibm037"),
        post(f"id={quote(SQL.encode('ibm037'))}".encode(), f"{FORM};charset=IBM037"),
        post(f"id={quote_plus(XSS, encoding='utf-7')}".encode(), f'{FORM}; charset="utf-7"'),
        post("id=+ADw-script+AD4-alert(1)+ADw-/script+AD4-".replace("+", "%2B").encode(), f"{FORM}; charset=utf-7"),
        post(json.dumps({"a": SQL}).encode("cp500"), "application/json; charset=cp500"),
        post(f"<a>{SQL}</a>".encode("cp037"), "text/xml; charset=cp037"),
        post(b"<?xml version='1.0' encoding='utf-7'?><a>+ADw-script+AD4-</a>", "text/xml"),
        post(b'{a(x:"+ADw-script+AD4-")}', "application/graphql; charset=utf-7"),
    ],
    ids=["form", "escapes", "plain", "utf-7", "json", "xml", "declared", "graphql"],
)
async def test_what_a_body_says_in_its_charset_is_looked_at(request_: Request, mode: str) -> None:
    assert (await drive(sanitize(mode=mode), request=request_)).response.status == 403


@pytest.mark.parametrize(
    "charset",
    ["iso-8859-1", "windows-1251", "shift_jis", "gbk", "nosuch", "hex", "punycode", "unicode_escape", "utf-8"],
)
async def test_the_harmless_pass_in_every_charset(charset: str) -> None:
    encoding = charset if charset.startswith("w") else "utf-8"
    data = "name=" + quote("O\u2019Brien é", encoding=encoding, errors="replace")
    done = await drive(sanitize(mode="clean"), request=post(data.encode(), f"{FORM}; charset={charset}"))
    assert done.forwarded is not None
    assert await done.forwarded.body.read(1000) == data.encode()


async def test_bodies_in_other_charsets_are_not_mended() -> None:
    for charset, status in (("iso-8859-1", 403), ("utf-8", 200), ("UTF-8", 200)):
        done = await drive(sanitize(mode="clean"), request=post(b"a=%00x", f"{FORM}; charset={charset}"))
        assert done.response.status == status


def test_pairs_are_decoded_after_they_are_cut() -> None:
    assert list(charsets.pairs(b"a=%4d%7d&\x89=%f1+%f2", "cp037")) == [
        Value("form", "/", "/", is_name=True),
        Value("form", "/", "('"),
        Value("form", "i", "1\x802"),
    ]
