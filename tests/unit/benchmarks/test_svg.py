"""The plot is well-formed, to scale, and says what it is given."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

from benchmarks.stats import Spread
from benchmarks.svg import Bar, bar_chart, number

SVG = "{http://www.w3.org/2000/svg}"


def widths(picture: str) -> list[float]:
    found = ElementTree.fromstring(picture).iter(f"{SVG}rect")
    return [float(rect.attrib["width"]) for rect in found if "%" not in rect.attrib["width"]]


def test_bars_are_to_one_scale_from_zero() -> None:
    bars = [Bar("a", Spread(100, 90, 200, 3)), Bar("b", Spread(50, 50, 50, 3))]
    first, second = widths(bar_chart("t", "u", bars))
    assert first == pytest.approx(2 * second)
    assert first == pytest.approx(480 / 2)  # 760 wide, margins of 170 and 110; the highest extreme fills it


def test_the_spread_is_a_line() -> None:
    picture = ElementTree.fromstring(bar_chart("t", "u", [Bar("a", Spread(50, 25, 100, 3))]))
    line = next(picture.iter(f"{SVG}line"))
    assert (line.attrib["x1"], line.attrib["x2"]) == ("290.0", "650.0")


def test_labels_are_escaped() -> None:
    picture = bar_chart("a < b & c", "u", [Bar("<x>", Spread(1, 1, 1, 1))])
    texts = [element.text for element in ElementTree.fromstring(picture).iter(f"{SVG}text")]
    assert texts[0] == "a < b & c"
    assert "<x>" in texts


def test_ours_stands_out() -> None:
    spread = Spread(1, 1, 1, 1)
    assert bar_chart("t", "u", [Bar("a", spread, ours=True)]) != bar_chart("t", "u", [Bar("a", spread)])


def test_nothing_to_draw_is_still_a_picture() -> None:
    assert widths(bar_chart("t", "u", [])) == []


@pytest.mark.parametrize(("value", "text"), [(12345.6, "12,346"), (99.44, "99.4"), (0.1234, "0.123"), (0, "0")])
def test_number(value: float, text: str) -> None:
    assert number(value) == text
