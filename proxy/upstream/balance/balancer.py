"""What every way to choose a target has."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Protocol, TypeAlias

from proxy.exchange import Endpoint, Exchange
from proxy.upstream.condition import Target

Mark: TypeAlias = Callable[[Exchange], None]
NONE: Collection[Endpoint] = ()


class Balancer(Protocol):
    """A way to choose."""

    affine: bool
    """Whether it matters to which target a request goes: a try that a dead idle connection spoilt is then repeated on
    the same one, even when there are others."""
    chooses: bool
    """Whether it has a say even when only one target can take the request."""

    def use(self, ready: Sequence[Target], every: Sequence[Target]) -> None:
        """These can take requests from now on, by their `share`.

        :param ready: at least one.
        :param every: all of the upstream's targets, those included.
        """

    def pick(self, exchange: Exchange, avoid: Collection[Endpoint] = NONE) -> Target:
        """The target that takes the next try.

        :param avoid: endpoints that were tried; at least one that is ready is not among them.
        """

    def preview(self, exchange: Exchange) -> Target:
        """What `pick` would give now, without taking a turn."""

    @property
    def mark(self) -> Mark | None:
        """What is told of answers that came from `exchange.endpoint`, before any hook is; None for nothing."""

    def describe(self) -> str:
        """In words, for an explanation."""


class Plain:
    """What most ways have in common: any target will do, and answers are none of their business."""

    __slots__ = ()

    affine = False
    chooses = False

    @property
    def mark(self) -> Mark | None:
        """:see: `Balancer.mark`."""
        return None
