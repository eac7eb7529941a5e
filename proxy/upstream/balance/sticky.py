"""A client stays with the target that it was sent to first, by a cookie of ours.

The cookie names the target by a keyed hash: it tells nobody an address, and nobody can choose a target by making one
up. It is put on the answer behind all hooks: it is one client's, and a cache that saw it would keep it for others, or
keep nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from hashlib import blake2b

from proxy.exchange import Endpoint, Exchange
from proxy.upstream.balance.balancer import NONE, Balancer, Mark
from proxy.upstream.balance.keys import cookie
from proxy.upstream.condition import Target, identity

_LENGTH = 12  # bytes of the hash


class Cookie:
    """How the cookie is written.

    :ivar name: its name.
    :ivar secret: the key of the hash.
    :ivar max_age: seconds that it is kept; 0 for as long as the browser runs.
    """

    __slots__ = ("max_age", "name", "secret")

    def __init__(self, name: str, secret: bytes, max_age: float = 0.0) -> None:
        self.name = name
        self.secret = blake2b(secret, digest_size=32).digest()
        self.max_age = max_age

    def token(self, endpoint: Endpoint) -> str:
        """What stands for an endpoint."""
        return blake2b(identity(endpoint).encode(), key=self.secret, digest_size=_LENGTH).hexdigest()

    def field(self, token: str, secure: bool) -> str:
        """The value of Set-Cookie (RFC 6265 section 4.1)."""
        age = f"; Max-Age={self.max_age:.0f}" if self.max_age else ""
        return f"{self.name}={token}; Path=/{age}; HttpOnly; SameSite=Lax{'; Secure' if secure else ''}"


class Sticky:
    """The target that the cookie names while it is well, also when it is draining; else what `second` chooses."""

    __slots__ = ("_bound", "_cookie", "_second", "_tokens")

    affine = True
    chooses = True

    def __init__(self, how: Cookie, second: Balancer) -> None:
        self._cookie = how
        self._second = second
        self._bound: dict[str, Target] = {}  # by token
        self._tokens: dict[Endpoint, str] = {}

    def use(self, ready: Sequence[Target], every: Sequence[Target]) -> None:
        """:see: `Balancer.use`."""
        self._tokens = {target.endpoint: self._cookie.token(target.endpoint) for target in every}
        self._bound = {self._tokens[target.endpoint]: target for target in every if target.condition.well}
        self._second.use(ready, every)

    def pick(self, exchange: Exchange, avoid: Collection[Endpoint] = NONE) -> Target:
        """:see: `Balancer.pick`."""
        bound = self._bound.get(cookie(exchange, self._cookie.name))
        if bound is not None and bound.endpoint not in avoid:
            return bound
        return self._second.pick(exchange, avoid)

    def preview(self, exchange: Exchange) -> Target:
        """:see: `Balancer.preview`."""
        return self._bound.get(cookie(exchange, self._cookie.name)) or self._second.preview(exchange)

    @property
    def mark(self) -> Mark:
        """:see: `Balancer.mark`."""
        return self._mark

    def _mark(self, exchange: Exchange) -> None:
        """Tell the client to stay where it is now, unless it knows; what a plugin has fetched is nobody's answer."""
        endpoint = exchange.endpoint
        token = None if endpoint is None else self._tokens.get(endpoint)
        if endpoint is None or token is None or exchange.parent is not None:
            return
        if cookie(exchange, self._cookie.name) != token:
            exchange.stays = endpoint, self._cookie.field(token, exchange.request.scheme == "https")

    def describe(self) -> str:
        """:see: `Balancer.describe`."""
        return f"sticky by the cookie {self._cookie.name}, else {self._second.describe()}"
