"""Keep the journal within its bounds, and say in time when there will be no room."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import NamedTuple

from hub.journal.journal import Journal, Space
from hub.journal.outlook import seconds_left
from hub.journal.room import Room
from hub.journal.shedding import SHED_FROM, Shedding
from hub.model import Entry, EntryKind, Json
from hub.ports import Clock, StoreError

log = logging.getLogger(__name__)

LOOK_S = 5.0
SPACE_S = 300.0
PRUNE_S = 3600.0
ROOM_FROM = 0.85  # of the limit: what all have passed goes before anything is shed
WARN_S = (4 * 3600.0, 24 * 3600.0)
OVER = 1.5
DAY_MS = 86_400_000
DAY_SPACES = 288
SUBJECTS = ("disk", "journal")


class Trouble(NamedTuple):
    """What is wrong; ``value`` and ``limit``: hours left on the disk, % of the journal in use."""

    reason: str
    value: float
    limit: float
    urgent: bool


class Retention:
    """Lets go of what every consumer has passed; notes what is free, and tells of trouble.

    ``passed`` tells the sequence up to which no consumer needs anything any more; ``changed``
    takes the changes of health, for the journal: of these the rules of the hub make alarms.
    """

    def __init__(
        self,
        journal: Journal,
        room: Room,
        shedding: Shedding,
        clock: Clock,
        keep_ms: int,
        passed: Callable[[], int],
        changed: Callable[[Entry], None],
    ) -> None:
        self._journal = journal
        self._room = room
        self._shedding = shedding
        self._clock = clock
        self._keep_ms = keep_ms
        self._passed = passed
        self._changed = changed
        self._worker = clock.worker("retention")
        self._spaces: list[Space] = []
        self._due_s = {"space": 0.0, "prune": PRUNE_S + clock.monotonic()}
        self._told: dict[str, str] = {}  # as it was said last; a start says how it is
        self._within_s: float | None = None
        self.seconds_left: float | None = None
        self._remember(journal.spaces())

    async def run(self) -> None:
        """Look after the journal until cancelled."""
        while True:
            try:
                await self._worker.run(self.look)
            except StoreError as error:
                log.warning("retention waits: %s", error)
            self.tell()
            # Nothing fills a disk in virtual time, and a look costs real time.
            await self._clock.sleep(PRUNE_S if self._clock.virtual else LOOK_S)

    def look(self) -> None:
        """Note what is free, and let go of what may go."""
        upto = self._passed()
        self._room.look()
        if self._is_due("space", SPACE_S):
            self._note_space(upto)
        if self._room.full:
            return
        if self._journal.fill > ROOM_FROM:
            self._journal.make_room(int(ROOM_FROM * self._journal.limit), upto)
        if self._is_due("prune", PRUNE_S):
            self._journal.prune(self._clock.now_ms() - self._keep_ms, upto)

    def _is_due(self, what: str, every_s: float) -> bool:
        due = self._clock.monotonic() >= self._due_s[what]
        if due:
            self._due_s[what] = self._clock.monotonic() + every_s
        return due

    def _note_space(self, passed: int) -> None:
        free, now_ms = self._room.free(), self._clock.now_ms()
        if free is None:
            return
        # What all have passed makes room for itself; only what somebody still needs fills up.
        needed = self._journal.share_after(passed) * self._journal.size
        left = int(SHED_FROM["gauge"] * self._journal.limit - needed)
        space = Space(now_ms, free, left)
        self._journal.note_space(space)
        self._look_ahead(space)

    def _remember(self, spaces: Sequence[Space]) -> None:
        """Warn as the hub did before it stopped: what began then has not begun anew."""
        for space in spaces[-DAY_SPACES:]:
            self._look_ahead(space)

    def _look_ahead(self, space: Space) -> None:
        self._spaces = [one for one in self._spaces if one.at_ms > space.at_ms - DAY_MS]
        self._spaces.append(space)
        left_s = seconds_left(self._spaces, space.at_ms)
        if left_s is not None:  # while nobody knows, what was known last holds
            self.seconds_left = left_s
            self._within_s = self._warning(left_s)

    def _warning(self, left_s: float) -> float | None:
        """Return within how long there will be no room; it takes half as much again to be over."""
        within_s = next((limit for limit in WARN_S if left_s <= limit), None)
        said_s = self._within_s
        if said_s is not None and left_s <= OVER * said_s:
            return min(said_s, within_s or said_s)
        return within_s

    def tell(self) -> None:
        """Enter each change of what is wrong into the journal, once."""
        found = self.trouble()
        for what in SUBJECTS:
            trouble = found.get(what)
            reason = trouble.reason if trouble else ""
            before = self._told.get(what)
            if reason == before:
                continue
            self._told[what] = reason
            content: dict[str, Json] = {"hub": what, "state": "degraded" if trouble else "online"}
            content |= trouble._asdict() if trouble else {}
            if reason or before:
                log.warning("hub %s: %s", what, reason or "in order again")
            self._changed(Entry(EntryKind.HEALTH, self._clock.now_ms(), content=content))

    def codes(self) -> list[str]:
        """Return the same as short names, for pages in either language."""
        disk = "disk-full" if self._room.full else "disk-soon-full" if self._within_s else None
        return [code for code in (disk, "journal-full" if self._shedding.shed else None) if code]

    def trouble(self) -> dict[str, Trouble]:
        """Return what is wrong, by what it is about."""
        found = {"disk": self._of_disk(), "journal": self._of_journal()}
        return {what: trouble for what, trouble in found.items() if trouble}

    def _of_disk(self) -> Trouble | None:
        shortest_h = min(WARN_S) / 3600
        if self._room.full:
            reason = "full: readings are held in memory and not kept; make room"
            return Trouble(reason, 0.0, shortest_h, urgent=True)
        if self._within_s is None:
            return None
        within_h = self._within_s / 3600
        left_h = round((self.seconds_left or 0.0) / 3600, 1)
        reason = f"full within {within_h:.0f} h if it goes on like this"
        return Trouble(reason, left_h, within_h, urgent=within_h <= shortest_h)

    def _of_journal(self) -> Trouble | None:
        if not (shed := self._shedding.shed):
            return None
        reason = f"at its limit: the readings of {', '.join(shed)} are not kept"
        fill, limit = round(100 * self._journal.fill, 1), 100 * SHED_FROM[shed[-1]]
        return Trouble(reason, fill, limit, urgent="counter" in shed)

    def close(self) -> None:
        """End the thread, after the look in hand."""
        self._worker.close()
