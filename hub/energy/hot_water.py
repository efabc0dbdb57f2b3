"""What hot-water plants deliver, what that takes, and what is lost on the way; pure.

A tonne of hot water is a cubic metre, as in every bill of a campus. Where the readings do not carry
a figure it is None, which people read as "not enough data"; it never becomes zero.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from hub.energy import calendar
from hub.energy.question import Figure

Numbers = NDArray[np.float64]
Instants = NDArray[np.int64]
Span = tuple[int, int]

KWH_PER_TONNE_K = 4.186 / 3.6
LEAST_MEASURED = 0.5  # of the time that a figure is about, else it is not told
QUIET_MS = calendar.HOUR_MS  # without draw for so long: the water in the pipes is at rest
LEAST_QUIET_H = 2.0
_SEEN_K = 0.2  # a temperature that moves less than this says nothing about stored heat
_SLIP_LITRES = 0.05
_DRIP_LITRES = 1.0  # so much more than the session flows between two readings by a dripping valve
LEAST_DAYS = 14  # of a trend
LEAST_OF_DAY = 0.9
YEAR_DAYS = 365.2425


@dataclass(frozen=True, slots=True)
class Opening:
    """From when to when hot water is promised, in civil time.

    It ends on the next day where ``end`` is not after ``start``.
    """

    start: time
    end: time


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What a site promises about its hot water; temperatures in degC.

    ``supply`` leaves the plant, ``outlet`` comes from a running shower, ``cold`` is the mains'.
    ``capacity`` is what all plants can make, in t/day, where it is known.
    """

    opening: tuple[Opening, ...] = ()
    supply: float = 50.0
    outlet: float = 37.0
    cold: float = 15.0
    cop: float = 3.3
    capacity: float | None = None

    def open(self, start_ms: int, end_ms: int, zone: ZoneInfo) -> list[Span]:
        """Return when hot water is promised between two instants: spans in order, not touching."""
        if not self.opening:
            return [(start_ms, end_ms)]
        day = calendar.day_of(start_ms, zone) - timedelta(1)
        spans = []
        while (midnight := calendar.day_start(day, zone)) < end_ms:
            for one in self.opening:
                last = day + timedelta(int(one.end <= one.start))
                begin, end = _instant(day, one.start, zone), _instant(last, one.end, zone)
                spans.append((max(begin, start_ms), min(end, end_ms)))
            day = calendar.day_of(midnight, zone) + timedelta(1)
        return list(_merged(span for span in spans if span[0] < span[1]))


def _instant(day: date, at: time, zone: ZoneInfo) -> int:
    return round(datetime.combine(day, at, zone).timestamp() * 1000)


def _merged(spans: Iterable[Span]) -> Iterator[Span]:
    held: Span | None = None
    for span in sorted(spans):
        if held is not None and span[0] <= held[1]:
            held = (held[0], max(held[1], span[1]))
        else:
            if held is not None:
                yield held
            held = span
    if held is not None:
        yield held


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """Usable readings of one point in order of time; each holds for ``reach_ms`` at most."""

    at_ms: Instants
    value: Numbers
    reach_ms: int

    def __len__(self) -> int:
        """Count the readings."""
        return len(self.at_ms)

    def held(self, spans: Iterable[Span]) -> tuple[Numbers, Numbers]:
        """Return how long (ms) which values held within the spans."""
        ends = np.minimum(np.append(self.at_ms[1:], self.at_ms[-1:] + self.reach_ms),
                          self.at_ms + self.reach_ms)  # fmt: skip
        lasted, values = [np.empty(0)], [np.empty(0)]
        for start, end in spans:
            first = max(int(np.searchsorted(self.at_ms, start, "right")) - 1, 0)
            last = int(np.searchsorted(self.at_ms, end, "left"))
            rows = slice(first, last)
            time_ms = np.minimum(ends[rows], end) - np.maximum(self.at_ms[rows], start)
            lasted.append(np.maximum(time_ms, 0).astype(np.float64))
            values.append(self.value[rows])
        return np.concatenate(lasted), np.concatenate(values)

    def within(self, spans: Iterable[Span]) -> Trace:
        """Keep the readings of start <= at <= end of any span."""
        chosen = np.zeros(len(self), np.bool_)
        for start, end in spans:
            chosen |= (self.at_ms >= start) & (self.at_ms <= end)
        return Trace(self.at_ms[chosen], self.value[chosen], self.reach_ms)

    def at(self, instants: Instants) -> Numbers:
        """Return the value at instants, on a straight line between readings."""
        return np.asarray(np.interp(instants, self.at_ms, self.value), np.float64)


@dataclass(frozen=True, slots=True)
class Share:
    """How much of a time something held: ``met`` of ``covered`` of ``whole``, all in ms."""

    met: float = 0.0
    covered: float = 0.0
    whole: float = 0.0

    def __add__(self, other: Share) -> Share:
        """Add two times."""
        return Share(self.met + other.met, self.covered + other.covered, self.whole + other.whole)

    @property
    def figure(self) -> Figure:
        """Return the share met of what was measured; None where too little was."""
        measured = self.covered / self.whole if self.whole else 0.0
        value = self.met / self.covered if measured >= LEAST_MEASURED else None
        return Figure(value, measured, 0.0, 1.0 - measured)


NO_TIME = Share()


def compliance(trace: Trace | None, spans: Sequence[Span], promise: float) -> Share:
    """Return how much of the open time the water was at the promise or above."""
    whole = float(sum(end - start for start, end in spans))
    if trace is None or not len(trace):
        return Share(0.0, 0.0, whole)
    lasted, values = trace.held(spans)
    return Share(float(lasted[values >= promise].sum()), float(lasted.sum()), whole)


def mean(trace: Trace | None, spans: Sequence[Span]) -> Share:
    """Return the mean of a value over spans, as a share whose ``met`` is value x time."""
    whole = float(sum(end - start for start, end in spans))
    if trace is None or not len(trace):
        return Share(0.0, 0.0, whole)
    lasted, values = trace.held(spans)
    return Share(float(lasted @ values), float(lasted.sum()), whole)


def running(outlet: Trace | None, flow: Trace | None, span: Span, promise: float) -> Share:
    """Return how much of the time in which water ran it was at the promise or above.

    Read together with the flow; before a reading with flow nobody knows since when it ran.
    """
    if outlet is None or flow is None or not len(outlet) or not len(flow):
        return NO_TIME
    inside = (flow.at_ms >= span[0]) & (flow.at_ms < span[1]) & (flow.value > 0)
    at, row = np.intersect1d(flow.at_ms[inside], outlet.at_ms, return_indices=True)[::2]
    each = float(flow.reach_ms)
    met = float((outlet.value[row] >= promise).sum())
    return Share(met * each, len(at) * each, float(inside.sum()) * each)


def heat_of_a_tonne(hot: float, cold: float) -> float:
    """Return the heat in a tonne of water above cold water, in kWh.

    >>> round(heat_of_a_tonne(55, 15), 1)
    46.5
    """
    return KWH_PER_TONNE_K * (hot - cold)


def quiet(delivered: Trace | None, start_ms: int, end_ms: int) -> list[Span]:
    """Return the times of an hour or more in which a plant's counter of hot water stood still."""
    if delivered is None or len(delivered) < 2:  # noqa: PLR2004 - two readings make one interval
        return []
    at, level = delivered.at_ms, delivered.value
    still = (np.diff(level) == 0) & (np.diff(at) <= delivered.reach_ms)
    edges = np.flatnonzero(np.diff(np.concatenate(([False], still, [False])).astype(np.int8)))
    spans = [
        (max(int(at[begin]), start_ms), min(int(at[end]), end_ms))
        for begin, end in zip(edges[::2], edges[1::2], strict=True)
    ]
    return [span for span in spans if span[1] - span[0] >= QUIET_MS]


@dataclass(frozen=True, slots=True)
class Loss:
    """Heat that is lost without anybody drawing, in kW, seen in so many hours; None: not known."""

    kw: float | None = None
    hours: float = 0.0


def standing_loss(heat: Trace | None, layers: Sequence[Trace], spans: Sequence[Span]) -> Loss:
    """Return what tank and loop lose together while nobody draws.

    The heat made in that time is what was lost and what the tank holds more at the end. How much a
    kelvin of each layer holds is not known, so it is fitted together with the loss.
    """
    hours = sum(end - start for start, end in spans) / calendar.HOUR_MS
    if heat is None or hours < LEAST_QUIET_H:
        return Loss(None, hours)
    rows, made = [np.empty((0, 1 + len(layers)))], [np.empty(0)]
    for span in spans:
        at = heat.within([span]).at_ms
        if len(at):
            since_h = (at - at[0]) / calendar.HOUR_MS
            warmer = [layer.at(at) - layer.at(at)[0] for layer in layers]
            rows.append(np.column_stack([since_h, *warmer]))
            made.append(heat.at(at) - heat.at(at)[0])
    columns, sums = np.vstack(rows), np.concatenate(made)
    moved = columns[:, 1:].std(axis=0) > _SEEN_K if len(columns) else np.zeros(len(layers), bool)
    columns = columns[:, np.append(True, moved)]
    if len(sums) <= columns.shape[1] or not sums.any():
        return Loss(None, hours)
    found = np.linalg.lstsq(columns, sums, rcond=None)[0]
    return Loss(float(found[0]) if found[0] > 0 else None, hours)


def loop_loss(
    flow: Trace | None, supply: Trace | None, back: Trace | None, spans: Sequence[Span]
) -> Loss:
    """Return what the loop loses: water that circulates while nobody draws comes back colder.

    ``flow`` in m3/h, temperatures in degC.
    """
    hours = sum(end - start for start, end in spans) / calendar.HOUR_MS
    if flow is None or supply is None or back is None or hours < LEAST_QUIET_H:
        return Loss(None, hours)
    there = flow.within(spans)
    if not len(there) or not len(supply) or not len(back):
        return Loss(None, hours)
    fall = supply.at(there.at_ms) - back.at(there.at_ms)
    lost = KWH_PER_TONNE_K * there.value * fall
    return Loss(float(lost.mean()) if there.value.any() else None, hours)


NO_LOSS = Loss()


@dataclass(frozen=True, slots=True)
class Sessions:
    """Showers taken: the litres of each; ``drawn`` is what the terminals count in all.

    Without ``known`` nobody looked, or there was nothing to see.
    """

    litres: tuple[float, ...] = ()
    drawn: float = 0.0
    known: bool = False

    def __add__(self, other: Sessions) -> Sessions:
        """Add the sessions of two terminals."""
        return Sessions(
            self.litres + other.litres, self.drawn + other.drawn, self.known or other.known
        )

    @property
    def count(self) -> int | None:
        """Count them; None where nobody looked."""
        return len(self.litres) if self.known else None

    @property
    def seen(self) -> float:
        """Return the share of the water drawn that belongs to sessions."""
        if not self.known:
            return 0.0
        return min(sum(self.litres) / self.drawn, 1.0) if self.drawn > 0 else 1.0

    def quantile(self, share: float) -> float | None:
        """Return the litres that a share of the sessions stays below; None without sessions."""
        return float(np.quantile(self.litres, share)) if self.litres else None


NO_SESSIONS = Sessions()


def sessions(session: Trace | None, total: Trace | None, start_ms: int, end_ms: int) -> Sessions:
    """Return the sessions that ended between two instants, from what a terminal shows of each.

    ``session`` are the litres of the present session, which fall when the next one begins; where
    ``total`` grew by more than they did, one ended and another began between two readings.
    """
    if session is None or total is None or len(session) < 2 or not len(total):  # noqa: PLR2004
        return NO_SESSIONS
    at, shown, counted = session.at_ms, session.value, total.at(session.at_ms)
    grew = np.diff(shown)
    unseen = (grew > 0) & (np.diff(counted) > grew + _DRIP_LITRES)
    begins = np.append(False, (grew < -_SLIP_LITRES) | unseen)
    group = np.cumsum(begins)
    flowed = np.append(False, grew > 0) | (begins & (shown > 0))
    litres = np.zeros(group[-1] + 1)
    np.maximum.at(litres, group, shown)
    ended = np.full(group[-1] + 1, -1, np.int64)
    np.maximum.at(ended, group[flowed], at[flowed])
    inside = (ended >= start_ms) & (ended < end_ms) & (litres > 0)
    edges = total.at(np.asarray([start_ms, end_ms], np.int64))
    return Sessions(tuple(litres[inside].tolist()), float(edges[1] - edges[0]), known=True)


@dataclass(frozen=True, slots=True)
class Trend:
    """How the daily tonnes go: ``slope`` in t/day per year, ``level`` now, and when it is full.

    All are None where too few days were measured (``days``); ``full_in_days`` also where the use
    does not grow or no capacity is known.
    """

    days: int
    slope: float | None = None
    level: float | None = None
    full_in_days: float | None = None


def trend(days: Sequence[Figure], capacity: float | None) -> Trend:
    """Return the trend of consecutive days, the last one being yesterday.

    The slope is the median of those between all pairs of days: one holiday does not turn it.
    """
    known = [
        (n - len(days), one.value)
        for n, one in enumerate(days)
        if one.value is not None and one.missing <= 1 - LEAST_OF_DAY
    ]
    if len(known) < LEAST_DAYS:
        return Trend(len(known))
    day, tonnes = np.asarray(known, np.float64).T
    first, second = np.triu_indices(len(day), 1)
    slope = float(np.median((tonnes[second] - tonnes[first]) / (day[second] - day[first])))
    level = float(np.median(tonnes - slope * day))
    full = (capacity - level) / slope if capacity is not None and slope > 0 else None
    return Trend(len(known), slope * YEAR_DAYS, level, None if full is None else max(full, 0.0))
