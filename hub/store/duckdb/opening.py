"""A file is opened: its tables made or brought up to date, and what is newest read into memory."""

from __future__ import annotations

import numpy as np

from hub.store import rollup
from hub.store.duckdb import layout, order
from hub.store.duckdb.layout import Connection
from hub.store.newest import NEVER, Newest
from hub.store.steps import in_order

_PLAUSIBLE = [rollup.EARLIEST_MS, rollup.LATEST_MS]
_SINCE = """
SELECT point, max(at_ms) AS at_ms FROM readings
WHERE append > (SELECT append FROM marks) AND at_ms >= ? AND at_ms < ?
GROUP BY point ORDER BY point
"""
_OPEN = """
SELECT readings.point, readings.at_ms, value, quality FROM readings JOIN since USING (point)
WHERE readings.at_ms >= ? AND readings.at_ms >= since.start_ms AND readings.at_ms <= since.at_ms
"""
_OLD = "SELECT count(*) FROM information_schema.tables WHERE table_name = 'cursor'"


def prepared(writer: Connection, step_ms: int) -> Newest:
    """Make the tables or read them; return what is newest of every point.

    A new file is given the base step ``step_ms``; an old one keeps its own.
    """
    if layout.number(writer, _OLD):
        _bring_up_to_date(writer, step_ms)
    writer.execute(layout.TABLES)
    found = layout.number(writer, "SELECT step_ms FROM marks")
    if not found:
        writer.execute("INSERT INTO marks VALUES (0, ?)", [step_ms])
    newest = Newest(found or step_ms)
    newest.restore(layout.columns_of(writer, "FROM newest", []))
    _catch_up(writer, newest)
    newest.reach(newest.open.start_ms[newest.open.start_ms != NEVER])
    if first_ms := layout.number(writer, "SELECT min(start_ms) FROM rollups"):
        newest.reach(np.array([first_ms]))
    return newest


def last_append(connection: Connection) -> tuple[int, int]:
    """Return the number of the last append that a connection sees, and its sequence."""
    found = connection.execute("SELECT max(append), max(seq) FROM appends").fetchall()[0]
    return int(found[0] or 0), int(found[1] or 0)


def _catch_up(writer: Connection, newest: Newest) -> None:
    """Learn what was appended after the newest were written down, from the readings themselves."""
    since = layout.columns_of(writer, _SINCE, list(_PLAUSIBLE))
    points = since["point"]
    if not len(points):
        return
    newest.make_room(int(points.max()))
    at_ms = np.maximum(since["at_ms"], newest.at_ms[points])
    start_ms = at_ms - at_ms % newest.step_ms
    columns = {"point": points, "start_ms": start_ms, "at_ms": at_ms}
    batch = in_order(layout.batch_of(writer, _OPEN, [int(start_ms.min())], since=columns))
    newest.open.start_ms[points] = NEVER  # counted anew, not gone on with
    newest.apply(newest.change(batch))


def _bring_up_to_date(writer: Connection, step_ms: int) -> None:
    """Give a file of before there were roll-ups what it lacks, in one transaction."""
    writer.begin()
    applied = layout.number(writer, "SELECT applied FROM cursor")
    writer.execute("DROP TABLE cursor")
    writer.execute("ALTER TABLE readings DROP COLUMN received_ms")
    writer.execute("ALTER TABLE readings ADD COLUMN append INTEGER DEFAULT 1")
    writer.execute(layout.TABLES)
    writer.execute("INSERT INTO marks VALUES (0, ?)", [step_ms])
    writer.execute("INSERT INTO appends VALUES (1, ?, 0)", [applied])
    for begin, end in order.days(writer, "readings", "at_ms", *_PLAUSIBLE):
        day = layout.batch_of(
            writer,
            "SELECT point, at_ms, value, quality FROM readings WHERE at_ms >= ? AND at_ms < ?",
            [begin, end],
        )
        rows = rollup.rolled(in_order(day), step_ms)
        layout.run_on(writer, layout.INSERT_ROLLUPS, [], new_rollups=rollup.columns_of(rows))
    newest = Newest(step_ms)
    _catch_up(writer, newest)
    known = newest.columns()
    layout.run_on(writer, layout.DELETE_ROLLUPS, list(_PLAUSIBLE), gone=known)
    layout.run_on(writer, layout.INSERT_NEWEST, [], new_newest=known)
    writer.execute("UPDATE marks SET append = 1")
    writer.commit()
