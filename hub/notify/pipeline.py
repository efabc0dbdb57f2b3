"""From the outbox to people: what the engine wrote down is told, at least once, with its key."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from functools import partial

from hub.database import outbox
from hub.database.connection import Database
from hub.model import Notification
from hub.ports import Clock, HubError, Notifier, StoreError

log = logging.getLogger(__name__)

Notifications = Sequence[Notification]
BACK_OFF_S = (5.0, 300.0)


class LogNotifier:
    """Tells by one line in the log."""

    async def send(self, key: str, subject: str, body: str) -> None:
        """Write one line."""
        log.info("tell %s: %s: %s", key, subject, body.replace("\n", " | "))


class Pipeline:
    """Leads every notification through the stages; what is marked sent is never told again."""

    def __init__(self, database: Database, notifier: Notifier, clock: Clock) -> None:
        self._database = database
        self._notifier = notifier
        self._clock = clock
        self._worker = clock.worker("notify")
        self._some = asyncio.Event()
        self._told: dict[str, None] = {}  # told, but the database did not take the mark yet
        self._stages = (self._dedup, self._send, self._log)
        self.counts = {"sent": 0, "failed": 0}

    def wake(self) -> None:
        """Say that the outbox has something new; never blocks."""
        self._some.set()

    async def run(self) -> None:
        """Tell what waits, then whatever comes, until cancelled."""
        wait_s = BACK_OFF_S[0]
        try:
            while True:
                self._some.clear()
                if await self.tell_all():
                    wait_s = BACK_OFF_S[0]
                    await self._some.wait()
                else:
                    await self._clock.sleep(wait_s)
                    wait_s = min(2 * wait_s, BACK_OFF_S[1])
        finally:
            self._worker.close()

    async def tell_all(self) -> bool:
        """Lead what waits through the stages; return whether nothing is left."""
        try:
            while waiting := await self._worker.run(lambda: outbox.unsent(self._database)):
                failed = self.counts["failed"]
                passed: Notifications = waiting
                for stage in self._stages:
                    passed = await stage(passed)
                if self.counts["failed"] > failed:
                    return False
        except StoreError as error:
            log.warning("outbox waits: %s", error)
            return False
        return True

    async def _dedup(self, notifications: Notifications) -> Notifications:
        """Mark those that were told before, so that they are not told again."""
        new = [one for one in notifications if one.key not in self._told]
        await self._log([one for one in notifications if one.key in self._told])
        return new

    async def _send(self, notifications: Notifications) -> Notifications:
        """Tell people; after a failure the later ones of the same ticket wait, to keep order."""
        passed: list[Notification] = []
        failed: dict[str, None] = {}
        for one in notifications:
            if one.ticket not in failed and await self._tell(one):
                passed.append(one)
            else:
                failed[one.ticket] = None
        return passed

    async def _tell(self, one: Notification) -> bool:
        try:
            await self._notifier.send(one.key, one.subject, one.body)
        except (HubError, OSError) as error:
            self.counts["failed"] += 1
            log.warning("telling failed, tried again later: %s: %s", one.key, error)
            await self._worker.run(lambda: outbox.note_attempt(self._database, one.key))
            return False
        self.counts["sent"] += 1
        self._told[one.key] = None
        return True

    async def _log(self, notifications: Notifications) -> Notifications:
        """Mark as sent what people were told."""
        for one in notifications:
            mark = partial(outbox.note_sent, self._database, one.key, self._clock.now_ms())
            await self._worker.run(mark)
            self._told.pop(one.key, None)
        return notifications
