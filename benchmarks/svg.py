"""Bar plots without a plotting library: a bar for the median, a line for the spread, the number beside it.

The files go into the documentation, so their bytes depend on the figures alone: no dates, no random ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from benchmarks.stats import Spread

_WIDTH, _LEFT, _RIGHT = 760, 170, 110
_TOP, _ROW, _BAR = 54, 34, 20
_OURS, _THEIRS, _INK = "#0b6e4f", "#9aa5b1", "#1f2933"


@dataclass(frozen=True, slots=True)
class Bar:
    """One row of a plot: what it is, its figures, and whether it is the one that the plot is about."""

    label: str
    value: Spread
    ours: bool = False


def bar_chart(title: str, unit: str, bars: Sequence[Bar]) -> str:
    """Return an SVG document with one horizontal bar for each of `bars`, all on one scale that begins at zero."""
    height = _TOP + _ROW * len(bars) + 16
    scale = (_WIDTH - _LEFT - _RIGHT) / (max((bar.value.high for bar in bars), default=0.0) or 1.0)
    rows = [_row(bar, _TOP + _ROW * index, scale) for index, bar in enumerate(bars)]
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img" '
        f'font-family="system-ui, sans-serif" font-size="14" fill="{_INK}">'
    )
    return "\n".join(
        [
            opening,
            f"<title>{escape(title)}</title>",
            '<rect width="100%" height="100%" fill="#ffffff"/>',
            f'<text x="16" y="22" font-weight="600">{escape(title)}</text>',
            f'<text x="16" y="41" font-size="12">{escape(unit)}</text>',
            *rows,
            "</svg>\n",
        ]
    )


def _row(bar: Bar, top: int, scale: float) -> str:
    middle, baseline = top + _BAR / 2, top + _BAR - 5
    low, high = _LEFT + bar.value.low * scale, _LEFT + bar.value.high * scale
    width, colour = bar.value.median * scale, _OURS if bar.ours else _THEIRS
    weight = ' font-weight="600"' if bar.ours else ""
    return "\n".join(
        [
            f'<text x="{_LEFT - 10}" y="{baseline}" text-anchor="end"{weight}>{escape(bar.label)}</text>',
            f'<rect x="{_LEFT}" y="{top}" width="{width:.1f}" height="{_BAR}" fill="{colour}"/>',
            f'<line x1="{low:.1f}" y1="{middle:g}" x2="{high:.1f}" y2="{middle:g}" stroke="{_INK}"/>',
            f'<text x="{high + 8:.1f}" y="{baseline}"{weight}>{number(bar.value.median)}</text>',
        ]
    )


def number(value: float) -> str:
    """Return `value` with three figures that matter, or whole thousands with separators."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
