"""The defaults that users rely on, and what the top of the file means."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from proxy.settings.models import Admin, Settings


def test_the_defaults_are_those_of_the_manual() -> None:
    settings = Settings()
    assert [listener.url for listener in settings.listen] == ["http://127.0.0.1:8080"]
    assert settings.admin == Admin(listen="http://127.0.0.1:9090", token="")
    assert (settings.workers, settings.redis, str(settings.state)) == (1, "", ".passerelle")
    assert settings.trusted_proxies == ()
    limits, timeouts = settings.limits, settings.timeouts
    assert (limits.head, limits.fields, limits.target) == (32768, 100, 8192)
    assert (limits.buffered_body, limits.connections) == (10 * 2**20, 10_000)
    assert (timeouts.head, timeouts.between_bytes, timeouts.keep_alive, timeouts.slow_reader) == (10, 60, 75, 60)
    assert (settings.drain.delay, settings.drain.timeout) == (0, 30)
    assert [entry.name for entry in settings.plugins] == ["request_id", "sanitize", "cache", "compress", "events"]


def test_the_admin_listener_knows_its_parts() -> None:
    admin = Admin(listen="http://127.0.0.1:0")
    assert (admin.host, admin.port) == ("127.0.0.1", 0)


def test_the_admin_listener_can_be_switched_off() -> None:
    assert Settings.model_validate({"admin": False}).admin is None


def test_secrets_do_not_show_in_a_repr() -> None:
    text = repr(Settings(admin=Admin(token="hunter2"), redis="redis://:hunter2@r"))
    assert "hunter2" not in text


@pytest.mark.parametrize(("written", "workers"), [(3, 3), ("3", 3), ("auto", "auto")])
def test_workers(written: object, workers: object) -> None:
    assert Settings.model_validate({"workers": written}).workers == workers


@pytest.mark.parametrize("written", [0, -1, True, "many", 1.5, "²"])
def test_workers_that_are_none(written: object) -> None:
    with pytest.raises(ValidationError):
        Settings.model_validate({"workers": written})


def test_the_trusted_are_networks() -> None:
    networks = Settings.model_validate({"trusted_proxies": "10.0.0.0/8"}).trusted_proxies
    assert [str(network) for network in networks] == ["10.0.0.0/8"]
