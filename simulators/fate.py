"""What becomes of each reading of a meter on its way: drawn once, before anything happens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from simulators.scenario import Delivery

Draw = Callable[[], float]
"""Give the next number of 0 <= u < 1."""
Slots = range
"""Readings that lie next to each other, counted from the first of the run."""

_WRONG_DAYS = (1.0, 4.0)
# minutes, days, decades: a battery that is empty begins at 1970
_WRONG_BY_MS = (47 * 60_000, -3 * 86_400_000, 400 * 86_400_000, -56 * 365 * 86_400_000)
_DAY_MS = 86_400_000
_PARTS = 6  # of a short run no span is longer than one: there is always room for others


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of the readings of one meter.

    ``lost`` are slots whose readings never come; ``held`` come all at once when they are over;
    ``repeated`` come twice. The clock is ahead by ``clock_ms``, in the slots ``wrong`` by
    ``wrong_ms``, which nobody can believe.
    """

    lost: tuple[Slots, ...]
    held: tuple[Slots, ...]
    repeated: frozenset[int]
    clock_ms: int
    wrong: Slots
    wrong_ms: int

    def ahead_ms(self, slot: int) -> int:
        """Return how far the meter's clock is ahead."""
        return self.wrong_ms if slot in self.wrong else self.clock_ms


def drawn(delivery: Delivery, slots: int, interval_ms: int, draw: Draw) -> Fate:
    """Draw the fate of a meter's readings; at least the shares that are asked for are struck."""
    wrong = range(0)
    if draw() < delivery.wrong_clocks:
        days = _WRONG_DAYS[0] + (_WRONG_DAYS[1] - _WRONG_DAYS[0]) * draw()
        length = min(round(days * _DAY_MS / interval_ms), slots // _PARTS)
        wrong = _laid(length, slots, draw)
    wrong_ms = _WRONG_BY_MS[int(draw() * len(_WRONG_BY_MS))]
    longest = delivery.longest_gap.total_seconds() * 1000 / interval_ms
    lost = _struck(delivery.missing, longest, slots, draw, ())
    latest = delivery.latest.total_seconds() * 1000 / interval_ms
    # What is late comes with its own time: of a wrong clock nobody could make anything of it.
    held = _struck(delivery.late, latest, slots, draw, (wrong, *lost))
    repeated = frozenset(slot for slot in range(slots) if draw() < delivery.repeated)
    limit_ms = delivery.clock.total_seconds() * 1000
    clock_ms = round(limit_ms * (2 * draw() - 1))
    return Fate(lost, held, repeated, clock_ms, wrong, wrong_ms)


def _struck(
    share: float, longest: float, slots: int, draw: Draw, taken: Sequence[Slots]
) -> tuple[Slots, ...]:
    """Lay spans, short ones more often than long ones, until they cover their share of the slots.

    None touches another one, or one that is taken.
    """
    found: list[Slots] = []
    covered = 0
    while covered < share * slots:
        length = min(max(int(longest * draw() ** 3), 2), slots // _PARTS)
        span = _laid(length, slots, draw)
        if any(_touch(span, other) for other in (*found, *taken)):
            continue
        found.append(span)
        covered += len(span)
    return tuple(sorted(found, key=lambda span: span.start))


def _laid(length: int, slots: int, draw: Draw) -> Slots:
    """Lay a span, not over the first slot: a clock is believed once it was heard to be right."""
    start = 1 + int((slots - length) * draw())
    return range(start, start + length)


def _touch(one: Slots, other: Slots) -> bool:
    return bool(other) and one.start <= other.stop and other.start <= one.stop
