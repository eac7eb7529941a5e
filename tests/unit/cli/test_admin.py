"""Asking a gateway that is not there, or answers oddly; one that is there is asked by the subcommands' tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.cli.admin import DEFAULT, Unreachable, ask, read, written


@pytest.mark.parametrize(
    ("code", "body", "says"),
    [
        (401, b"{}", "a token is needed; set PASSERELLE_ADMIN_TOKEN"),
        (421, b'{"detail": "other names"}', "421: other names"),
        (200, b"<html>", "200: no admin API is there"),
        (200, b"[]", "200: no admin API is there"),
    ],
)
def test_other_answers_are_told(code: int, body: bytes, says: str) -> None:
    with pytest.raises(Unreachable, match=says):
        read(code, body)


def test_a_file_is_asked_where_the_listener_is_even_when_it_is_broken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "p.yaml"
    file.write_text("admin: {listen: http://127.0.0.1:9, token: t}\nroutes: {wrong\n")
    assert written(file) == (DEFAULT, "")
    file.write_text("admin: {listen: http://127.0.0.1:9, token: t}\nroutes: [wrong]\n")
    assert written(file) == ("http://127.0.0.1:9", "t")
    file.write_text("admin: false\n")
    assert written(file) == (DEFAULT, "")


def test_what_is_no_url_is_not_asked() -> None:
    with pytest.raises(Unreachable, match="no URL"):
        ask("127.0.0.1:9090", "", "status")
