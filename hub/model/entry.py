"""What the journal holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum

from hub.model.reading import Batch
from hub.model.word import Json


class EntryKind(IntEnum):
    """What a journal entry holds; the engine has no other input."""

    READINGS = 1
    TICK = 2
    ACTION = 3
    RESULT = 4
    HEALTH = 5
    CONFIGURATION = 6
    JUDGEMENT = 7


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One entry of the journal: readings as a batch, everything else as JSON content."""

    kind: EntryKind
    at_ms: int
    batch: Batch | None = None
    content: Mapping[str, Json] = field(default_factory=dict)
