from __future__ import annotations

import pytest

from plugins.cache.conditions import is_strong, not_modified, range_holds, validators
from plugins.cache.dates import write_date
from proxy.api import Headers

NOW = 1_700_000_000.0
TAGGED = {"ETag": '"a"', "Last-Modified": write_date(NOW - 3000), "Date": write_date(NOW)}


@pytest.mark.parametrize(
    ("wanted", "stored", "met"),
    [
        ({}, TAGGED, False),
        ({"If-None-Match": '"a"'}, TAGGED, True),
        ({"If-None-Match": 'W/"a"'}, TAGGED, True),
        ({"If-None-Match": '"a"'}, {"ETag": 'W/"a"'}, True),
        ({"If-None-Match": '"b", "a", "c"'}, TAGGED, True),
        ({"If-None-Match": '"x,y", "a"'}, TAGGED, True),
        ({"If-None-Match": '"b"'}, TAGGED, False),
        ({"If-None-Match": "*"}, {}, True),
        ({"If-None-Match": '"a"'}, {}, False),
        ({"If-None-Match": '"b"', "If-Modified-Since": write_date(NOW)}, TAGGED, False),  # the tag goes before
        ({"If-Modified-Since": write_date(NOW - 3000)}, TAGGED, True),
        ({"If-Modified-Since": write_date(NOW - 2000)}, TAGGED, True),
        ({"If-Modified-Since": write_date(NOW - 4000)}, TAGGED, False),
        ({"If-Modified-Since": "yesterday"}, TAGGED, False),
        ({"If-Modified-Since": write_date(NOW)}, {"Date": write_date(NOW)}, True),
        ({"If-Modified-Since": write_date(NOW - 1)}, {"Date": write_date(NOW)}, False),
        ({"If-Modified-Since": write_date(NOW + 1)}, {}, True),  # by when it came
    ],
)
def test_a_clients_own_condition(wanted: dict[str, str], stored: dict[str, str], met: bool) -> None:
    assert not_modified(Headers(wanted), Headers(stored), NOW) is met


@pytest.mark.parametrize(
    ("condition", "stored", "holds"),
    [
        ('"a"', TAGGED, True),
        ('"b"', TAGGED, False),
        ('W/"a"', {"ETag": 'W/"a"'}, False),  # a part of something that is only alike fits nowhere
        (TAGGED["Last-Modified"], TAGGED, True),
        (TAGGED["Last-Modified"], {**TAGGED, "Date": TAGGED["Last-Modified"]}, False),
        (write_date(NOW - 2000), TAGGED, False),
        (TAGGED["Last-Modified"], {}, False),
    ],
)
def test_conditions_on_parts(condition: str, stored: dict[str, str], holds: bool) -> None:
    assert range_holds(condition, Headers(stored), NOW) is holds


def test_what_an_origin_is_asked() -> None:
    assert [name for name, _ in validators(Headers(TAGGED))] == ["If-None-Match", "If-Modified-Since"]
    assert validators(Headers()) == []
    assert is_strong('"a"')
    assert not is_strong('W/"a"')
