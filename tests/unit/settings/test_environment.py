"""Webhook endpoints of the environment are those of a file."""

from __future__ import annotations

from typing import Any

import pytest

from proxy.settings import Loaded, SettingsError, load_text, loaded_for, settings_for
from proxy.settings.models import DEFAULT_PLUGINS

TEXT = "upstreams: {app: {targets: [http://127.0.0.1:1]}}\n"
ONE = {"WEBHOOK_1_URL": "https://a.example/x", "WEBHOOK_1_SECRET": "a secret of some length"}


def endpoints(loaded: Loaded) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = next(one for one in loaded.settings.plugins if one.name == "webhook").options[
        "endpoints"
    ]
    return found


def problems(env: dict[str, str]) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load_text(TEXT, env)
    return [problem.render() for problem in caught.value.problems]


def test_without_variables_nothing_is_added() -> None:
    loaded = load_text(TEXT, {"WEBHOOK": "1", "WEBHOOKS_1_URL": "x", "MY_WEBHOOK_1_URL": "x"})
    assert loaded.settings.plugins == DEFAULT_PLUGINS


def test_a_variable_alone_adds_the_plugin_behind_the_others() -> None:
    loaded = load_text(TEXT, ONE)
    assert [one.name for one in loaded.settings.plugins] == [*(one.name for one in DEFAULT_PLUGINS), "webhook"]
    assert endpoints(loaded) == [{"id": "webhook-1", "url": "https://a.example/x", "secret": "a secret of some length"}]


def test_everything_that_can_be_said() -> None:
    more = {
        "WEBHOOK_1_SECRET_PREVIOUS": "the one before",
        "WEBHOOK_1_EVENTS": "quota.*, api.error,",
        "WEBHOOK_1_FORMAT": "slack",
        "WEBHOOK_1_ALLOW_PRIVATE": "TRUE",
        "WEBHOOK_1_ENABLED": "0",
    }
    assert endpoints(load_text(TEXT, {**ONE, **more})) == [
        {
            "id": "webhook-1",
            "url": "https://a.example/x",
            "secret": ["a secret of some length", "the one before"],
            "events": ["quota.*", "api.error"],
            "format": "slack",
            "allow_private": True,
            "enabled": False,
        }
    ]


def test_gaps_are_fine_and_the_file_comes_first() -> None:
    text = TEXT + "plugins:\n  - webhook: {endpoints: [{id: ops, url: https://b.example/, secret: s}]}\n  - events\n"
    ninth = {"WEBHOOK_9_URL": "https://c.example/", "WEBHOOK_9_SECRET": "s"}
    loaded = load_text(text, {**ninth, **ONE})
    assert [one.name for one in loaded.settings.plugins] == ["webhook", "events"]
    assert [one["id"] for one in endpoints(loaded)] == ["ops", "webhook-1", "webhook-9"]


def test_a_new_variable_is_another_revision() -> None:
    assert load_text(TEXT, ONE).revision != load_text(TEXT, {}).revision


def test_secrets_are_masked() -> None:
    assert "a secret of some length" not in str(load_text(TEXT, ONE).dump())


@pytest.mark.parametrize(
    ("env", "told"),
    [
        ({**ONE, "WEBHOOK_1_EVENT": "x"}, 'no variable is called WEBHOOK_1_EVENT; did you mean "WEBHOOK_1_EVENTS"?'),
        ({"WEBHOOK_1_URL": "https://a.example/"}, "WEBHOOK_1_SECRET is missing or empty"),
        ({"WEBHOOK_1_SECRET": "s"}, "WEBHOOK_1_URL is missing or empty"),
        ({**ONE, "WEBHOOK_1_SECRET": " "}, "WEBHOOK_1_SECRET is missing or empty"),
        ({**ONE, "WEBHOOK_1_ENABLED": "perhaps"}, "WEBHOOK_1_ENABLED is neither true nor false"),
    ],
)
def test_what_is_wrong_stops_the_start(env: dict[str, str], told: str) -> None:
    (found,) = problems(env)
    assert found.startswith(f"environment: {told}")


def test_a_gateway_without_a_file_has_them_too() -> None:
    assert settings_for("http://127.0.0.1:1", env=ONE).plugins[-1].name == "webhook"
    with pytest.raises(SettingsError):
        settings_for("http://127.0.0.1:1", env={"WEBHOOK_1_URL": "https://a.example/"})


def test_a_gateway_without_a_file_knows_the_variables_as_well() -> None:
    document = loaded_for("http://127.0.0.1:1", env=ONE).document
    problem = document.problem(("plugins", "endpoints", 0, "url"), "wrong")
    assert problem.render() == "environment: WEBHOOK_1_URL: wrong"


def test_what_a_plugin_finds_wrong_is_told_by_the_variable() -> None:
    text = TEXT + "plugins: [{webhook: {endpoints: [{id: ops}]}}]\n"
    document = load_text(text, {**ONE, "WEBHOOK_1_SECRET_PREVIOUS": "old"}).document
    at = ("plugins", 0, "webhook", "endpoints", 1)
    told = {
        (*at, "url"): "environment: WEBHOOK_1_URL: wrong",
        (*at, "events", 2): "environment: WEBHOOK_1_EVENTS: wrong",
        (*at, "secret", 1): "environment: WEBHOOK_1_SECRET_PREVIOUS: wrong",
        at: "environment: WEBHOOK_1_*: wrong",
    }
    assert {path: document.problem(path, "wrong").render() for path in told} == told
    assert "environment" not in document.problem((*at[:-1], 0, "url"), "wrong").render()
