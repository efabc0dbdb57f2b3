"""What goes out to one person as one message: one notification, or many in one."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from hub.database.outbox import Row
from hub.notify.people import Person


@dataclass(slots=True, eq=False)
class Letter:
    """A message on its way through the stages; ``told_by`` is the channel that took it.

    ``noted``: the outbox knows that it is tried. ``errors`` says why channels did not take it, and
    ``waits_ms`` when it is tried again.
    """

    person: Person
    rows: list[Row]
    key: str = ""
    told_by: str = ""
    noted: bool = False
    errors: list[str] = field(default_factory=list)
    waits_ms: int = 0

    @property
    def keys(self) -> list[str]:
        """Return the keys of its rows."""
        return [row.key for row in self.rows]

    @property
    def tickets(self) -> dict[str, None]:
        """Return the tickets that it is about, each once, in order."""
        return dict.fromkeys(row.ticket for row in self.rows)

    @property
    def begun(self) -> bool:
        """Tell whether it was tried before, maybe by an earlier start of the hub."""
        return self.rows[0].message is not None

    @property
    def attempts(self) -> int:
        """Return how often it was tried before."""
        return self.rows[0].attempts


def letters_of(rows: Sequence[Row]) -> list[Letter]:
    """Return the messages of one person: those begun before as they were, else one for each row."""
    person = Person(rows[0].person, rows[0].person, ())
    letters: dict[str, Letter] = {}
    for row in rows:
        key = row.message or row.key
        letters.setdefault(key, Letter(person, [], key)).rows.append(row)
    return list(letters.values())


def joined(letters: Sequence[Letter]) -> Letter:
    """Return one message of many; its key derives from theirs."""
    rows = [row for letter in letters for row in letter.rows]
    letters_hash = hashlib.sha256("\n".join(row.key for row in rows).encode()).hexdigest()
    key = f"{rows[0].ticket}/{rows[0].n}+{len(rows) - 1}-{letters_hash[:10]}/{rows[0].person}"
    return Letter(letters[0].person, rows, key)
