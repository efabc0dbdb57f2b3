"""Fault codes and fault bits of a device."""

from __future__ import annotations

from collections.abc import Sequence

from hub.model import Point
from rules.machine import BUSY, Quiet, Transition
from rules.spec_streams import CodeRule
from rules.stream import Stream


class Code(Stream):
    """A fault code, or one of the bits asked for, that stays for the on-delay is a fault."""

    remembers = True

    def __init__(self, rule: CodeRule, interval_ms: int, points: Sequence[Point] = ()) -> None:
        super().__init__(rule, interval_ms, points)
        self._mask = rule.mask
        self._fine = {0, *rule.except_}

    def step(
        self, at_ms: int, value: float, *, good: bool, of: int = 0, reason: int = 0
    ) -> Transition | None:
        """Feed one reading; return a transition only when the state changed."""
        del reason
        if not good:
            return None
        self._see(of, at_ms, value)
        return self._turn(at_ms, value, moving=self._faulty(int(value)) != self.delay.active)

    def _faulty(self, code: int) -> bool:
        return bool(code & self._mask) if self._mask else code not in self._fine

    def _calm(self, of: int) -> Quiet:
        """Return the code that it shows now: any other is to be looked at."""
        return Quiet(self._seen[of], self._seen[of]) if self._seen_ms[of] else BUSY
