from __future__ import annotations

import pytest

from plugins.cache.structured import Malformed, dictionary


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", {}),
        ("max-age=60", {"max-age": 60}),
        ("max-age=60, no-store", {"max-age": 60, "no-store": True}),
        ("a=1;x=2;y, b=?0", {"a": 1, "b": False}),
        ("a=1.5,b=tok/en,c=:aGk=:", {"a": 1.5, "b": "tok/en", "c": b":aGk=:"}),
        ('a="q\\"uote"', {"a": 'q"uote'}),
        ("a=(1 2;p  3)", {"a": [1, 2, 3]}),
        ("a=1, a=2", {"a": 2}),
        ("a=-5, d=@1659578233", {"a": -5, "d": b"@1659578233"}),
        ('a=%"f%c3%bc"', {"a": b'%"f%c3%bc"'}),
    ],
)
def test_dictionaries(text: str, found: dict[str, object]) -> None:
    assert dictionary([text]) == found


@pytest.mark.parametrize(
    "text",
    [
        "max-age=60, &&&&&",
        "max-age=60,",
        "max-age =60",
        "max-age= 60",
        "MaX-aGe=60",
        "a=1 b=2",
        "a='1'",
        'a="1',
        "a=1.2.3",
        "a=1234567890123456",
        "a=(1,2)",
        "a=?2",
        "a=",
    ],
)
def test_what_is_none(text: str) -> None:
    with pytest.raises(Malformed):
        dictionary([text])


def test_lines_are_one_dictionary() -> None:
    assert dictionary(["a=1", "b"]) == {"a": 1, "b": True}
