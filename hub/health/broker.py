"""Whether the broker is there: lost for long is trouble of the hub, said once, and so is back."""

from __future__ import annotations

from collections.abc import Callable

from hub.model import Entry, EntryKind
from hub.ports import Clock, Messages

CHECK_S = 10.0
LOST_MS = 360_000  # as long as it takes until a silent line is an alarm: one cause, one alarm
BACK_MS = 300_000  # until then those that publish are heard again: they are no faults of their own


class BrokerWatch:
    """Looks at the connection to the broker; ``changed`` takes what is said, for the journal."""

    def __init__(self, messages: Messages, clock: Clock, changed: Callable[[Entry], None]) -> None:
        self._messages = messages
        self._clock = clock
        self._changed = changed
        self._seen_ms = self._gone_ms = clock.now_ms()
        self._said: bool | None = None  # lost or not; a hub that starts says how it is

    def check(self, now_ms: int) -> None:
        """Say that the broker is lost, or there, when that is news."""
        if self._messages.connected():
            self._seen_ms = now_ms
        else:
            self._gone_ms = now_ms
        away_ms = now_ms - self._seen_ms
        lost = now_ms - self._gone_ms < BACK_MS if self._said else away_ms >= LOST_MS
        if lost is self._said or (self._said is None and 0 < away_ms < LOST_MS):
            return
        self._said = lost
        content = {
            "hub": "broker",
            "state": "offline" if lost else "online",
            "value": away_ms / 1000,
            "limit": LOST_MS / 1000,
        }
        self._changed(Entry(EntryKind.HEALTH, now_ms, content=content))

    async def run(self) -> None:
        """Check until cancelled."""
        while True:
            await self._clock.sleep(CHECK_S)
            self.check(self._clock.now_ms())
