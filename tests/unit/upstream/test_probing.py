"""One process probes, and the others take its word."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from proxy.upstream.probing import Finding, Probing


class Targets:
    """An upstream's targets, as far as their name goes."""

    def __init__(self, name: str) -> None:
        self.name = name


class Checker:
    """What a checker is told."""

    def __init__(self, name: str) -> None:
        self.targets = Targets(name)
        self.followed = 0
        self.taken: list[tuple[str, str]] = []

    def follow(self) -> None:
        self.followed += 1

    def take(self, name: str, wrong: str) -> None:
        self.taken.append((name, wrong))


Make = Callable[[str], Checker]


@pytest.fixture
def probing() -> Probing:
    return Probing()


@pytest.fixture
def make(probing: Probing) -> Make:
    def add(name: str) -> Checker:
        checker = Checker(name)
        probing.add(checker)  # type: ignore[arg-type]  # as much of one as is asked for
        return checker

    return add


def test_what_is_found_is_told(probing: Probing, make: Make) -> None:
    told: list[Finding] = []
    checker = make("shop")
    probing.found(checker, "http://a", "status 500")  # type: ignore[arg-type]
    probing.tell = told.append
    probing.found(checker, "http://a", "status 500")  # type: ignore[arg-type]
    assert told == [("shop", "http://a", "status 500")]


def test_who_does_not_lead_takes_the_word_of_who_does(probing: Probing, make: Make) -> None:
    checker = make("shop")
    probing.heard(("shop", "http://a", ""))
    assert checker.taken == [], "who leads knows by itself"
    probing.lead(False)
    probing.heard(("shop", "http://a", "status 500"))
    probing.heard(("other", "http://b", ""))
    assert checker.taken == [("http://a", "status 500")]


def test_checkers_begin_and_stop_with_the_lead(probing: Probing, make: Make) -> None:
    checker = make("shop")
    probing.lead(False)
    probing.lead(True)
    assert checker.followed == 2
    assert probing.leads


def test_a_checker_that_ended_hears_nothing(probing: Probing, make: Make) -> None:
    old = make("shop")
    new = make("shop")
    probing.remove(old)  # type: ignore[arg-type]
    probing.lead(False)
    probing.heard(("shop", "http://a", ""))
    assert (old.taken, new.taken) == ([], [("http://a", "")])
    probing.remove(new)  # type: ignore[arg-type]
    probing.heard(("shop", "http://a", ""))
    assert len(new.taken) == 1
