from __future__ import annotations

import json
import re
from typing import Any

import pytest

from plugins._log_lines import SENT, TRIED, Fields, Line, Mask, Stamp, combined_line, json_line, trace_id
from proxy.errors import ConnectFailed
from proxy.exchange import Endpoint, Exchange
from proxy.headers import Headers
from proxy.message import Request, Response
from proxy.peer import Peer

NOW = 1_700_000_000.0625
TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE}-b7ad6b7169203331-01"
MASK = Mask(["token", "Api_Key"])
FIELDS = [("Referer", "http://a.test/?token=abc"), ("User-Agent", "curl/8"), ("Traceparent", PARENT)]


class Plan:
    """What an exchange knows of its configuration."""

    revision = "c0ffee"


def exchange(target: str = "/a?b=c", fields: list[tuple[str, str]] = FIELDS, **more: Any) -> Exchange:
    """An exchange that is over."""
    request = Request("GET", target, host="example.com", headers=Headers.adopt([n.lower() for n, _ in fields], fields))
    made = Exchange("id1", request, Peer("192.0.2.7", 4000), None, 10.0)  # type: ignore[arg-type]  # no end is asked
    made.plan, made.route, made.upstream, made.attempts = Plan, "site", "app", 1
    made.response = Response(200, {"Content-Type": "text/plain", "Set-Cookie": "a=b"})
    made.endpoint, made.upstream_status = Endpoint("http://127.0.0.1:9001", "http", "127.0.0.1", 9001), 200
    made.first_byte, made.finished, made.bytes_in, made.bytes_out = 10.25, 10.5, 3, 4
    made[TRIED] = 10.125
    for name, value in more.items():
        setattr(made, name, value)
    return made


def refused() -> Exchange:
    """An exchange whose head could not be read."""
    made = Exchange("id1", Request("GET", "/"), Peer("192.0.2.7"), None, 10.0)  # type: ignore[arg-type]  # no end is asked
    made.finished = 10.5
    return made


def read(x: Exchange, status: int = 200, line: Line | None = None) -> dict[str, Any]:
    written = (line or json_line(MASK, None, None))(x, status, NOW)
    assert written.endswith(b"}\n")
    assert re.fullmatch(rb"[ -~]+", written[:-1]), "one line, and nothing that a terminal obeys"
    found: dict[str, Any] = json.loads(written)
    return found


def test_a_line_of_json() -> None:
    assert read(exchange()) == {
        "ts": "2023-11-14T22:13:20.062Z",
        "request_id": "id1",
        "trace_id": TRACE,
        "client": "192.0.2.7",
        "method": "GET",
        "host": "example.com",
        "target": "/a?b=c",
        "protocol": "HTTP/1.1",
        "status": 200,
        "bytes_in": 3,
        "bytes_out": 4,
        "duration_ms": 500.0,
        "first_byte_ms": 250.0,
        "upstream": "app",
        "endpoint": "http://127.0.0.1:9001",
        "upstream_status": 200,
        "upstream_ms": 125.0,
        "attempts": 1,
        "cache": None,
        "route": "site",
        "reason": None,
        "revision": "c0ffee",
    }


def test_what_is_not_known_is_null() -> None:
    told = read(refused(), 499)
    numbers = {"status": 499, "bytes_in": 0, "bytes_out": 0, "duration_ms": 500.0, "attempts": 0}
    given = {"ts": told["ts"], "request_id": "id1", "client": "192.0.2.7"}
    assert told == {**dict.fromkeys(told), **numbers, **given}


def test_the_reason_is_the_errors_code() -> None:
    told = read(exchange(error=ConnectFailed("refused"), upstream_status=0), 502)
    assert (told["status"], told["reason"], told["upstream_status"]) == (502, "connect_failed", None)


def test_without_an_answer_the_upstreams_time_is_that_until_the_end() -> None:
    told = read(exchange(first_byte=0.0), 499)
    assert (told["first_byte_ms"], told["upstream_ms"]) == (None, 375.0)


def test_what_the_client_sent_goes_before_what_hooks_made_of_it() -> None:
    x = exchange()
    x[SENT] = ("PUT", "outside.test", "/original?token=1")
    told = read(x)
    assert (told["method"], told["host"], told["target"]) == ("PUT", "outside.test", "/original?token=***")


def test_fields_that_are_named() -> None:
    request = Fields(["user-agent", "REFERER", "Cookie", "X-Plain", "X-None"], ["x-plain"], MASK)
    response = Fields(["Set-Cookie", "Content-Type"], [], MASK)
    x = exchange(fields=[*FIELDS, ("Cookie", "a=b"), ("X-Plain", "s3cret"), ("User-Agent", "two")])
    told = read(x, line=json_line(MASK, request, response))
    assert told["request"] == {
        "user-agent": "curl/8, two",
        "referer": "http://a.test/?token=***",
        "cookie": "***",
        "x-plain": "***",
    }
    assert told["response"] == {"set-cookie": "***", "content-type": "text/plain"}
    assert read(exchange(response=None), line=json_line(MASK, None, response))["response"] == {}


def test_a_line_of_combined_text() -> None:
    line = combined_line(MASK, [])
    assert line(exchange(), 200, NOW) == (
        b'192.0.2.7 - - [14/Nov/2023:22:13:20 +0000] "GET /a?b=c HTTP/1.1" 200 4 "http://a.test/?token=***" "curl/8"\n'
    )
    assert line(refused(), 400, NOW) == b'192.0.2.7 - - [14/Nov/2023:22:13:20 +0000] "-" 400 0 "-" "-"\n'
    masked = combined_line(MASK, ["User-Agent"])(exchange(target="/?API_KEY=1&x=2"), 200, NOW)
    assert b'"GET /?API_KEY=***&x=2 HTTP/1.1"' in masked
    assert masked.endswith(b' "***"\n')


HOSTILE = 'x"\\\r\nGET \x00\x1b[31m\x7f\x85\xff\xe2\x80\xa8'


@pytest.mark.parametrize("line", [json_line(MASK, Fields(["User-Agent"], [], MASK), None), combined_line(MASK, [])])
def test_nobody_writes_a_line_of_his_own(line: Line) -> None:
    x = exchange(target=f"/{HOSTILE}", fields=[("User-Agent", HOSTILE), ("Referer", HOSTILE)])
    x.id, x.peer, x.request.method, x.request.host = HOSTILE, Peer(HOSTILE), f"G{HOSTILE}", HOSTILE
    x.route = x.upstream = HOSTILE
    written = line(x, 200, NOW)
    assert re.fullmatch(rb"[ -~]+\n", written)
    if written.startswith(b"{"):
        shown = 'x"\\\r\nGET \x00\x1b[31m\x7f\\x85\\xff\u2028'
        assert (json.loads(written)["target"], json.loads(written)["request"]["user-agent"]) == (f"/{shown}", shown)
    else:
        assert b'"GET' not in written
        assert rb"/x\x22\x5c\x0d\x0aGET \x00\x1b[31m\x7f\x85\xff\xe2\x80\xa8 HTTP/1.1" in written
        assert written.count(b'"') == 6


def test_text_is_read_as_utf_8_where_it_is() -> None:
    assert read(exchange(target="/caf\xc3\xa9\xe9"))["target"] == "/café\\xe9"
    assert read(exchange(route="été €"))["route"] == "\\xe9t\\xe9 \\u20ac"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("/plain", "/plain"),
        ("/?a=1&b=2", "/?a=1&b=2"),
        ("/?token=1", "/?token=***"),
        ("/?a=1&TOKEN=1&b=2&api_key=x", "/?a=1&TOKEN=***&b=2&api_key=***"),
        ("/?a=1;token=1", "/?a=1;token=***"),
        ("/a;token=1/b?c=d", "/a;token=***?c=d"),
        ("/?%74oken=1", "/?%74oken=***"),
        ("/?+token+=1&a+b=2", "/?+token+=***&a+b=2"),
        ("/?next=/x?token=1", "/?next=/x?token=***"),
        ("https://a.test/#token=1", "https://a.test/#token=***"),
        ("/?token", "/?token"),
        ("/?token=", "/?token=***"),
        ("/?tokens=1&atoken=2&a=token=3", "/?tokens=1&atoken=2&a=token=3"),
    ],
)
def test_secret_parameters_are_masked(text: str, shown: str) -> None:
    assert MASK(text) == shown


def test_nothing_is_masked_where_nothing_is_named() -> None:
    assert Mask([])("/?token=1&=2&%74=3") == "/?token=1&=2&%74=3"


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([PARENT], TRACE),
        ([], ""),
        ([PARENT, PARENT], ""),
        ([PARENT.upper()], ""),
        ([f"{PARENT}-more"], ""),
        ([f"{PARENT} "], ""),
        ([f"cc{PARENT[2:]}-more"], TRACE),
        ([f"cc{PARENT[2:]}"], TRACE),
        ([f"ff{PARENT[2:]}"], ""),
        ([f"00-{'0' * 32}-b7ad6b7169203331-01"], ""),
        ([f"00-{TRACE}-{'0' * 16}-01"], ""),
        (["nonsense"], ""),
    ],
)
def test_the_trace_of_a_valid_traceparent(values: list[str], found: str) -> None:
    assert trace_id(Headers([("traceparent", value) for value in values])) == found


def test_a_time_is_written_once_for_each_second() -> None:
    written: list[int] = []

    def write(second: int) -> str:
        written.append(second)
        return str(second)

    stamp = Stamp(write)
    assert [stamp(now) for now in (1.0, 1.9, 2.0, 1.5)] == ["1", "1", "2", "1"]
    assert written == [1, 2, 1]
