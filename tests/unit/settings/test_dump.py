"""The effective configuration can be shown, and read again."""

from __future__ import annotations

import json

import yaml

from proxy.settings.dump import dump, revision
from proxy.settings.load import load_text

TEXT = """\
listen: [http://127.0.0.1:8080]
admin: {token: hunter2}
state: /var/lib/passerelle
trusted_proxies: 10.0.0.0/8
limits: {head: 16KiB}
timeouts: {head: 500ms}
upstreams:
  shop:
    targets: [http://a:1, {url: http://b:2, weight: 2}]
    retry: {attempts: 2}
    host: shop.example.com
plugins:
  - events
  - headers: {request: {set: {Authorization: hunter2, X-Env: prod}}}
    id: stamp
routes:
  - {name: api, match: {path: /api/*}, path: {strip: /api}, upstream: shop, plugins: {stamp: false, events: {}}}
  - {name: rest, upstream: shop}
tests:
  - {request: GET http://a/, expect: {route: rest, headers: {X-Debug: null}}}
"""


def test_what_is_shown_can_be_read_again() -> None:
    settings = load_text(TEXT, {}).settings
    shown = yaml.safe_dump(dump(settings, masked=False))
    again = load_text(shown, {}).settings
    assert dump(again, masked=False) == dump(settings, masked=False)
    assert revision(again, {}) == revision(settings, {})


def test_what_is_shown_has_defaults_units_and_switches() -> None:
    shown = dump(load_text(TEXT, {}).settings)
    assert shown["limits"] == {
        "head": "16KiB",
        "fields": 100,
        "target": "8KiB",
        "buffered_body": "10MiB",
        "connections": 10_000,
    }
    assert shown["timeouts"]["head"] == "500ms"
    assert shown["trusted_proxies"] == ["10.0.0.0/8"]
    assert shown["upstreams"]["shop"]["health"] is False
    assert shown["routes"][0]["plugins"] == {"stamp": False, "events": {}}
    assert shown["tests"][0]["expect"] == {"route": "rest", "headers": {"X-Debug": None}}


def test_secrets_are_masked() -> None:
    shown = dump(load_text(TEXT, {}).settings)
    assert "hunter2" not in json.dumps(shown)
    assert shown["plugins"][1]["headers"]["request"]["set"] == {"Authorization": "***", "X-Env": "prod"}


def test_the_revision_changes_with_what_is_effective_alone() -> None:
    first = load_text(TEXT, {}).revision
    assert first == load_text(f"# a comment\n{TEXT}", {}, "other.yaml").revision
    assert first != load_text(TEXT.replace("16KiB", "17KiB"), {}).revision
    assert len(first) == 12
