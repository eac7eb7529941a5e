from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

from proxy.cache.arguments import Arguments


async def fetch(path: Any, page: Any = 1, *rest: Any, flag: Any = False, **more: Any) -> None:
    """What the keys are of."""


KEYS = Arguments(fetch)


def key(*args: Any, **kwargs: Any) -> bytes:
    return KEYS.key(args, kwargs)


class Colour(Enum):
    RED = 1
    BLUE = 2


@dataclass
class Point:
    x: int
    y: Any


class User:
    def __init__(self, number: int) -> None:
        self.number = number

    def __cache_key__(self) -> int:
        return self.number


class Session:
    """Something without a key."""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (key("/"), key("/", 1)),
        (key("/"), key(path="/", flag=False)),
        (key("/", 2), key(page=2, path="/")),
        (key("/", a=1, b=2), key("/", b=2, a=1)),
        (key({"a": 1, "b": [2]}), key({"b": [2], "a": 1})),
        (key({3, 1, 2}), key({2, 3, 1})),
        (key(Point(1, [2])), key(Point(1, [2]))),
        (key(User(5)), key(User(5))),
        (key(Path("/a")), key(Path("/a"))),
        (key(Colour.RED), key(Colour.RED)),
    ],
)
def test_calls_that_mean_the_same_have_the_same_key(one: bytes, other: bytes) -> None:
    assert one == other


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (key(1), key(True)),
        (key(1), key(1.0)),
        (key(1), key("1")),
        (key("1"), key(b"1")),
        (key([1]), key((1,))),
        (key("/", 1, 2), key("/", 1, 3)),
        (key("/", flag=True), key("/", flag=1)),
        (key("/", a=1), key("/", b=1)),
        (key("a", "b"), key("ab", "")),
        (key(Point(1, 2)), key(Point(2, 1))),
        (key(User(5)), key(User(6))),
        (key(User(5)), key(5)),
        (key(Colour.RED), key(Colour.BLUE)),
        (key(Path("/a")), key("/a")),
    ],
)
def test_calls_that_differ_have_another(one: bytes, other: bytes) -> None:
    assert one != other


def test_it_is_the_same_in_every_process() -> None:
    assert key("/users", 2, flag=True).hex() == "c60e5b9b69d352704bf9616fb9b0e769"


def test_what_has_no_key_is_named_with_what_to_do() -> None:
    with pytest.raises(TypeError) as told:
        key("/", more={"session": [Session()]})
    assert "fetch(more=…)" in str(told.value)
    assert "Session, which cannot be stored; give its class a __cache_key__()" in str(told.value)


def test_what_is_ignored_makes_no_difference() -> None:
    keys = Arguments(fetch, ignore=("flag",))
    assert keys.key(("/",), {"flag": Session()}) == keys.key(("/",), {})
    with pytest.raises(TypeError, match="fetch has no parameter flags to ignore"):
        Arguments(fetch, ignore=("flags",))


def test_a_call_that_does_not_fit_is_refused() -> None:
    with pytest.raises(TypeError, match="missing a required argument"):
        key()


class Service:
    async def find(self, name: str) -> None:
        """A method."""


@dataclass(frozen=True)
class Shop(Service):
    city: str


def test_a_method_is_of_its_instance() -> None:
    keys = Arguments(Service.find)
    one, other = Service(), Service()
    assert keys.key((one, "x"), {}) == keys.key((one, "x"), {})
    assert keys.key((one, "x"), {}) != keys.key((other, "x"), {})
    assert keys.key((Shop("Lyon"), "x"), {}) == keys.key((Shop("Lyon"), "x"), {})
    assert keys.key((Shop("Lyon"), "x"), {}) != keys.key((Shop("Paris"), "x"), {})
    assert keys.key((Shop, "x"), {}) == keys.key((Shop, "x"), {}) != keys.key((Service, "x"), {})


def test_an_instance_that_is_gone_does_not_lend_its_name_to_the_next() -> None:
    keys = Arguments(Service.find)
    seen = {keys.key((Service(), "x"), {}) for _ in range(100)}
    assert len(seen) == 100
