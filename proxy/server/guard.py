"""Who may ask the admin listener what.

Some things stand between it and the world: a bearer token, the Host field (a page in an operator's browser whose name
was rebound to 127.0.0.1 still sends its own name, and an address cannot be rebound), Origin, and where there is no
token the content type (a form on a stranger's page can post to loopback, but not JSON).
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping

from proxy.settings import Admin
from proxy.settings.fields import is_address

_SAFE = frozenset({"GET", "HEAD"})


class Refused(Exception):
    """An answer that is no.

    :ivar status: of the answer.
    :ivar headers: fields that belong to it.
    """

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})


class Guard:
    """Checks requests before they are answered."""

    def __init__(self, admin: Admin) -> None:
        self._token = admin.token.encode()
        self._names = frozenset({admin.host.lower(), "localhost", *(name.lower() for name in admin.names)})

    def check_host(self, host: str) -> None:
        """Refuse names that nobody has said are ours. No Host at all: that is no browser.

        :raises Refused: 421 (RFC 9110 section 15.5.20).
        """
        name = _name(host)
        if name and name not in self._names and not is_address(name):
            raise Refused(421, "this listener answers to addresses, to localhost and to admin.names")

    def check_origin(self, origin: str | None, host: str) -> None:
        """Refuse what another site's page makes a browser send.

        :raises Refused: 403.
        """
        if origin is not None and origin.partition("://")[2].lower() != host.lower():
            raise Refused(403, "requests from other sites' pages are not answered here")

    def check_kind(self, method: str, content_type: str | None) -> None:
        """Refuse to change anything for what a form on another site's page could send as well.

        To be called after `check_token`: who has shown a token is no such form.

        :raises Refused: 415.
        """
        kind = (content_type or "").partition(";")[0].strip().lower()
        if method not in _SAFE and not self._token and kind != "application/json":
            raise Refused(415, "send Content-Type: application/json", {"Accept": "application/json"})

    def check_token(self, authorization: str | None) -> None:
        """Ask for the bearer token, when there is one (RFC 6750 section 2.1).

        :raises Refused: 401.
        """
        if not self._token:
            return
        scheme, _, shown = (authorization or "").partition(" ")
        known = hmac.compare_digest(shown.strip().encode("utf-8", "surrogateescape"), self._token)
        if scheme.lower() != "bearer" or not known:
            raise Refused(401, "a bearer token is needed", {"WWW-Authenticate": 'Bearer realm="passerelle"'})


def _name(host: str) -> str:
    """The name in a Host field, without port and brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].removesuffix(".").lower()
