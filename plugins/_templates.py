"""Texts in which `${exchange.NAME}` stands for a fact of the exchange.

The names are a closed set, so that a slip is found when the configuration is read and not by a client:

    id, route                        request id; name of the route
    request.method, request.scheme   as the client sent them
    request.host, request.path       Host with its port; the path, still percent-encoded
    request.query                    what follows the `?`, empty without one
    peer.host, peer.port             the client's address, and its port (empty when a proxy did not tell)
    peer.certificate.subject, .issuer, .names, .serial, .fingerprint
                                     of the client's certificate (names with a comma between); empty without one

and where an answer is there:

    upstream, endpoint               name of the upstream; URL of the endpoint that answered; empty when none did
    response.status                  three digits

`$${exchange.` stands for a literal `${exchange.`; since the settings turn `$$` into `$` first, that is written
`$$$${exchange.` in YAML. Every other dollar sign stands for itself.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import TypeAlias

from proxy.api import Exchange

Fact: TypeAlias = Callable[[Exchange], str]

_MARK = re.compile(r"\$\$\{exchange\.|\$\{exchange\.([^}]*)(\}?)")
_UNSAFE = re.compile(r"[^\t\x20-\x7e\x80-\xff]")


def _endpoint(exchange: Exchange) -> str:
    """None but an endpoint's own answer names it: where the gateway answered for it, it has failed."""
    return "" if exchange.endpoint is None or exchange.error is not None else exchange.endpoint.url


def _status(exchange: Exchange) -> str:
    return "" if exchange.response is None else str(exchange.response.status)


def _shown(name: str) -> Fact:
    """A fact of the client's certificate."""

    def read(exchange: Exchange) -> str:
        certificate = exchange.peer.certificate
        if certificate is None:
            return ""
        value: str | tuple[str, ...] = getattr(certificate, name)
        return value if isinstance(value, str) else ", ".join(value)

    return read


ON_REQUEST: Mapping[str, Fact] = {
    "id": lambda exchange: exchange.id,
    "route": lambda exchange: exchange.route,
    "request.method": lambda exchange: exchange.request.method,
    "request.scheme": lambda exchange: exchange.request.scheme,
    "request.host": lambda exchange: exchange.request.host,
    "request.path": lambda exchange: exchange.request.path,
    "request.query": lambda exchange: exchange.request.query,
    "peer.host": lambda exchange: exchange.peer.host,
    "peer.port": lambda exchange: str(exchange.peer.port or ""),
    **{f"peer.certificate.{name}": _shown(name) for name in ("subject", "issuer", "names", "serial", "fingerprint")},
}

ON_RESPONSE: Mapping[str, Fact] = {
    **ON_REQUEST,
    "upstream": lambda exchange: exchange.upstream,
    "endpoint": _endpoint,
    "response.status": _status,
}


class Template:
    """A text, compiled once.

    :param facts: what it may name.
    :ivar names: the facts that it names, in order; empty for a literal text.
    :raises ValueError: for a name that is not among the facts.
    """

    __slots__ = ("_facts", "_format", "names")

    def __init__(self, text: str, facts: Mapping[str, Fact]) -> None:
        parts = list(_parts(text))
        self.names = tuple(name for _, name in parts if name is not None)
        for name in self.names:
            _check(name, facts)
        self._facts = tuple(facts[name] for name in self.names)
        self._format = "".join(literal.replace("%", "%%") + ("" if name is None else "%s") for literal, name in parts)

    def render(self, exchange: Exchange) -> str:
        """The text for an exchange; what could end a field's line becomes a space (RFC 9110 section 5.5)."""
        return _UNSAFE.sub(" ", self._format % tuple([fact(exchange) for fact in self._facts]))


def literals(text: str) -> str:
    """What is left of a template's text without its `${…}`."""
    return "".join(literal for literal, _ in _parts(text))


def _parts(text: str) -> Iterator[tuple[str, str | None]]:
    """Pairs of a literal text and the name behind it, which is None at the end and behind an escape.

    :raises ValueError: for a `${exchange.` without its brace.
    """
    position = 0
    for match in _MARK.finditer(text):
        literal, position = text[position : match.start()], match.end()
        name, brace = match.groups()
        if name is None:
            yield literal + "${exchange.", None
        elif not brace:
            raise ValueError('"${exchange." is never closed; "$$$${exchange." in YAML stands for the text itself')
        else:
            yield literal, name
    yield text[position:], None


def _check(name: str, facts: Mapping[str, Fact]) -> None:
    if name in facts:
        return
    if name in ON_RESPONSE:
        raise ValueError(f"${{exchange.{name}}} is known only once there is an answer: not for a request's fields")
    import difflib  # loaded when something is misspelt

    near = [known for known in facts if known.endswith(f".{name}")] or difflib.get_close_matches(name, facts, n=1)
    remedy = f"did you mean ${{exchange.{near[0]}}}?" if near else f"known are {', '.join(facts)}"
    raise ValueError(f"there is no ${{exchange.{name}}}; {remedy}")
