from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.routing.rewrite import Rewrite


@pytest.mark.parametrize(
    ("path", "strip", "target", "out"),
    [
        ("/api/*", "/api", "/api/users?x=%2F&y=?", "/users?x=%2F&y=?"),
        ("/api*", "/api/", "/api", "/"),
        ("/api*", "/api", "/api?a", "/?a"),
        ("/api*", "/api", "/apix/y", "/apix/y"),
        ("/*", "/api", "/other", "/other"),
        ("/api/*", "/api", "/%61pi/a%2Fb", "/a%2Fb"),
        ("/api/*", "/api", "//api//x", "//x"),
        ("/api/*", "/api", "/api/a//b?", "/a//b?"),
        ("/a/b/*", "/a", "/a/b/c", "/b/c"),
        ("/{t}/x/*", "/a", "/a/x/y", "/x/y"),
        ("/api/*", "/api", "*", "*"),
    ],
)
def test_strip(path: str, strip: str, target: str, out: str) -> None:
    assert Rewrite(path, strip=strip).apply(target) == out


@pytest.mark.parametrize(
    ("path", "template", "target", "out"),
    [
        ("/users/{id}/*", "/v2/{id}/{rest}", "/users/7/posts/1?x=1", "/v2/7/posts/1?x=1"),
        ("/users/{id}/*", "/v2/{id}/{rest}", "/users/a%2Fb/", "/v2/a%2Fb/"),
        ("/users/{id}", "/{id}/{id}", "/users/7", "/7/7"),
        ("/old", "/new/place", "/old?a=b", "/new/place?a=b"),
        ("/a*", "/b{rest}", "/abc/d", "/bbc/d"),
        ("/users/{id}", "/v2/{id}", "/replaced/by/a/hook", "/replaced/by/a/hook"),
    ],
)
def test_template(path: str, template: str, target: str, out: str) -> None:
    assert Rewrite(path, template=template).apply(target) == out


@pytest.mark.parametrize(
    ("path", "strip", "template", "words"),
    [
        ("/a/*", "", "", "either a prefix"),
        ("/a/*", "/a", "/b", "either a prefix"),
        ("/a/*", "/", "", "fixed prefix"),
        ("/a/*", "/a/{x}", "", "fixed prefix"),
        ("/a/*", "/a*", "", "fixed prefix"),
        ("/a/*", "/b", "", "begins with '/b'"),
        ("/a", "/a/b", "", "begins with '/a/b'"),
        ("/a/*", "", "b", "is a path"),
        ("/a/*", "", "/b?c", "is a path"),
        ("/a/*", "", "/b c", "is a path"),
        ("/a/{id}", "", "/b/{name}", "there are: id"),
        ("/a/{id}", "", "/b/{rest}", "there are: id"),
        ("/a", "", "/b/{rest}", "there are: none"),
        ("/a/{id}", "", "/b/{id", "without its partner"),
    ],
)
def test_a_rewriting_that_makes_no_sense_says_so(path: str, strip: str, template: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Rewrite(path, strip=strip, template=template)


@given(st.text(st.sampled_from("ap/%2i?x"), max_size=15).map("/".__add__))
def test_a_target_stays_a_target_and_keeps_its_query(target: str) -> None:
    for rewrite in (Rewrite("/*", strip="/ap"), Rewrite("/{x}/*", template="/y/{x}/{rest}")):
        out = rewrite.apply(target)
        assert out.startswith("/")
        assert out.partition("?")[1:] == target.partition("?")[1:]
