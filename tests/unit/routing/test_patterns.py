from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proxy.routing.patterns import Kind, PathPattern, PathSet, parse_host


@pytest.mark.parametrize(
    ("pattern", "fitting", "other"),
    [
        ("/a/b", ["/a/b"], ["/a/b/", "/a", "/a/bc", "/A/b"]),
        ("/", ["/"], ["/a"]),
        ("/api/*", ["/api/", "/api/x", "/api/x/y"], ["/api", "/apix", "/API/x"]),
        ("/api*", ["/api", "/apix", "/api/x"], ["/ap", "/xapi"]),
        ("/*", ["/", "/a/b"], ["*"]),
        ("/u/{id}", ["/u/7", "/u/%2F"], ["/u/", "/u", "/u/7/", "/u/7/x"]),
        ("/u/{id}/*", ["/u/7/", "/u/7/x/y"], ["/u/7", "/u//x"]),
        ("/{a}/x/{b}", ["/1/x/2"], ["/1/y/2", "/1/x/"]),
        ("/caf\u00e9", ["/caf%C3%A9"], ["/cafe"]),
        ("/%7euser/*", ["/~user/x"], ["/%7euser/x"]),
    ],
)
def test_what_a_pattern_fits(pattern: str, fitting: list[str], other: list[str]) -> None:
    compiled = PathPattern(pattern)
    assert [path for path in fitting + other if compiled.matches(path)] == fitting


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("", "begins with '/'"),
        ("api", "begins with '/'"),
        ("/a/*/b", "only at the end"),
        ("/**", "only at the end"),
        ("/a?b", "no query"),
        ("/a b", "no query"),
        ("/a#b", "no query"),
        ("/a%2Fb", "no broken escape"),
        ("/a%zz", "no broken escape"),
        ("/a%2*", "no broken escape"),
        ("/a//b", "empty or dot segment"),
        ("/a/../b", "empty or dot segment"),
        ("/a/%2e%2E/b", "empty or dot segment"),
        ("/.%2e", "empty or dot segment"),
        ("/a/{id", "without its partner"),
        ("/a/id}", "without its partner"),
        ("/a/{}", "named by a word"),
        ("/a/{1}", "named by a word"),
        ("/a/{rest}", "other than 'rest'"),
        ("/{a}/{a}", "two parameters of one name"),
        ("/a-{id}", "whole segment"),
        ("/{id}.json", "whole segment"),
        ("/{a}{b}", "whole segment"),
        ("/{id}*", "whole segment"),
    ],
)
def test_a_pattern_that_is_wrong_says_so(pattern: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        PathPattern(pattern)


@pytest.mark.parametrize(
    ("pattern", "kind", "length"),
    [
        ("/a/b", Kind.EXACT, 4),
        ("/a/{x}/b", Kind.PATTERN, 5),
        ("/a/{x}/*", Kind.PATTERN_PREFIX, 4),
        ("/a/*", Kind.PREFIX, 3),
    ],
)
def test_form_and_length(pattern: str, kind: Kind, length: int) -> None:
    compiled = PathPattern(pattern)
    assert (compiled.kind, compiled.length) == (kind, length)


@pytest.mark.parametrize(
    ("pattern", "target", "captures"),
    [
        ("/u/{id}/*", "/u/7/a/b?c=d", {"id": "7", "rest": "a/b"}),
        ("/u/{id}/*", "/u/7/", {"id": "7", "rest": ""}),
        ("/u/{id}/*", "//u/a%2Fb//c%20d//e", {"id": "a%2Fb", "rest": "c%20d//e"}),
        ("/u/{id}", "/%75/%41", {"id": "%41"}),
        ("/a*", "/abc", {"rest": "bc"}),
        ("/a", "/a", {}),
        ("/u/{id}", "/v/7", None),
        ("/u/{id}", "/v/%41", None),
    ],
)
def test_captures_are_the_clients_own_bytes(pattern: str, target: str, captures: dict[str, str] | None) -> None:
    assert PathPattern(pattern).captures(target) == captures


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [
        ("/a/{x}", "/a/{y}", True),
        ("/ab/{x}", "/{y}/cd", True),
        ("/a/{x}/c", "/a/{x}/d", False),
        ("/a/{x}", "/b/{x}", False),
        ("/a/{x}/", "/a/{x}/{y}", False),
        ("/a/{x}/*", "/{x}/b/*", True),
        ("/a/{x}/b*", "/{x}/a/c*", False),
        ("/a/{x}/y*", "/a/{y}/{z}/*", True),
        ("/a/b*", "/a/c*", False),
        ("/a/{x}/*", "/b/{x}/*", False),
        ("/a", "/a", True),
    ],
)
def test_whether_two_patterns_can_meet(one: str, other: str, overlap: bool) -> None:
    assert PathPattern(one).overlaps(PathPattern(other)) is overlap
    assert PathPattern(other).overlaps(PathPattern(one)) is overlap


_SEGMENT = st.sampled_from(["a", "ab", "b", "{p}"])


@st.composite
def _patterns(draw: st.DrawFn) -> PathPattern:
    segments = draw(st.lists(_SEGMENT, min_size=1, max_size=3))
    text = "".join("/" + segment.replace("p", f"p{at}") for at, segment in enumerate(segments))
    end = draw(st.sampled_from(["", "/", "/*", "/a*"]))
    return PathPattern(text + end)


@given(_patterns(), _patterns(), st.lists(st.sampled_from(["a", "ab", "b", "c", ""]), min_size=1, max_size=5))
def test_patterns_that_one_path_fits_overlap(one: PathPattern, other: PathPattern, segments: list[str]) -> None:
    path = "/" + "/".join(segments)
    if one.kind == other.kind and one.matches(path) and other.matches(path):
        assert one.overlaps(other)


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("Example.COM", "example.com"),
        ("example.com.", "example.com"),
        ("example.com:8443", "example.com:8443"),
        ("*.example.com", "*.example.com"),
        ("*.example.com:80", "*.example.com:80"),
        ("10.0.0.1", "10.0.0.1"),
        ("[::1]", "[::1]"),
        ("[::1]:8080", "[::1]:8080"),
        ("b\u00fccher.example", "xn--bcher-kva.example"),
        ("my_service", "my_service"),
    ],
)
def test_hosts_are_looked_up_in_one_form(text: str, host: str) -> None:
    assert parse_host(text) == host


@pytest.mark.parametrize(
    "text", ["", "*", "a.*.b", "http://a", "a/b", "a,b", "a b", "::1", "a:", "a:x", ".a", "a..b", "u@h"]
)
def test_what_is_no_host_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not a host"):
        parse_host(text)


class TestPathSet:
    COVERED = ("/account", "/account/x", "/%61ccount", "//account", "/a/../account", "/./account/x?y", "/account%2fx")

    @pytest.mark.parametrize("target", COVERED)
    def test_every_honest_reading_counts(self, target: str) -> None:
        assert PathSet(["/account", "/account/*"]).covers(target)

    @pytest.mark.parametrize("target", ["/accounts", "/", "/a?/account", "/Account", "*"])
    def test_others_do_not(self, target: str) -> None:
        assert not PathSet(["/account", "/account/*"]).covers(target)

    def test_what_cannot_be_read_counts(self) -> None:
        assert PathSet(["/account"]).covers("/../x")

    def test_nothing_covers_nothing(self) -> None:
        assert not PathSet([]).covers("/../x")

    def test_a_malformed_pattern_is_refused(self) -> None:
        with pytest.raises(ValueError, match="begins with"):
            PathSet(["account"])
