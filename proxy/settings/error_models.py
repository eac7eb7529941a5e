"""What an operator may write in the place of the gateway's own error answers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, TypeAlias

from pydantic import AfterValidator, model_validator

from proxy.settings.fields import Listed, Model, NotEmpty
from proxy.settings.units import wrong

_KEY = re.compile(r"[45][0-9][0-9]|[45]xx")
_TYPE = re.compile(r"[!#$&^_.+\-0-9A-Za-z]+/[!#$&^_.+\-0-9A-Za-z]+([ \t]*;[\x20-\x7e]*)?")
_CHARSET = re.compile(r"charset=\"?([^\s;\"]+)", re.IGNORECASE)
_BY_SUFFIX = {
    ".html": "text/html; charset=utf-8",
    ".xhtml": "application/xhtml+xml",
    ".json": "application/problem+json",
    ".txt": "text/plain; charset=utf-8",
    ".xml": "application/problem+xml",
}


def _check_key(value: str) -> str:
    if not _KEY.fullmatch(value):
        raise wrong(
            f'"{value}" is no status of an error', 'write a status such as "404", or "4xx" or "5xx" for a class'
        )
    return value


def _check_type(value: str | None) -> str | None:
    if value is None:
        return None
    if not _TYPE.fullmatch(value):
        raise wrong(f'"{value}" is not a media type', 'write it as "text/html; charset=utf-8"')
    charset = _CHARSET.search(value)
    if charset is not None and charset[1].lower() != "utf-8":
        raise wrong("answers are sent as UTF-8", 'write "charset=utf-8"')
    return value


class ErrorPage(Model):
    """A template for the answers that the gateway makes itself when something fails. It may hold `${error.status}`,
    `${error.title}`, `${error.detail}`, `${error.code}` and `${error.request_id}`, escaped as its type wants."""

    body: str | None = None
    """The template itself."""
    file: Path | None = None
    """A file that holds it, at most 64 KiB of UTF-8; read at every start and reload."""
    content_type: Annotated[str | None, AfterValidator(_check_type)] = None
    """Its type; unless written, what the file's suffix says, else `text/html`. An HTML page goes to those who ask for
    HTML by Accept, one of another type to everybody else."""

    @model_validator(mode="after")
    def _one_of_them(self) -> ErrorPage:
        if (self.body is None) == (self.file is None):
            raise wrong("is written by either body or file", "keep one of them" if self.body is not None else "add one")
        return self

    @property
    def kind(self) -> str:
        """Its media type."""
        if self.content_type is not None:
            return self.content_type
        return _BY_SUFFIX.get("" if self.file is None else self.file.suffix.lower(), _BY_SUFFIX[".html"])


ErrorKey: TypeAlias = Annotated[str, AfterValidator(_check_key)]
ErrorPages: TypeAlias = dict[ErrorKey, Annotated[tuple[ErrorPage, ...], NotEmpty, *Listed]]
