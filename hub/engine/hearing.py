"""Whom it concerns what the hub says: of itself, of its lines, and of the days that it judged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from hub.engine.fault import Fault, share_in, verdict_in
from hub.model import Entry
from rules.machine import Transition
from rules.told import Said


class Heard(NamedTuple):
    """A fault that began, became worse or ended, as somebody said."""

    fault: Fault
    transition: Transition


class Hearing:
    """The faults whose machines take no readings. ``faults`` are those of the site, by cause."""

    def __init__(self, faults: Mapping[str, Fault]) -> None:
        self._faults = faults
        self._own: dict[str, Fault] = {  # by what the hub says something about
            fault.rule.subject: fault for fault in faults.values() if fault.rule.kind == "health"
        }
        self._lines: dict[str, list[Fault]] = {}  # by gateway, the rules about its errors
        for fault in faults.values():
            if fault.errors:
                self._lines.setdefault(fault.subject.id, []).append(fault)

    def own(self, subject: str) -> Fault | None:
        """Return the fault of something of the hub's own; None where no rule is about it."""
        return self._own.get(subject)

    def of_itself(self, subject: str, said: Said) -> Heard | None:
        """Take what the hub says about something of its own."""
        fault = self._own.get(subject)
        transition = fault.told.hear(said) if fault and fault.told else None
        return Heard(fault, transition) if fault and transition else None

    def of_a_line(self, entry: Entry) -> list[Fault]:
        """Take how many polls of a line fail; return whose time may have changed by that."""
        concerned = self._lines.get(str(entry.content.get("line")), [])
        for fault in concerned:
            if fault.errors:
                fault.errors.hear(share_in(entry))
        return concerned

    def of_a_day(self, entry: Entry) -> Heard | None:
        """Take what the daily look judged; a rule or subject may be gone meanwhile."""
        fault = self._faults.get(str(entry.content["cause"]))
        transition = fault.judged.hear(verdict_in(entry)) if fault and fault.judged else None
        return Heard(fault, transition) if fault and transition else None
