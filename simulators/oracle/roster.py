"""Who is on duty in each minute, by the plain content of roster.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

from simulators.oracle.calendar import MINUTE_MS, Minutes, minute_of


class Watches:
    """The shifts of some crews; without skills and swaps."""

    def __init__(self, roster: Mapping[str, Any], minutes: Minutes) -> None:
        self._roster = roster
        self._minutes = minutes
        self.leads = [crew["lead"] for crew in roster["crews"] if "lead" in crew]

    def on_duty(self, at_ms: int) -> set[str]:
        """Return who works at an instant."""
        day, of_day = self._minutes.shown(at_ms // MINUTE_MS)
        found: set[str] = set()
        for rotation in self._roster["rotations"]:
            for n, shift in enumerate(rotation["shifts"]):
                start, end = minute_of(shift["from"]), minute_of(shift["to"])
                began = day if of_day >= start else day - 1
                lasts = (end - start) % 1440 or 1440
                if (day - began) * 1440 + of_day - start < lasts:
                    found |= _group(rotation, n, began)
        return found

    def told(self, tell: str, at_ms: int) -> set[str]:
        """Return whom a rung tells at an instant; nobody where it is the duty desk."""
        if tell == "on_duty":
            return self.on_duty(at_ms)
        return set(self.leads) if tell == "lead" else set()


def _group(rotation: Mapping[str, Any], shift: int, day: int) -> set[str]:
    days = day - date.fromisoformat(rotation["starts"]).toordinal()
    turns = days // int(rotation["every"][1:-1])
    return set(rotation["order"][(turns - shift) % len(rotation["order"])])
