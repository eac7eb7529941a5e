"""What error answers look like: the two that are built in, and those that an operator wrote instead.

An error has two forms, a page for people and details for programs; Accept decides between them. A template of an HTML
type takes the place of the page, one of any other type that of the details, for one status or for a class of them.
Everything is compiled before the first request, and nothing of this is touched by an exchange that succeeds.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Mapping
from typing import TypeAlias

from proxy.accept import best

PLACEHOLDERS = ("code", "detail", "request_id", "status", "title")
HTML = "text/html; charset=utf-8"
PROBLEM = "application/problem+json"

Facts: TypeAlias = Mapping[str, str]

_PLACEHOLDER = re.compile(r"\$\{error\.([^{}]*)\}")
_HTML_TYPES = frozenset({"text/html", "application/xhtml+xml"})
_JSON_TYPES = frozenset({PROBLEM, "application/json"})


class UnknownPlaceholder(ValueError):
    """A template asks for what an error does not have.

    :ivar name: what it asks for.
    :ivar line: 1-based, in the template.
    """

    def __init__(self, name: str, line: int) -> None:
        super().__init__(f"there is no ${{error.{name}}}")
        self.name = name
        self.line = line


class Page:
    """A compiled template.

    :param text: with `${error.NAME}`, NAME being one of PLACEHOLDERS.
    :param kind: its media type; decides how facts are escaped.
    :param origin: where it was written, for people.
    :raises UnknownPlaceholder: for another NAME.
    """

    __slots__ = ("_parts", "essence", "kind", "origin")

    def __init__(self, text: str, kind: str, origin: str = "") -> None:
        self.kind = kind
        self.origin = origin
        self.essence = essence(kind)
        self._parts = _PLACEHOLDER.split(text)
        for at, name in enumerate(self._parts[1::2]):
            if name not in PLACEHOLDERS:
                raise UnknownPlaceholder(name, 1 + "".join(self._parts[: 2 * at + 1]).count("\n"))

    @property
    def is_html(self) -> bool:
        """Whether it is for people rather than programs."""
        return self.essence in _HTML_TYPES

    def render(self, facts: Facts) -> bytes:
        """The page for one error, in UTF-8; facts are escaped as its type wants."""
        escape = _escape(self.essence)
        parts = [escape(facts[part]) if at % 2 else part for at, part in enumerate(self._parts)]
        return "".join(parts).encode("utf-8", "replace")

    @property
    def names(self) -> frozenset[str]:
        """The types that it answers to in Accept: who takes plain JSON or XHTML is served by its relative."""
        for family in (_HTML_TYPES, _JSON_TYPES):
            if self.essence in family:
                return family
        return frozenset({self.essence})


def essence(kind: str) -> str:
    """A media type without its parameters, in lower case."""
    return kind.partition(";")[0].strip().lower()


def _escape(kind: str) -> Callable[[str], str]:
    if kind.endswith(("html", "xml")):
        return html.escape
    if kind.endswith("json"):
        return lambda text: json.dumps(text)[1:-1]
    return str


_BUILT_IN_PAGE = Page(
    """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${error.status} ${error.title}</title>
<style>
:root { color-scheme: light dark }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 36rem; margin: 15vh auto 0; padding: 0 1.5rem }
small { opacity: .7; overflow-wrap: anywhere }
</style>
</head>
<body>
<h1>${error.status} ${error.title}</h1>
<p>${error.detail}</p>
<p><small>${error.code} &middot; request ${error.request_id}</small></p>
</body>
</html>
""",
    HTML,
)
_BUILT_IN_PROBLEM = Page(
    '{"type":"about:blank","title":"${error.title}","status":${error.status},"detail":"${error.detail}",'
    '"code":"${error.code}","request_id":"${error.request_id}"}',
    PROBLEM,
)


class Pages:
    """The templates of one route, by what they are for.

    :param written: a status such as `404` or a class such as `5xx`, with its templates: at most one of them HTML and
        one of another type.
    :param beneath: what holds where nothing is written here, type by type.
    """

    __slots__ = ("_beneath", "written")

    def __init__(self, written: Mapping[str, tuple[Page, ...]] | None = None, beneath: Pages | None = None) -> None:
        self.written = dict(written or {})
        self._beneath = beneath

    def find(self, status: int, *, is_html: bool) -> Page:
        """The template for a status: its own before its class's, a route's before everybody's."""
        for key in (str(status), f"{status // 100}xx"):
            for page in self.written.get(key, ()):
                if page.is_html is is_html:
                    return page
        if self._beneath is not None:
            return self._beneath.find(status, is_html=is_html)
        return _BUILT_IN_PAGE if is_html else _BUILT_IN_PROBLEM

    def listed(self) -> dict[str, tuple[Page, ...]]:
        """All that operators wrote, by status and class: what is nearest first."""
        beneath = {} if self._beneath is None else self._beneath.listed()
        return {key: self.written.get(key, ()) + beneath.get(key, ()) for key in sorted({*self.written, *beneath})}

    def choose(self, status: int, accept: list[str]) -> Page:
        """The template for a status that the client would like best."""
        forms = [self.find(status, is_html=False), self.find(status, is_html=True)]
        return forms[best(accept, [form.names for form in forms])]


BUILT_IN = Pages()
