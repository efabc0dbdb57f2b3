"""Faults that are seen only when a day is over: what the daily look judged, night by night."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from hub.model import Json, Point
from rules.machine import Transition
from rules.spec_windows import WindowForm
from rules.unread import Unread

State = Literal["fault", "between", "fine", "unknown"]


class Judgement(NamedTuple):
    """What a day shows of one subject.

    ``between`` is neither a fault nor clear, ``unknown`` is too little data to say anything.
    ``value`` and ``limit`` are what a person compares, ``facts`` how they came about (JSON).
    """

    state: State
    value: float | None = None
    limit: float | None = None
    facts: Mapping[str, Json] = {}
    grave: bool = False


class Verdict(NamedTuple):
    """A judgement of a civil day (ISO 8601), as it is heard at an instant."""

    at_ms: int
    day: str
    judgement: Judgement


class Judged(Unread):
    """So many faults in a row raise, so many fine judgements in a row clear.

    Unknown changes nothing; a day that is not after the last one heard is ignored, so the same look
    may be entered twice. What was grave stays so until it is over: a transition while active tells
    that it became grave.
    """

    def __init__(self, rule: WindowForm, interval_ms: int, points: Sequence[Point] = ()) -> None:
        del interval_ms, points  # a day is a day however often a device is read
        self.active = self.urgent = False
        self.limit = 0.0
        self._rule = rule
        self._run = 0  # judgements in a row that would change the state
        self._day = ""
        self._at_ms = 0
        self._since_ms: int | None = None  # the run began with this look
        self._last = Judgement("unknown")

    def hear(self, verdict: Verdict) -> Transition | None:
        """Take a judgement; return a transition only when the state changed, or became grave."""
        if verdict.day <= self._day:
            return None
        self._day, self._at_ms = verdict.day, verdict.at_ms
        state, value = verdict.judgement.state, verdict.judgement.value or 0.0
        # Most are fine night after night: their facts would fill every snapshot of the engine.
        fine = state == "fine" and not self.active
        self._last = verdict.judgement._replace(facts={}) if fine else verdict.judgement
        if state == "unknown":
            return None
        if self.active and state == "fault" and verdict.judgement.grave and not self.urgent:
            self.urgent, self._run = True, 0
            self.limit = verdict.judgement.limit or 0.0
            return Transition(raised=True, at_ms=verdict.at_ms, value=value)
        moving = state == ("fine" if self.active else "fault")
        self._since_ms = (self._since_ms or verdict.at_ms) if moving else None
        self._run = self._run + 1 if moving else 0
        if self._run < (self._rule.clear_nights if self.active else self._rule.nights):
            return None
        self.active, self._run, self._since_ms = not self.active, 0, None
        self.urgent = self.active and verdict.judgement.grave
        self.limit = verdict.judgement.limit or 0.0
        return Transition(self.active, verdict.at_ms, value)

    def save(self) -> dict[str, Json]:
        """Return the state as JSON; empty when the machine is as new."""
        if not self._day:  # nothing was heard yet
            return {}
        state, value, limit, facts, grave = self._last
        saved: dict[str, Json] = {
            "active": self.active,
            "urgent": self.urgent,
            "shown": self.limit,
            "run": self._run,
            "since": self._since_ms,
            "at": self._at_ms,
            "day": self._day,
            "last": [state, value, limit, dict(facts), grave],
        }
        return {name: value for name, value in saved.items() if value}

    def load(self, state: Mapping[str, Json]) -> None:
        """Take back what :meth:`save` returned."""
        self.active, self.urgent = state.get("active", False), state.get("urgent", False)
        self.limit, self._run = state.get("shown", 0.0), state.get("run", 0)
        self._since_ms, self._at_ms = state.get("since"), state.get("at", 0)
        self._day = state.get("day", "")
        last = state.get("last")
        self._last = Judgement(*last) if last else Judgement("unknown")

    def why(self, now_ms: int) -> dict[str, Json]:
        """Return what the last judgement was made of, and how many of how many nights it is."""
        del now_ms
        needed = self._rule.clear_nights if self.active else self._rule.nights
        value = self._last.value
        return {
            "active": self.active,
            "readings": [] if value is None else [[0, self._at_ms, value]],
            "thresholds": {
                "limit": self._last.limit,
                "nights": self._rule.nights,
                "clear_nights": self._rule.clear_nights,
            },
            "since_ms": self._since_ms,
            "due_ms": None,
            "day": self._day or None,
            "state": self._last.state,
            "run": [self._run, needed],
            "facts": dict(self._last.facts),
        }
