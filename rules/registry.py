"""The table: kind of rule -> its state machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from hub.model import Point
from rules.backwards import Backwards
from rules.code import Code
from rules.cycling import Cycling
from rules.errors import Errors
from rules.invalid import Invalid
from rules.judged import Judged
from rules.jump import Jump
from rules.limit import Limit, Range
from rules.machine import Machine
from rules.members import members
from rules.mismatch import Mismatch
from rules.rate import Rate
from rules.session import Session
from rules.spec import Rule
from rules.spread import Spread
from rules.stale import NeverSeen, Stale
from rules.stuck import Stuck
from rules.told import Told

MACHINES: Mapping[str, Callable[[Any, int, Sequence[Point]], Machine]] = {
    "high": Limit,
    "low": Limit,
    "range": Range,
    "stale": Stale,
    "never_seen": NeverSeen,
    "rate": Rate,
    "jump": Jump,
    "stuck": Stuck,
    "backwards": Backwards,
    "mismatch": Mismatch,
    "code": Code,
    "cycling": Cycling,
    "session": Session,
    "spread": Spread,
    "invalid": Invalid,
    "any": members,
    "all": members,
    "count": members,
    "share": members,
    "health": Told,
    "errors": Errors,
    "peers": Judged,
    "balance": Judged,
    "expected": Judged,
    "night": Judged,
    "night_flow": Judged,
    "efficiency": Judged,
    "exposure": Judged,
}


def machine(rule: Rule, interval_ms: int, points: Sequence[Point] = ()) -> Machine:
    """Make the state machine of a rule for a subject that is read every ``interval_ms``.

    ``points`` are those of the rule's inputs, one for each member where it is over members.
    """
    return MACHINES[rule.kind](rule, interval_ms, points)
