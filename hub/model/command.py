"""Commands and what became of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """How a command ended."""

    DONE = "done"
    BLOCKED = "blocked"
    NOT_CONFIRMED = "not_confirmed"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Command:
    """A wish to write one point, with who wants it, why, and until when it may be carried out."""

    id: str
    point: str
    value: float
    actor: str
    reason: str
    asked_ms: int
    expires_ms: int


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a command; ``actual`` is the value read back, if any."""

    command: str
    outcome: Outcome
    reason: str
    at_ms: int
    actual: float | None = None
