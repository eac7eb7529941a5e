"""What the plugin knows of one exchange, from its way in to its way out."""

from __future__ import annotations

from plugins.cache.directives import US, Directives
from plugins.cache.flights import Flight
from plugins.cache.stored import Stored
from proxy.api import Headers, Key, Request

_CAPABILITY = "surrogate-capability"

# Fields that are about a copy which the client has, and not about the answer that is stored for everybody
_OWN = frozenset({"if-none-match", "if-modified-since", "if-range", "range"})


class Visit:
    """One exchange that the cache looked at.

    :ivar key: cache key; `""` when the cache stands aside.
    :ivar why: reason for which the request goes on, in the words of `marks`.
    :ivar mute: whether it is known that no field of the request says anything to a cache.
    :ivar stored: the stale answer that is validated, or that may stand in for an error; None without one.
    :ivar request: as the client sent it; the exchange's own may be another one while it is upstream.
    :ivar asked: when it was sent on, seconds since the epoch.
    :ivar mark: the cache's, from that moment.
    :ivar flight: the one that it leads.
    :ivar leased: whether other gateways wait for what it stores.
    :ivar lost: why its answer was not stored; `""` when it was.
    :ivar varied: fields named by Vary in which it differs from what is stored; `""` for none.
    """

    __slots__ = (
        *("asked", "flight", "key", "leased", "lost", "mark", "mute", "request", "stored", "validates", "varied"),
        *("wants", "why"),
    )

    def __init__(
        self,
        request: Request,
        key: str,
        why: str,
        wants: Directives,
        stored: Stored | None = None,
        *,
        mute: bool = False,
    ) -> None:
        self.mute = mute
        self.request = request
        self.key = key
        self.why = why
        self.wants = wants
        self.stored = stored
        self.validates = False
        self.asked = 0.0
        self.mark = 0
        self.leased = False
        self.lost = ""
        self.varied = ""
        self.flight: Flight | None = None

    @property
    def loss(self) -> str:
        """Why the upstream had to be asked, for the report of losses."""
        return self.lost or (f"{self.why}:{self.varied}" if self.varied else self.why)


VISIT: Key[Visit] = Key("cache visit")


def unconditional(request: Request, extra: list[tuple[str, str]], method: str = "") -> Request:
    """The request for the whole answer, with conditions of our own in the place of the client's."""
    made = request.copy()
    made.headers.remove_all(_OWN)
    for name, value in extra:
        made.headers.push(name, name.lower(), value)
    made.method = method or made.method
    return made


_CAPABILITIES = frozenset({_CAPABILITY})
_OURS = f'{US}="Surrogate/1.0"'


def announce(request: Request, *, trusted: bool) -> None:
    """Tell the origin that Surrogate-Control may be aimed at this gateway (Edge Architecture Specification).

    :param trusted: whether it came from a proxy of ours. Anybody else's word goes: an origin that writes its pages for
        a surrogate that is not there would have them stored for everybody.
    """
    headers = request.headers
    if not trusted and headers.any_of(_CAPABILITIES):
        headers.remove(_CAPABILITY)
    headers.push("Surrogate-Capability", _CAPABILITY, _OURS)


def conditional(headers: Headers) -> bool:
    """Whether a client asks for less than the whole answer."""
    return not _OWN.isdisjoint(headers.keys)
