"""The table: kind of rule -> its state machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from rules.limit import Limit
from rules.machine import Machine
from rules.spec import Rule
from rules.stale import Stale
from rules.told import Told

MACHINES: Mapping[str, Callable[[Any, int], Machine]] = {
    "high": Limit,
    "low": Limit,
    "stale": Stale,
    "health": Told,
}


def machine(rule: Rule, interval_ms: int) -> Machine:
    """Make the state machine of a rule for a device that is read every ``interval_ms``."""
    return MACHINES[rule.kind](rule, interval_ms)
