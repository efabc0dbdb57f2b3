"""The chain of the tickets' history: what is changed, taken out or put in is found where it is."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command

from hub.cli import run
from hub.database import chain, effects, records
from hub.database.chain import FILE, Head, sealed, verify
from hub.database.connection import Database, _engine, open_database
from hub.database.effects import _row
from hub.database.migration import _config
from hub.database.schema import ticket_events
from hub.model import TicketEvent
from hub.ports import Refused
from hub.settings import load
from tests.hub.test_daily import BERLIN, daily
from tests.hub.test_database import ALARM, TICKET

PER_ENTRY = 100
SITE = """version: 1
site: {id: s, name: {zh: 校, en: U}, timezone: Asia/Shanghai, locale: zh-CN}
data: var
places: []
"""


@pytest.fixture(scope="session")
def count(full_scale) -> int:
    return 100_000 if full_scale else 2000


def event(n: int) -> TicketEvent:
    detail = {"value": 45.5 + n / 7, "note": "水太凉", "photos": [], "nan": None, "big": 1e22}
    return TicketEvent(TICKET.id, n, "note", "li", 1000 + n, 1001 + n, detail)


@pytest.fixture(scope="session")
def written(tmp_path_factory, count) -> Path:
    """Write a history once; each test works on a copy."""
    file = tmp_path_factory.mktemp("chain") / "hub.db"
    database = open_database(file)
    for first in range(0, count, PER_ENTRY):
        some = [event(n) for n in range(first, first + PER_ENTRY)]
        effects.apply(database, first + 1, [ALARM, TICKET, *some])
    database.close()
    return file


@pytest.fixture
def whole(written, tmp_path) -> Database:
    file = tmp_path / "hub.db"
    file.write_bytes(written.read_bytes())
    database = open_database(file)
    yield database
    database.close()


def execute(database: Database, *statements: str) -> None:
    with database.write() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)


def forge(database: Database, n: int, after: int) -> None:
    """Put an event in behind another, with a seal that fits it, and move the others on."""
    with database.read() as connection:
        of = ticket_events.c
        before = connection.execute(sa.select(of.seq, of.hash).where(of.seq == after)).one()
    content = {name: getattr(event(n), name) for name in chain.CONTENT}
    link = sealed(Head(*before), content)
    with database.write() as connection:
        moved = "UPDATE ticket_events SET seq = {} WHERE seq {}"
        connection.exec_driver_sql(moved.format("-(seq + 1)", f"> {after}"))
        connection.exec_driver_sql(moved.format("-seq", "< 0"))
        connection.execute(sa.insert(ticket_events).values(**content, **link._asdict()))
        connection.exec_driver_sql("UPDATE chain SET seq = seq + 1")


SPOILT: dict[str, tuple[Callable[[int, int], list[str]], Callable[[int, int], int], str]] = {
    "flipped": (
        lambda k, n: [f"UPDATE ticket_events SET at_ms = at_ms + 1 WHERE seq = {k}"],
        lambda k, n: k,
        "not what was sealed",
    ),
    "another detail": (
        lambda k, n: [f"UPDATE ticket_events SET detail = '{{}}' WHERE seq = {k}"],
        lambda k, n: k,
        "not what was sealed",
    ),
    "deleted": (
        lambda k, n: [f"DELETE FROM ticket_events WHERE seq = {k}"],
        lambda k, n: k,
        "1 missing from here on",
    ),
    "deleted, and the others moved up": (
        lambda k, n: [
            f"DELETE FROM ticket_events WHERE seq = {k}",
            f"UPDATE ticket_events SET seq = -(seq - 1) WHERE seq > {k}",
            "UPDATE ticket_events SET seq = -seq WHERE seq < 0",
            "UPDATE chain SET seq = seq - 1",
        ],
        lambda k, n: k,
        "not what was sealed",
    ),
    "reordered": (
        lambda k, n: [
            f"UPDATE ticket_events SET seq = -1 WHERE seq = {k}",
            f"UPDATE ticket_events SET seq = {k} WHERE seq = {k + 1}",
            f"UPDATE ticket_events SET seq = {k + 1} WHERE seq = -1",
        ],
        lambda k, n: k,
        "not what was sealed",
    ),
    "truncated": (
        lambda k, n: [f"DELETE FROM ticket_events WHERE seq > {n - 3}"],
        lambda k, n: n - 2,
        "3 missing from here to the end",
    ),
    "added before the first": (
        lambda k, n: [f"UPDATE ticket_events SET seq = -{k} WHERE seq = {k}"],
        lambda k, n: -k,
        "it was added",
    ),
    "added behind the head": (
        lambda k, n: ["UPDATE chain SET seq = seq - 1"],
        lambda k, n: n,
        "behind the head",
    ),
    "another head": (
        lambda k, n: [f"UPDATE chain SET hash = '{'f' * 64}'"],
        lambda k, n: n,
        "not the seal of the last",
    ),
}


def test_a_history_that_is_whole_is_found_whole(whole, count) -> None:
    found = verify(whole)
    assert found == (chain.head(whole), [])
    assert found.last.seq == count


@pytest.mark.parametrize("how", SPOILT)
def test_what_is_spoilt_in_the_history_is_found_where_it_is(whole, count, how) -> None:
    statements, where, said = SPOILT[how]
    spoilt = count * 2 // 3
    execute(whole, *statements(spoilt, count))
    first = verify(whole).troubles[0]
    assert (first.seq, said in str(first)) == (where(spoilt, count), True), first


def test_an_event_that_is_put_in_with_a_seal_is_found_by_the_next(whole, count) -> None:
    forge(whole, count + 5, after=count // 2)
    assert verify(whole).troubles[0].seq == count // 2 + 2


def test_a_tail_cut_off_with_its_head_is_found_by_a_head_that_was_told(whole, count) -> None:
    told = chain.head(whole)
    with whole.read() as connection:
        of = ticket_events.c
        row = connection.execute(sa.select(of.seq, of.hash).where(of.seq == count - 3)).one()
    execute(
        whole,
        f"DELETE FROM ticket_events WHERE seq > {row.seq}",
        f"UPDATE chain SET seq = {row.seq}, hash = '{row.hash}'",
    )
    assert verify(whole).troubles == []  # what is in the database fits together
    (trouble,) = verify(whole, [told]).troubles
    assert (trouble.seq, trouble.what) == (count - 2, "3 missing from here to the end")
    (other,) = verify(whole, [Head(row.seq, told.hash)]).troubles
    assert (other.seq, "written anew" in other.what) == (row.seq, True)


def test_an_event_that_is_kept_again_makes_no_second_link(whole, count) -> None:
    effects.keep(whole, [TICKET, event(0), event(count)])
    found = verify(whole)
    assert (found.last.seq, found.troubles) == (count + 1, [])


def test_the_chain_is_the_same_on_both_databases(database: Database) -> None:
    effects.apply(database, 1, [ALARM, TICKET, event(0), event(1)])
    effects.apply(database, 2, [TICKET, event(2)])
    content = [{name: getattr(event(n), name) for name in chain.CONTENT} for n in range(3)]
    link = Head()
    for one in content:
        link = sealed(link, one)
    assert verify(database) == (link, [])


def test_the_command_finds_it_and_says_where(whole, count, tmp_path, capsys) -> None:
    site = tmp_path / "site"
    site.mkdir()
    (site / "campus.yaml").write_text(SITE, "utf-8")
    file = load(site).database_file
    file.parent.mkdir(parents=True)
    with sqlite3.connect(tmp_path / "hub.db") as one:
        one.execute("VACUUM INTO ?", (str(file),))
    one.close()
    assert run(["audit", "verify", "--config", str(site)]) == 0
    head = chain.head(whole)
    assert f"{count} events, head {head.hash}" in capsys.readouterr().out
    later = f"{count + 2}:{'0' * 64}"
    assert run(["audit", "verify", "--config", str(site), "--head", later, "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["troubles"][0]["seq"] == count + 1
    assert run(["audit", "verify", "--config", str(site), "--head", "12"]) == 2


async def test_the_daily_report_tells_the_head(whole, tmp_path) -> None:
    folder = tmp_path / "reports"
    day = date(2026, 11, 20)
    await daily(whole, day, BERLIN, folder).report(day)
    assert chain.told_in(folder / FILE) == [chain.head(whole)]
    (folder / FILE).write_text("nonsense\n", "ascii")
    with pytest.raises(Refused, match=r"ticket-chain\.csv:1"):
        chain.told_in(folder / FILE)


def test_a_history_of_before_the_chain_is_sealed_as_it_stands(where) -> None:
    """The tables of the revision before, with tickets in them, get their seals on opening."""
    engine = _engine(where)
    with engine.begin() as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "0005")
        old = sa.MetaData()
        old.reflect(connection, only=["tickets", "ticket_events"])
        row = {key: value for key, value in _row(TICKET).items() if key in old.tables["tickets"].c}
        connection.execute(old.tables["tickets"].insert(), [row | {"closed_ms": 9000}])
        events = [
            {"ticket": TICKET.id, "n": n, "kind": "note", "actor": "li", "at_ms": 5000 - n // 2}
            for n in range(5)
        ]
        table = old.tables["ticket_events"]
        connection.execute(table.insert(), [one | {"detail": {"n": one["n"]}} for one in events])
    engine.dispose()
    database = open_database(where)
    found = verify(database)
    assert (found.last.seq, found.troubles) == (5, [])
    history = records.events(database, TICKET.id)
    assert [(one.n, one.received_ms) for one in history] == [(n, 5000 - n // 2) for n in range(5)]
    assert records.ticket(database, TICKET.id).closing == "proven"
    effects.apply(database, 1, [replace(TICKET, closed_ms=9000), event(5)])
    assert verify(database).last.seq == 6
    database.close()
