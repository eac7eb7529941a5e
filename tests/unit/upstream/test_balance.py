"""Round robin gives every target its share, evenly spread, and another one for another try."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proxy.exchange import Endpoint, Exchange, Peer
from proxy.message import Request, Response
from proxy.upstream.balance import RoundRobin

PICKS = 100_000


class Nobody:
    """A client's end that is never reached."""

    def informed(self, exchange: Exchange, response: Response) -> None:
        raise AssertionError("nothing is sent here")

    def deliver(self, exchange: Exchange) -> None:
        raise AssertionError("nothing is sent here")


def endpoints(*weights: int) -> list[Endpoint]:
    return [Endpoint(f"http://a:{n}", "http", "a", n, weight=weight) for n, weight in enumerate(weights, 1)]


def exchange() -> Exchange:
    return Exchange("id", Request("GET", "/"), Peer("192.0.2.1"), Nobody(), 0.0)


@settings(max_examples=6, deadline=None)
@given(st.lists(st.integers(1, 1000), min_size=1, max_size=8))
def test_every_target_gets_its_share_within_one_percent(weights: list[int]) -> None:
    targets = endpoints(*weights)
    balancer, x = RoundRobin(targets), exchange()
    counts = Counter(balancer.pick(x).port for _ in range(PICKS))
    for target in targets:
        share = target.weight / sum(weights)
        assert abs(counts[target.port] / PICKS - share) < 0.01


@given(st.lists(st.integers(1, 20), min_size=2, max_size=6))
def test_a_round_is_exact(weights: list[int]) -> None:
    targets = endpoints(*weights)
    balancer, x = RoundRobin(targets), exchange()
    for _ in range(3):
        assert Counter(ports(balancer, x, sum(weights))) == {target.port: target.weight for target in targets}


def ports(balancer: RoundRobin, x: Exchange, count: int) -> list[int]:
    return [balancer.pick(x).port for _ in range(count)]


def test_a_heavy_target_gets_no_burst() -> None:
    assert ports(RoundRobin(endpoints(5, 1, 1)), exchange(), 7) == [1, 1, 2, 1, 3, 1, 1]


@given(st.lists(st.integers(1, 1000), min_size=2, max_size=6), st.integers(0, 50))
def test_every_try_goes_elsewhere_while_there_is_an_elsewhere(weights: list[int], before: int) -> None:
    targets = endpoints(*weights)
    balancer, x = RoundRobin(targets), exchange()
    ports(balancer, x, before)
    for _ in range(2 * len(targets)):
        chosen = balancer.pick(x)
        if len(x.tried) < len(targets):
            assert chosen not in x.tried
        else:
            assert chosen is not x.tried[-1]
        x.tried += (chosen,)


def test_one_target_is_tried_again() -> None:
    balancer, x = RoundRobin(endpoints(3)), exchange()
    x.tried = (balancer.pick(x),)
    assert balancer.pick(x) is x.tried[0]


@pytest.mark.parametrize("weights", [(1,), (1, 1), (5, 1, 1), (1, 7, 3)])
def test_the_preview_takes_no_turn(weights: tuple[int, ...]) -> None:
    balancer, x = RoundRobin(endpoints(*weights)), exchange()
    for _ in range(30):
        told = balancer.preview()
        assert balancer.preview() is told
        assert balancer.pick(x) is told
