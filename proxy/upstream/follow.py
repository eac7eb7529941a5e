"""Keeps an upstream in step with the names of its targets.

A target that resolves to its first address stays one endpoint, whose idle connections to addresses that are gone are
closed. One that resolves to all of them is an endpoint for each; until the first answer it is the name itself, so that
a gateway starts although nobody can tell its upstreams' addresses yet.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from proxy.exchange import Endpoint
from proxy.upstream.resolve import Addresses, Resolver


class Follower:
    """What follows the names of one upstream.

    :param targets: an endpoint for each target, in the order of the configuration.
    :param single: those that are followed, and stay one endpoint each.
    :param spread: those that are followed, and are an endpoint for each address.
    """

    def __init__(
        self, resolver: Resolver, targets: Sequence[Endpoint], single: Sequence[Endpoint], spread: Sequence[Endpoint]
    ) -> None:
        self._resolver = resolver
        self._single = tuple(single)
        self._spread = tuple(spread)
        self._found: dict[Endpoint, dict[str, Endpoint]] = {target: {"": target} for target in targets}
        self._stops: list[Callable[[], None]] = []

    def start(
        self, moved: Callable[[Endpoint, Addresses], None], replaced: Callable[[Sequence[Endpoint]], None]
    ) -> None:
        """Follow from now on.

        :param moved: told of an endpoint whose name has other addresses now.
        :param replaced: told of all endpoints when there are others; the one for the same address is the same object.
        """
        if self._stops:
            return
        for target in self._single:
            self._stops.append(self._resolver.watch(target.host, partial(moved, target)))
        for target in self._spread:
            self._stops.append(self._resolver.watch(target.host, partial(self._spread_out, replaced, target)))

    def _spread_out(
        self, replaced: Callable[[Sequence[Endpoint]], None], target: Endpoint, addresses: Addresses
    ) -> None:
        known = self._found[target]
        found = {address: known.get(address) or _at(target, address) for address in sorted(addresses)}
        self._found[target] = found
        replaced([endpoint for made in self._found.values() for endpoint in made.values()])

    def stop(self) -> None:
        """Follow no more."""
        while self._stops:
            self._stops.pop()()


def _at(target: Endpoint, address: str) -> Endpoint:
    """The endpoint of one address of a target; the name stays what is asked for, as Host and in the handshake."""
    bracketed = f"[{address}]" if ":" in address else address
    return Endpoint(
        f"{target.scheme}://{bracketed}:{target.port}",
        target.scheme,
        target.host,
        target.port,
        weight=target.weight,
        authority=target.authority,
        prefix=target.prefix,
        host_field=target.host_field,
        address=address,
        tls=target.tls,
    )
