"""From the outbox to people: told at least once, in order per ticket, and never again once noted.

Everybody has a lane: what one channel keeps waiting holds up nobody who is told by another. A lane
leads what is due for its person through the stages, which stand in one list.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import TypeVar
from zoneinfo import ZoneInfo

from hub.database import outbox
from hub.database.connection import Database
from hub.database.outbox import Row
from hub.model import Entry, EntryKind, Json
from hub.notify import link, words
from hub.notify.allowance import Allowance
from hub.notify.letter import Letter, joined, letters_of
from hub.notify.people import People, Person, quiet_until_ms
from hub.notify.route import PATIENCE_S, Routes
from hub.ports import ChannelError, Clock, Notifier, StoreError
from hub.secret import Secret

log = logging.getLogger(__name__)
T = TypeVar("T")
Letters = list[Letter]
Enter = Callable[[Entry], None]
SINGLY = 3  # so many at once are messages of their own; more of them are one
LOOK_S = 60.0
AGAIN_S = 1.0  # after the database was away: it has waited 5 s by itself


class LogNotifier:
    """Tells by one line in the log."""

    async def send(self, key: str, subject: str, body: str, address: str = "") -> None:
        """Write one line."""
        del address
        log.info("tell %s: %s: %s", key, subject, body.replace("\n", " | "))


@dataclass(frozen=True, slots=True, kw_only=True)
class Letterhead:
    """What messages say of the site: its zone, where its pages are, what signs links to them."""

    zone: ZoneInfo
    url: str
    secret: Secret


class Pipeline:
    """Leads every notification through the stages; what is marked told is never told again."""

    def __init__(
        self,
        database: Database,
        channels: Mapping[str, Notifier],
        people: People,
        head: Letterhead,
        clock: Clock,
    ) -> None:
        self._database = database
        self._people = people
        self._head = head
        self._clock = clock
        self._worker = clock.worker("notify")
        self._routes = Routes(channels, clock)
        self._allowance = Allowance(clock)
        self._some = asyncio.Event()
        self._lanes: dict[str, asyncio.Task[None]] = {}
        self._told: dict[str, str] = {}  # told by a channel, but the database did not take the mark
        self._enter: Enter | None = None
        self._ending = False
        # The stages: what is due for a person goes through the first together, then each message
        # through the others, so that no more than one is ever told and not noted.
        self._together = (self._resolve, self._quiet, self._group)
        self._one_by_one = (self._send, self._fall_back, self._retry, self._log)
        self.counts = {"told": 0, "messages": 0, "failed": 0, "undelivered": 0, "held": 0}

    @property
    def channels_failing(self) -> Mapping[str, bool]:
        """Return of each channel whether it failed when it was last tried."""
        return self._routes.figures()

    def wake(self) -> None:
        """Say that the outbox has something new; never blocks."""
        self._some.set()

    async def run(self, enter: Enter) -> None:
        """Tell what is due, then whatever comes, until cancelled; ``enter`` is that of intake."""
        self._enter = enter
        try:
            while True:
                self._some.clear()
                await self._woken_within(await self._start_lanes())
        finally:
            await self._end_lanes()
            self._worker.close()

    async def _start_lanes(self) -> float | None:
        """Start a lane for everybody who can be told something; return when to look again."""
        for who in [who for who, lane in self._lanes.items() if lane.done()]:
            self._lanes.pop(who).result()
        now_ms, busy = self._clock.now_ms(), [*self._lanes, *self._allowance.resting()]
        try:
            rows = await self._outbox(lambda: outbox.due(self._database, now_ms, busy))
            for who, of_person in groupby(rows, lambda row: row.person):
                self._lanes[who] = asyncio.create_task(self._lane(who, list(of_person)))
                busy.append(who)
            next_ms = await self._outbox(lambda: outbox.next_ms(self._database, busy))
        except StoreError as error:
            log.warning("outbox waits: %s", error)
            return AGAIN_S
        waits_s = [] if self._clock.virtual else [LOOK_S]  # a clock may be put forward
        if (rest_s := self._allowance.rest_s()) is not None:
            waits_s.append(rest_s)
        if next_ms is not None:
            waits_s.append(max(next_ms - now_ms, 1) / 1000)
        return min(waits_s, default=None)

    async def _woken_within(self, wait_s: float | None) -> None:
        try:
            async with asyncio.timeout(wait_s):
                await self._some.wait()
        except TimeoutError:
            return

    async def _end_lanes(self) -> None:
        """Let what is being handed over come to its end, so that it is noted."""
        self._ending = True
        if self._lanes:
            lanes = list(self._lanes.values())
            await asyncio.wait(lanes, timeout=PATIENCE_S)
            for lane in lanes:
                lane.cancel()
            await asyncio.gather(*lanes, return_exceptions=True)

    async def _lane(self, who: str, rows: Sequence[Row]) -> None:
        """Lead what is due for one person through the stages."""
        try:
            letters = letters_of(rows)
            for stage in self._together:
                letters = await stage(letters)
            await self._lead(letters)
        except StoreError as error:
            log.warning("outbox waits: %s: %s", who, error)
            self._allowance.rest(who, AGAIN_S)
        finally:
            self._some.set()

    async def _lead(self, letters: Letters) -> None:
        """Lead messages through the last stages; of a ticket none overtakes one that waits."""
        waiting: dict[str, int] = {}
        for letter in letters:
            until_ms = max((waiting.get(ticket, 0) for ticket in letter.tickets), default=0)
            if until_ms:
                put_off = partial(outbox.put_off, self._database, letter.keys, until_ms)
                await self._outbox(put_off)
            elif not self._ending:
                for pass_through in self._one_by_one:
                    await pass_through(letter)
            if letter.told_by == "":
                waiting |= dict.fromkeys(letter.tickets, letter.waits_ms or until_ms)

    async def _resolve(self, letters: Letters) -> Letters:
        """Find out who somebody is, as the roster in force has it."""
        for one in letters:
            one.person = self._people.person(one.person.id)
        return letters

    async def _quiet(self, letters: Letters) -> Letters:
        """Hold back what is not urgent until the quiet hours of the person are over."""
        quiet = letters[0].person.quiet
        until_ms = quiet_until_ms(quiet, self._clock.now_ms(), self._head.zone)
        if until_ms is None:
            return letters
        urgent = {row.ticket: None for one in letters for row in one.rows if row.urgent}
        passes = {one: one.begun or not urgent.keys().isdisjoint(one.tickets) for one in letters}
        held = [key for one in letters if not passes[one] for key in one.keys]
        await self._outbox(partial(outbox.hold, self._database, held, until_ms))
        self.counts["held"] += len(held)
        return [one for one in letters if passes[one]]

    async def _group(self, letters: Letters) -> Letters:
        """Mark what was told before; join what is too much to be told one by one."""
        for one in letters:
            one.told_by = self._told.get(one.key, "")
        begun = [one for one in letters if one.begun]
        new = [one for one in letters if not one.begun]
        if new and len(new) > min(SINGLY, max(self._allowance.left(new[0].person.id), 1)):
            new = [joined(new)]
        return begun + new

    async def _send(self, letter: Letter) -> None:
        """Try the first channel of the person."""
        for way in letter.person.ways[:1]:
            await self._try(letter, *way)

    async def _fall_back(self, letter: Letter) -> None:
        """Try the other channels at once."""
        for way in letter.person.ways[1:]:
            await self._try(letter, *way)

    async def _retry(self, letter: Letter) -> None:
        """Try again later, less and less often, and say that somebody cannot be reached."""
        if letter.told_by:
            return
        now_ms = self._clock.now_ms()
        ways = [way.channel for way in letter.person.ways]
        why = "; ".join(letter.errors) or f"{letter.person.id} has no channel"
        wait_s = max(self._routes.back_off_s(letter.attempts + 1), self._routes.resting_s(ways))
        letter.waits_ms = until_ms = now_ms + round(wait_s * 1000)
        await self._outbox(partial(outbox.fail, self._database, letter.keys, until_ms, why, now_ms))
        for row in letter.rows:
            if row.undelivered_ms is None:
                self._say_undelivered(row, why, now_ms)

    async def _log(self, letter: Letter) -> None:
        """Note what somebody was told; that is never told again."""
        if not letter.told_by:
            return
        at_ms = self._clock.now_ms()
        await self._outbox(
            partial(outbox.mark_told, self._database, letter.keys, letter.told_by, at_ms)
        )
        self._told.pop(letter.key, None)

    async def _try(self, letter: Letter, channel: str, address: str) -> None:
        """Note that a message is tried, then hand it to a channel, unless it was told."""
        if letter.told_by:
            return
        if refusal := self._routes.refusal(channel):
            letter.errors.append(f"{channel}: {refusal}")
            return
        if not letter.noted:
            await self._outbox(partial(outbox.begin, self._database, letter.keys, letter.key))
            letter.noted = True
        try:
            await self._routes.send(channel, letter.key, self._written(letter), address)
        except ChannelError as error:
            self.counts["failed"] += 1
            letter.errors.append(f"{channel}: {error}")
            log.warning("telling failed: %s: %s: %s", letter.key, channel, error)
        else:
            letter.told_by = self._told[letter.key] = channel
            self._allowance.take(letter.person.id)
            self.counts["messages"] += 1
            self.counts["told"] += len(letter.rows)

    def _say_undelivered(self, row: Row, why: str, now_ms: int) -> None:
        """Enter into the journal that somebody cannot be reached, so that others are told."""
        self.counts["undelivered"] += 1
        if self._enter is None:
            return
        content: dict[str, Json] = {
            "id": f"undelivered/{row.key}",
            "kind": "undelivered",
            "actor": "hub",
            "at_ms": now_ms,
            "ticket": row.ticket,
            "person": row.person,
            "note": why[:500],
        }
        self._enter(Entry(EntryKind.ACTION, now_ms, content=content))

    def _written(self, letter: Letter) -> words.Words:
        """Return a message in the language of its reader, with links to the pages."""
        person, head = letter.person, self._head
        tolds = [
            words.Told(row.ticket, row.subject, row.body, self._link(row, person), row.urgent)
            for row in letter.rows
        ]
        if len(tolds) == 1:
            return words.one(tolds[0], letter.key, person.language, head.url)
        return words.many(tolds, letter.key, person.language, head.url)

    def _link(self, row: Row, person: Person) -> str:
        if not row.asks:
            return ""
        until_ms = row.created_ms + link.GOOD_FOR_MS
        ask = link.Ask(row.ticket, person.id, until_ms)
        return link.written(self._head.secret, ask, person.language)

    async def _outbox(self, job: Callable[[], T]) -> T:
        return await self._worker.run(job)
