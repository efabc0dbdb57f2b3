"""Commands and what became of them; one per actor and Idempotency-Key."""

from __future__ import annotations

from dataclasses import asdict

import sqlalchemy as sa

from hub.database.connection import Database
from hub.database.schema import commands
from hub.model import Command, Outcome, Result


def insert_or_get(
    database: Database, command: Command, key: str
) -> tuple[Command, Result | None, bool]:
    """Keep a command under ``key``, or find the one that is kept there.

    Returns the command kept, its result if it is done, and whether it is new.
    """
    row = {**asdict(command), "key": key}
    with database.write() as connection:
        statement = database.insert(commands).on_conflict_do_nothing().returning(commands.c.id)
        new = connection.execute(statement, row).one_or_none() is not None
        kept = connection.execute(sa.select(commands).where(commands.c.key == key)).one()
    return _command(kept), _result(kept), new


def finish(database: Database, result: Result) -> None:
    """Keep what became of a command; the first outcome stays, unless it was unknown."""
    open_ = sa.or_(commands.c.outcome.is_(None), commands.c.outcome == str(Outcome.UNKNOWN))
    change = sa.update(commands).where(commands.c.id == result.command, open_)
    with database.write() as connection:
        connection.execute(
            change.values(
                outcome=str(result.outcome),
                result=result.reason,
                actual=result.actual,
                done_ms=result.at_ms,
            )
        )


def get(database: Database, id_: str) -> tuple[Command, Result | None] | None:
    """Return a command and its result if it is done."""
    with database.read() as connection:
        row = connection.execute(sa.select(commands).where(commands.c.id == id_)).one_or_none()
    return None if row is None else (_command(row), _result(row))


def unfinished(database: Database) -> list[tuple[Command, Result | None]]:
    """Return the commands without a known outcome, oldest first; None: not even said unknown."""
    open_ = sa.or_(commands.c.outcome.is_(None), commands.c.outcome == str(Outcome.UNKNOWN))
    query = sa.select(commands).where(open_).order_by(commands.c.asked_ms, commands.c.id)
    with database.read() as connection:
        return [(_command(row), _result(row)) for row in connection.execute(query)]


def _command(row: sa.Row[tuple[object, ...]]) -> Command:
    return Command(
        row.id, row.point, row.value, row.actor, row.reason, row.asked_ms, row.expires_ms
    )


def _result(row: sa.Row[tuple[object, ...]]) -> Result | None:
    if row.outcome is None:
        return None
    return Result(row.id, Outcome(row.outcome), row.result or "", row.done_ms, row.actual)
