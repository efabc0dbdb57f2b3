"""What becomes of alarms: they rise, are held back, cleared, acknowledged, and leave an audit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Literal

from hub.desk import Desk
from hub.desk.action import Action
from hub.desk.book import HUB as NOBODY
from hub.desk.work import alarm_id
from hub.engine.fault import Fault
from hub.engine.holds import Hold, Holds, inhibited_by
from hub.engine.roots import FOLLOW_MS, LIST_MS
from hub.model import Alarm, AlarmEvent, AlarmState, Effect, Json
from hub.ports import Refused
from rules.alarm import HOLDS, STANDING, Event, following
from rules.form import StreamForm
from rules.load import Floods
from rules.machine import Transition
from rules.sla import milliseconds

# Raised so often in so long it chatters: the three of ISA-18.2, which counts by the minute, with
# time enough for readings that come once a minute.
CHATTER = 3
CHATTER_MS = 600_000
LONGEST_SHELF_MS = 7 * 86_400_000

SAID: Mapping[Event, str] = {
    "raise": "raised",
    "clear": "cleared",
    "latch": "latched",
    "acknowledge": "acknowledged",
    "reset": "reset",
    "shelve": "shelved",
    "suppress": "suppressed",
    "inhibit": "inhibited",
    "remove": "out_of_service",
    "release": "released",
    "lapse": "lapsed",
}
"""What the history says of each event."""

_NEEDS = {
    "acknowledge_alarm": "acknowledgement",
    "reset": "reset",
    "shelve": "shelving",
    "unshelve": "unshelving",
    "remove": "removal from service",
    "return_to_service": "return to service",
}
_FREE = {"reason": "", "owner": "", "until_ms": None, "root": None}


class Alarms:
    """The alarms of a site's faults. Every call returns what changed; nothing reads a clock.

    ``changed`` takes the names (causes, tickets) that may be due at another instant now.
    """

    def __init__(self, desk: Desk, holds: Holds, changed: Callable[[str], None]) -> None:
        self.floods = Floods()
        self.by_id: dict[str, Fault] = {}
        self._desk = desk
        self._holds = holds
        self._changed = changed
        self._inhibited: dict[str, Fault] = {}  # by cause, in the order they were

    def adopt(self, fault: Fault) -> None:
        """Take over the alarm of a fault that was loaded."""
        if fault.alarm:
            self.by_id[fault.alarm.id] = fault
            if fault.alarm.state is AlarmState.INHIBITED:
                self._inhibited[fault.cause] = fault

    def rise(
        self, fault: Fault, transition: Transition, at_ms: int, reason: str = ""
    ) -> list[Effect]:
        """Take that a fault began, at an instant of its readings; ``at_ms`` is now."""
        fault.note_rise(transition.at_ms, CHATTER_MS)
        self._holds.outages.saw(fault.subject.id, fault.rule.id, at_ms)
        alarm = fault.alarm
        effects: list[Effect] = []
        if alarm and alarm.chattering:
            fault.fell = None
            return effects
        if alarm and alarm.state in HOLDS:
            fields = {"cleared_ms": None, "value": transition.value}
            effects += self._note(fault, "came", at_ms, fields, {"why": fault.why})
        else:
            if alarm:  # clear but still there: the new alarm takes its place
                effects += self._note(fault, "replaced", at_ms, {"state": AlarmState.CLEARED})
            effects += self._born(fault, transition, at_ms, reason)
        return effects + self._inhibit_below(fault, at_ms)

    def fall(self, fault: Fault, transition: Transition, at_ms: int) -> list[Effect]:
        """Take that a fault is over, at an instant of its readings."""
        alarm = fault.alarm
        if alarm is None:
            return []
        if alarm.chattering:
            fault.fell = transition
            self._changed(fault.cause)
            return []
        effects = self._list(fault, at_ms)
        fields = {"cleared_ms": transition.at_ms}
        if alarm.state in (AlarmState.SUPPRESSED, AlarmState.INHIBITED):
            effects += self._to(fault, "lapse", at_ms, fields | _FREE)
        elif alarm.state in HOLDS:  # by a person, whatever comes and goes
            effects += self._note(fault, "went", at_ms, fields)
        else:
            event: Event = "latch" if fault.rule.latched else "clear"
            effects += self._to(fault, event, at_ms, fields)
            effects += self._desk.cleared(alarm, transition.value, at_ms)
        return effects + self._let_follow(fault, alarm, at_ms)

    def worsen(self, fault: Fault, value: float, at_ms: int) -> list[Effect]:
        """Note that what there is an alarm for cannot wait any more."""
        fields = {"value": value, "limit": fault.limit, "severity": fault.severity}
        effects = self._note(fault, "escalated", at_ms, fields, {"value": value})
        if work := self._desk.book.of_cause(fault.cause):
            effects += self._desk.escalated(work, fault.severity, value, at_ms)
            self._changed(work.ticket.id)
        return effects

    def acknowledge(self, fault: Fault, actor: str, at_ms: int) -> list[Effect]:
        """Note that somebody has seen an alarm; nothing when that changes nothing."""
        return self._to(fault, "acknowledge", at_ms, {"acknowledged_ms": at_ms}, actor=actor)

    def act(self, action: Action, at_ms: int) -> list[Effect]:
        """Take what somebody does to an alarm, or raise Refused with the reason."""
        fault = self.by_id.get(action.subject)
        alarm = fault.alarm if fault else None
        if fault is None or alarm is None:
            raise Refused(f"alarm {action.subject}: it is over, or there is no such alarm")
        match action.kind:
            case "acknowledge_alarm":
                effects = self.acknowledge(fault, action.actor, at_ms)
            case "reset":
                fields = {"acknowledged_ms": at_ms}
                effects = self._to(fault, "reset", at_ms, fields, actor=action.actor)
            case "shelve":
                effects = self._shelve(fault, action, at_ms)
            case "remove":
                effects = self._by_person(fault, "remove", action, at_ms)
            case _:
                effects = self._back(fault, action, at_ms)
        if not effects:
            written = alarm.state.replace("_", " ")
            needs = f"it needs no {_NEEDS[action.kind]} (any more)"
            raise Refused(f"alarm {alarm.id}: {needs}; it is {written}")
        self._changed(fault.cause)
        return effects

    def hold_on(self, fault: Fault, at_ms: int) -> Hold | None:
        """Return what holds an alarm back now, or would if it rose now."""
        alarm = fault.alarm
        if alarm is None or alarm.state not in HOLDS:
            return self._holds.now(fault, at_ms)
        event: Event = next(event for event, said in SAID.items() if said == alarm.state)
        return Hold(event, alarm.reason, alarm.until_ms, alarm.root)

    def due_ms(self, fault: Fault) -> int | None:
        """Return when time alone changes the alarm of a fault."""
        alarm = fault.alarm
        if alarm is None:
            return None
        dues = [alarm.until_ms] if alarm.state in HOLDS and alarm.until_ms is not None else []
        if alarm.chattering:
            dues.append(fault.quiet_ms + CHATTER_MS)
        if fault.pending_ms is not None:
            dues.append(fault.pending_ms + LIST_MS)
        return min(dues, default=None)

    def pass_time(self, fault: Fault, now_ms: int) -> list[Effect]:
        """Do what is due on the alarm of a fault."""
        effects: list[Effect] = []
        if fault.pending_ms is not None and now_ms >= fault.pending_ms + LIST_MS:
            effects += self._list(fault, now_ms)
        alarm = fault.alarm
        if alarm and alarm.chattering and now_ms >= fault.quiet_ms + CHATTER_MS:
            effects += self._settle(fault, now_ms)
        elif alarm and alarm.state in HOLDS and alarm.until_ms is not None:
            effects += self._return(fault, now_ms) if now_ms >= alarm.until_ms else []
        return effects

    def turn_mode(self, fault: Fault, at_ms: int) -> list[Effect]:
        """Look again at what suppresses an alarm: the mode of its subject has changed."""
        alarm = fault.alarm
        if alarm is None or alarm.state is not AlarmState.SUPPRESSED:
            return []
        hold = self._holds.now(fault, at_ms)
        same = hold is not None and (hold.reason, hold.until_ms) == (alarm.reason, alarm.until_ms)
        return [] if same else self._return(fault, at_ms)

    def end_outage(self, at_ms: int) -> list[Effect]:
        """Look again at what planned outages suppress: one has ended early."""
        effects: list[Effect] = []
        for fault in list(self.by_id.values()):
            alarm = fault.alarm
            if alarm is None or alarm.state is not AlarmState.SUPPRESSED:
                continue
            held = self._holds.now(fault, at_ms)
            until_ms = held.until_ms if held else at_ms
            if alarm.until_ms != until_ms:
                effects += self._note(fault, "outage_ended", at_ms, {"until_ms": until_ms})
                self._changed(fault.cause)
        return effects

    def _born(self, fault: Fault, transition: Transition, at_ms: int, reason: str) -> list[Effect]:
        fault.alarm = alarm = Alarm(
            id=alarm_id(fault.cause, transition.at_ms),
            rule=fault.rule.id,
            device=fault.subject.id,
            place=fault.subject.place,
            severity=fault.severity,
            title=fault.rule.title.text(),
            state=AlarmState.CLEARED,
            raised_ms=transition.at_ms,
            value=transition.value,
            limit=fault.limit,
            reason=reason,
        )
        fault.events, fault.fell = 0, None
        self.by_id[alarm.id] = fault
        hold = self._holds.at_first(fault, at_ms)
        if hold:
            return self._hold(fault, hold, at_ms)
        detail = {"value": transition.value} | ({"reason": reason} if reason else {})
        effects = self._to(fault, "raise", at_ms, detail=detail)
        effects += self._tell(fault, at_ms)
        if len(fault.rises) >= CHATTER:
            reason = f"raised {len(fault.rises)} times in 10 minutes"
            fields = {"chattering": True, "reason": reason}
            effects += self._note(fault, "chattering", at_ms, fields)
            self._changed(fault.cause)
        return effects

    def _hold(self, fault: Fault, hold: Hold, at_ms: int) -> list[Effect]:
        fields = {"reason": hold.reason, "until_ms": hold.until_ms, "root": hold.root, "owner": ""}
        detail = {"reason": hold.reason}
        effects = self._to(fault, hold.event, at_ms, fields, detail)
        if not effects:  # held the same way before
            effects = self._note(fault, SAID[hold.event], at_ms, fields, detail)
        if hold.root:
            self._note_member(self.by_id[hold.root], fault, at_ms)
        self._changed(fault.cause)
        return effects

    def _tell(
        self,
        fault: Fault,
        at_ms: int,
        again: Literal["raised_again", "returned"] = "raised_again",
    ) -> list[Effect]:
        """Open the ticket of an alarm, or tell the open one; list what is inhibited by it."""
        if fault.alarm is None:
            return []
        duty, alarm = self._desk.duty, fault.alarm
        self.floods.tell(at_ms, duty.crew(alarm.device, alarm.place) if duty else "")
        effects = self._desk.raised(
            fault.alarm, fault.rule, fault.subject.interval_ms, at_ms, again, fault.why
        )
        if work := self._desk.book.of_cause(fault.cause):
            self._changed(work.ticket.id)
        return effects + self._list(fault, at_ms)

    def _return(self, fault: Fault, at_ms: int, actor: str = NOBODY) -> list[Effect]:
        """End a hold: raise again what is there, unless something else holds it back."""
        alarm = fault.alarm
        if alarm is None:
            return []
        if alarm.cleared_ms is not None:
            return self._to(fault, "lapse", at_ms, _FREE, actor=actor)
        if hold := self._holds.now(fault, at_ms):
            return self._hold(fault, hold, at_ms)
        before = alarm.state
        fields = {**_FREE, "acknowledged_ms": None}
        effects = self._to(fault, "release", at_ms, fields, {"from": str(before)}, actor)
        effects += self._tell(fault, at_ms, "returned")
        return effects

    def _settle(self, fault: Fault, now_ms: int) -> list[Effect]:
        """End the chattering of what has been quiet."""
        fields = {"chattering": False, "reason": ""}
        effects = self._note(fault, "settled", now_ms, fields)
        fell, fault.fell = fault.fell, None
        return effects + (self.fall(fault, fell, now_ms) if fell else [])

    def _inhibit_below(self, root: Fault, at_ms: int) -> list[Effect]:
        """Put under a root that rose what waits for one, or is under a lower one."""
        effects: list[Effect] = []
        if not root.rule.inhibits:
            return effects
        for fault in list(self._inhibited.values()):
            top = self._holds.roots.active(fault)
            if top and top.alarm and fault.alarm and fault.alarm.root != top.alarm.id:
                effects += self._hold(fault, inhibited_by(top), at_ms)
        return effects

    def _let_follow(self, root: Fault, alarm: Alarm, at_ms: int) -> list[Effect]:
        """Give the effects of a root that is over a moment to be over, too.

        Where a proof cut its off-delay short, they have as long as that.
        """
        effects: list[Effect] = []
        work, until_ms = self._desk.book.of_cause(root.cause), at_ms + FOLLOW_MS
        if work and work.watch and work.watch.held and isinstance(root.rule, StreamForm):
            until_ms = max(until_ms, at_ms + milliseconds(root.rule.off_delay))
        for fault in list(self._inhibited.values()):
            if fault.alarm and fault.alarm.root == alarm.id and root.rule.inhibits:
                effects += self._note(fault, "root_over", at_ms, {"until_ms": until_ms})
                self._changed(fault.cause)
        return effects

    def _note_member(self, root: Fault, fault: Fault, at_ms: int) -> None:
        root.pending.append(fault.subject.id)
        if root.pending_ms is None:
            root.pending_ms = at_ms
            self._changed(root.cause)

    def _list(self, root: Fault, at_ms: int) -> list[Effect]:
        """List in the ticket of a root what is inhibited by it."""
        work, root.pending_ms = self._desk.book.of_cause(root.cause), None
        if work is None or not root.pending:  # they wait until it has one
            return []
        new, root.pending = list(dict.fromkeys(root.pending)), []
        return self._desk.listed(work, new, at_ms)

    def _to(
        self,
        fault: Fault,
        event: Event,
        at_ms: int,
        fields: Mapping[str, Any] | None = None,
        detail: Mapping[str, Json] | None = None,
        actor: str = NOBODY,
    ) -> list[Effect]:
        """Let an event happen to an alarm; nothing when it changes nothing."""
        state = following(fault.alarm.state, event) if fault.alarm else None
        if state is None:
            return []
        changed = {**(fields or {}), "state": state}
        return self._note(fault, SAID[event], at_ms, changed, detail, actor)

    def _note(
        self,
        fault: Fault,
        said: str,
        at_ms: int,
        fields: Mapping[str, Any],
        detail: Mapping[str, Json] | None = None,
        actor: str = NOBODY,
    ) -> list[Effect]:
        """Change an alarm and write a line of its history."""
        if fault.alarm is None:
            return []
        fault.alarm = alarm = replace(fault.alarm, **fields)
        told = {**(detail or {}), **({"why": fault.why} if fault.why and not fault.events else {})}
        line = AlarmEvent(alarm.id, fault.events, said, actor, at_ms, told)
        fault.events += 1
        self._inhibited.pop(fault.cause, None)
        if alarm.state is AlarmState.INHIBITED:
            self._inhibited[fault.cause] = fault
        elif alarm.state is AlarmState.CLEARED:
            fault.alarm, fault.pending, fault.pending_ms = None, [], None
            del self.by_id[alarm.id]
        return [alarm, line]

    def _shelve(self, fault: Fault, action: Action, at_ms: int) -> list[Effect]:
        until_ms = action.until_ms or 0
        if not at_ms < until_ms <= at_ms + LONGEST_SHELF_MS:
            raise Refused("an alarm is shelved until an instant within the next seven days")
        return self._by_person(fault, "shelve", action, at_ms)

    def _by_person(self, fault: Fault, event: Event, action: Action, at_ms: int) -> list[Effect]:
        if not fault.rule.suppressible:
            raise Refused(f"{fault.rule.id}: it warns of danger; nobody can hold it back")
        fields: dict[str, Any] = {"reason": action.note, "owner": action.actor}
        fields |= {"until_ms": action.until_ms, "chattering": False}
        if fault.fell:  # it chattered and is over at the moment
            fields["cleared_ms"], fault.fell = fault.fell.at_ms, None
        detail = {"reason": action.note, "until_ms": action.until_ms}
        return self._to(fault, event, at_ms, fields, detail, action.actor)

    def _back(self, fault: Fault, action: Action, at_ms: int) -> list[Effect]:
        wanted = {
            "unshelve": AlarmState.SHELVED,
            "return_to_service": AlarmState.OUT_OF_SERVICE,
        }[action.kind]
        if fault.alarm is None or fault.alarm.state is not wanted:
            return []
        return self._return(fault, at_ms, action.actor)


def stands(fault: Fault) -> bool:
    """Tell whether the alarm of a fault keeps its ticket open."""
    alarm = fault.alarm
    if alarm is None:
        return False
    return alarm.cleared_ms is None or alarm.state in (*STANDING, AlarmState.LATCHED)
