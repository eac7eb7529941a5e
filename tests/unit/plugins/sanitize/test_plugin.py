from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import quote

import pytest
from pydantic import ValidationError

from plugins.sanitize import FINDINGS, Config, Sanitize
from proxy.events import RequestBlocked
from proxy.message import Body, Request
from proxy.testing import bench, check_plugin, drive
from tests.unit.plugins.sanitize.sent import SQL, XSS, get, post, sanitize
from tests.unit.turns import beside_others


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


async def test_places_are_told_without_line_breaks() -> None:
    plugin = sanitize()
    done = await drive(plugin, request=get(f"a%0d%0aX:%1b[2J={quote(SQL)}"))
    places = {event.where for event in done.events if isinstance(event, RequestBlocked)}
    assert "query a??X:?[2J" in places
    assert plugin.describe(done.exchange).isprintable()


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
        post(b'{"constructor": {"prototype": {"a": 1}}}'),
        post(b'[{"a": {"constructor": {"b": 1, "\\u0070rototype": 1}}}]'),
        post(b'{"a":' * 80 + b'{"constructor": {"prototype": {"a": 1}}}' + b"}" * 80),
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
    done, turns = await beside_others(drive(sanitize(mode="block"), request=post(body.encode(), kind)))
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
        ({"where": "header", "field": "User-Agent"}, 403),
    ],
)
async def test_exclusions_are_as_narrow_as_they_are_written(exclusion: dict[str, str], status: int) -> None:
    done = await drive(sanitize(mode="block", exclude=[exclusion]), request=get(f"id={quote(SQL)}"))
    assert done.response.status == status


@pytest.mark.parametrize("field", ["User-Agent", "user-agent", "User-*"])
async def test_fields_are_excluded_in_any_case(field: str) -> None:
    plugin = sanitize(mode="block", exclude=[{"where": "header", "field": field}])
    assert (await drive(plugin, request=get(headers={"User-Agent": SQL}))).response.status == 200


async def test_overlong_bytes_of_fields_are_told() -> None:
    assert (await drive(sanitize(mode="block"), request=get(headers={"Referer": "a%c0%afb"}))).response.status == 403


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
