"""Error pages as they are written."""

from __future__ import annotations

from pathlib import Path

import pytest

from proxy.settings import ErrorPage, SettingsError, load_text

HEAD = "upstreams: {app: {targets: [http://127.0.0.1:9001]}}\n"


def refusal(errors: str) -> str:
    with pytest.raises(SettingsError) as refused:
        load_text(f"{HEAD}errors: {{{errors}}}\n", {}, "p.yaml")
    (problem,) = refused.value.problems
    return problem.render()


def test_one_template_or_several() -> None:
    settings = load_text(
        HEAD + "errors: {404: {body: a}, 5xx: [{body: b}, {file: c.json}]}\n", {}, "/x/p.yaml"
    ).settings
    assert settings.errors["404"] == (ErrorPage(body="a"),)
    assert settings.errors["5xx"] == (ErrorPage(body="b"), ErrorPage(file=Path("/x/c.json")))


def test_files_are_taken_from_the_file_that_names_them(tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "r.yaml").write_text("routes: [{name: a, upstream: app, errors: {404: {file: p.html}}}]\n")
    loaded = load_text(HEAD + "include: [more/r.yaml]\nerrors: {404: {file: q.html}}\n", {}, tmp_path / "p.yaml")
    assert loaded.settings.errors["404"][0].file == tmp_path / "q.html"
    assert loaded.settings.routes[0].errors["404"][0].file == tmp_path / "more" / "p.html"


def test_placeholders_are_no_variables() -> None:
    settings = load_text(HEAD + "errors: {404: {body: '${NAME}: ${error.status} $$'}}\n", {"NAME": "us"}).settings
    assert settings.errors["404"][0].body == "us: ${error.status} $"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("200: {body: a}", '"200" is no status of an error; write a status such as "404", or "4xx" or "5xx"'),
        ("5XX: {body: a}", '"5XX" is no status of an error'),
        ("404: {}", "errors.404: is written by either body or file; add one"),
        ("404: {body: a, file: b}", "errors.404: is written by either body or file; keep one of them"),
        ("404: []", "errors.404: must not be empty"),
        ("404: {bdy: a}", 'errors.404.bdy: unknown key; did you mean "body"?'),
        ("404: {body: a, content_type: html}", '"html" is not a media type; write it as "text/html; charset=utf-8"'),
        ('404: {body: a, content_type: "text/html\\r\\nX: y"}', "is not a media type"),
        ("404: {body: a, content_type: text/html; charset=latin-1}", 'sent as UTF-8; write "charset=utf-8"'),
    ],
)
def test_what_is_refused(said: str, told: str) -> None:
    assert told in refusal(said)


@pytest.mark.parametrize(
    ("page", "kind"),
    [
        (ErrorPage(body="a"), "text/html; charset=utf-8"),
        (ErrorPage(file=Path("a.HTML")), "text/html; charset=utf-8"),
        (ErrorPage(file=Path("a.xhtml")), "application/xhtml+xml"),
        (ErrorPage(file=Path("a.json")), "application/problem+json"),
        (ErrorPage(file=Path("a.txt")), "text/plain; charset=utf-8"),
        (ErrorPage(file=Path("a.xml")), "application/problem+xml"),
        (ErrorPage(file=Path("a")), "text/html; charset=utf-8"),
        (ErrorPage(file=Path("a.json"), content_type="application/json"), "application/json"),
        (ErrorPage(body="a", content_type='text/plain; charset="UTF-8"'), 'text/plain; charset="UTF-8"'),
    ],
)
def test_the_type_of_a_page(page: ErrorPage, kind: str) -> None:
    assert page.kind == kind
