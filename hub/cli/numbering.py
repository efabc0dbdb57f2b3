"""The lasting numbers of points, from the database that stands beside a journal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from hub.database import numbers
from hub.database.connection import Database, open_database
from hub.ports import Refused
from hub.settings.tree import NumberOf

SQLITE = "hub.sqlite"


def database_beside(journal: Path, named: str | None) -> Database:
    """Open the database of a journal: the one named by path or URL, else the one beside it."""
    where = named or str(journal.parent / SQLITE)
    if "://" not in where and not Path(where).is_file():
        raise Refused(
            f"there is no database {where}, which knows the numbers of the journal's points; "
            "put it beside the journal, or name it with --database"
        )
    return open_database(where)


def numbers_of(database: Database) -> NumberOf:
    """Return what gives each point the number that a database knows; one unknown to it, none.

    Points that were never recorded get numbers above all others: no reading is theirs.
    """
    known = {id_: number for number, id_ in numbers.names(database).items()}

    def number_of(ids: Sequence[str]) -> Mapping[str, int]:
        beyond = max(known.values(), default=0)
        new = (one for one in dict.fromkeys(ids) if one not in known)
        return known | {one: beyond + n for n, one in enumerate(new, 1)}

    return number_of


def numbers_beside(journal: Path, named: str | None) -> NumberOf:
    """Return the numbers of the points of a journal."""
    database = database_beside(journal, named)
    try:
        return numbers_of(database)
    finally:
        database.close()
