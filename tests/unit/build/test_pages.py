"""Error pages from the settings: compiled, or refused with file, line, key and what to write instead."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from proxy.build import Built
from proxy.build.pages import MAX_PAGE
from proxy.settings import SettingsError

Make = Callable[[str], Built]

HEAD = "upstreams: {app: {targets: [http://127.0.0.1:9001]}}\n"
ROUTE = "routes: [{name: app, upstream: app}]\n"
FACTS = dict.fromkeys(("status", "title", "detail", "code", "request_id"), "x")


def problem(make: Make, text: str) -> str:
    with pytest.raises(SettingsError) as refused:
        make(text)
    (found,) = refused.value.problems
    return found.render().partition("p.yaml:")[2]


def texts(built: Built, status: int, *, is_html: bool) -> list[bytes]:
    plans = [*built.snapshot.plans, built.snapshot.fallback]
    return [plan.pages.find(status, is_html=is_html).render(FACTS) for plan in plans]


async def test_pages_for_all_and_for_a_route(make: Make, tmp_path: Path) -> None:
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "5xx.html").write_text("all é")
    (tmp_path / "own.json").write_text("own")
    built = make(
        HEAD + "errors: {5xx: {file: pages/5xx.html}, 404: {body: nothing}}\n"
        "routes:\n- {name: a, match: {path: /a}, upstream: app, errors: {5xx: [{body: mine}, {file: own.json}]}}\n"
        "- {name: b, upstream: app}\n"
    )
    assert texts(built, 502, is_html=True) == [b"mine", "all é".encode(), "all é".encode()]
    assert texts(built, 404, is_html=True) == [b"nothing"] * 3
    own, other, _ = [plan.pages.find(500, is_html=False) for plan in (*built.snapshot.plans, built.snapshot.fallback)]
    assert (own.kind, own.render(FACTS), other.kind) == ("application/problem+json", b"own", "application/problem+json")


async def test_what_is_wrong_is_told_with_its_place(make: Make, tmp_path: Path) -> None:
    (tmp_path / "bad.html").write_text("<p>\n${error.statsu}")
    (tmp_path / "latin.html").write_bytes(b"\xe9")
    (tmp_path / "large.html").write_bytes(b"x" * (MAX_PAGE + 1))
    for said, told in (
        ("404: {body: '${error.codes}'}", '2:22: errors.404.body: there is no ${error.codes}; did you mean "code"?'),
        ("404: {file: none.html}", f"2:22: errors.404.file: cannot read {tmp_path}/none.html: no such file"),
        ("404: {file: latin.html}", f"2:22: errors.404.file: {tmp_path}/latin.html is not UTF-8 text; save it as"),
        ("404: {file: large.html}", "2:22: errors.404.file: is larger than 64 KiB; link to pictures and styles"),
        (
            "404: {file: bad.html}",
            f'2:22: errors.404.file: {tmp_path}/bad.html:2: there is no ${{error.statsu}}; did you mean "status"?',
        ),
        (
            "404: [{body: a}, {body: b, content_type: text/html}]",
            "2:34: errors.404[1].body: is the second template of HTML; keep one of them",
        ),
        (
            "404: [{body: a, content_type: text/plain}, {body: b, content_type: text/css}]",
            "2:60: errors.404[1].body: is the second template of a type other than HTML; keep one of them",
        ),
    ):
        assert problem(make, HEAD + f"errors: {{{said}}}\n" + ROUTE).startswith(told)


async def test_the_largest_template_is_taken(make: Make, tmp_path: Path) -> None:
    (tmp_path / "large.html").write_bytes(b"x" * MAX_PAGE)
    built = make(HEAD + "errors: {404: {file: large.html}}\n" + ROUTE)
    assert texts(built, 404, is_html=True) == [b"x" * MAX_PAGE] * 2


async def test_a_routes_problem_is_told_at_the_route(make: Make) -> None:
    text = HEAD + "routes:\n- name: app\n  upstream: app\n  errors:\n    4xx: {body: '${error.x}'}\n"
    assert problem(make, text).startswith("6:17: routes[0].errors.4xx.body: there is no ${error.x}")
