"""What operators asked for about targets travels whole: read in one process, done in another, undone when unsaid."""

from __future__ import annotations

import pickle
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any

import pytest

from proxy.build import Runtime
from proxy.build.upstreams import make_upstreams
from proxy.server.admin_routes import AdminRoutes
from proxy.server.steering import steer, steering
from proxy.settings import Settings
from proxy.upstream.upstream import Upstream

A, B, C = "http://127.0.0.1:9001", "http://127.0.0.1:9002", "http://127.0.0.1:9003"
SAID: dict[str, Any] = {"app": {"targets": [A, {"url": B, "weight": 3}]}, "other": {"targets": [C]}}


Process = Callable[..., "dict[str, Upstream]"]


@pytest.fixture
async def process() -> AsyncIterator[Process]:
    """Upstreams as one process has them."""
    async with AsyncExitStack() as stack:

        def upstreams(said: Mapping[str, Any] = SAID) -> dict[str, Upstream]:
            runtime = Runtime(AdminRoutes())
            stack.push_async_callback(runtime.close)
            made = make_upstreams(Settings.model_validate({"upstreams": said}), runtime)
            return {name: held.thing for name, held in made.items()}

        yield upstreams


def state(found: Mapping[str, Upstream], name: str, url: str) -> tuple[bool, int]:
    target = found[name].targets[url]
    return target.condition.draining, target.weight


async def test_nothing_is_said_of_what_is_as_configured(process: Process) -> None:
    assert steering(process()) == {"app": {}, "other": {}}


async def test_what_was_asked_for_travels_to_another_process(process: Process) -> None:
    here, there = process(), process()
    here["app"].targets.drain(A)
    here["app"].set_weight(B, 7)
    asked = steering(here)
    assert asked == {"app": {A: (True, None), B: (False, 7)}, "other": {}}
    steer(there, pickle.loads(pickle.dumps(asked)))
    assert [state(there, *at) for at in (("app", A), ("app", B), ("other", C))] == [(True, 1), (False, 7), (False, 1)]
    assert steering(there) == asked


async def test_what_is_no_longer_said_is_as_configured(process: Process) -> None:
    found = process()
    steer(found, {"app": {A: (True, 5), B: (True, None)}, "other": {C: (False, 9)}})
    assert [state(found, *at) for at in (("app", A), ("app", B), ("other", C))] == [(True, 5), (True, 3), (False, 9)]
    steer(found, {"app": {B: (True, None)}})
    assert [state(found, *at) for at in (("app", A), ("app", B), ("other", C))] == [(False, 1), (True, 3), (False, 1)]


async def test_what_is_known_of_targets_that_are_not_there_is_passed_over(process: Process) -> None:
    found = process({"app": {"targets": [A]}})
    steer(found, {"app": {A: (True, None), "http://127.0.0.1:1": (True, 2)}, "gone": {C: (True, None)}})
    assert steering(found) == {"app": {A: (True, None)}}


async def test_a_target_is_chosen_anew_at_once(process: Process) -> None:
    found = process({"app": {"targets": [A, B]}})
    picks: list[object] = []
    found["app"].targets.repick = picks.append
    steer(found, {"app": {A: (True, None)}})
    assert picks
    picks.clear()
    steer(found, {"app": {A: (True, None)}})
    assert picks == [], "what is so already changes nothing"
