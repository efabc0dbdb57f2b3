"""What holds an alarm back: a planned outage, the calendar, the mode, another alarm; pure."""

from __future__ import annotations

from typing import NamedTuple

from hub.engine.fault import Fault
from hub.engine.modes import Modes
from hub.engine.outages import Outages
from hub.engine.roots import GATHER_MS, Roots
from rules.alarm import Event
from rules.calendar import Calendar


class Hold(NamedTuple):
    """What holds an alarm back, and until when; a hold without an end waits for something."""

    event: Event
    reason: str
    until_ms: int | None = None
    root: str | None = None


class Holds:
    """The one place that decides whether people are told of an alarm."""

    def __init__(
        self, outages: Outages, calendar: Calendar | None, modes: Modes, roots: Roots
    ) -> None:
        self.roots = roots
        self._modes = modes
        self.outages = outages
        self._calendar = calendar

    def now(self, fault: Fault, at_ms: int) -> Hold | None:
        """Return what holds an alarm back at an instant; what endangers people nothing does."""
        if not fault.rule.suppressible:
            return None
        if outage := self.outages.over(fault.subject.id, at_ms):
            return Hold("suppress", *outage)
        when = fault.rule.when
        if when and self._calendar and (held := self._calendar.held(when, at_ms)):
            return Hold("suppress", *held)
        if mode := self._modes.objection(fault):
            return Hold("suppress", mode)
        root = self.roots.active(fault)
        return inhibited_by(root) if root else None

    def at_first(self, fault: Fault, at_ms: int) -> Hold | None:
        """Return what holds a new alarm back: an effect also waits for its cause to be seen."""
        held = self.now(fault, at_ms)
        if held or not self.roots.of(fault):
            return held
        return Hold("inhibit", "its cause may follow", at_ms + GATHER_MS)


def inhibited_by(root: Fault) -> Hold:
    """Return the hold of an effect of an alarm, which lasts until that is over."""
    return Hold("inhibit", f"effect of {root.cause}", None, root.alarm.id if root.alarm else None)
