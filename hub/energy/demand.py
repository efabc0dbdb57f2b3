"""Power as it is charged: the highest mean of 15 minutes, and where the running window leads; pure.

A window is known when nothing of it is missing. Nobody can say how high those were of which
something is missing: their share stands beside every maximum.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hub.energy.bill import Demand
from hub.energy.calendar import HOUR_MS, MINUTE_MS
from hub.energy.expected import NotEnough
from hub.energy.question import Figure

Instants = NDArray[np.int64]
Numbers = NDArray[np.float64]

WINDOW_MS = 15 * MINUTE_MS
PAST_MS = 2 * HOUR_MS  # of which the forecast learns how wrong it is
RECENT_MS = 5 * MINUTE_MS
SPARSEST_MS = 5 * MINUTE_MS  # between readings: three in a window
LEAST_TRIED = 8
LIKELY = (0.05, 0.95)
_SLACK = 1e-6  # of a window, lost in floats


def maximum(edges: Sequence[int], figures: Sequence[Figure]) -> Demand:
    """Return the highest window of quarters (``edges`` UTC ms, figures in kWh).

    Steps that are cut short at the ends are no windows.
    """
    whole = [
        (start, one)
        for start, end, one in zip(edges, edges[1:], figures, strict=False)
        if end - start == WINDOW_MS
    ]
    known = [
        (one.value, start, one)
        for start, one in whole
        if one.value is not None and one.missing <= _SLACK
    ]
    missing = 1 - len(known) / len(whole) if whole else 1.0
    if not known:
        return Demand(None, None, None, missing)
    per_hour = HOUR_MS / WINDOW_MS
    highest, at_ms, _ = max(known, key=lambda one: (one[0], -one[1]))
    lows = [value if one.least is None else one.least for value, _, one in known]
    highs = [value if one.most is None else one.most for value, _, one in known]
    return Demand(highest * per_hour, max(lows) * per_hour, max(highs) * per_hour, missing, at_ms)


@dataclass(frozen=True, slots=True)
class Forecast:
    """Where the running window leads (kW); nine of ten times it ends between low and high.

    ``so_far_kw`` is what the window comes to when nothing more is used; ``tried`` is how many
    past moments the uncertainty is learnt from.
    """

    window_ms: int
    at_ms: int
    so_far_kw: float
    expected_kw: float
    low_kw: float
    high_kw: float
    tried: int

    def against(self, limit_kw: float | None) -> str:
        """Return how it stands to a limit: none, below, possible, likely or passed."""
        if limit_kw is None:
            return "none"
        if self.so_far_kw > limit_kw:
            return "passed"
        if self.expected_kw > limit_kw:
            return "likely"
        return "possible" if self.high_kw > limit_kw else "below"


def forecast(
    start_ms: Instants, end_ms: Instants, used_kwh: Numbers, now_ms: int
) -> Forecast | NotEnough:
    """Return where the window that runs at ``now_ms`` leads.

    ``used_kwh`` was used between start and end of intervals that follow each other. The power of
    the last five minutes is carried on; how wrong that was before, over as long a time, is the
    uncertainty.
    """
    window = now_ms // WINDOW_MS * WINDOW_MS
    recent = end_ms > now_ms - PAST_MS
    start_ms, end_ms, used_kwh = start_ms[recent], end_ms[recent], used_kwh[recent]
    if reason := _too_little(start_ms, end_ms, window, now_ms):
        return NotEnough((reason,))
    at = np.append(start_ms[:1], end_ms)
    level = np.append(0.0, np.cumsum(used_kwh))
    last = int(at[-1])
    ahead = window + WINDOW_MS - last
    tried = at[(at >= at[0] + RECENT_MS) & (at <= last - ahead)]
    if len(tried) < LEAST_TRIED:
        return NotEnough(
            (f"{len(tried)} earlier moments to learn from; it takes {LEAST_TRIED} within 2 hours",)
        )

    def carried(moment: Instants) -> Numbers:
        """Return what the next ``ahead`` brings if the last five minutes go on."""
        past = np.interp(moment, at, level) - np.interp(moment - RECENT_MS, at, level)
        found: Numbers = past * ahead / RECENT_MS
        return found

    truth = np.interp(tried + ahead, at, level) - np.interp(tried, at, level)
    low, high = np.quantile(truth - carried(tried), LIKELY).tolist()
    so_far = float(level[-1] - np.interp(window, at, level)) if last > window else 0.0
    more = float(carried(np.array([last]))[0])
    kw = HOUR_MS / WINDOW_MS
    return Forecast(
        window,
        last,
        so_far * kw,
        (so_far + more) * kw,
        (so_far + max(more + min(low, 0.0), 0.0)) * kw,
        (so_far + max(more + max(high, 0.0), 0.0)) * kw,
        len(tried),
    )


def _too_little(start_ms: Instants, end_ms: Instants, window: int, now_ms: int) -> str:
    """Say why nothing can be forecast; empty where it can."""
    if not len(end_ms) or start_ms[0] > window - RECENT_MS:
        return "no readings from before this window"
    if (age := now_ms - int(end_ms[-1])) > SPARSEST_MS:
        return f"the last reading is {age / MINUTE_MS:.0f} min old; it takes one in 5 min"
    longest = int(np.max(end_ms - start_ms))
    if longest > SPARSEST_MS:
        return f"readings up to {longest / MINUTE_MS:.0f} min apart; it takes one in 5 min"
    return ""
