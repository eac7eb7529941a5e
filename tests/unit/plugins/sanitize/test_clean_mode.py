from __future__ import annotations

import json
from urllib.parse import quote, quote_plus

import pytest

from proxy.message import Request
from proxy.testing import drive
from tests.unit.plugins.sanitize.sent import SQL, XSS, get, post, sanitize
from tests.unit.turns import beside_others


async def test_markup_is_mended_and_the_request_goes_on() -> None:
    done = await drive(sanitize(mode="clean"), request=get(f"a=1&t=hi{quote(XSS)}&b=%7e"))
    assert done.response.status == 200
    assert done.forwarded is not None
    assert done.forwarded.target == "/?a=1&t=hi&b=%7e"
    done = await drive(sanitize(mode="clean"), request=post(json.dumps({"n": 1.50, "t": f"hi{XSS}"}).encode()))
    assert done.forwarded is not None
    assert await done.forwarded.body.read(100) == b'{"n": 1.5, "t": "hi"}'


async def test_what_cannot_be_mended_is_refused() -> None:
    done = await drive(sanitize(mode="clean"), request=get(f"id={quote(SQL)}"))
    assert done.response.status == 403


def parts(*fields: tuple[str, bytes]) -> Request:
    data = b"".join(b"--X\r\nContent-Disposition: form-data; %b\r\n\r\n%b\r\n" % (f.encode(), d) for f, d in fields)
    return post(data + b"--X--\r\n", "multipart/form-data; boundary=X")


@pytest.mark.parametrize(
    "request_",
    [
        get(path=f"/{quote(XSS)}"),
        get(headers={"Cookie": f"a={quote(XSS)}"}),
        get(headers={"User-Agent": XSS}),
        post(b'{"a": "%b",}' % XSS.encode()),
        post(b'{"query": "{ a(x: \\"%b\\") }"}' % XSS.encode()),
        post(b'{"a": "<script>1</script>", "b": "1\' or \'1\'=\'1"}'),
        post(f"<a>{XSS}</a>".replace("<script>", "&lt;script&gt;").encode(), "text/xml"),
        post(f"a={quote(XSS)}&b={quote(SQL)}".encode(), "application/x-www-form-urlencoded"),
        parts(('name="a"\r\nContent-Type: text/plain; charset=utf-7', XSS.encode())),
        parts(("name=\"f\"; filename*=UTF-8''..%2f..%2f..%2fx", b"hi")),
    ],
    ids=["path", "cookie", "agent", "no json", "graphql", "sql beside", "xml", "sql in form", "charset", "rfc 5987"],
)
async def test_what_has_no_place_to_be_mended_in_is_refused(request_: Request) -> None:
    assert (await drive(sanitize(mode="clean"), request=request_)).response.status == 403


@pytest.mark.parametrize(
    ("request_", "body"),
    [
        (post(b'{"a":"\xe9%b","name":"Ren\xe9"}' % XSS.encode()), '{"a":"é","name":"Ren'.encode() + b'\xe9"}'),
        (post(b'{"a":"<b onclick=x()>hi</b>","n":"\xe9"}'), b'{"a":"<b>hi</b>","n":"\xe9"}'),
        (post(b'{"a":"%b","keep":"%b"}' % ((XSS.encode(),) * 2)), b'{"a":"","keep":"%b"}' % XSS.encode()),
    ],
    ids=["stray byte", "stray byte elsewhere", "excluded"],
)
async def test_what_is_not_mended_stays_to_the_byte(request_: Request, body: bytes) -> None:
    plugin = sanitize(mode="clean", exclude=[{"rule": "xss", "field": "keep"}])
    done = await drive(plugin, request=request_)
    assert done.forwarded is not None
    assert await done.forwarded.body.read(1000) == body


async def test_json_with_a_byte_order_mark_is_mended() -> None:
    data = '\ufeff{"a": "hi<script>x</script>"}'.encode()
    done = await drive(sanitize(mode="clean"), request=post(data))
    assert done.forwarded is not None
    assert await done.forwarded.body.read(1000) == '\ufeff{"a": "hi"}'.encode()


async def test_a_field_that_is_excluded_keeps_what_is_mended_in_another() -> None:
    plugin = sanitize(mode="clean", exclude=[{"rule": "xss", "where": "query", "field": "keep"}])
    done = await drive(plugin, request=get(f"q={quote(XSS)}&keep={quote(XSS)}"))
    assert done.forwarded is not None
    assert done.forwarded.target == f"/?q=&keep={quote(XSS)}"


async def test_markup_that_may_stay_is_left_when_something_else_is_taken_out() -> None:
    plugin = sanitize(mode="clean", exclude=[{"rule": "xss"}])
    done = await drive(plugin, request=get("q=%00<u+onclick=x()>hi"))
    assert done.forwarded is not None
    assert done.forwarded.target == "/?q=" + quote_plus("<u onclick=x()>hi")


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("text/xml", b"<rss><channel><title>x</title><link>http://a</link></channel></rss>"),
        ("multipart/form-data; boundary=X", b"PK\x03\x00\x00\x04"),
    ],
    ids=["xml", "file"],
)
async def test_documents_and_files_are_never_mended(kind: str, data: bytes) -> None:
    file = ('name="f"; filename="x.zip"', data)
    request = parts(('name="a"', b"\x00"), file) if "multipart" in kind else post(data, kind)
    done = await drive(sanitize(mode="clean"), request=request)
    assert done.forwarded is not None
    assert data in await done.forwarded.body.read(1000)


async def test_others_have_their_turn_while_a_body_is_mended() -> None:
    body = json.dumps([f"<b onclick=x()>{number}" for number in range(400)]).encode()
    done, turns = await beside_others(drive(sanitize(mode="clean"), request=post(body)))
    assert done.forwarded is not None
    assert b"onclick" not in await done.forwarded.body.read(10**6)
    assert turns >= 3 * 400 / 32  # looked at, mended, and looked at again


async def test_file_names_are_mended() -> None:
    data = b'--X\r\nContent-Disposition: form-data; name="f"; filename="../../../x.txt"\r\n\r\nhi\r\n--X--'
    done = await drive(sanitize(mode="clean"), request=post(data, "multipart/form-data; boundary=X"))
    assert done.forwarded is not None
    assert b'filename="x.txt"' in await done.forwarded.body.read(1000)
