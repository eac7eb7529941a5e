from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from plugins.record import Config, Record, shape
from proxy.message import Body, Headers, Request
from proxy.testing import bench


async def recorded(tmp_path: Path, *requests: Request, **options: Any) -> list[dict[str, Any]]:
    file = tmp_path / "requests.jsonl"
    async with bench(Record(Config.model_validate({"file": str(file), **options}))) as made:
        for request in requests:
            assert (await made.send(request)).response.status == 200
    return [json.loads(line) for line in file.read_text().splitlines()]


def post(data: bytes, kind: str) -> Request:
    return Request("POST", "/p", host="test", headers=Headers({"Content-Type": kind}), body=Body(data))


async def test_requests_are_written_with_secrets_reduced_to_their_shape(tmp_path: Path) -> None:
    fields = {"Authorization": "Bearer abc", "Cookie": "sid=ab'12; a=b", "User-Agent": "x/1", "Referer": "/a?token=ab1"}
    request = Request("GET", "/a?q=it%27s&password=s3c'ret", host="test", headers=Headers(fields))
    (line,) = await recorded(tmp_path, request)
    assert line == {
        "method": "GET",
        "target": "/a?q=it%27s&password=x0x%27xxx",
        "route": "test",
        "headers": {"user-agent": "x/1", "referer": "/a?token=xx0", "cookie": "sid=xx'00; a=x"},
    }


@pytest.mark.parametrize("name", ["pwd", "jwt", "client_credentials", "user_hash", "PASSWORD", "assertion"])
async def test_names_of_secrets_are_known(tmp_path: Path, name: str) -> None:
    (line,) = await recorded(tmp_path, Request("GET", f"/?{name}=ab1", host="test"))
    assert line["target"] == f"/?{name}=xx0"


async def test_every_line_of_a_field_is_written(tmp_path: Path) -> None:
    request = Request("GET", "/", host="test", headers=Headers({"Cookie": "a=b1; alone", "User-Agent": "x"}))
    request.headers.add("Cookie", "c=2'")
    request.headers.add("User-Agent", "y")
    (line,) = await recorded(tmp_path, request)
    assert line["headers"] == {"user-agent": "x, y", "cookie": "a=x0; xxxxx; c=0'"}


async def test_bodies_of_forms_and_json_are_written_masked(tmp_path: Path) -> None:
    data = {"q": "a <b>", "user": {"password": ["p1", 7, None]}, "n": 1}
    lines = await recorded(
        tmp_path,
        post(json.dumps(data).encode(), "application/json"),
        post(b"a=1&secret=x%27y2", "application/x-www-form-urlencoded"),
        post(b"{broken 1", "application/json"),
        post(b"eyJhbGciOi.x1", "application/x-www-form-urlencoded"),
    )
    assert json.loads(lines[0]["body"]) == {"q": "a <b>", "user": {"password": ["x0", 0, None]}, "n": 1}
    assert lines[1]["body"] == "a=1&secret=x%27x0"
    assert lines[2]["body"] == "{xxxxxx 0"
    assert lines[3]["body"] == "xxxxxxxxxx.x0"


@pytest.mark.parametrize(("data", "kind"), [(b'"' + b"x" * 100 + b'"', "application/json"), (b"x", "image/png")])
async def test_other_bodies_are_left_out(tmp_path: Path, data: bytes, kind: str) -> None:
    (line,) = await recorded(tmp_path, post(data, kind), max_body="50B")
    assert "body" not in line


async def test_coded_bodies_are_written_decoded_or_left_out(tmp_path: Path) -> None:
    plain = b'{"q": "it\'s"}'
    coded = [
        ("gzip", gzip.compress(plain)),
        ("gzip", b"no gzip"),
        ("compress", b"x"),
        ("gzip", gzip.compress(b"1" * 99)),
    ]
    requests = [post(data, "application/json") for _, data in coded]
    for request, (coding, _) in zip(requests, coded, strict=True):
        request.headers["Content-Encoding"] = coding
    lines = await recorded(tmp_path, *requests, max_body="60B")
    assert [line.get("body") for line in lines] == [plain.decode(), None, None, None]


async def test_what_is_written_can_be_rehearsed(tmp_path: Path) -> None:
    from plugins.sanitize import Config as Options
    from plugins.sanitize.recorded import requests_of
    from plugins.sanitize.rehearsal import Rehearsal

    await recorded(tmp_path, Request("GET", "/a?q=1%27%20or%20%271%27=%271", host="test"))
    rehearsal = Rehearsal(Options(mode="block"))
    for request in requests_of(tmp_path / "requests.jsonl"):
        rehearsal.add(request)
    assert (rehearsal.requests, rehearsal.refused) == (1, 1)


def test_a_shape_keeps_what_is_no_letter_or_digit() -> None:
    assert shape("O'Brien 42é") == "x'xxxxx 00x"
