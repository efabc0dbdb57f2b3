"""The chart of use: one bar per civil step, measured and estimated told apart by hatching."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from markupsafe import Markup, escape

from hub.energy.calendar import Step
from hub.energy.question import Figure
from hub.energy.told import PLACES
from hub.web import form
from hub.web.charts import FOOT, PLOT, TOP, scale_of, value_rows

MOST_LABELS = 12
GAP = 0.14  # of a step's width, on each side of its bar


@dataclass(frozen=True, slots=True)
class UseChart:
    """What to draw: figures between edges (UTC ms), one more than the figures."""

    title: str
    unit: str
    step: Step
    edges: Sequence[int]
    figures: Sequence[Figure]
    zone: ZoneInfo
    language: str
    words: tuple[str, str, str]  # measured, estimated, no data

    def label(self, n: int) -> str:
        """Write where a step begins, as shortly as its length allows."""
        start, zone = self.edges[n], self.zone
        if self.step in ("quarter", "hour"):
            return form.clock_time(start, zone)
        if self.step in ("month", "year"):
            return form.month(start, zone, self.language)
        return form.day(start, zone, self.language)

    def full_label(self, n: int) -> str:
        """Write where a step begins, with its day."""
        start = self.edges[n]
        if self.step in ("quarter", "hour"):
            day = form.day(start, self.zone, self.language)
            return f"{day} {form.clock_time(start, self.zone)}"
        return self.label(n)


def use_bars(chart: UseChart) -> Markup:
    """Draw the bars: the measured part solid at the foot, the estimated one hatched on top."""
    values = [one.value or 0.0 for one in chart.figures]
    scale = scale_of(values)
    width = 100 / max(len(values), 1)
    drawn = []
    for n, one in enumerate(chart.figures):
        if one.value is None:
            drawn.append(_gap(chart, n, width))
            continue
        known = 1 - one.missing
        measured = one.value * (one.measured / known if known else 1.0)
        foot = scale.y(0.0)
        parts = []
        if measured or not one.estimated:
            parts.append(_bar('class="bar"', n, width, (scale.y(measured), foot)))
        if one.estimated:
            look = 'class="bar guessed" fill="url(#hatch)"'
            parts.append(_bar(look, n, width, (scale.y(one.value), scale.y(measured))))
        drawn.append(f"<g><title>{escape(_words(chart, n, one))}</title>{''.join(parts)}</g>")
    title = escape(f"{chart.title}, {chart.unit}")
    return Markup(  # noqa: S704 - every text inside went through escape
        f'<svg class="chart" width="100%" height="{TOP + PLOT + FOOT}" role="img"'
        f' aria-label="{title}">{value_rows(chart.unit, scale)}{_labels(chart, width)}'
        f"{''.join(drawn)}</svg>"
    )


def _words(chart: UseChart, n: int, one: Figure) -> str:
    measured, estimated, missing = chart.words
    words = f"{chart.full_label(n)}  {form.number(one.value, PLACES)} {chart.unit}"
    shares = [(measured, one.measured), (estimated, one.estimated), (missing, one.missing)]
    return words + "".join(f", {word} {form.percent(share)}" for word, share in shares if share)


def _bar(look: str, n: int, width: float, heights: tuple[float, float]) -> str:
    top, foot = heights
    return (
        f'<rect {look} x="{(n + GAP) * width:.2f}%" y="{top:.1f}"'
        f' width="{(1 - 2 * GAP) * width:.2f}%" height="{max(foot - top, 1):.1f}"/>'
    )


def _gap(chart: UseChart, n: int, width: float) -> str:
    words = f"{chart.full_label(n)}  {chart.words[2]}"
    return (
        f'<rect class="gap" fill="url(#hatch)" x="{n * width:.2f}%" y="{TOP}"'
        f' width="{width:.2f}%" height="{PLOT}"><title>{escape(words)}</title></rect>'
    )


def _labels(chart: UseChart, width: float) -> str:
    count = len(chart.figures)
    every = -(-count // MOST_LABELS)
    parts = []
    for i, n in enumerate(range(0, count, every)):
        x = (n + 0.5) * width
        side = "start" if x < 3 else "end" if x > 97 else "middle"  # noqa: PLR2004 - per cent
        parts.append(
            f'<text class="hour {("even", "odd", "odd")[i % 3]}" x="{x:.2f}%"'
            f' y="{TOP + PLOT + 19}" text-anchor="{side}">{escape(chart.label(n))}</text>'
        )
    return "".join(parts)
