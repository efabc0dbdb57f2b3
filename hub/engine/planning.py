"""Planned outages at work: people enter and end them, time ends them, and what missed is told."""

from __future__ import annotations

from collections.abc import Iterable

from hub.desk import Action
from hub.engine.alarms import Alarms
from hub.engine.fault import Fault, fault_about
from hub.engine.outages import Outages, outage_of
from hub.engine.topology import is_area
from hub.model import Effect
from hub.ports import Refused
from hub.site import Site
from rules.machine import Transition

EXPECTED = "expected-alarm-missing"


class Planning:
    """The outages of a site. ``faults`` are its own, by cause; some are added here."""

    def __init__(
        self, site: Site, outages: Outages, alarms: Alarms, faults: dict[str, Fault]
    ) -> None:
        self._site = site
        self._outages = outages
        self._alarms = alarms
        self._faults = faults
        self._rule = next(
            (
                fault.rule
                for fault in faults.values()
                if fault.rule.kind == "health" and fault.rule.subject == "outage"
            ),
            None,
        )

    def plan(self, action: Action, now_ms: int) -> tuple[str, list[Effect]]:
        """Take an outage that somebody plans; Refused when it cannot be."""
        if action.planned is None or action.planned.end_ms <= now_ms:
            raise Refused("the end of the outage has passed; nothing of it can be planned")
        wish = action.planned.model_dump()
        if not is_area(self._site, wish["area"]):
            raise Refused(f"{wish['area']}: there is no such place, gateway or device")
        known = {fault.rule.id for fault in self._faults.values()}
        if unknown := [rule for rule in wish["rules"] if rule not in known]:
            raise Refused(f"there is no rule {', '.join(unknown)} in force")
        outage = self._outages.plan(outage_of(action.id, wish, action.actor, now_ms))
        return outage.id, [outage]

    def end(self, id_: str, now_ms: int) -> tuple[str, list[Effect]]:
        """End an outage before its time; Refused when it is over."""
        outage = self._outages.end(id_, now_ms) if id_ in self._outages else None
        if outage is None:
            raise Refused(f"outage {id_}: it is over, or there is no such outage")
        return id_, [outage, *self._alarms.end_outage(now_ms)]

    def pass_time(self, id_: str, now_ms: int) -> list[Effect]:
        """Let the time of an outage be over; an expected alarm that did not come is one."""
        found = self._outages.pass_time(id_, now_ms)
        if found is None:
            return []
        outage, missing = found
        fault = self._about(outage.area) if missing else None
        if fault is None:
            return [outage]
        # Nobody can see that it is over: it stays, latched, until somebody says so.
        began = Transition(raised=True, at_ms=outage.end_ms, value=float(len(missing)))
        reason = f"outage {outage.id}: no alarm of {', '.join(missing)}"
        effects = self._alarms.rise(fault, began, now_ms, reason)
        over = began._replace(raised=False)
        return [outage, *effects, *self._alarms.fall(fault, over, now_ms)]

    def know(self, causes: Iterable[str]) -> None:
        """Make again the faults that were added for outages, of the causes of a saved state."""
        for cause in causes:
            area, _, rule = cause.rpartition("#")
            if rule == EXPECTED and cause not in self._faults:
                self._about(area)

    def _about(self, area: str) -> Fault | None:
        """Return what tells, of an area, that an expected alarm did not come."""
        fault = fault_about(self._site, area, self._rule) if self._rule else None
        return self._faults.setdefault(fault.cause, fault) if fault else None
