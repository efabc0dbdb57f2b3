"""What another version of the rules would have said, alarm by alarm."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from rules.backtest import Opinion, Raised

_FOR_EVER = float("inf")


class Comparison(NamedTuple):
    """Alarms that rise only with the new version, only with the old, and with both."""

    risen: tuple[Opinion, ...]
    gone: tuple[Opinion, ...]
    kept: int


def compared(old: Sequence[Opinion], new: Sequence[Opinion]) -> Comparison:
    """Set the alarms of two versions against each other.

    An alarm is the same in both when it is of the same rule on the same subject and the times in
    which it held overlap: it may have begun earlier or later.
    """
    waiting: dict[tuple[str, str, str], list[Opinion]] = {}
    for one in old:
        waiting.setdefault(_cause(one.alarm), []).append(one)
    risen, kept = [], 0
    for one in new:
        before = waiting.get(_cause(one.alarm), [])
        same = next((other for other in before if _overlap(one.alarm, other.alarm)), None)
        if same is None:
            risen.append(one)
        else:
            before.remove(same)
            kept += 1
    gone = (one for left in waiting.values() for one in left)
    return Comparison(_in_time(risen), _in_time(gone), kept)


def _cause(alarm: Raised) -> tuple[str, str, str]:
    return alarm.pack, alarm.rule, alarm.subject


def _overlap(one: Raised, other: Raised) -> bool:
    first, second = sorted((one, other), key=lambda alarm: alarm.at_ms)
    until_ms = _FOR_EVER if first.cleared_ms is None else first.cleared_ms
    return second.at_ms <= until_ms


def _in_time(some: Iterable[Opinion]) -> tuple[Opinion, ...]:
    return tuple(sorted(some, key=lambda one: (one.alarm.at_ms, *_cause(one.alarm))))
