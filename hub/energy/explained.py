"""What was found about meters, as it explains the figures that rest on them; pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from hub.energy.counter import FindingKind
from hub.energy.metering import Counter
from hub.energy.question import Explanation
from hub.energy.spread import PointFinding

MOST_FINDINGS = 500
"""So many are told in one answer; those that a person can do something about come first."""
TO_DO: tuple[FindingKind, ...] = ("reset", "swap", "record", "stuck", "unconfirmed")
# Nothing went into a figure for these: a reading was left out, or the change itself used nothing.
NO_USE: tuple[FindingKind, ...] = ("glitch", "change")


def explained(
    found: Sequence[PointFinding], counters: Sequence[Counter]
) -> tuple[Explanation, ...]:
    """Return what was found about counters, in the unit of their utility."""
    of = {one.point.number: one for one in counters}
    told = [_explained(of[one.point], one) for one in found]
    return tuple(
        sorted(told, key=lambda one: (one.kind not in TO_DO, one.start_ms, one.device, one.point))
    )


def _explained(counter: Counter, found: PointFinding) -> Explanation:
    one = found.finding
    used = one.kind not in NO_USE
    return Explanation(
        device=counter.device.id,
        point=counter.point.name,
        kind=one.kind,
        start_ms=one.start_ms,
        end_ms=one.end_ms,
        before=_number(one.before),
        after=_number(one.after),
        shown_unit=counter.point.unit,
        used=one.used * counter.factor if used else None,
        low=one.low * counter.factor if used else None,
        high=one.high * counter.factor if used else None,
    )


def _number(value: float) -> float | None:
    return value if math.isfinite(value) else None
