"""Charts drawn on the server as SVG: no script, no inline style, colours from the style sheet.

Widths are per cent and heights are pixels, so that letters keep their size on every screen: only
the curve itself is stretched, in a nested drawing of 1000 units' width.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from markupsafe import Markup, escape

from hub.web import form

TOP, PLOT, FOOT = 26, 180, 24
WIDE = 1000.0
TICK_MINUTES = (5, 10, 15, 30, 60, 120, 180, 360, 720)
MOST_TICKS = 8
LEAST_LENGTH = 1e-300  # the tenth of a smaller number may be zero
Value = float | None


@dataclass(frozen=True, slots=True)
class Chart:
    """What to draw: one value per step from ``start_ms``; None is a gap and is drawn as one.

    ``limits`` are lines across, each with its words.
    """

    title: str
    unit: str
    start_ms: int
    step_ms: int
    values: Sequence[Value]
    zone: ZoneInfo
    language: str
    gap_word: str
    limits: Sequence[tuple[float, str]] = ()
    estimated: Sequence[bool] = ()
    estimated_word: str = ""
    mark_ms: int | None = None
    mark_word: str = ""

    @property
    def end_ms(self) -> int:
        """Return where the time axis ends."""
        return self.start_ms + self.step_ms * len(self.values)

    def across(self, instant_ms: float) -> float:
        """Return the share of the width, 0..100, at an instant."""
        return 100 * (instant_ms - self.start_ms) / max(self.end_ms - self.start_ms, 1)


def nice_step(length: float, most: int) -> float:
    """Return the smallest of 1, 2, 5 x 10^n that cuts a length into at most ``most`` pieces.

    >>> nice_step(87, 5)
    20.0
    """
    if length < LEAST_LENGTH or not math.isfinite(length):
        return 1.0
    power = 10.0 ** math.floor(math.log10(length / most))
    return next((m * power for m in (1, 2, 5) if length / (m * power) <= most), 10 * power)


def ticks(low: float, high: float, most: int = 4) -> list[float]:
    """Return round numbers from at or below ``low`` to at or above ``high``.

    >>> ticks(0, 87)
    [0.0, 50.0, 100.0]
    """
    step = nice_step(high - low, most)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [i * step for i in range(first, max(last, first + 1) + 1)]


def gaps(values: Sequence[Value]) -> list[tuple[int, int]]:
    """Return the runs of missing values as (first, behind the last).

    >>> gaps([1, None, None, 2, None])
    [(1, 3), (4, 5)]
    """
    runs: list[tuple[int, int]] = []
    for i, value in enumerate(values):
        if value is None:
            start = runs.pop()[0] if runs and runs[-1][1] == i else i
            runs.append((start, i + 1))
    return runs


def bars(chart: Chart) -> Markup:
    """Draw one bar per step, from zero."""
    scale = scale_of([v for v in chart.values if v is not None])
    width = 100 / max(len(chart.values), 1)
    parts = []
    for i, value in enumerate(chart.values):
        if value is None:
            continue
        y, foot = scale.y(max(value, 0)), scale.y(min(value, 0))
        when = form.clock_time(chart.start_ms + i * chart.step_ms, chart.zone)
        words = f"{when}  {form.number(value, form.decimals(chart.unit))} {form.symbol(chart.unit)}"
        guessed = i < len(chart.estimated) and chart.estimated[i]
        words += f" ({chart.estimated_word})" if guessed else ""
        look = 'class="bar guessed" fill="url(#hatch)"' if guessed else 'class="bar"'
        parts.append(
            f'<rect {look} x="{(i + 0.12) * width:.2f}%" y="{y:.1f}"'
            f' width="{0.76 * width:.2f}%" height="{max(foot - y, 1):.1f}" rx="2">'
            f"<title>{escape(words)}</title></rect>"
        )
    return _frame(chart, scale, "".join(parts))


def line(chart: Chart) -> Markup:
    """Draw a curve that breaks where values are missing."""
    known = [v for v in chart.values if v is not None]
    known += [limit for limit, _ in chart.limits]
    low, high = (min(known), max(known)) if known else (0.0, 1.0)
    margin = (high - low) * 0.05 or 1.0
    scale = Scale(ticks(low - margin, high + margin))
    heights = [None if v is None else scale.y(v) for v in chart.values]
    curve = (
        f'<svg x="0" y="0" width="100%" height="{TOP + PLOT}" viewBox="0 0 1000 {TOP + PLOT}"'
        f' preserveAspectRatio="none">{_curves(heights)}</svg>'
    )
    return _frame(chart, scale, curve + _limits(chart, scale))


class Scale:
    """From values to pixels."""

    def __init__(self, marks: Sequence[float]) -> None:
        self.marks = marks
        self._low, self._high = marks[0], marks[-1]

    def y(self, value: float) -> float:
        """Return the height of a value, counted from the top."""
        return TOP + PLOT * (self._high - value) / (self._high - self._low)


def scale_of(values: Sequence[float]) -> Scale:
    """Return the scale of bars: from zero, or below where a value is."""
    low, high = min([0.0, *values]), max([0.0, *values])
    return Scale(ticks(low, high if high > low else 1.0))


def _runs(values: Sequence[Value]) -> list[tuple[int, int]]:
    edges = [0, *(edge for gap in gaps(values) for edge in gap), len(values)]
    pairs = zip(edges[::2], edges[1::2], strict=True)
    return [(first, last) for first, last in pairs if last > first]


def _curves(heights: Sequence[Value]) -> str:
    """Write one line per run of known heights, across the stretched width."""
    step = WIDE / max(len(heights), 1)
    lines = []
    for first, last in _runs(heights):
        spots = [(step * (i + 0.5), heights[i]) for i in range(first, last)]
        if len(spots) == 1:  # a lone reading between two gaps still shows
            x, y = spots[0]
            spots = [(x - step / 2, y), (x + step / 2, y)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
        lines.append(f'<polyline class="curve" points="{path}"/>')
    return "".join(lines)


def _frame(chart: Chart, scale: Scale, drawing: str) -> Markup:
    shown = [v for v in chart.values if v is not None]
    places = form.decimals(chart.unit)
    words = f"{chart.title}, {form.symbol(chart.unit)}"
    if shown:
        words += f": {form.number(min(shown), places)} … {form.number(max(shown), places)}"
    return Markup(  # noqa: S704 - every text inside went through escape
        f'<svg class="chart" width="100%" height="{TOP + PLOT + FOOT}" role="img"'
        f' aria-label="{escape(words)}">'
        f"{_gaps(chart)}{value_rows(chart.unit, scale)}{_columns(chart)}{drawing}{_mark(chart)}"
        f"</svg>"
    )


def value_rows(unit: str, scale: Scale) -> str:
    """Draw the value axis: its unit, and a line at each of its round numbers."""
    step = scale.marks[1] - scale.marks[0]
    places = max(0, -math.floor(math.log10(step) + 1e-9))
    parts = [f'<text class="unit" x="-8" y="12">{escape(form.symbol(unit))}</text>']
    for mark in scale.marks:
        y = scale.y(mark)
        parts.append(
            f'<line class="grid" x1="0" x2="100%" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text class="mark" x="-8" y="{y + 4:.1f}">{form.number(mark, places)}</text>'
        )
    return "".join(parts)


def _columns(chart: Chart) -> str:
    length = chart.end_ms - chart.start_ms
    fitting = (m for m in TICK_MINUTES if length / (m * form.MINUTE_MS) <= MOST_TICKS)
    step_ms = next(fitting, 24 * 60) * form.MINUTE_MS
    first = form.day_start_ms(chart.start_ms, chart.zone)
    while first < chart.start_ms:
        first += step_ms
    foot = TOP + PLOT + 5
    parts = []
    for i, instant in enumerate(range(first, chart.end_ms + 1, step_ms)):
        x = chart.across(instant)
        side = "start" if x < 3 else "end" if x > 97 else "middle"  # noqa: PLR2004
        parts.append(
            f'<line class="tick" x1="{x:.2f}%" x2="{x:.2f}%" y1="{TOP + PLOT}" y2="{foot}"/>'
            f'<text class="hour {"even" if i % 2 == 0 else "odd"}" x="{x:.2f}%"'
            f' y="{TOP + PLOT + 19}" text-anchor="{side}">'
            f"{form.clock_time(instant, chart.zone)}</text>"
        )
    return "".join(parts)


def _gaps(chart: Chart) -> str:
    width = 100 / max(len(chart.values), 1)
    parts = []
    for first, last in gaps(chart.values):
        parts.append(
            f'<rect class="gap" fill="url(#hatch)" x="{first * width:.2f}%" y="{TOP}"'
            f' width="{(last - first) * width:.2f}%" height="{PLOT}">'
            f"<title>{escape(chart.gap_word)}</title></rect>"
        )
        if (last - first) * width > 15:  # noqa: PLR2004 - room for the word, in per cent
            parts.append(
                f'<text class="gap-word" x="{(first + last) / 2 * width:.2f}%"'
                f' y="{TOP + PLOT / 2}">{escape(chart.gap_word)}</text>'
            )
    return "".join(parts)


def _limits(chart: Chart, scale: Scale) -> str:
    """Draw the limits; the words of the second stand at the other end, not over the first."""
    parts = []
    for n, (limit, word) in enumerate(chart.limits):
        y = scale.y(limit)
        x, side = ("4", "start") if n % 2 == 0 else ("100%", "end")
        parts.append(
            f'<line class="limit" x1="0" x2="100%" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text class="limit-word" x="{x}" y="{y - 5:.1f}" text-anchor="{side}">'
            f"{escape(word)}</text>"
        )
    return "".join(parts)


def _mark(chart: Chart) -> str:
    if chart.mark_ms is None or not chart.start_ms <= chart.mark_ms <= chart.end_ms:
        return ""
    x = chart.across(chart.mark_ms)
    side = "end" if x > 50 else "start"  # noqa: PLR2004 - the word stays inside the drawing
    return (
        f'<line class="instant" x1="{x:.2f}%" x2="{x:.2f}%" y1="{TOP - 8}" y2="{TOP + PLOT}"/>'
        f'<text class="instant-word" x="{x:.2f}%" y="{TOP - 13}" text-anchor="{side}">'
        f"{escape(chart.mark_word)}</text>"
    )


def spark(values: Sequence[Value], title: str) -> Markup:
    """Draw a small curve without axes for a row of a table; gaps stay open."""
    known = [v for v in values if v is not None]
    low, high = (min([0.0, *known]), max([0.0, *known]))
    reach = (high - low) or 1.0
    heights = [None if v is None else 28 - 26 * (v - low) / reach for v in values]
    return Markup(  # noqa: S704 - the title went through escape
        f'<svg class="spark" width="150" height="30" viewBox="0 0 1000 30" role="img"'
        f' preserveAspectRatio="none" aria-label="{escape(title)}">{_curves(heights)}</svg>'
    )
