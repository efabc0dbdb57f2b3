"""Planned outages: what is off for a while, and which alarms are expected then; pure."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from pydantic import TypeAdapter

from hub.model import Json, Outage

SETTLE_MS = 900_000  # after an outage devices come back, and rules take their time to clear
_OUTAGE = TypeAdapter(Outage)

Within = Callable[[str, str], bool]
"""Tell whether a subject is an area, or hangs on it."""


@dataclass(slots=True)
class _Planned:
    """An outage with the rules of which an alarm has come."""

    outage: Outage
    came: dict[str, None] = field(default_factory=dict)

    @property
    def over_ms(self) -> int:
        """Return when nothing is held back by it any more."""
        outage = self.outage
        return (outage.end_ms if outage.ended_ms is None else outage.ended_ms) + SETTLE_MS

    @property
    def due_ms(self) -> int:
        """Return when time alone changes it: at its end, and when all has settled."""
        return self.outage.end_ms if self.outage.ended_ms is None else self.over_ms


class Outages:
    """The planned outages that are not over."""

    def __init__(self, within: Within) -> None:
        self._within = within
        self._planned: dict[str, _Planned] = {}

    def __contains__(self, id_: str) -> bool:
        """Tell whether an outage is planned or lasts."""
        return id_ in self._planned

    def due_ms(self, id_: str) -> int | None:
        """Return when time alone changes an outage."""
        planned = self._planned.get(id_)
        return planned.due_ms if planned else None

    def plan(self, outage: Outage) -> Outage:
        """Take an outage that somebody has planned."""
        self._planned[outage.id] = _Planned(outage)
        return outage

    def over(self, subject: str, at_ms: int) -> tuple[str, int] | None:
        """Return the outage that a subject is in, in words, and until when; None for none."""
        for planned in self._planned.values():
            outage = planned.outage
            if outage.start_ms <= at_ms < planned.over_ms and self._within(subject, outage.area):
                return f"outage {outage.id}: {outage.reason}", planned.over_ms
        return None

    def saw(self, subject: str, rule: str, at_ms: int) -> None:
        """Note an alarm, which may be an expected one."""
        for planned in self._planned.values():
            outage = planned.outage
            inside = outage.ended_ms is None and outage.start_ms <= at_ms
            if inside and rule in outage.rules and self._within(subject, outage.area):
                planned.came[rule] = None

    def end(self, id_: str, at_ms: int) -> Outage | None:
        """End an outage early; of one that did not last as planned no alarm is expected.

        None: it has ended before.
        """
        planned = self._planned[id_]
        if planned.outage.ended_ms is not None:
            return None
        planned.outage = replace(planned.outage, ended_ms=at_ms)
        if at_ms <= planned.outage.start_ms:  # nothing of it ever was
            del self._planned[id_]
        return planned.outage

    def pass_time(self, id_: str, now_ms: int) -> tuple[Outage, tuple[str, ...]] | None:
        """End an outage whose time is over; return it with the rules of which no alarm came."""
        planned = self._planned[id_]
        if planned.outage.ended_ms is None and now_ms >= planned.outage.end_ms:
            planned.outage = replace(planned.outage, ended_ms=planned.outage.end_ms)
            missing = tuple(rule for rule in planned.outage.rules if rule not in planned.came)
            return planned.outage, missing
        if now_ms >= planned.over_ms:
            del self._planned[id_]
        return None

    def ids(self) -> list[str]:
        """Return the outages in the order they were planned."""
        return list(self._planned)

    def save(self) -> list[Json]:
        """Return the state as JSON."""
        return [[asdict(one.outage), list(one.came)] for one in self._planned.values()]

    def load(self, state: list[Any]) -> None:
        """Take back what :meth:`save` returned."""
        for saved, came in state:
            outage = _OUTAGE.validate_python(saved)
            self._planned[outage.id] = _Planned(outage, dict.fromkeys(came))


def outage_of(action_id: str, wish: Mapping[str, Any], actor: str, now_ms: int) -> Outage:
    """Make an outage of what a person wrote; its id derives from the action."""
    id_ = hashlib.sha256(action_id.encode()).hexdigest()[:12]
    rules = tuple(dict.fromkeys(wish["rules"]))
    fields = {**wish, "rules": rules, "actor": actor, "entered_ms": now_ms}
    return Outage(id=id_, **fields)
