"""Templates of error answers: from the settings, and the files that they name, to compiled pages."""

from __future__ import annotations

from pathlib import Path

from proxy.pages import BUILT_IN, PLACEHOLDERS, Page, Pages, UnknownPlaceholder
from proxy.settings import Document, ErrorPage, ErrorPages, KeyPath, Problem, suggestion

MAX_PAGE = 64 * 1024  # bytes of one template


class _Unusable(Exception):
    """A template cannot be used; the arguments are what is wrong and what to do."""


def make_pages(
    said: ErrorPages, at: KeyPath, document: Document, problems: list[Problem], beneath: Pages = BUILT_IN
) -> Pages:
    """The templates written at one place over those `beneath`; what is wrong with them is added to `problems`."""
    if not said:
        return beneath
    written: dict[str, tuple[Page, ...]] = {}
    for key, templates in said.items():
        made: list[Page] = []
        for index, template in enumerate(templates):
            path = _path((*at, key), index, template, document)
            try:
                made.append(_page(template, made))
            except _Unusable as error:
                problems.append(document.problem(path, *error.args))
        written[key] = tuple(made)
    return Pages(written, beneath)


def _path(at: KeyPath, index: int, template: ErrorPage, document: Document) -> KeyPath:
    """Where a template stands; one alone may be written without brackets."""
    name = "body" if template.file is None else "file"
    listed = (*at, index, name)
    return listed if document.holds(listed) else (*at, name)


def _page(template: ErrorPage, others: list[Page]) -> Page:
    origin = "" if template.file is None else str(template.file)
    text = template.body or "" if template.file is None else _read(template.file)
    if len(text.encode()) > MAX_PAGE:
        raise _Unusable(f"is larger than {MAX_PAGE // 1024} KiB", "link to pictures and styles instead")
    try:
        page = Page(text, template.kind, origin)
    except UnknownPlaceholder as error:
        place = f"{origin}:{error.line}: " if origin else ""
        raise _Unusable(f"{place}there is no ${{error.{error.name}}}", suggestion(error.name, PLACEHOLDERS)) from None
    if any(other.is_html is page.is_html for other in others):
        kind = "of HTML" if page.is_html else "of a type other than HTML"
        raise _Unusable(f"is the second template {kind}", "keep one of them")
    return page


def _read(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            return stream.read(MAX_PAGE + 1).decode("utf-8")
    except OSError as error:
        raise _Unusable(f"cannot read {file}: {(error.strerror or 'error').lower()}", "") from None
    except UnicodeDecodeError:
        raise _Unusable(f"{file} is not UTF-8 text", "save it as UTF-8") from None
