"""The budget: a share of the requests of the last ten seconds, and never less than its floor."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from proxy.clock import ManualClock
from proxy.upstream.retry import Budget, RetryPolicy
from tests.unit.upstream.crew import exchange


def taken(budget: Budget, most: int = 10_000) -> int:
    """How many retries it gives now."""
    return next((count for count in range(most) if not budget.retry()), most)


def test_a_quiet_upstream_has_its_floor() -> None:
    assert taken(Budget(ManualClock(), 0.2)) == 100
    assert taken(Budget(ManualClock(), 0.2, floor=0)) == 0


def test_a_share_of_the_requests() -> None:
    clock = ManualClock()
    budget = Budget(clock, 0.2)
    for _ in range(1000):
        budget.request(clock.monotonic())
    assert taken(budget) == 200


def test_what_the_last_resort_spends_is_part_of_the_share() -> None:
    budget = Budget(ManualClock(), 0.2)
    for _ in range(5000):
        budget.request(0.0)
    for _ in range(600):
        budget.spend()
    assert budget.spare
    assert taken(budget) == 400
    for _ in range(400):
        budget.spend()
    assert not budget.spare


def test_the_last_resort_of_a_quiet_upstream_leaves_the_floor() -> None:
    budget = Budget(clock := ManualClock(), 0.2)
    spent = 0
    while budget.spare:
        budget.spend()
        spent += 1
    assert (spent, taken(budget)) == (320, 100)
    clock.advance(10.0)
    assert budget.spare


def test_what_is_ten_seconds_old_is_forgotten() -> None:
    clock = ManualClock()
    budget = Budget(clock, 0.5, floor=0)
    for _ in range(100):
        budget.request(clock.monotonic())
    clock.advance(9)
    assert taken(budget) == 50
    clock.advance(1)
    assert taken(budget) == 0
    for _ in range(100):
        budget.request(clock.monotonic())
    assert taken(budget) == 0  # those of a second ago still count
    clock.advance(9)
    assert taken(budget) == 50


def test_a_long_silence_empties_everything() -> None:
    clock = ManualClock()
    budget = Budget(clock, 1.0, floor=0)
    for _ in range(30):
        budget.request(clock.monotonic())
        clock.advance(0.5)
    clock.advance(1e6)
    assert taken(budget) == 0


def test_a_request_that_waited_wipes_nothing() -> None:
    """A hook held it for five seconds; the retries counted since then stay counted."""
    clock = ManualClock()
    began = clock.monotonic()
    budget = Budget(clock, 0.2)
    clock.advance(5)
    assert taken(budget) == 100
    budget.request(began)
    budget.request(clock.monotonic())
    assert taken(budget) == 0


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("pass"), st.floats(0, 25)),
        st.tuples(st.just("request"), st.floats(0, 8)),
        st.tuples(st.just("retry"), st.just(0.0)),
    ),
    max_size=200,
)


@given(STEPS, st.floats(0, 1), st.integers(0, 3))
def test_in_no_ten_seconds_more_than_the_share_or_the_floor(
    steps: list[tuple[str, float]], share: float, floor: int
) -> None:
    """Against a model that remembers every request and retry, by the second."""
    clock = ManualClock()
    budget = Budget(clock, share, floor=floor)
    retries: list[int] = []
    requests = 0
    for what, amount in steps:
        now = int(clock.monotonic())
        if what == "pass":
            clock.advance(amount)
        elif what == "request":
            budget.request(clock.monotonic() - amount)
            requests += 1
        elif budget.retry():
            retries.append(now)
            recent = sum(1 for second in retries if second > now - 10)
            assert recent <= max(10 * floor, share * requests)


@given(st.floats(0, 1), st.integers(0, 300))
def test_the_share_is_all_given(share: float, requests: int) -> None:
    clock = ManualClock()
    budget = Budget(clock, share, floor=0)
    for _ in range(requests):
        budget.request(clock.monotonic())
    assert taken(budget) == int(share * requests)


def test_an_answer_is_held_where_another_try_is_left() -> None:
    clock = ManualClock()
    budget = Budget(clock, 1.0, floor=0)
    policy, x = RetryPolicy(clock, budget, attempts=1, hold=100), exchange()

    def held() -> int:
        x.attempts += 1
        policy.begins(x)
        return x.hold

    assert [held(), held()] == [100, 0]
    x.before = x.attempts  # from here on they are another upstream's
    assert held() == 100
    x.fresh = True  # that one's connection was dead, which is not counted
    assert [held(), held()] == [100, 0]
    assert taken(budget) == 2  # one request was counted for each of the two upstreams
