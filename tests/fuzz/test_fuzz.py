"""The corpus, bent: the origin sees a strict parse of what was accepted, or nothing, and clients see their own answers.

Twice over the same generators: hypothesis, which shrinks what it finds and always draws the same, and a plain loop
over seeds, which is faster and goes on for FUZZ_SECONDS: some seconds in the usual run, an hour by `make soak`. What
is found is printed with its seed and as a line to be pasted into the corpus.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import Coroutine, Iterable, Iterator
from contextlib import AsyncExitStack
from random import Random
from typing import Any

import pytest
import uvloop
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz import draw, requests_play, responses_play
from tests.fuzz.memory import Stage, staged
from tests.wire import cases

SECONDS = float(os.environ.get("FUZZ_SECONDS", "2"))
FIRST = int(os.environ.get("FUZZ_SEED", "0"))
TELL_EVERY = 60.0  # seconds
BOUNDED = settings(
    max_examples=400, derandomize=True, database=None, deadline=None, suppress_health_check=list(HealthCheck)
)


class Arena:
    """A loop with a stage in it, for tests that are not coroutines themselves."""

    def __init__(self, runner: asyncio.Runner, stage: Stage) -> None:
        self._runner = runner
        self.stage = stage

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run something in the loop."""
        return self._runner.run(work)


@pytest.fixture(scope="module")
def arena() -> Iterator[Arena]:
    """One gateway in memory for all cases."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        stack = AsyncExitStack()
        yield Arena(runner, runner.run(stack.enter_async_context(staged())))
        runner.run(stack.aclose())


@pytest.mark.parametrize("case", cases.requests(), ids=lambda case: case.id)
def test_the_reference_agrees_about_requests(case: cases.RequestCase, arena: Arena) -> None:
    arena.run(requests_play.play(arena.stage, requests_play.Sent((case.send,))))


@pytest.mark.parametrize("case", cases.responses(), ids=lambda case: case.id)
def test_the_reference_agrees_about_responses(case: cases.ResponseCase, arena: Arena) -> None:
    request = case.request.replace(b"TARGET", responses_play.TARGET.encode())
    pieces = tuple(piece for piece in case.upstream if piece)
    arena.run(responses_play.play(arena.stage, responses_play.Told(request, pieces, case.after, case.late)))  # type: ignore[arg-type]  # the corpus holds plain strings


@BOUNDED
@given(rng=st.randoms(use_true_random=False))
def test_bent_requests(arena: Arena, rng: Random) -> None:
    sent = draw.sent(rng)
    try:
        arena.run(requests_play.play(arena.stage, sent))
    except AssertionError as error:
        error.add_note(f"{sent}\n{draw.request_case(sent, 'found', str(error)[:80])}")
        raise


@BOUNDED
@given(rng=st.randoms(use_true_random=False))
def test_bent_responses(arena: Arena, rng: Random) -> None:
    told = draw.told(rng)
    try:
        arena.run(responses_play.play(arena.stage, told))
    except AssertionError as error:
        error.add_note(f"{told}\n{draw.response_case(told, 'found', str(error)[:80])}")
        raise


class Tally:
    """What a long run has seen.

    :ivar outcomes: requests and answers by what the reference read in them.
    :ivar found: by the kind of finding, the first of each, in full.
    """

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.cases = 0
        self.outcomes: Counter[str] = Counter()
        self.found: dict[str, str] = {}

    @property
    def elapsed(self) -> float:
        """Seconds since it was begun."""
        return time.monotonic() - self.began

    def __str__(self) -> str:
        outcomes = ", ".join(f"{count} {name}" for name, count in sorted(self.outcomes.items()))
        rate = self.cases / max(self.elapsed, 0.001)
        return f"{self.cases} cases in {self.elapsed:.0f} s ({rate:.0f}/s): {outcomes}; {len(self.found)} failures"


async def one(stage: Stage, seed: int, tally: Tally) -> None:
    """Play one seed's case of each direction."""
    sent, told = draw.sent(Random(seed)), draw.told(Random(seed))
    try:
        tally.outcomes.update(f"requests: {read.kind}" for read in await requests_play.play(stage, sent))
    except Exception as error:
        line = draw.request_case(sent, f"found-{seed}", str(error)[:80])
        note(tally, error, f"seed {seed}: {error!r}\n{sent}\n{line}")
    try:
        tally.outcomes[f"answers: {(await responses_play.play(stage, told)).kind}"] += 1
    except Exception as error:
        line = draw.response_case(told, f"found-{seed}", str(error)[:80])
        note(tally, error, f"seed {seed}: {error!r}\n{told}\n{line}")
    tally.cases += 2


async def several(stage: Stage, seeds: Iterable[int], tally: Tally) -> None:
    """Play the cases of these seeds."""
    for seed in seeds:
        await one(stage, seed, tally)


def note(tally: Tally, error: Exception, text: str) -> None:
    """Keep the first of each kind, and say it at once: the run may be long."""
    kind = f"{type(error).__name__}: {str(error)[:40]}"
    if kind not in tally.found:
        tally.found[kind] = text
        print(text, flush=True)


@pytest.mark.soak
@pytest.mark.timeout(SECONDS + 120)
def test_seeds(arena: Arena) -> None:
    tally, told, seed = Tally(), 0.0, FIRST
    while tally.elapsed < SECONDS:
        arena.run(several(arena.stage, range(seed, seed + 50), tally))
        seed += 50
        if tally.elapsed - told > TELL_EVERY:
            told = tally.elapsed
            print(f"seeds {FIRST} to {seed - 1}: {tally}", flush=True)
    print(f"seeds {FIRST} to {seed - 1}: {tally}", flush=True)
    assert not tally.found, "\n".join(tally.found.values())
