"""What operators asked for about targets, as it travels from the processes that know to those that come later."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from proxy.upstream.condition import identity
from proxy.upstream.upstream import Upstream

# By upstream and by a target's identity: whether it is drained, and its weight where that is not the configured one.
Steering: TypeAlias = "dict[str, dict[str, tuple[bool, int | None]]]"

_NOTHING = (False, None)


def steering(upstreams: Mapping[str, Upstream]) -> Steering:
    """What was asked for, of the targets that there are."""
    found: Steering = {}
    for name, upstream in upstreams.items():
        asked = {identity(one.endpoint): (one.condition.draining, one.condition.weight) for one in upstream.targets}
        found[name] = {url: wish for url, wish in asked.items() if wish != _NOTHING}
    return found


def steer(upstreams: Mapping[str, Upstream], asked: Steering) -> None:
    """Have the targets as they were asked for; those of which nothing is said as they are configured."""
    for name, upstream in upstreams.items():
        for target in upstream.targets:
            known = target.condition.draining, target.condition.weight
            wish = asked.get(name, {}).get(identity(target.endpoint), _NOTHING)
            if wish != known:
                upstream.targets.drain(target.endpoint, wish[0])
                upstream.set_weight(target.endpoint, wish[1])
