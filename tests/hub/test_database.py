"""The database's functions, on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext

from hub.database import (
    audit,
    commands,
    daily_use,
    dead_letters,
    effects,
    numbers,
    outbox,
    records,
    reports,
    runs,
    swaps,
    users,
)
from hub.database.connection import ConflictError, Database, open_database
from hub.database.migration import current, head
from hub.database.schema import metadata
from hub.model import (
    Alarm,
    AlarmState,
    Command,
    Notification,
    Outcome,
    Result,
    Swap,
    Text,
    Ticket,
    TicketEvent,
    TicketState,
)
from hub.ports import Refused, StoreError

ALARM = Alarm(
    "a1",
    "tank-cold",
    "dorm-07/boiler-1",
    "dorm-07/plant",
    "ordinary",
    Text("水箱", "Tank"),
    AlarmState.UNACKNOWLEDGED,
    1000,
    45.5,
    50.0,
)
TICKET = Ticket(
    id="20261121-3f9a2c",
    cause="dorm-07/boiler-1#tank-cold",
    device="dorm-07/boiler-1",
    place="dorm-07/plant",
    rule="tank-cold",
    severity="ordinary",
    title=Text("水箱", "Tank"),
    guidance=Text("看", "Look"),
    parts=("heating-element", "sensor"),
    state=TicketState.OPENED,
    opened_ms=1000,
    respond_by_ms=2000,
    on_site_by_ms=3000,
    fix_by_ms=4000,
    crew_by_ms=None,
    alarm="a1",
)
OPENED = TicketEvent(TICKET.id, 0, "opened", "hub", 1000, 1000, {"value": 45.5})
TOLD = Notification(f"{TICKET.id}/0", TICKET.id, Text("主题", "subject"), Text("水", "body"), 1000)


def test_the_revisions_give_exactly_the_tables_of_the_schema(database: Database) -> None:
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []
        assert current(connection) == head() == "0010"


def test_opening_twice_migrates_once_and_keeps_what_is_there(where: str | Path) -> None:
    first = open_database(where)
    numbers.number_points(first, ["a"])
    first.close()
    second = open_database(where)
    assert numbers.number_points(second, ["b", "a"]) == {"a": 1, "b": 2}
    second.close()


def test_two_hubs_that_open_an_empty_database_at_once_both_find_the_tables(
    where: str | Path,
) -> None:
    with ThreadPoolExecutor(4) as pool:
        opened = list(pool.map(lambda _: open_database(where), range(4)))
    for database in opened:
        assert users.count(database) == 0
        database.close()


def test_a_new_file_opened_by_many_at_once_is_never_said_to_be_locked(tmp_path: Path) -> None:
    # The change of a new file to WAL is a race of microseconds: one round in some twenty loses it.
    with ThreadPoolExecutor(4) as pool:
        for round_ in range(40):
            file = tmp_path / f"{round_}.db"
            for database in pool.map(lambda _, file=file: open_database(file), range(4)):
                assert users.count(database) == 0
                database.close()


def test_a_database_in_memory_is_one_for_all_threads() -> None:
    database = open_database(":memory:")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: audit.add(database, n, "li", "try", "x"), range(100)))
    assert len(audit.latest(database, 200)) == 100
    database.close()


@pytest.mark.parametrize(
    ("where", "said"),
    [
        ("mysql://x/y", "only postgresql"),
        ("postgresql+psycopg://hub:canary@127.0.0.1:1/none", "check that it runs"),
        (Path("/proc/none/hub.db"), "unable to open"),
    ],
)
def test_a_database_that_cannot_be_opened_says_what_to_do(where, said) -> None:
    with pytest.raises(StoreError, match=said) as error:
        open_database(where)
    assert "canary" not in str(error.value)


def test_point_numbers_stay_whatever_is_added_or_left_out(database: Database) -> None:
    first = numbers.number_points(database, ["d/b", "d/a", "d/b"])
    assert first == {"d/b": 1, "d/a": 2}
    again = numbers.number_points(database, ["d/c", "d/a"])
    assert again["d/a"] == 2
    assert again["d/c"] > 2
    assert numbers.number_points(database, ["d/b"]) == {"d/b": 1}


def test_a_number_is_never_given_again_even_after_a_deletion(database: Database) -> None:
    numbers.number_points(database, ["a", "b"])
    with database.write() as connection:
        connection.execute(sa.text("DELETE FROM points WHERE id = 'b'"))
    assert numbers.number_points(database, ["c"])["c"] > 2


def test_effects_and_sequence_are_kept_together_and_read_back_equal(database: Database) -> None:
    assert effects.applied(database) == 0
    assert effects.apply(database, 7, [ALARM, TICKET, OPENED, TOLD])
    assert effects.applied(database) == 7
    assert records.alarms(database) == [ALARM]
    assert records.tickets(database) == [TICKET]
    assert records.events(database, TICKET.id) == [OPENED]
    assert [row.key for row in outbox.due(database, 2000)] == [f"{TOLD.key}/duty"]


def test_an_entry_applied_before_changes_nothing(database: Database) -> None:
    effects.apply(database, 7, [TICKET, OPENED, TOLD])
    changed = replace(TICKET, state=TicketState.RESPONDED)
    assert not effects.apply(database, 7, [changed, replace(OPENED, n=1)])
    assert not effects.apply(database, 6, [changed])
    assert records.ticket(database, TICKET.id) == TICKET
    assert len(records.events(database, TICKET.id)) == 1


def test_a_transaction_that_fails_in_the_middle_keeps_nothing(database: Database) -> None:
    stray = TicketEvent("no-such-ticket", 0, "note", "li", 1, {})
    with pytest.raises(StoreError):
        effects.apply(database, 7, [ALARM, TICKET, stray])
    assert effects.applied(database) == 0
    assert records.tickets(database) == []
    assert records.alarms(database) == []


def test_the_database_itself_refuses_a_second_open_ticket_of_a_cause(database: Database) -> None:
    effects.apply(database, 1, [TICKET])
    with pytest.raises(ConflictError):
        effects.apply(database, 2, [replace(TICKET, id="20261121-other")])
    closed = replace(TICKET, state=TicketState.CLOSED, closed_ms=5000)
    assert effects.apply(database, 2, [closed, replace(TICKET, id="20261121-other")])
    assert [one.id for one in records.open_tickets(database)] == ["20261121-other"]


def test_64_threads_that_raise_the_same_fault_leave_one_ticket(database: Database) -> None:
    barrier = threading.Barrier(16)

    def raise_it(n: int) -> bool:
        barrier.wait(timeout=10)
        try:
            return effects.apply(database, n + 1, [replace(TICKET, id=f"20261121-{n}")])
        except StoreError:
            return False

    with ThreadPoolExecutor(16) as pool:
        for start in range(0, 64, 16):
            list(pool.map(raise_it, range(start, start + 16)))
    assert len(records.open_tickets(database)) == 1


def test_records_are_filtered_by_state_place_and_device_and_paged(database: Database) -> None:
    tickets = [
        replace(
            TICKET,
            id=f"t{n}",
            cause=f"c{n}",
            opened_ms=n,
            place=("dorm-07/3/312", "dorm-07", "dorm-070/1", "dorm-08/1")[n % 4],
            state=TicketState.CLOSED if n >= 8 else TicketState.OPENED,
            closed_ms=99 if n >= 8 else None,
        )
        for n in range(12)
    ]
    effects.apply(database, 1, tickets)
    below = records.Filter(places=["dorm-07"])
    assert [one.id for one in records.tickets(database, below)] == [
        "t9",
        "t8",
        "t5",
        "t4",
        "t1",
        "t0",
    ]
    assert records.count_tickets(database, below) == 6
    opened = records.Filter(states=[TicketState.OPENED], places=["dorm-07", "dorm-08"])
    assert records.count_tickets(database, opened) == 6
    page = records.tickets(database, opened, limit=2, offset=2)
    assert [one.id for one in page] == ["t4", "t3"]
    assert records.tickets(database, records.Filter(places=[])) == []
    assert records.tickets(database, records.Filter(device="none")) == []
    assert records.alarms(database, records.Filter(states=[AlarmState.CLEARED])) == []
    assert records.ticket(database, "none") is None
    assert records.alarm(database, "none") is None


def test_a_place_with_wildcards_in_its_name_is_taken_literally(database: Database) -> None:
    effects.apply(database, 1, [TICKET])
    assert records.count_tickets(database, records.Filter(places=["dorm%"])) == 0
    assert records.count_tickets(database, records.Filter(places=["dorm_07"])) == 0


def test_a_snapshot_replaces_the_one_before(database: Database) -> None:
    assert effects.snapshot(database) is None
    effects.save_snapshot(database, 3, b"one")
    effects.save_snapshot(database, 5, b"two")
    assert effects.snapshot(database) == (5, b"two")
    assert effects.applied(database) == 5


def test_an_outbox_of_before_keeps_what_it_told_and_tells_what_waits(where: str | Path) -> None:
    """The revision that gives everybody a row takes over those of the duty desk."""
    database = open_database(where)
    with database.write() as connection:
        _back_to(connection, "0006")
        connection.execute(
            sa.text(
                "INSERT INTO outbox (key, ticket, subject, body, created_ms, sent_ms, attempts)"
                " VALUES ('20261101-ab/12', '20261101-ab', 's', 'b', 7, NULL, 3),"
                " ('20261101-ab/3', '20261101-ab', 's', 'b', 5, 6, 1)"
            )
        )
    database.close()
    database = open_database(where)
    (row,) = outbox.due(database, 10)
    assert (row.key, row.n, row.person) == ("20261101-ab/12/duty", 12, "duty")
    assert (row.subject, row.body) == (Text("s", "s"), Text("b", "b"))
    database.close()


def test_swaps_are_kept_once_in_the_order_they_were_made(where: str | Path) -> None:
    database = open_database(where)
    made = [
        Swap(f"duty/day/2026-11-2{n}", "anna", "bert", f"id-{n}", "chief", 9 - n, "ill")
        for n in (3, 1)
    ]
    for _ in range(2):
        effects.keep(database, made)
    assert swaps.every(database) == made
    assert swaps.get(database, "id-1") == made[1]
    assert swaps.get(database, "id-2") is None
    database.close()


def test_a_database_of_before_gets_the_table_of_swaps(where: str | Path) -> None:
    database = open_database(where)
    with database.write() as connection:
        connection.execute(sa.text("DROP TABLE swaps"))
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '0008'"))
    database.close()
    database = open_database(where)
    assert swaps.every(database) == []
    database.close()


def _back_to(connection: sa.Connection, revision: str) -> None:
    """Put the outbox back to how a revision before its own had it, without what came later."""
    for table in ("outbox", "swaps", "reports"):
        connection.execute(sa.text(f"DROP TABLE {table}"))
    connection.execute(
        sa.text(
            "CREATE TABLE outbox (key VARCHAR(100) NOT NULL, ticket VARCHAR(40),"
            " subject TEXT NOT NULL, body TEXT NOT NULL, created_ms BIGINT NOT NULL,"
            " sent_ms BIGINT, attempts INTEGER NOT NULL, CONSTRAINT pk_outbox PRIMARY KEY (key))"
        )
    )
    connection.execute(sa.text("UPDATE alembic_version SET version_num = :at"), {"at": revision})


def _report(n: int, kind: str = "opened", at_ms: int = 1000, **more) -> TicketEvent:
    about = {"source": "report", "kind": "light", "place": "dorm-07/3/312", "note": "dark"}
    detail = {**about, "reporter": f"{n:064x}", "photos": ["ab"], **more}
    return TicketEvent(TICKET.id, n, kind, "reporter", at_ms, at_ms, detail)


def test_a_report_is_kept_with_the_history_that_it_follows_from(database: Database) -> None:
    first, second = _report(0), _report(1, "merged", 2000, device="dorm-07/meter-312")
    other = [_report(2, "opened", source="round"), _report(3, "merged", reporter="")]
    effects.apply(database, 1, [TICKET, first, second, *other, _report(4, "rated")])
    effects.keep(database, [first])
    one, two = reports.of_ticket(database, TICKET.id)
    assert one == reports.get(database, f"{0:064x}")
    assert (one.kind, one.place, one.device, one.words) == ("light", "dorm-07/3/312", "", "dark")
    assert (one.photos, one.at_ms, one.contact) == (("ab",), 1000, "")
    assert (two.device, two.at_ms) == ("dorm-07/meter-312", 2000)
    assert reports.get(database, "none") is None


def test_how_to_reach_a_person_is_erased_with_time_after_the_closing(database: Database) -> None:
    effects.apply(database, 1, [TICKET, _report(0)])
    reports.set_contact(database, f"{0:064x}", "room 312")
    assert reports.of_ticket(database, TICKET.id)[0].contact == "room 312"
    assert reports.erase_contacts(database, 10**15) == 0  # it is open
    closed = replace(TICKET, state=TicketState.CLOSED, fixed_ms=4000, closed_ms=5000)
    effects.apply(database, 2, [closed])
    assert reports.erase_contacts(database, 5000) == 0
    assert reports.erase_contacts(database, 5001) == 1
    assert reports.of_ticket(database, TICKET.id)[0].contact == ""
    assert reports.lengths_ms(database, "light", 4000) == [3000]
    assert reports.lengths_ms(database, "light", 4001) == []
    assert reports.lengths_ms(database, "tap", 0) == []


def test_what_was_told_is_never_due_again_and_attempts_are_counted(database: Database) -> None:
    effects.apply(database, 1, [TICKET, TOLD])
    key = f"{TOLD.key}/duty"
    outbox.begin(database, [key], key)
    (row,) = outbox.due(database, 2000)
    assert (row.message, row.attempts, row.body) == (key, 1, TOLD.body)
    outbox.mark_told(database, [key], "duty", 5)
    outbox.mark_told(database, [key], "duty", 9)
    assert outbox.due(database, 2000) == []
    with database.read() as connection:
        row = connection.execute(sa.text("SELECT sent_ms, attempts FROM outbox")).one()
    assert tuple(row) == (5, 1)


def test_a_run_is_marked_once(database: Database) -> None:
    assert runs.last(database, "daily") is None
    runs.mark(database, "daily", "2026-11-20", 5)
    runs.mark(database, "daily", "2026-11-20", 9)
    runs.mark(database, "daily", "2026-11-19", 9)
    assert runs.last(database, "daily") == "2026-11-20"


def test_a_day_can_be_closed_again_and_may_be_unmeasured(database: Database) -> None:
    daily_use.put(database, [])
    daily_use.put(database, [daily_use.DailyUse("2026-11-20", "dorm-07", None, 0.0)])
    again = daily_use.DailyUse("2026-11-20", "dorm-07", 812.5, 1.0)
    daily_use.put(database, [again, daily_use.DailyUse("2026-11-22", "dorm-07", 1.0, 1.0)])
    assert daily_use.get(database, "dorm-07", "2026-11-20", "2026-11-21") == [again]


def test_dead_letters_are_cut_and_the_oldest_go(database: Database, monkeypatch) -> None:
    monkeypatch.setattr(dead_letters, "KEPT", 3)
    for n in range(5):
        dead_letters.add(database, n, "campus/x" * 100, "no JSON", bytes([n]) * 10_000)
    kept = dead_letters.latest(database)
    assert [letter.at_ms for letter in kept] == [4, 3, 2]
    assert len(kept[0].payload) == dead_letters.LONGEST
    assert len(kept[0].source) == 300


def test_audit_lines_are_numbered_and_paged_back(database: Database) -> None:
    ns = [audit.add(database, n, "li", "write", f"p{n}", {"value": n}) for n in range(5)]
    assert ns == sorted(ns)
    lines = audit.latest(database, 2)
    assert [line.at_ms for line in lines] == [4, 3]
    assert lines[0].detail == {"value": 4}
    assert [line.at_ms for line in audit.latest(database, 9, before=lines[-1].n)] == [2, 1, 0]


USER = users.User("li", "$argon2id$1", "crew", True, 5)


def test_a_user_name_is_taken_once(database: Database) -> None:
    users.add(database, USER)
    with pytest.raises(Refused, match="taken"):
        users.add(database, USER)
    assert users.get(database, "li") == USER
    assert users.get(database, "wang") is None
    assert users.every(database) == [USER]
    assert users.count(database) == 1


def test_a_new_password_ends_all_sessions_of_that_user(database: Database) -> None:
    users.add(database, USER)
    users.add(database, replace(USER, name="wang"))
    for n, name in enumerate(("li", "li", "wang")):
        users.create_session(database, users.Session(f"h{n}", name, "c", 5, 5))
    users.set_password(database, "li", "$argon2id$2")
    assert users.get(database, "li") == replace(USER, password="$argon2id$2", must_change=False)
    assert users.get_session(database, "h0") is users.get_session(database, "h1") is None
    assert users.get_session(database, "h2") is not None
    with pytest.raises(Refused, match="no such user"):
        users.set_password(database, "nobody", "x")


def test_sessions_are_touched_ended_and_swept(database: Database) -> None:
    users.add(database, USER)
    for n in range(4):
        users.create_session(database, users.Session(f"h{n}", "li", "c", n * 100, n * 100))
    users.touch_session(database, "h1", 900)
    assert users.get_session(database, "h1") == users.Session("h1", "li", "c", 100, 900)
    users.delete_session(database, "h3")
    assert users.delete_sessions(database, created_before=100, used_before=300) == 2
    assert users.get_session(database, "h1") is not None


COMMAND = Command("c1", "dorm-07/boiler-1/setpoint", 55.0, "li", "warmer", 5, 500)


def test_a_key_keeps_its_first_command(database: Database) -> None:
    assert commands.insert_or_get(database, COMMAND, "li/k") == (COMMAND, None, True)
    other = replace(COMMAND, id="c2", value=60.0)
    assert commands.insert_or_get(database, other, "li/k") == (COMMAND, None, False)
    assert commands.get(database, "c2") is None
    assert commands.unfinished(database) == [(COMMAND, None)]


def test_the_outcome_of_a_command_stays_unless_it_was_unknown(database: Database) -> None:
    commands.insert_or_get(database, COMMAND, "li/k")
    unknown = Result("c1", Outcome.UNKNOWN, "no answer", 6)
    done = Result("c1", Outcome.DONE, "", 7, 55.0)
    commands.finish(database, unknown)
    assert commands.get(database, "c1") == (COMMAND, unknown)
    assert commands.unfinished(database) == [(COMMAND, unknown)]
    commands.finish(database, done)
    commands.finish(database, Result("c1", Outcome.BLOCKED, "late", 8))
    assert commands.get(database, "c1") == (COMMAND, done)
    assert commands.unfinished(database) == []


def test_sqlite_commits_are_synced_and_readers_do_not_wait(tmp_path: Path) -> None:
    database = open_database(tmp_path / "hub.db")
    with database.read() as connection:
        pragmas = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar()
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    assert pragmas == ["wal", 2, 1]
    with database.write() as writer:
        writer.execute(sa.text("INSERT INTO points (id) VALUES ('a')"))
        assert users.count(database) == 0  # a second connection reads while the first writes
    database.close()
