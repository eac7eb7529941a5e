"""Templates of error answers: what they are given, how it is escaped, and which one holds."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest

from proxy.pages import BUILT_IN, HTML, PLACEHOLDERS, PROBLEM, Page, Pages, UnknownPlaceholder

NASTY = "<script>\"&'</script>\\ \n\x00é\udc80"
FACTS = {"status": "502", "title": "Bad Gateway", "detail": NASTY, "code": "dns_error", "request_id": "<id>"}
ALL = " ".join(f"${{error.{name}}}" for name in PLACEHOLDERS)


def test_every_placeholder_is_replaced() -> None:
    plain = {name: name.upper() for name in PLACEHOLDERS}
    assert Page(ALL, "text/plain").render(plain) == b"CODE DETAIL REQUEST_ID STATUS TITLE"
    assert Page("${error.code}${error.code}", "text/plain").render(plain) == b"CODECODE"
    assert Page("", "text/plain").render(plain) == b""
    assert Page("$ ${x} {error.code} ${error.code", "text/plain").render(plain) == b"$ ${x} {error.code} ${error.code"


@pytest.mark.parametrize("kind", [HTML, "TEXT/HTML", "application/xhtml+xml", "application/problem+xml", "text/xml"])
def test_facts_cannot_become_markup(kind: str) -> None:
    text = Page("${error.detail}${error.request_id}", kind).render(FACTS)
    assert b"<" not in text
    assert text.startswith(b"&lt;script&gt;&quot;&amp;&#x27;")


@pytest.mark.parametrize("kind", [PROBLEM, "application/json; charset=utf-8", "application/vnd.api+json"])
def test_facts_cannot_end_a_json_text(kind: str) -> None:
    text = Page('{"detail": "${error.detail}"}', kind).render(FACTS)
    assert json.loads(text) == {"detail": NASTY}


def test_facts_are_not_templates() -> None:
    facts = {**FACTS, "detail": "${error.code}"}
    assert Page("${error.detail}", "text/plain").render(facts) == b"${error.code}"


@pytest.mark.parametrize(
    ("text", "name", "line"),
    [("${error.detial}", "detial", 1), ("a\n${error.code}\n\n${error.}", "", 4), ("${error.CODE}", "CODE", 1)],
)
def test_an_unknown_placeholder_is_told_with_its_line(text: str, name: str, line: int) -> None:
    with pytest.raises(UnknownPlaceholder) as refused:
        Page(text, HTML)
    assert (refused.value.name, refused.value.line) == (name, line)


@pytest.mark.parametrize("status", [400, 404, 499, 500, 502, 599])
def test_the_built_in_ones_serve_every_status(status: int) -> None:
    facts = {**FACTS, "status": str(status)}
    page, problem = BUILT_IN.find(status, is_html=True), BUILT_IN.find(status, is_html=False)
    assert (page.kind, problem.kind) == (HTML, PROBLEM)
    told = json.loads(problem.render(facts))
    assert told == {**facts, "type": "about:blank", "status": status}
    text = page.render({**facts, "detail": "a < b"}).decode()
    assert f"<h1>{status} Bad Gateway</h1>" in text
    assert "<p>a &lt; b</p>" in text


def test_the_built_in_page_is_well_formed_whatever_it_is_given() -> None:
    text = BUILT_IN.find(500, is_html=True).render({**FACTS, "detail": "<p>&"}).decode()
    body = text[text.index("<body>") : text.index("</html>")].replace("&middot;", "-")
    assert ElementTree.fromstring(body).findtext("p") == "<p>&"


OWN, CLASS, JSON = Page("own", HTML), Page("class", HTML), Page("json", "application/json")
BELOW = Pages({"5xx": (Page("below", HTML),), "404": (Page("not here", HTML),)})
PAGES = Pages({"502": (OWN,), "5xx": (JSON, CLASS)}, BELOW)


@pytest.mark.parametrize(
    ("status", "is_html", "text"),
    [
        (502, True, b"own"),
        (503, True, b"class"),
        (502, False, b"json"),
        (404, True, b"not here"),
        (404, False, None),
        (403, True, None),
    ],
)
def test_a_status_comes_before_its_class_and_a_route_before_all(status: int, is_html: bool, text: bytes | None) -> None:
    found = PAGES.find(status, is_html=is_html)
    if text is None:
        assert found is BUILT_IN.find(status, is_html=is_html)
    else:
        assert found.render(FACTS) == text


@pytest.mark.parametrize(
    ("accept", "text"),
    [([], b"json"), (["application/json"], b"json"), (["application/problem+json"], b"json"), (["text/html"], b"own")],
)
def test_accept_decides_between_the_two(accept: list[str], text: bytes) -> None:
    assert PAGES.choose(502, accept).render(FACTS) == text


def test_text_takes_the_place_of_the_details() -> None:
    pages = Pages({"404": (Page("nothing", "text/plain; charset=utf-8"),)})
    assert pages.choose(404, ["*/*"]).render(FACTS) == b"nothing"
    assert pages.choose(404, ["text/html, */*;q=0.1"]).kind == HTML


def test_what_operators_wrote_is_listed_with_the_nearest_first() -> None:
    assert {key: [page.render(FACTS) for page in pages] for key, pages in PAGES.listed().items()} == {
        "404": [b"not here"],
        "502": [b"own"],
        "5xx": [b"json", b"class", b"below"],
    }
    assert BUILT_IN.listed() == {}
