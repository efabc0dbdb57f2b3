"""Entering changes of meters: checked, kept, audited, and taken over by the ledger at once."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hub.database import audit, meter_changes
from hub.database.connection import Database
from hub.database.meter_changes import Entered, Record
from hub.energy.counter import MeterChange
from hub.energy.ledger import Ledger
from hub.energy.metering import UTILITIES, counter_of
from hub.model import Point
from hub.ports import Refused
from hub.site import Site
from hub.store.rollup import EARLIEST_MS

HIGHEST_MULTIPLIER = 100_000.0
LONGEST_REASON = 500


@dataclass(frozen=True, slots=True)
class Change:
    """What somebody says about a meter; ``point`` is the name of a counter, None: its main one.

    ``corrects`` is the number of an earlier record in whose place this one stands; with ``void``
    that record was wrong altogether, and readings and multiplier mean nothing.
    """

    at_ms: int
    closing: float
    opening: float
    reason: str
    multiplier: float | None = None
    point: str | None = None
    corrects: int | None = None
    void: bool = False


class MeterChanges:
    """The changes of the meters of a site; calls block: run them in a worker."""

    def __init__(self, site: Site, database: Database, ledger: Ledger | None = None) -> None:
        self._site = site
        self._database = database
        self._ledger = ledger
        self.tell()

    def tell(self) -> None:
        """Hand the changes that stand to the ledger."""
        if self._ledger is None:
            return
        found: dict[int, list[MeterChange]] = {}
        for record in meter_changes.of_points(self._database):
            entered, number = record.entered, self._site.numbers.get(record.entered.point)
            if record.stands and number is not None:
                change = MeterChange(
                    entered.at_ms, entered.closing, entered.opening, entered.multiplier
                )
                found.setdefault(number, []).append(change)
        self._ledger.change(found)

    def of(self, device: str) -> list[Record]:
        """Return the records of a device's counters, in the order in which they were entered."""
        points = [point.id for point in self._site.devices[device].points]
        return meter_changes.of_points(self._database, points)

    def enter(self, device: str, change: Change, actor: str, now_ms: int) -> Record:
        """Keep a change of a device's meter; Refused, with the reason, when it cannot be."""
        point = self._point(device, change.point)
        self._check(point, change, now_ms)
        entered = Entered(
            point.id, change.at_ms, change.closing, change.opening, change.multiplier,
            change.reason, actor, now_ms, change.corrects, change.void,
        )  # fmt: skip
        n = meter_changes.add(self._database, entered)
        detail = {
            "n": n, "point": point.id, "at_ms": change.at_ms, "closing": change.closing,
            "opening": change.opening, "multiplier": change.multiplier, "reason": change.reason,
            "corrects": change.corrects, "void": change.void,
        }  # fmt: skip
        audit.add(self._database, now_ms, actor, "meter change", device, detail)
        self.tell()
        return Record(n, entered)

    def _point(self, device: str, name: str | None) -> Point:
        found = self._site.devices.get(device)
        if found is None:
            raise Refused(f"meter change: there is no device {device!r} in this site")
        counters = {point.name: point for point in found.points if point.kind == "counter"}
        if name is None:
            main = (counter_of(found, utility) for utility in UTILITIES)
            name = next((one[0].name for one in main if one is not None), None)
            name = name or next(iter(counters), "")
        if name not in counters:
            known = ", ".join(counters) or "it counts nothing"
            raise Refused(f"meter change: {device} has no counter {name!r}; choose one of: {known}")
        return counters[name]

    def _check(self, point: Point, change: Change, now_ms: int) -> None:
        if not EARLIEST_MS <= change.at_ms <= now_ms:
            raise Refused("meter change: it must have happened after 2000, and not in the future")
        top = point.rollover or math.inf
        for name, value in (("closing", change.closing), ("opening", change.opening)):
            if not (math.isfinite(value) and 0 <= value < top):
                raise Refused(f"meter change: {point.id} cannot show {value:g} as its {name}")
        multiplier = change.multiplier
        if multiplier is not None and not 0 < multiplier <= HIGHEST_MULTIPLIER:
            most = f"{HIGHEST_MULTIPLIER:,.0f}"
            raise Refused(f"meter change: a multiplier is above 0 and at most {most}")
        if not 0 < len(change.reason.strip()) <= LONGEST_REASON:
            raise Refused(f"meter change: say why, in 1 to {LONGEST_REASON} characters")
        if change.void and change.corrects is None:
            raise Refused("meter change: void takes back a record; name it with corrects")
        self._check_others(point, change)

    def _check_others(self, point: Point, change: Change) -> None:
        records = {one.n: one for one in meter_changes.of_points(self._database, [point.id])}
        if change.corrects is not None and change.corrects not in records:
            raise Refused(f"meter change: {point.id} has no record {change.corrects} to correct")
        for n, record in records.items():
            if n != change.corrects and record.stands and record.entered.at_ms == change.at_ms:
                raise Refused(
                    f"meter change: record {n} names the same instant; correct it (corrects {n}) "
                    "or give the later one its own minute"
                )
