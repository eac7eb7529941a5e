from __future__ import annotations

import random
import re
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any
from urllib.parse import quote

import pytest

from benchmarks import sanitize_attacks, sanitize_harmless
from benchmarks.sanitize import (
    PLAIN,
    SEARCH,
    SUSPICIOUS,
    document,
    measured,
    microseconds,
    rates,
    refused,
    request,
    table,
)
from benchmarks.sanitize_corpora import half
from plugins.sanitize import bodies
from plugins.sanitize.config import Config
from plugins.sanitize.judge import Judge
from plugins.sanitize.plugin import Sanitize

JUDGE = Judge(Config(mode="block"))


def test_a_text_stands_in_one_half_with_its_near_twins() -> None:
    twins = ("1' OR 1=1", "7' or  42=42", "1' or 1=1")
    assert len({half(text) for text in twins}) == 1
    assert half("../" * 3) == half("../" * 9)
    assert {half(f"text {chr(97 + number)}") for number in range(26)} == {0, 1}


def test_a_text_is_judged_as_a_query_parameter_whatever_it_holds() -> None:
    assert refused(JUDGE, "1' or '1'='1")
    assert refused(JUDGE, "<script>&=+%\x00\ud800")
    assert not refused(JUDGE, "red & white = pink + 50% \ud800")


def test_rates_are_counted_by_kind() -> None:
    corpora = {"bad": ["<script>", "; cat /etc/passwd", "fine"], "good": ["a", "b"], "none": []}
    rows = rates(JUDGE, corpora)
    assert rows == [("bad", 2, 3), ("good", 0, 2), ("none", 0, 0)]
    assert table(rows).splitlines()[2:] == ["| bad | 3 | 66.67 % |", "| good | 2 | 0.00 % |", "| none | 0 | 0.00 % |"]


def test_only_one_half_is_measured() -> None:
    corpora = {"x": [f"text {chr(97 + number)}" for number in range(26)]}
    first, second = measured(corpora, 0)["x"], measured(corpora, 1)["x"]
    assert first
    assert second
    assert sorted(first + second) == sorted(corpora["x"])


def test_what_is_made_is_the_same_every_time() -> None:
    for make in (sanitize_attacks.commands, sanitize_attacks.paths, sanitize_attacks.others):
        assert list(make()) == list(make())
    made = {name: list(texts) for name, texts in sanitize_harmless.harmless().items()}
    assert made == {name: list(texts) for name, texts in sanitize_harmless.harmless().items()}
    assert all(len(texts) > 100 for texts in made.values())


def test_placeholders_are_filled_in() -> None:
    text = sanitize_attacks.filled("[RANDNUM]=[RANDNUM] [RANDSTR1] [SLEEPTIME] [QUERY] [UNION]", random.Random(1))
    assert re.fullmatch(r"(\d{4})=\1 [A-Za-z]{4} 5 SELECT user UNION ALL SELECT NULL", text)


def test_the_cost_of_one_call_is_measured() -> None:
    calls: list[int] = []
    assert microseconds(lambda: calls.append(1), rounds=3) >= 0
    assert len(calls) % 3 == 0
    assert calls


def steps(work: Callable[[], object]) -> int:
    """How many instructions of Python's own machine a call takes: the same on every machine, however busy."""
    count = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal count
        frame.f_trace_opcodes = True
        count += event == "opcode"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
    return count


@pytest.mark.parametrize(("target", "most"), [(PLAIN, 300), (SEARCH, 300)])
def test_a_plain_request_costs_next_to_nothing(target: str, most: int) -> None:
    plugin, plain = Sanitize(Config()), request(target)
    plugin._look(plain)  # User-Agent, Referer and Cookie are known from then on
    assert steps(lambda: plugin._look(plain)) <= most


@pytest.mark.parametrize("text", SUSPICIOUS)
def test_a_suspicious_value_costs_thirty_microseconds_at_most(text: str) -> None:
    """About 14 ns for each, with what the pattern engine takes."""
    plugin, odd = Sanitize(Config()), request("/search?q=" + quote(text))
    plugin._look(odd)
    assert steps(lambda: plugin._look(odd)) <= 2000


def test_a_body_of_ten_kilobytes_costs_a_millisecond_at_most() -> None:
    judge, data = Judge(Config()), document()
    assert len(data) >= 10_000
    assert steps(lambda: judge.look(bodies.values("json", data, "application/json", judge.clears))) <= 30_000
