"""`passerelle status`, as far as it does not need a gateway; with one it is tested by the real command."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest

from proxy.cli.status import _ago, _lines

Command = Callable[..., tuple[int, str, str]]
TARGET = {"url": "http://127.0.0.1:9001", "weight": 2, "state": "ready", "active": 1, "failures": 2, "answers": 9}
FOUND: dict[str, Any] = {
    "version": "1.0",
    "revision": "abc",
    "state": "serving",
    "uptime_seconds": 7300.0,
    "listen": ["http://127.0.0.1:8080"],
    "requests_active": 1,
    "requests_total": 20,
    "connections": 3,
    "reload": None,
    "upstreams": [
        {
            "name": "app",
            "targets": [TARGET, {**TARGET, "url": "http://b", "state": "ejected"}],
            "connections": {"busy": 1, "idle": 2, "max": 100},
            "queued": 0,
            "breaker": "open",
        }
    ],
}
FAULT = {"file": "p.yaml", "line": 3, "column": 1, "message": "unknown key", "remedy": 'did you mean "a"?'}


def test_nobody_there_is_one_clear_line(command: Command) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    code, out, err = command("status", "--admin", f"http://127.0.0.1:{port}")
    assert (code, out) == (1, "")
    assert err == f"passerelle: http://127.0.0.1:{port}: no gateway answers there: Connection refused\n"


@pytest.mark.parametrize("url", ["127.0.0.1:9090", "http://", "ftp://a", "http://a:b"])
def test_what_is_no_url_is_told(command: Command, url: str) -> None:
    code, _, err = command("status", "--admin", url)
    assert code == 1
    assert err.startswith(f"passerelle: {url.rstrip('/')}: ")


def test_it_is_shown_in_a_few_lines() -> None:
    assert list(_lines(FOUND)) == [
        "passerelle 1.0: serving for 2.0 h",
        "",
        "revision     abc",
        "listens on   http://127.0.0.1:8080",
        "requests     1 under way, 20 done",
        "connections  3",
        "",
        "upstream app: 1 busy and 2 idle of 100 connections, 0 queued, BREAKER OPEN",
        "  http://127.0.0.1:9001  ready, weight 2, 1 active, 2 of 9 failed",
        "  http://b               ejected, weight 2, 1 active, 2 of 9 failed",
    ]


def test_the_last_reload_is_told_with_what_was_wrong() -> None:
    refused = {
        "ok": False,
        "cause": "signal",
        "changes": [],
        "problems": [FAULT, {**FAULT, "file": "", "line": 0, "column": 0}],
    }
    lines = list(_lines({**FOUND, "reload": refused}))
    assert lines[6:9] == [
        "last reload  REFUSED (signal)",
        '             p.yaml:3:1: unknown key; did you mean "a"?',
        '             unknown key; did you mean "a"?',
    ]
    done = {"ok": True, "cause": "file", "changes": ["route a changed"], "problems": []}
    assert "last reload  done (file): route a changed" in _lines({**FOUND, "reload": done})


@pytest.mark.parametrize(("seconds", "words"), [(3, "3 s"), (90, "1.5 min"), (7200, "2.0 h"), (172800, "2.0 d")])
def test_spans_are_told_roughly(seconds: float, words: str) -> None:
    assert _ago(seconds) == words
