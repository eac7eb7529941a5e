"""`passerelle check`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

Command = Callable[..., tuple[int, str, str]]


def test_a_sound_file_is_fine(command: Command) -> None:
    code, out, err = command("check", "good.yaml")
    assert (code, err) == (0, "")
    assert out.startswith("good.yaml: fine: 2 routes, 1 upstream, 1 test, revision ")


def test_everything_that_is_wrong_is_told_with_its_place(command: Command, place: Path) -> None:
    (place / "bad.yaml").write_text("upstreams:\n  app: {targts: [http://a]}\nlisten: nowhere\n")
    code, out, err = command("check", "bad.yaml")
    assert (code, out) == (1, "")
    lines = err.splitlines()
    assert 'bad.yaml:2:9: upstreams.app.targts: unknown key; did you mean "targets"?' in lines
    assert any(line.startswith("bad.yaml:3:9: listen") for line in lines)


def test_plugins_are_checked_as_at_a_start(command: Command, place: Path) -> None:
    (place / "bad.yaml").write_text("upstreams: {app: {targets: [http://127.0.0.1:1]}}\nplugins: [respnd]\n")
    code, _, err = command("check", "bad.yaml")
    assert (code, 'did you mean "respond"?' in err) == (1, True)


def test_the_file_s_own_tests_are_run(command: Command, place: Path) -> None:
    text = (place / "good.yaml").read_text().replace("expect: {status: 410}", "expect: {status: 200}")
    (place / "bad.yaml").write_text(text)
    code, out, err = command("check", "bad.yaml")
    assert (code, out) == (1, "")
    assert err == (
        "bad.yaml:8:50: tests[0].expect.status: GET http://a/old: it is answered with status 410, not status 200\n"
    )


def test_warnings_do_not_fail_it(command: Command, place: Path) -> None:
    (place / "odd.yaml").write_text(
        "upstreams: {app: {targets: [http://127.0.0.1:1]}, b: {targets: [http://127.0.0.1:2]}}\n"
        "routes: [{name: a, upstream: app}, {name: c, upstream: app}]\n"
    )
    code, out, err = command("check", "odd.yaml")
    assert code == 0
    assert "fine" in out
    assert [": warning: " in line for line in err.splitlines()] == [True, True]


@pytest.mark.parametrize("name", ["good.yaml", "missing.yaml"])
def test_json_for_machines(command: Command, name: str) -> None:
    code, out, err = command("check", name, "--json")
    report = json.loads(out)
    assert (report["ok"], err) == (code == 0, "")
    if code == 0:
        assert report["problems"] == []
        assert report["config"]["admin"]["token"] == "***"
        assert "s3cret" not in out
    else:
        assert report["problems"][0]["file"] == "missing.yaml"


def test_without_a_file_it_looks_where_serve_does(command: Command, place: Path) -> None:
    assert command("check")[0] == 2
    (place / "passerelle.yaml").write_text((place / "good.yaml").read_text())
    assert command("check")[0] == 0


WEBHOOKS = """
upstreams: {{app: {{targets: [http://127.0.0.1:1]}}}}
plugins:
  - webhook: {{endpoints: [{{id: ops, url: "https://a.example/", secret: {secret}, events: [{event}]}}]}}
  - ./shop.py
routes: [{{name: all, upstream: app}}]
"""
SHOP = '''
from dataclasses import dataclass
from typing import ClassVar

from proxy.api import Event, EventClass, Plugin, PluginConfig


@dataclass(slots=True, eq=False)
class Sold(Event):
    """Something was sold."""

    type: ClassVar[str] = "checkedshop.sold"
    klass: ClassVar[EventClass] = EventClass.B


class Shop(Plugin[PluginConfig]):
    """Sells."""
'''


def test_events_that_nobody_knows_are_found_as_at_a_start(command: Command, place: Path) -> None:
    (place / "shop.py").write_text(SHOP)
    told = []
    for event in ("checkedshop.sold", "checkedshop.solt"):
        (place / "hooks.yaml").write_text(WEBHOOKS.format(event=event, secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"))
        told.append(command("check", "hooks.yaml"))
    assert (told[0][0], told[0][2]) == (0, "")  # of a plugin that stands further down
    assert told[1][0] == 1
    assert 'no event is called "checkedshop.solt": did you mean "checkedshop.sold"?' in told[1][2]


def test_a_short_secret_is_warned_of(command: Command, place: Path) -> None:
    (place / "shop.py").write_text(SHOP.replace("checkedshop.sold", "checkedshop.soon"))
    (place / "hooks.yaml").write_text(WEBHOOKS.format(event="quota.low", secret="short"))
    code, _, err = command("check", "hooks.yaml")
    assert code == 0
    assert "hooks.yaml:4:5: warning: plugins[0].webhook: the secret of endpoint ops is short" in err


@pytest.mark.parametrize(
    ("variable", "value", "told"),
    [
        ("URL", "http://a.example/", "WEBHOOK_7_URL: https is needed, unless it is on this machine"),
        ("FORMAT", "teams", 'WEBHOOK_7_FORMAT: "teams" is not known here; choose from batch, cloudevents, slack'),
        ("EVENTS", "cache.full", 'WEBHOOK_7_EVENTS: no event is called "cache.full"'),
        ("SECRET", "whsec_***", "WEBHOOK_7_SECRET: what follows whsec_ is no base64"),
    ],
)
def test_what_is_wrong_with_a_variable_is_told_by_its_name(
    command: Command, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, told: str
) -> None:
    said = {"URL": "https://a.example/", "SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", variable: value}
    for name, text in said.items():
        monkeypatch.setenv(f"WEBHOOK_7_{name}", text)
    code, _, err = command("check", "good.yaml")
    assert code == 1
    assert err.startswith(f"environment: {told}")
