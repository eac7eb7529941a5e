"""The way from a path in the file to the field it means."""

from __future__ import annotations

from pydantic import BaseModel

from proxy.settings.annotations import field_at, keys_at, models_at
from proxy.settings.models import Settings
from proxy.settings.target_models import HashBy, Sticky
from proxy.settings.upstream_models import Pool, Retry


def test_models_are_found_through_mappings_lists_and_options() -> None:
    assert models_at(Settings, ("upstreams", "shop", "pool")) == [Pool]
    assert models_at(Settings, ("upstreams", "shop", "retry")) == [Retry]
    assert models_at(Settings, ("upstreams", "shop", "balance")) == [HashBy, Sticky]
    assert models_at(Settings, ("listen", 0)) != []
    assert models_at(Settings, ("nowhere", 0)) == []


def test_keys_are_those_that_may_be_written() -> None:
    assert "for" in keys_at(Settings, ("upstreams", "shop", "eject"))
    assert "lasting" not in keys_at(Settings, ("upstreams", "shop", "eject"))
    assert "include" in keys_at(Settings, ())
    assert keys_at(Settings, ("routes", 0, "match", "headers")) == []


def test_fields_are_found_by_the_last_key() -> None:
    info = field_at(Settings, ("upstreams", "shop", "targets"))
    assert info is not None
    assert info.examples
    assert field_at(Settings, ()) is None
    assert field_at(Settings, ("upstreams", "shop", "nothing")) is None


def test_unions_of_models_offer_the_keys_of_all() -> None:
    class A(BaseModel):
        a: int

    class B(BaseModel):
        b: int

    class Whole(BaseModel):
        either: list[A | B]

    assert keys_at(Whole, ("either", 3)) == ["a", "b"]
