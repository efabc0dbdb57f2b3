"""What came of a replay: the log, and the records that it leaves."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

from hub.engine import log_line
from hub.model import (
    Alarm,
    AlarmEvent,
    Effect,
    Notification,
    Outage,
    Problem,
    Swap,
    Ticket,
    TicketEvent,
)

Key = tuple[str, str]  # what it is, and its id


@dataclass
class Log:
    """The effects of the engine, as its database would keep them; ``lines`` counts the log's."""

    records: dict[Key, Effect] = field(default_factory=dict)
    lines: int = 0
    _hash: hashlib._Hash = field(default_factory=hashlib.sha256)

    def hear(self, effect: Effect) -> None:
        """Take one effect."""
        if self.lines:
            self._hash.update(b"\n")
        self._hash.update(log_line(effect))
        self.lines += 1
        if key := key_of(effect):
            self.records[key] = effect

    @property
    def hash(self) -> str:
        """Return the SHA-256 of the alarm and ticket log."""
        return self._hash.hexdigest()

    def count(self, kind: type[Effect]) -> int:
        """Count the records of a kind."""
        return sum(isinstance(record, kind) for record in self.records.values())


def key_of(effect: Effect) -> Key | None:
    """Return what tells a record from all others; None for what is kept only until it is told."""
    match effect:
        case Alarm() | Outage() | Problem() | Swap() | Ticket():
            return type(effect).__name__.lower(), effect.id
        case AlarmEvent():
            return "alarm event", f"{effect.alarm}/{effect.n}"
        case TicketEvent():
            return "ticket event", f"{effect.ticket}/{effect.n}"
        case Notification():
            return None
