"""What is told of instructions that stay unspecialised."""

from __future__ import annotations

import dis
import sys
from collections import Counter
from collections.abc import Callable

import pytest

from benchmarks.adaptive import Watch, main, slow, tracing, watched
from benchmarks.paths import PATHS

NAMED = sys.version_info[:2] == (3, 11)  # the instructions' names are that version's


def one() -> int:
    return 1


class Plain:
    __slots__ = ("clock", "value")

    def __init__(self) -> None:
        self.clock: Callable[[], int] = one
        self.value = 1


def quick(held: Plain) -> int:
    return held.value + held.value


def called(held: Plain) -> int:
    return held.clock()


def test_a_function_in_a_slot_is_found_and_a_number_is_not() -> None:
    held = Plain()
    with tracing(None):
        for _ in range(100):
            quick(held)
            called(held)
    every = Counter({at.offset: 1 for code in (quick.__code__, called.__code__) for at in dis.get_instructions(code)})
    assert list(slow(quick.__code__, every)) == []
    found = [(at.function, at.instruction, at.about) for at in slow(called.__code__, every)]
    assert found == ([("called", "LOAD_METHOD", "clock")] if NAMED else [])
    assert list(slow(called.__code__, Counter())) == []  # nobody came by


async def test_a_request_is_watched_from_its_first_byte_to_its_last() -> None:
    watch = await watched(next(path for path in PATHS if path.name == "respond"), warm=10)
    names = {code.co_qualname for code in watch.ran}
    assert {"Connection.data_received", "Engine.begin", "Outlet.deliver", "Corked.flush"} <= names
    assert not isinstance(sys.gettrace(), Watch)


def test_the_list_names_function_line_and_instruction(capsys: pytest.CaptureFixture[str]) -> None:
    done, said = main(["--only", "respond"]), capsys.readouterr().out
    assert (done, "HeadReader.read" in said) == ((0, True) if NAMED else (2, False))
    assert NAMED or "3.11" in said
