from __future__ import annotations

import pytest

from plugins.cache.invalidation import invalidates, targets
from proxy.api import Headers, Request, Response


@pytest.mark.parametrize(
    ("method", "status", "does"),
    [
        ("POST", 200, True),
        ("PUT", 204, True),
        ("DELETE", 303, True),
        ("M-SEARCH", 200, True),
        ("POST", 404, False),
        ("POST", 500, False),
        ("GET", 200, False),
        ("HEAD", 200, False),
        ("OPTIONS", 200, False),
    ],
)
def test_what_invalidates(method: str, status: int, does: bool) -> None:
    assert invalidates(Request(method, "/"), Response(status)) is does


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({}, []),
        ({"Location": "/b?x=1"}, [("a.example", "/b?x=1")]),
        ({"Content-Location": "c"}, [("a.example", "/dir/c")]),
        ({"Location": "http://A.example:80/b#f"}, [("a.example", "/b")]),
        ({"Location": "http://a.example"}, [("a.example", "/")]),
        ({"Location": "https://a.example/b"}, []),  # another origin
        ({"Location": "http://b.example/b"}, []),
        ({"Location": "http://[/"}, []),
        ({"Location": "/dir/a"}, []),
        ({"Location": "/b", "Content-Location": "/c"}, [("a.example", "/b"), ("a.example", "/c")]),
    ],
)
def test_urls_of_the_same_origin(fields: dict[str, str], found: list[tuple[str, str]]) -> None:
    request = Request("POST", "/dir/a", host="a.example")
    assert list(targets(request, Response(201, Headers(fields)), "http", "a.example")) == [
        ("a.example", "/dir/a"),
        *found,
    ]
