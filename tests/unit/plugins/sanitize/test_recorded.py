from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from plugins.sanitize.config import Config
from plugins.sanitize.recorded import Recorded, requests_of
from plugins.sanitize.rehearsal import Rehearsal

SQL = "1' or '1'='1"
FORM = "application/x-www-form-urlencoded"


def har(**said: Any) -> str:
    return json.dumps({"log": {"entries": [{"request": {"method": "POST", "url": "http://a/x", **said}}]}})


def read(tmp_path: Path, text: str) -> list[Recorded]:
    file = tmp_path / "recorded"
    file.write_bytes(text.encode("utf-8", "surrogatepass"))
    return list(requests_of(file))


def named(**fields: str) -> list[dict[str, str]]:
    return [{"name": name.replace("_", "-"), "value": value} for name, value in fields.items()]


@pytest.mark.parametrize(
    "text",
    [
        har(postData={"mimeType": FORM, "params": named(a=SQL)}),
        har(headers=named(Content_Type=FORM), postData={"mimeType": FORM, "params": named(a=SQL), "text": ""}),
        har(postData={"mimeType": "multipart/form-data", "params": named(a=SQL)}),
        har(
            postData={
                "mimeType": "multipart/form-data; boundary=x",
                "params": [{"name": "f", "fileName": "../../../x"}],
            }
        ),
        har(postData={"mimeType": "application/json", "text": json.dumps(SQL)}),
        har(headers=[*named(Cookie=f"a={SQL}"), *named(Cookie="b=1")]),
        har(cookies=named(a=SQL)),
        har(url=f"http://a?id={SQL}"),
        "\ufeff" + har(url=f"http://a/?id={SQL}"),
        json.dumps({"method": "GET", "target": "/", "headers": {"User-Agent": f"\u2028{SQL}"}}, ensure_ascii=False),
        json.dumps({"method": "GET", "target": f"/?a=é€{SQL}"}, ensure_ascii=False),
    ],
    ids=[
        *("params", "params and no text", "multipart", "file name", "type of the body", "two cookies", "cookies"),
        *("no path", "byte order mark", "line separator", "not escaped"),
    ],
)
def test_what_was_recorded_is_judged(tmp_path: Path, text: str) -> None:
    rehearsal = Rehearsal(Config(mode="block"))
    for request in read(tmp_path, text):
        rehearsal.add(request)
    assert (rehearsal.requests, rehearsal.refused) == (1, 1)


def test_fields_of_forms_are_what_was_sent(tmp_path: Path) -> None:
    (request,) = read(tmp_path, har(postData={"mimeType": FORM, "params": named(a="x y", b="&")}))
    assert request == Recorded("POST", "/x", "", {"content-type": FORM}, "a=x+y&b=%26")


def test_targets_are_as_on_the_wire(tmp_path: Path) -> None:
    (request,) = read(tmp_path, har(url="http://a/é%2F?q=%C3%A9é&r='<"))
    assert request.target == "/%C3%A9%2F?q=%C3%A9%C3%A9&r='<"


@pytest.mark.parametrize(
    "text",
    [
        har(postData={"mimeType": "application/json", "text": 5}),
        har(url=5),
        har(url="http://[/"),
        har(headers=5),
        har(headers=[{"name": "user-agent", "value": None}]),
        har(cookies=[5]),
        json.dumps({"log": {"entries": [{}]}}),
        json.dumps({"log": {"entries": ["x"]}}),
        json.dumps({"log": {"entries": 5}}),
        json.dumps({"log": {"entries": None}}),
        json.dumps({"method": "GET", "target": 5}),
        json.dumps({"method": "GET", "target": "/", "body": 5}),
        json.dumps({"method": "GET", "target": "/", "headers": {"user-agent": 5}}),
        json.dumps({"method": "GET", "target": "/", "headers": []}),
        "[" * 100_000,
        "\0",
    ],
    ids=range(16),
)
def test_what_is_no_record_is_told(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError, match=r"no HAR|no recorded request"):
        read(tmp_path, text)
