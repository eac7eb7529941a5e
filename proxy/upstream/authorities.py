"""aiohttp without the system's authorities, until a handshake needs them.

aiohttp makes two TLS contexts while it is imported, and both read every authority that the system knows: a tenth of a
start and some MiB, which a gateway in front of plain http never uses. So the contexts that are made during that import
read them before their first handshake instead. That is true of every user of them, plugins with sessions of their own
among them. `proxy.cli.deferral` sees to it in every process of the command.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_READS = "set_default_verify_paths"
_deferred: list[Deferred] = []


class Deferred(ssl.SSLContext):
    """A context that has not read the system's authorities yet; it is an ordinary one as soon as it has."""

    def read(self) -> None:
        """Read them now, which takes some 50 ms and blocks."""
        self.set_default_verify_paths()  # first: another thread that wraps meanwhile must not do without
        self.__class__ = ssl.SSLContext  # type: ignore[assignment]  # it has no more to it than its methods

    def wrap_bio(self, *args: Any, **kwargs: Any) -> ssl.SSLObject:
        """:see: `ssl.SSLContext.wrap_bio`."""
        self.read()
        return self.wrap_bio(*args, **kwargs)

    def wrap_socket(self, *args: Any, **kwargs: Any) -> ssl.SSLSocket:
        """:see: `ssl.SSLContext.wrap_socket`."""
        self.read()
        return self.wrap_socket(*args, **kwargs)


def _defer(context: ssl.SSLContext) -> None:
    context.__class__ = Deferred
    if isinstance(context, Deferred):
        _deferred.append(context)


@contextmanager
def deferring() -> Iterator[None]:
    """Contexts that are made meanwhile, by whomever, read the system's authorities when they are first used.

    Of the whole process: better before there are threads.
    """
    setattr(ssl.SSLContext, _READS, _defer)
    try:
        yield
    finally:
        delattr(ssl.SSLContext, _READS)


def read_authorities() -> None:
    """Read them now for contexts that verify, since they will be needed: better before the first request than in it."""
    for context in _deferred:
        if isinstance(context, Deferred) and context.verify_mode is not ssl.CERT_NONE:
            context.read()
    _deferred.clear()
