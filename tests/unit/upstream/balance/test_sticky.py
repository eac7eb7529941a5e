"""A client stays where it was sent, by a cookie that tells nothing."""

from __future__ import annotations

import pytest

from proxy.exchange import Exchange
from proxy.upstream.balance import Cookie, RoundRobin, Sticky
from proxy.upstream.condition import Target
from tests.unit.upstream.crew import alone, exchange


def ready(count: int = 3, max_age: float = 0.0, secret: bytes = b"s" * 16) -> tuple[Sticky, list[Target]]:
    balancer, targets = Sticky(Cookie("at", secret, max_age), RoundRobin()), alone(*[1] * count)
    balancer.use(targets, targets)
    return balancer, targets


def answer(balancer: Sticky, x: Exchange) -> list[str]:
    """Go to where the exchange is sent; the cookies that are set on the way back."""
    x.endpoint = balancer.pick(x).endpoint
    balancer.mark(x)
    return [] if x.stays is None else [x.stays[1]]


def back(field: str) -> Exchange:
    """The next request of a client that was given this cookie."""
    return exchange(headers={"Cookie": f"other=1; {field.partition(';')[0]}"})


def test_a_client_comes_back_to_its_target_and_is_told_nothing_new() -> None:
    balancer, _ = ready()
    for _ in range(3):
        first = exchange()
        (field,) = answer(balancer, first)
        for _ in range(4):
            again = back(field)
            assert balancer.preview(again).endpoint is first.endpoint
            assert answer(balancer, again) == []
            assert again.endpoint is first.endpoint


def test_the_cookie_is_opaque_and_guarded() -> None:
    (field,) = answer(ready()[0], exchange())
    name, *attributes = field.split("; ")
    assert name.startswith("at=")
    assert all(part not in field for part in ("a:1", "http", "s" * 16))
    assert attributes == ["Path=/", "HttpOnly", "SameSite=Lax"]
    other = answer(ready(secret=b"t" * 16)[0], exchange())[0]
    assert other.partition(";")[0] != name


def test_over_https_it_is_secure() -> None:
    assert answer(ready()[0], exchange(scheme="https"))[0].endswith("; Secure")


def test_an_age() -> None:
    assert "; Max-Age=3600; " in answer(ready(max_age=3600)[0], exchange())[0]


@pytest.mark.parametrize("made_up", ["", "x", "http://a:1", "0" * 24])
def test_a_made_up_cookie_chooses_nothing(made_up: str) -> None:
    balancer, _ = ready()
    assert len({balancer.pick(back(f"at={made_up}")).endpoint.port for _ in range(3)}) == 3


def test_a_draining_target_keeps_its_clients_and_gets_no_others() -> None:
    balancer, targets = ready()
    (field,) = answer(balancer, exchange())
    balancer.use(targets[1:], targets)  # the first one takes no new requests, and is well
    assert balancer.pick(back(field)) is targets[0]
    assert targets[0] not in [balancer.pick(exchange()) for _ in range(4)]


def test_when_the_target_is_ill_the_client_moves_and_is_told() -> None:
    balancer, targets = ready()
    (field,) = answer(balancer, exchange())
    targets[0].condition.unhealthy = True
    balancer.use(targets[1:], targets)
    moved = back(field)
    (new,) = answer(balancer, moved)
    assert moved.endpoint is not targets[0].endpoint
    assert balancer.pick(back(new)).endpoint is moved.endpoint


def test_another_try_leaves_the_target() -> None:
    balancer, targets = ready()
    (field,) = answer(balancer, exchange())
    assert balancer.pick(back(field), [targets[0].endpoint]) is not targets[0]
