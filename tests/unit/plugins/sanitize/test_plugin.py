from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from pydantic import ValidationError

from plugins.sanitize import FINDINGS, Config, Sanitize
from proxy.events import RequestBlocked
from proxy.message import Body, Headers, Request
from proxy.testing import bench, check_plugin, drive

SQL = "1' or '1'='1"
XSS = "<script>alert(1)</script>"


def sanitize(**options: Any) -> Sanitize:
    return Sanitize(Config.model_validate(options))


def get(query: str = "", *, path: str = "/", headers: dict[str, str] | None = None) -> Request:
    target = f"{path}?{query}" if query else path
    return Request("GET", target, host="test", headers=Headers(headers or {}))


def post(data: bytes, kind: str = "application/json", body: Body | None = None) -> Request:
    return Request("POST", "/", host="test", headers=Headers({"Content-Type": kind}), body=body or Body(data))


async def test_what_is_observed_goes_on_and_is_told() -> None:
    done = await drive(sanitize(), request=get(f"id={quote(SQL)}", headers={"X-Sanitize": "spoofed"}))
    assert done.response.status == 200
    assert done.forwarded is not None
    told = done.forwarded.headers.getall("x-sanitize")
    assert len(told) == 1
    assert told[0].startswith('sql.boolean;where="query id"')
    events = [event for event in done.events if isinstance(event, RequestBlocked)]
    assert ("sql.boolean", "query id", "observe") in {(event.rule, event.where, event.mode) for event in events}
    assert done.exchange[FINDINGS]


async def test_the_harmless_go_on_untouched_and_what_clients_write_in_our_field_goes() -> None:
    done = await drive(sanitize(mode="block"), request=get("q=red+shoes&name=O%27Brien", headers={"x-sanitize": "x"}))
    assert done.response.status == 200
    assert done.forwarded is not None
    assert "x-sanitize" not in done.forwarded.headers
    assert done.forwarded.target == "/?q=red+shoes&name=O%27Brien"
    assert not [event for event in done.events if isinstance(event, RequestBlocked)]


async def test_what_is_blocked_learns_an_incident_and_no_rule() -> None:
    done = await drive(sanitize(mode="block"), request=get(f"id={quote(SQL)}"))
    assert done.response.status == 403
    assert done.response.headers.get("content-type") == "application/problem+json"
    assert done.forwarded is None
    problem = json.loads(done.response.body)
    assert problem["incident"] == done.exchange.id
    assert b"sql" not in done.response.body.lower()
    assert {event.mode for event in done.events if isinstance(event, RequestBlocked)} == {"block"}


@pytest.mark.parametrize(
    "request_",
    [
        get(path=f"/a/{quote(SQL)}"),
        get(path="/WEB-INF/web.xml"),
        get(f"{quote(XSS)}=1"),
        get("user[$ne]=1"),
        get("f=..%c0%afetc"),
        get("__proto__[x]=1"),
        get("file=/etc/passwd"),
        get("q=1+or+1=1"),
        get(headers={"User-Agent": "() { :;}; /bin/id"}),
        get(headers={"Referer": "${jndi:ldap://x}"}),
        get(headers={"Cookie": f"a=1; b={quote(SQL)}"}),
        post(json.dumps({"a": [{"b": XSS}]}).encode()),
        post(b'{"user": {"$gt": ""}}'),
        post(b'{"__proto__": {"a": 1}}'),
        post(f"a=1&b={quote(SQL)}".encode(), "application/x-www-form-urlencoded"),
        post(b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>', "application/xml"),
        post(b'{"query": "{a(b: \\"1\' or 1=1--\\")}"}'),
        post(
            b'--X\r\nContent-Disposition: form-data; name="f"; filename="../../../x"\r\n\r\n\r\n--X--',
            "multipart/form-data; boundary=X",
        ),
    ],
    ids=lambda request: f"{request.target[:40]} {request.headers.get('content-type') or ''}",
)
async def test_attacks_are_refused_wherever_they_stand(request_: Request) -> None:
    done = await drive(sanitize(mode="block"), request=request_)
    assert done.response.status == 403


@pytest.mark.parametrize(("mode", "status"), [("observe", 200), ("block", 403), ("clean", 403)])
async def test_overlong_bytes_that_spell_nothing_are_told_without_a_text(mode: str, status: int) -> None:
    done = await drive(sanitize(mode=mode), request=post(b'{"a":"\xc0\xaf"}'))
    assert done.response.status == status
    told = {event.rule for event in done.events if isinstance(event, RequestBlocked)}
    assert told == {"encoding.overlong"}


async def test_bodies_reach_the_upstream_whole() -> None:
    done = await drive(sanitize(mode="block"), request=post(b'{"a": "O\'Brien"}'))
    assert done.forwarded is not None
    assert await done.forwarded.body.read(100) == b'{"a": "O\'Brien"}'


async def test_a_streamed_body_is_held_only_to_the_limit_and_goes_on_from_its_start() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(5):
            yield b"x" * 30

    plugin = sanitize(mode="block", max_body="100B")
    done = await drive(plugin, request=post(b"", body=Body.of(pieces())))
    assert done.response.status == 200
    assert done.forwarded is not None
    assert await done.forwarded.body.read(1000) == b"x" * 150


async def test_a_large_body_is_refused_where_that_is_said() -> None:
    done = await drive(sanitize(max_body="10B", over_limit="refuse"), request=post(b'"' + b"x" * 20 + b'"'))
    assert done.response.status == 413
    done = await drive(sanitize(max_body="10B"), request=post(b'"' + b"x" * 20 + b'"'))
    assert done.response.status == 200


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("application/json", json.dumps([f"it's {number} o'clock" for number in range(400)])),
        ("application/x-www-form-urlencoded", "&".join(f"a=it's+{number}+o'clock" for number in range(400))),
    ],
    ids=["json", "form"],
)
async def test_others_have_their_turn_while_a_body_is_looked_at(kind: str, body: str) -> None:
    """One with hundreds of odd values would hold the event loop for a tenth of a second."""
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    done = await drive(sanitize(mode="block"), request=post(body.encode(), kind))
    task.cancel()
    assert done.response.status == 200
    assert turns >= 10


@pytest.mark.parametrize("last", ["1' or '1'='1", "fine"])
async def test_what_stands_behind_many_values_is_found(last: str) -> None:
    body = json.dumps([*(f"it's {number} o'clock" for number in range(200)), last])
    done = await drive(sanitize(mode="block"), request=post(body.encode()))
    assert done.response.status == (200 if last == "fine" else 403)


async def test_bodies_of_other_types_are_not_read() -> None:
    done = await drive(sanitize(mode="block"), request=post(XSS.encode(), "text/plain"))
    assert done.response.status == 200


async def test_parts_that_are_not_asked_for_are_not_looked_at() -> None:
    only = sanitize(mode="block", inspect=["path"])
    for request in (
        get(f"id={quote(SQL)}"),
        post(json.dumps(XSS).encode()),
        get(headers={"Cookie": f"a={quote(SQL)}"}),
    ):
        assert (await drive(only, request=request)).response.status == 200


@pytest.mark.parametrize(
    ("exclusion", "status"),
    [
        ({"rule": "sql", "where": "query", "field": "id"}, 200),
        ({"rule": "sql.boolean", "where": "query", "field": "id"}, 403),
        ({"rule": "sql", "where": "query", "field": "other"}, 403),
        ({"rule": "xss"}, 403),
        ({"where": "query"}, 200),
        ({"field": "i*"}, 200),
        ({"where": "json"}, 403),
    ],
)
async def test_exclusions_are_as_narrow_as_they_are_written(exclusion: dict[str, str], status: int) -> None:
    done = await drive(sanitize(mode="block", exclude=[exclusion]), request=get(f"id={quote(SQL)}"))
    assert done.response.status == status


@pytest.mark.parametrize(
    ("rules", "status"),
    [
        ({"sql": "observe"}, 200),
        ({"sql": "off"}, 200),
        ({"sql": "off", "sql.boolean": "block"}, 403),
        ({"xss": "off"}, 403),
    ],
)
async def test_rules_have_modes_of_their_own(rules: dict[str, str], status: int) -> None:
    done = await drive(sanitize(mode="block", rules=rules), request=get(f"id={quote(SQL)}"))
    assert done.response.status == status


async def test_what_is_found_adds_up_to_the_threshold() -> None:
    assert (await drive(sanitize(mode="block", threshold=50), request=get(f"id={quote(SQL)}"))).response.status == 200
    many = "&".join(f"p{index}={quote(SQL)}" for index in range(10))
    assert (await drive(sanitize(mode="block", threshold=50), request=get(many))).response.status == 403


async def test_paranoia_finds_more() -> None:
    request = get("file=../a.txt")
    assert (await drive(sanitize(mode="block"), request=request)).response.status == 200
    assert (await drive(sanitize(mode="block", paranoia=2), request=get("file=../a.txt"))).response.status == 403


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


async def test_file_names_are_mended() -> None:
    data = b'--X\r\nContent-Disposition: form-data; name="f"; filename="../../../x.txt"\r\n\r\nhi\r\n--X--'
    done = await drive(sanitize(mode="clean"), request=post(data, "multipart/form-data; boundary=X"))
    assert done.forwarded is not None
    assert b'filename="x.txt"' in await done.forwarded.body.read(1000)


async def test_a_harmless_field_is_remembered_and_a_bad_one_is_not() -> None:
    async with bench(sanitize(mode="block")) as made:
        for _ in range(2):
            bad = await made.send(get(headers={"User-Agent": XSS}))
            good = await made.send(get(headers={"User-Agent": "Mozilla/5.0 (X11; Linux x86_64)"}))
            assert (bad.response.status, good.response.status) == (403, 200)


async def test_what_is_harmless_as_one_field_is_looked_at_as_another() -> None:
    text = "Mozilla/5.0 (X11) hello; q=/etc/passwd"
    async with bench(sanitize(mode="block")) as made:
        assert (await made.send(get(headers={"User-Agent": text}))).response.status == 200
        assert (await made.send(get(headers={"Cookie": text}))).response.status == 403


@pytest.mark.parametrize("name", ["Cookie", "User-Agent", "Referer"])
async def test_every_line_of_a_field_is_looked_at(name: str) -> None:
    request = get(headers={name: "a=b"})
    request.headers.add(name, f"a={XSS}")
    assert (await drive(sanitize(mode="block"), request=request)).response.status == 403


@pytest.mark.parametrize("types", [("text/plain", "application/json"), ("application/json", "text/plain")], ids=str)
@pytest.mark.parametrize("mode", ["block", "clean"])
async def test_any_content_type_that_is_looked_at_counts(types: tuple[str, str], mode: str) -> None:
    request = post(json.dumps(SQL).encode(), types[0])
    request.headers.add("Content-Type", types[1])
    assert (await drive(sanitize(mode=mode), request=request)).response.status == 403


async def test_two_types_of_a_body_are_both_looked_at() -> None:
    request = post(f"a={quote(SQL)}".encode(), "application/json")
    request.headers.add("Content-Type", "application/x-www-form-urlencoded")
    assert (await drive(sanitize(mode="block"), request=request)).response.status == 403


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


async def test_what_it_would_do_is_described_without_the_body() -> None:
    plugin = sanitize(mode="block")
    done = await drive(plugin, request=get(f"id={quote(SQL)}"))
    assert plugin.describe(done.exchange).startswith("would refuse: sql.boolean in query id")


@pytest.mark.parametrize(
    "options",
    [
        {"mode": "maybe"},
        {"rules": {"nosuch": "block"}},
        {"exclude": [{"rule": "sql.nosuch"}]},
        {"paranoia": 4},
        {"exclude": [{"where": "body"}]},
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Config.model_validate(options)


async def test_it_keeps_the_contract_of_hooks() -> None:
    await check_plugin(Sanitize)
