"""One version of the rules, led through a history without a database."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from hub.backtest.history import History
from hub.desk import cause_of
from hub.engine import Core
from hub.engine.fault import faults_of
from hub.judge import Look, Nights
from hub.model import Alarm, AlarmState, Batch, Effect, Entry, EntryKind
from hub.ports import Refused
from hub.site import Site
from rules.backtest import Judged, Raised
from rules.calendar import NO_CALENDAR, Calendar, CalendarFile
from rules.service import Service
from rules.sla import milliseconds
from rules.spec import Pack


class Trial:
    """The rules of a site on a history; ``raised`` holds what people would have heard.

    ``heard`` is told every effect, in its order.

    Time passes between the entries: what is due happens at its instant, however the history was
    cut into batches. What a recorded hub judged at night is left out: these rules judge themselves.
    """

    def __init__(
        self,
        site: Site,
        packs: Sequence[Pack],
        promise: Service,
        calendar: CalendarFile = NO_CALENDAR,
        heard: Callable[[Effect], None] | None = None,
    ) -> None:
        self.readings = 0
        self._heard = heard
        dates = Calendar(calendar, site.zone)
        self._core = Core(site, packs, promise, dates)
        look = Look(site, packs, dates)
        self._nights = Nights(look, site.zone) if len(look) else None
        self.points = frozenset((*look.history.counters.tolist(), *look.history.gauges.tolist()))
        self._pack_of: dict[str, str] = {}
        self._raised: dict[str, Raised] = {}
        self._known: set[str] = set()
        self._take_in(site, packs, frozenset(look.causes))

    def _take_in(self, site: Site, packs: Sequence[Pack], judged_by_night: frozenset[str]) -> None:
        """Note which pack every cause is of, on whom each rule is, and what is looked at."""
        pack_of = {id(rule): pack.pack for pack in packs for rule in pack.rules}
        subjects: dict[int, set[str]] = {of: set() for of in pack_of}
        interval_ms = dict.fromkeys(pack_of, 0)
        points = set(self.points)
        for fault in faults_of(site, packs):
            of = id(fault.rule)
            if fault.judged is None or fault.cause in judged_by_night:
                subjects[of].add(fault.subject.id)
                interval_ms[of] = max(interval_ms[of], fault.subject.interval_ms)
            self._pack_of[fault.cause] = pack_of[of]
            beside = (fault.proof_point, fault.mode_point)
            points.update(fault.points, (number for number in beside if number is not None))
        self.points = frozenset(points)
        self.rules = [
            Judged(
                pack.pack,
                rule.id,
                frozenset(rule.finds),
                milliseconds(rule.delay),
                frozenset(subjects[id(rule)]),
                interval_ms[id(rule)],
            )
            for pack in packs
            for rule in pack.rules
        ]

    @property
    def raised(self) -> list[Raised]:
        """Return the alarms that people would have heard, in the order they would have."""
        return list(self._raised.values())

    def begin(self, start_ms: int) -> None:
        """Begin to listen: nothing was silent before."""
        self._step(Entry(EntryKind.TICK, start_ms, content={"listening": True}))

    def take(self, entry: Entry, *, ordered: bool) -> None:
        """Take one entry; the rows of its batch are in order of time where ``ordered``."""
        if entry.kind is EntryKind.JUDGEMENT:
            return
        if entry.batch is not None:
            self.readings += len(entry.batch)
            if ordered:
                self._take_in_order(entry.batch)
                return
        if not _begins(entry):
            self.pass_time(entry.at_ms - 1)
        self._step(entry)

    def pass_time(self, until_ms: int) -> None:
        """Let happen what is due up to an instant."""
        while (due_ms := self._due_ms()) is not None and due_ms <= until_ms:
            self._do_due(due_ms)

    def _due_ms(self) -> int | None:
        dues = (self._core.next_due_ms(), self._nights.due_ms if self._nights else None)
        return min((due_ms for due_ms in dues if due_ms is not None), default=None)

    def _do_due(self, due_ms: int) -> None:
        """Tell the time, and in the night what was judged."""
        self._step(Entry(EntryKind.TICK, due_ms))
        for entry in self._nights.until(due_ms) if self._nights else ():
            self._step(entry)

    def _take_in_order(self, batch: Batch) -> None:
        """Cut a batch where something is due; what was read at that very instant comes before."""
        begin = 0
        while begin < len(batch):
            end, due_ms = len(batch), self._due_ms()
            if due_ms is not None:
                end = int(np.searchsorted(batch.at_ms, due_ms, "right"))
            if due_ms is not None and end <= begin:
                self._do_due(due_ms)
                continue
            piece = batch if end - begin == len(batch) else batch.taken(slice(begin, end))
            self._step(Entry(EntryKind.READINGS, int(piece.at_ms[-1]), piece))
            begin = end

    def _step(self, entry: Entry) -> None:
        if entry.batch is not None and self._nights:
            self._nights.read(entry.batch)
        for effect in self._core.step(0, entry):
            if isinstance(effect, Alarm):
                self._hear(effect)
            if self._heard:
                self._heard(effect)

    def _hear(self, alarm: Alarm) -> None:
        """Note an alarm from when people hear it: not while it is suppressed or inhibited."""
        new = alarm.id not in self._known
        self._known.add(alarm.id)
        before = self._raised.get(alarm.id)
        if before is None and alarm.state is AlarmState.UNACKNOWLEDGED:
            at_ms = alarm.raised_ms if new else max(self._core.now_ms, alarm.raised_ms)
            pack = self._pack_of[cause_of(alarm.device, alarm.rule)]
            self._raised[alarm.id] = Raised(pack, alarm.rule, alarm.device, at_ms)
        elif before is not None and alarm.cleared_ms is not None and before.cleared_ms is None:
            self._raised[alarm.id] = before._replace(cleared_ms=alarm.cleared_ms)


def try_out(
    trials: Sequence[Trial], history: History, heard: Callable[[int], None] | None = None
) -> None:
    """Lead versions of the rules through one history; ``heard`` is told how far the time is."""
    for trial in trials:
        trial.begin(history.span.start_ms)
    for entry in history.entries:
        for trial in trials:
            trial.take(entry, ordered=history.ordered)
        if heard is not None:
            heard(entry.at_ms)
    for trial in trials:
        trial.pass_time(history.span.end_ms - 1)


def chosen(packs: Sequence[Pack], names: Sequence[str]) -> Mapping[str, Pack]:
    """Return the packs of some names, or all of them; Refused names those there are."""
    known = {pack.pack: pack for pack in packs}
    if "all" in names:
        return known
    if unknown := [name for name in names if name not in known]:
        there = ", ".join(sorted(known))
        raise Refused(f"there is no pack {', '.join(unknown)}; there are: {there}, and all")
    return {name: known[name] for name in names}


def _begins(entry: Entry) -> bool:
    """Tell whether a hub began to listen with this entry: what was due before, it did not see."""
    return entry.kind is EntryKind.CONFIGURATION or "listening" in entry.content
