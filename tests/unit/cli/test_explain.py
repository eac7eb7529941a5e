"""`passerelle explain`."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

Command = Callable[..., tuple[int, str, str]]


def test_text_for_people(command: Command) -> None:
    code, out, err = command("explain", "get", "http://a/api/x?y", "-c", "good.yaml", "-H", "X-A: b: c")
    assert (code, err) == (0, "")
    assert "> api   /api/*: the first that fits" in out
    assert "GET /x?y" in out
    assert "b: c" in out


def test_json_for_machines(command: Command) -> None:
    code, out, _ = command("explain", "GET", "http://a/old", "-c", "good.yaml", "--json", "--from", "192.0.2.1")
    told = json.loads(out)
    assert (code, told["client"], told["answer"]["status"], told["answer"]["by"]) == (0, "192.0.2.1", 410, "respond")


@pytest.mark.parametrize("wrong", [["-H", "no colon"], ["-H", ": empty"], ["--from", "nobody"], ["-H", "A: b\r\nC: d"]])
def test_what_is_no_request_is_wrong_usage(command: Command, wrong: list[str]) -> None:
    code, out, err = command("explain", "GET", "http://a/", "-c", "good.yaml", *wrong)
    assert (code, out) == (2, "")
    assert "passerelle" in err


def test_a_url_must_be_one(command: Command) -> None:
    code, _, err = command("explain", "GET", "/api", "-c", "good.yaml")
    assert (code, err) == (2, "passerelle: not an http URL: /api\n")


def test_a_configuration_that_is_wrong_is_told(command: Command) -> None:
    code, out, err = command("explain", "GET", "http://a/", "-c", "missing.yaml")
    assert (code, out) == (1, "")
    assert err.startswith("missing.yaml: ")
