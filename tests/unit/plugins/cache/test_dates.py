from __future__ import annotations

import pytest

from plugins.cache.dates import read_date, write_date

NOW = 1_700_000_000.0  # 14 November 2023


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("Sun, 06 Nov 1994 08:49:37 GMT", 784111777),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 784111777),
        ("Sun Nov  6 08:49:37 1994", 784111777),
        ("Saturday, 01-Jan-60 00:00:00 GMT", 2840140800),  # 37 years ahead
        ("Saturday, 01-Jan-80 00:00:00 GMT", 315532800),  # more than 50 years ahead: the century before
        ("0", None),
        ("-1", None),
        ("", None),
        ("Sun, 06 Nov 1994 08:49:37 UTC", None),
        ("Sun, 06 Nov 1994 08:49:37", None),
        ("Sun, 6 Nov 1994 08:49:37 GMT", None),
        ("sun, 06 Nov 1994 08:49:37 GMT", None),
        ("Sun, 06 nov 1994 08:49:37 GMT", None),
        ("Sun, 06 Nov 1994 8:49:37 GMT", None),
        ("Sun,  06 Nov 1994 08:49:37 GMT", None),
        ("Sun, 06 Nov 94 08:49:37 GMT", None),
        ("Sun, 06 Nov 1994 24:49:37 GMT", None),
        ("Sun, 00 Nov 1994 08:49:37 GMT", None),
        ("06 Nov 1994 08:49:37 GMT", None),
    ],
)
def test_the_three_forms_and_nothing_else(text: str, moment: int | None) -> None:
    assert read_date(text, NOW) == moment


def test_what_is_written_can_be_read() -> None:
    assert read_date(write_date(784111777), NOW) == 784111777
