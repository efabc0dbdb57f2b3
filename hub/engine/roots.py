"""Which alarm is the effect of which: by what hangs on what, and by what has failed; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from hub.engine.fault import Fault
from hub.engine.topology import BROKER, Topology
from hub.site import HUB

GATHER_MS = 120_000  # an effect may be seen before its cause; so long it waits for it
FOLLOW_MS = 30_000  # its cause is over; an effect that stays so long is an alarm of its own
LIST_MS = 60_000  # so long effects are gathered before the ticket of their cause lists them


class Lines(NamedTuple):
    """How many of the lines that could be lost are lost."""

    lost: int
    all: int


class Roots:
    """The rules that inhibit, by what they are about; and who is an effect of whom."""

    def __init__(self, faults: Iterable[Fault], topology: Topology) -> None:
        self._topology = topology
        self._at: dict[str, list[Fault]] = {}
        for fault in faults:
            if fault.rule.inhibits:
                self._at.setdefault(seat_of(fault), []).append(fault)
        self._known: dict[str, tuple[Fault, ...]] = {}

    def of(self, fault: Fault) -> tuple[Fault, ...]:
        """Return what a fault may be an effect of, the topmost first."""
        if not fault.rule.effect_of:
            return ()
        known = self._known.get(fault.cause)
        if known is None:
            seat = seat_of(fault)
            known = self._known[fault.cause] = tuple(
                root
                for above in (*self._topology.above(seat), seat)
                for root in self._at.get(above, ())
                if root.rule.inhibits in fault.rule.effect_of and root is not fault
            )
        return known

    def active(self, fault: Fault) -> Fault | None:
        """Return what a fault is an effect of now: the topmost root that is there."""
        return next((root for root in self.of(fault) if root.there), None)

    def lines(self, gateways: Mapping[str, object]) -> Lines:
        """Count the gateways that have a rule about their line, and those that are lost."""
        found = [
            any(one.there for one in roots if one.rule.inhibits == "line")
            for gateway in gateways
            if (roots := self._at.get(gateway))
        ]
        return Lines(sum(found), len(found))


def seat_of(fault: Fault) -> str:
    """Return where in the topology a fault is: at its subject, but for what the hub says."""
    if fault.rule.kind == "health":
        return BROKER if fault.rule.subject == "broker" else HUB
    return fault.subject.id
