"""The scenarios agree with the peers, the origin and each other."""

from __future__ import annotations

import json

from benchmarks.origin import lengths
from benchmarks.peers import PEERS
from benchmarks.scenarios import DIRECT, FIXED_BODY, SCENARIOS, SMALL_BODY, SUBJECT, RateBar


def test_names_are_unique() -> None:
    assert len({scenario.name for scenario in SCENARIOS}) == len(SCENARIOS)


def test_every_peer_exists_and_the_subject_is_among_them() -> None:
    for scenario in SCENARIOS:
        assert set(scenario.peers) <= PEERS.keys()
        assert SUBJECT in scenario.peers


def test_every_bar_is_against_a_peer_that_is_measured() -> None:
    for scenario in SCENARIOS:
        against = {bar.against if isinstance(bar, RateBar) else DIRECT for bar in scenario.bars}
        assert against <= set(scenario.peers)


def test_the_expected_length_is_what_is_served() -> None:
    for scenario in SCENARIOS:
        served = len(FIXED_BODY) if scenario.serve == "respond" else lengths("nginx")[scenario.path]
        assert scenario.answer == served


def test_the_small_answer_is_json() -> None:
    assert json.loads(SMALL_BODY)["name"] == "Footbridge"
