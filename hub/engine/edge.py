"""The edge of the engine: it hears the journal, commits effects and answers people."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from hub.database import effects as kept
from hub.database import records, swaps
from hub.database.connection import Database
from hub.desk.action import action_of
from hub.engine.core import Core
from hub.journal import Journal
from hub.model import Alarm, Effect, Entry, EntryKind, Json, Outage, Swap, Ticket
from hub.ports import Clock, Refused, StoreError
from rules.load import Flood
from rules.roster import Roster

log = logging.getLogger(__name__)

Enter = Callable[[Entry], None]
Numbered = tuple[int, Entry]
T = TypeVar("T")

OVERHEARD = 1000  # the same for what is not in the journal: there is no more of it
HEARD = 100  # entries kept in memory; when the database is slow, the journal has the others
CHUNK = 500
NAME = "engine"
TICK_S = 1.0
MOVED_S = 1.0
SNAPSHOT_S = 60.0
ANSWER_S = 10.0
BACK_OFF_S = (1.0, 30.0)


class Engine:
    """Leads every journal entry through the core and keeps its effects, exactly once.

    The effects of an entry and its sequence are one transaction. What was applied before a crash
    is stepped again in silence, from the last snapshot on.
    """

    def __init__(
        self,
        core: Core,
        journal: Journal,
        database: Database,
        clock: Clock,
        on_effect: Callable[[Effect], None] | None = None,
    ) -> None:
        self._core = core
        self._journal = journal
        self._database = database
        self._clock = clock
        self._on_effect = on_effect
        self._worker = clock.worker("engine")
        self._heard: list[Numbered] = []
        self._overheard: deque[Entry] = deque(maxlen=OVERHEARD)
        self._some = asyncio.Event()
        self._moved = asyncio.Event()
        self._waiting: dict[str, asyncio.Future[str]] = {}
        self._enter: Enter | None = None
        self._seq = self._passed_seq = 0
        self._applied_ms = clock.now_ms()  # the instant of the last entry that was applied
        self._whole = True  # all effects of the core's state are kept
        self._snapshot_at_s = clock.monotonic()
        self.counts = {"applied": 0, "effects": 0, "database_failures": 0, "dropped": 0}

    @property
    def passed_seq(self) -> int:
        """Return the last journal entry that is not needed any more: that of the snapshot."""
        return self._passed_seq

    @property
    def ready(self) -> bool:
        """Tell whether the engine has recovered and takes actions."""
        return self._enter is not None

    @property
    def figures(self) -> dict[str, float]:
        """Return how the engine does, for /metrics.

        The heartbeat is the instant (s since 1970) of the last entry that was applied: with a tick
        a second, whoever reads it from outside knows by it whether the engine lives.
        """
        heartbeat_s = self._applied_ms / 1000
        return {
            **self.counts,
            "late_total": self._core.late,
            "lag_seconds": max(self._clock.now_ms() / 1000 - heartbeat_s, 0.0),
            "heartbeat_timestamp_seconds": heartbeat_s,
            "rules_failed": len(self._core.failed_rules),
            "clock_moved_seconds": self._clock.moved_s(),
            "in_flood": float(self._core.flood.since_ms is not None),
        }

    @property
    def late(self) -> int:
        """Count the readings that came too late for the rules."""
        return self._core.late

    @property
    def roster(self) -> Roster | None:
        """Return the roster with the swaps that were made; None where the site has none."""
        return self._core.roster

    @property
    def floods(self) -> Mapping[str, Flood]:
        """Return whether alarms come faster than each crew can take them."""
        return self._core.floods

    @property
    def flood(self) -> Flood:
        """Return whether alarms come faster than people can take them."""
        return self._core.flood

    def why(self, subject: str, rule: str) -> dict[str, Json] | None:
        """Return why a rule has or has not risen on a subject; None where there is none such."""
        if self._enter is None:
            raise Refused("the hub is starting or stopping; ask again in a moment")
        return self._core.why(subject, rule)

    def hear(self, entries: Sequence[Numbered]) -> None:
        """Take entries that are in the journal; never blocks."""
        self._heard += entries
        if len(self._heard) > HEARD:
            self._heard.clear()
        self._some.set()

    def overhear(self, entries: Sequence[Entry]) -> None:
        """Take entries that are not in the journal (yet): rules and people are heard all the same.

        Those that come through the journal later are late then, and change nothing. More than
        there is room for push out the oldest, which are counted.
        """
        self.counts["dropped"] += max(len(self._overheard) + len(entries) - OVERHEARD, 0)
        self._overheard += entries
        self._some.set()

    async def run(self, enter: Enter) -> None:
        """Recover, then hear, tick and answer until cancelled; ``enter`` is that of intake."""
        # Before anything else: what was silent while the hub was down was not silent for it.
        self._tell_time(enter, {"listening": True})
        try:
            await self._again(self._recover)
            self._enter = enter
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._work())
                tick = self._tick_when_due if self._clock.virtual else self._tick
                tasks.create_task(tick(enter))
        finally:
            recovered, self._enter = self._enter is not None, None
            if recovered and self._whole:
                await self._save()
            self._worker.close()

    async def act(self, action: Mapping[str, Json]) -> Ticket | Alarm | Outage | Swap:
        """Enter a person's action and wait for its effect; Refused with the reason.

        The instant is the hub's own. Without an ``id`` of the caller the same actor doing the same
        in the same millisecond is the same action.
        """
        if self._enter is None:
            raise Refused("the hub is starting or stopping; try again in a moment")
        now_ms = self._clock.now_ms()
        subject = action.get("ticket") or action.get("alarm") or action.get("outage")
        derived = f"{action.get('kind')}/{subject}/{action.get('actor')}/{now_ms}"
        content = {**action, "id": action.get("id") or derived, "at_ms": now_ms}
        action_of(content)
        answer = self._waiting.get(content["id"])
        if answer is None:
            answer = self._waiting[content["id"]] = asyncio.get_running_loop().create_future()
            self._enter(Entry(EntryKind.ACTION, now_ms, content=content))
        try:
            async with asyncio.timeout(ANSWER_S):
                found = await asyncio.shield(answer)
        except TimeoutError as error:
            raise StoreError(
                "the action is noted but not applied yet: the database does not answer;"
                " look at the ticket again in a moment, do not repeat the action"
            ) from error
        finally:
            self._waiting.pop(content["id"], None)
        return await self._worker.run(lambda: self._record(found))

    async def settle(self) -> None:
        """Wait until everything that is in the journal is applied."""
        while self._seq < self._journal.last():
            await self._clock.sleep(0.01)

    async def _work(self) -> None:
        while True:
            for seq, entry in await self._next():
                await self._apply(seq, entry)
            while self._overheard:
                await self._apply(None, self._overheard.popleft())
            if self._clock.monotonic() - self._snapshot_at_s >= SNAPSHOT_S:
                await self._save()

    async def _next(self) -> Sequence[Numbered]:
        """Return the entries that follow: as heard, or from the journal where some are missing."""
        while True:
            heard = [numbered for numbered in self._heard if numbered[0] > self._seq]
            self._heard.clear()
            if heard and heard[0][0] == self._seq + 1:
                return heard
            if self._journal.last() > self._seq and (missed := await self._again(self._read)):
                return missed
            if self._overheard:
                return ()
            self._some.clear()
            await self._some.wait()

    def _read(self) -> list[Numbered]:
        return self._journal.read(self._seq, CHUNK)

    async def _apply(self, seq: int | None, entry: Entry) -> None:
        """Take one entry; without a sequence it is not in the journal, and none is applied."""
        effects = self._core.step(seq or self._seq, entry)
        answer = self._core.answer
        if effects:
            self._whole = False
            if seq is None:
                await self._again(lambda: kept.keep(self._database, effects))
            else:
                await self._again(lambda: kept.apply(self._database, seq, effects))
            self._whole = True
            if self._on_effect:
                for effect in effects:
                    self._on_effect(effect)
        self._applied_ms = max(self._applied_ms, entry.at_ms)
        if seq is not None:
            self._seq = seq
            self.counts["applied"] += 1
        self.counts["effects"] += len(effects)
        self._moved.set()
        waiting = self._waiting.get(answer.action) if answer else None
        if answer and waiting and not waiting.done():
            if answer.refusal:
                waiting.set_exception(Refused(answer.refusal))
            else:
                waiting.set_result(answer.subject)

    async def _again(self, job: Callable[[], T]) -> T:
        """Run a job on the database until it works; say once that it fails, once that it works."""
        wait_s, failed = BACK_OFF_S[0], False
        while True:
            try:
                result = await self._worker.run(job)
            except StoreError as error:
                self.counts["database_failures"] += 1
                if not failed:
                    log.warning("engine waits: the journal keeps what comes: %s", error)
                failed = True
                await self._clock.sleep(wait_s)
                wait_s = min(2 * wait_s, BACK_OFF_S[1])
            else:
                if failed:
                    log.warning("engine goes on: %s", self._seq)
                return result

    def _recover(self) -> None:
        """Load the snapshot and step in silence over what was applied after it."""
        applied, last = kept.applied(self._database), self._journal.last()
        if last < applied:
            log.warning("engine begins anew: the journal ends at %s, applied is %s", last, applied)
            self._seq = applied = last
        else:
            self._load()
        self._step_silently(applied)
        for ticket in records.open_tickets(self._database):
            self._core.adopt(ticket, records.events(self._database, ticket.id))
        self._core.adopt_swaps(swaps.every(self._database))
        kept.save_snapshot(self._database, self._seq, self._core.save())
        self._note_passed(self._seq)

    def _load(self) -> None:
        found = kept.snapshot(self._database)
        if found is None or self._seq:  # none yet, or loaded before the database went away
            return
        try:
            self._core.load(found[1])
        except ValueError as error:
            log.warning("engine snapshot not used, the journal is stepped instead: %s", error)
        else:
            self._seq = found[0]

    def _step_silently(self, applied: int) -> None:
        while self._seq < applied:
            entries = self._journal.read(self._seq, min(CHUNK, applied - self._seq))
            for seq, entry in entries:
                if seq <= applied:
                    self._core.step(seq, entry)
            self._seq = min(entries[-1][0], applied) if entries else applied

    async def _save(self) -> None:
        seq, state = self._seq, self._core.save()
        self._snapshot_at_s = self._clock.monotonic()
        try:
            await self._worker.run(lambda: kept.save_snapshot(self._database, seq, state))
        except StoreError as error:
            log.warning("engine snapshot failed, the journal has it all: %s", error)
        else:
            self._note_passed(seq)

    def _note_passed(self, seq: int) -> None:
        self._passed_seq = seq
        self._journal.note_cursor(NAME, seq)

    async def _tick(self, enter: Enter) -> None:
        """Enter the time every second; say once that the machine's clock was set."""
        said = False
        while True:
            self._tell_time(enter, {})
            moved_s = self._clock.moved_s()
            if abs(moved_s) > MOVED_S and not said:
                log.warning("clock was set by %.1f s; the hub keeps its time: restart it", moved_s)
            said = abs(moved_s) > MOVED_S
            await self._clock.sleep(TICK_S)

    async def _tick_when_due(self, enter: Enter) -> None:
        """Enter the time only when something is due; enough where time is virtual."""
        told_ms = 0
        while True:
            self._moved.clear()
            due_ms, now_ms = self._core.next_due_ms(), self._clock.now_ms()
            in_flight = self._core.now_ms < told_ms
            if due_ms is not None and due_ms <= now_ms and not in_flight:
                told_ms, in_flight = now_ms, True
                self._tell_time(enter, {})
            if due_ms is None or in_flight:
                await self._moved.wait()
            else:
                await self._moved_within((due_ms - now_ms) / 1000)

    async def _moved_within(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._moved.wait()
        except TimeoutError:
            return

    def _tell_time(self, enter: Enter, content: Mapping[str, Json]) -> None:
        enter(Entry(EntryKind.TICK, self._clock.now_ms(), content=content))

    def _record(self, subject: str) -> Ticket | Alarm | Outage | Swap:
        for find in (records.ticket, records.alarm, records.outage, swaps.get):
            if found := find(self._database, subject):
                return found
        raise Refused(f"{subject}: there is no such ticket, alarm or outage")
