"""Conditions on what an event says."""

from __future__ import annotations

from typing import Any

import pytest

from plugins.webhook.filters import compile_filter

EVENT = {
    "type": "quota.low",
    "subject": "gold 2026-11",
    "data": {"percent": 80, "quota": "gold", "ok": True, "n": None},
}


@pytest.mark.parametrize(
    ("said", "fits"),
    [
        ({}, True),
        ({"type": "quota.low"}, True),
        ({"type": "quota.exceeded"}, False),
        ({"data.percent": {"$gte": 80}}, True),
        ({"data.percent": {"$gt": 80}}, False),
        ({"data.percent": {"$lt": 81, "$gt": 79}}, True),
        ({"data.percent": {"$lte": 79.5}}, False),
        ({"data.percent": {"$gte": 80}, "data.quota": "silver"}, False),
        ({"data.quota": {"$in": ["gold", "silver"]}}, True),
        ({"data.quota": {"$nin": ["gold"]}}, False),
        ({"data.quota": {"$ne": "silver"}}, True),
        ({"data.quota": {"$eq": "gold"}}, True),
        ({"data.quota": {"$gt": "a"}}, True),
        ({"data.quota": {"$gt": 1}}, False),
        ({"data.ok": {"$gte": 0}}, False),
        ({"data.missing": {"$gte": 0}}, False),
        ({"data.missing": {"$exists": False}}, True),
        ({"data.percent": {"$exists": True}}, True),
        ({"data.n": {"$exists": True}}, True),
        ({"data.n": None}, True),
        ({"data.percent.deeper": 1}, False),
    ],
)
def test_what_fits(said: dict[str, Any], fits: bool) -> None:
    assert compile_filter(said)(EVENT) is fits


@pytest.mark.parametrize(
    "said", [{"a": {"$near": 1}}, {"a": {"gte": 1}}, {"a": {"$in": "gold"}}, {"a": {"$gt": True}}, {"a": {"$lt": None}}]
)
def test_what_is_no_filter(said: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="a: "):
        compile_filter(said)
