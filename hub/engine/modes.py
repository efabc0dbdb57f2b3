"""In which mode devices say that they are, for the rules that are in force only in some; pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from hub.engine.fault import Fault
from hub.model import Batch, Quality
from rules.form import Condition
from rules.question import Question


class Modes:
    """The modes that rules ask for. ``last`` tells the last good value of a point, NaN for none."""

    def __init__(self, faults: Iterable[Fault], last: Callable[[int], float]) -> None:
        self._last = last
        self._asked: dict[int, list[Fault]] = {}
        self._questions: dict[str, Question] = {}
        for fault in faults:
            if fault.mode_point is not None and (mode := _mode_of(fault)):
                self._asked.setdefault(fault.mode_point, []).append(fault)
                self._questions[fault.cause] = Question(mode, (mode.point,))

    def objection(self, fault: Fault) -> str | None:
        """Return why the mode of its subject keeps a rule out of force; None when it does not."""
        mode, number = _mode_of(fault), fault.mode_point
        if mode is None or number is None:
            return None
        value = self._last(number)
        return None if self._suits(fault, value) else f"mode {mode.point}={value:g}"

    def turns(self, batch: Batch) -> Iterator[tuple[int, Sequence[Fault]]]:
        """Yield the rows at which a device may turn to another mode, each with whom it concerns.

        What lies between two of them is read under one mode, however the stream was cut. Each piece
        must have been read before the next row is asked for.
        """
        if not self._asked:
            return
        good = (batch.quality & 3 == Quality.GOOD) & np.isfinite(batch.value)
        for row in np.flatnonzero(good & np.isin(batch.point, list(self._asked))).tolist():
            number = int(batch.point[row])
            if batch.value[row] != self._last(number):  # as it is by now: all before has been read
                yield row, self._asked[number]

    def _suits(self, fault: Fault, value: float) -> bool:
        return math.isnan(value) or self._questions[fault.cause].holds((value,))


def _mode_of(fault: Fault) -> Condition | None:
    return fault.rule.when.mode if fault.rule.when else None
