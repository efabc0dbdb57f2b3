"""Ask a hub with very many tickets for pages of its lists, beside the plain queries of the same.

``python -m bench.tickets [--tickets 100000] [--open 2000]`` fills a SQLite database in a folder of
its own, serves it in this process without a socket, and asks for each list as API and page ask. It
prints the processor's time of an answer, the median and the longest, and that of the bare SQL of
the same page and count on the same file. Nothing is asserted.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import httpx

from hub.clock import RealClock
from hub.database import effects, users
from hub.database.connection import Database, open_database
from hub.model import Text, Ticket, TicketState
from hub.web import build
from tests.pages.stage import Stage

AGAIN = 15
DAY_MS = 86_400_000
STATES = tuple(TicketState)[:4]
OPEN = "closed_ms IS NULL"


class List(NamedTuple):
    """One list: its address, and the bare condition of its rows."""

    path: str
    where: str


LISTS = (
    List("/api/v1/tickets?limit=50", "1"),
    List("/api/v1/tickets?limit=50&offset=50000", "1"),
    List("/api/v1/tickets?limit=50&state=opened", "state = 'opened'"),
    List("/api/v1/tickets?limit=50&crew=crew-3", "crew = 'crew-3'"),
    List("/api/v1/tickets?limit=50&assignee=person-7", "assignee = 'person-7'"),
    List("/api/v1/tickets?limit=50&place=dorm-08", "place LIKE 'dorm-08/%'"),
    List("/api/v1/tickets?limit=50&severity=large", "severity = 'large'"),
    List("/api/v1/tickets?limit=50&source=round", "source = 'round'"),
    List("/api/v1/tickets?limit=50&late=true", f"{OPEN} AND respond_by_ms < 1795000000000"),
    List("/tickets", OPEN),
    List("/tickets?show=closed&offset=500", "state = 'closed'"),
)


def made(count: int, open_: int, now_ms: int, chance: random.Random) -> Iterator[Ticket]:
    """Make tickets of a few years; the last ones are open."""
    for n in range(count):
        still = n >= count - open_
        opened_ms = now_ms - (count - n) * DAY_MS // 600
        severity = chance.choice(("small", "ordinary", "large"))
        yield Ticket(
            id=f"bench-{n:07d}",
            cause=f"dorm-08/device-{n}#rule",
            device=f"dorm-08/device-{n % 5000}",
            place=f"dorm-{chance.randrange(1, 28):02d}/{n % 6}",
            rule=chance.choice(("leak", "no-hot-water", "tank-cold")),
            severity=severity,
            title=Text("没有热水", "No hot water"),
            guidance=Text("先看压力表" * 16, "Look at the gauge, then at the heater. " * 8),
            parts=("heating-element",),
            state=chance.choice(STATES) if still else TicketState.CLOSED,
            opened_ms=opened_ms,
            respond_by_ms=opened_ms + 300_000,
            on_site_by_ms=opened_ms + 1_200_000,
            fix_by_ms=opened_ms + 43_200_000,
            crew_by_ms=None,
            responded_ms=None if still else opened_ms + 200_000,
            fixed_ms=None if still else opened_ms + 3_600_000,
            closed_ms=None if still else opened_ms + 4_000_000,
            source=chance.choice(("alarm", "report", "report", "round")),
            crew=f"crew-{chance.randrange(8)}",
            assignee=f"person-{chance.randrange(40)}",
            closing="" if still else "proven",
        )


def fill(database: Database, rows: Iterator[Ticket]) -> None:
    """Keep tickets, many at a time."""
    while chunk := list(islice(rows, 5000)):
        effects.keep(database, chunk)


def bare(file: Path, one: List) -> Callable[[], Any]:
    """Return the same page and count as plain SQL."""
    connection = sqlite3.connect(file)
    order = "ORDER BY opened_ms DESC, id LIMIT 50"

    def ask() -> None:
        connection.execute(f"SELECT * FROM tickets WHERE {one.where} {order}").fetchall()  # noqa: S608
        connection.execute(f"SELECT count(*) FROM tickets WHERE {one.where}").fetchone()  # noqa: S608

    return ask


async def main(count: int, open_: int) -> None:
    """Fill, ask and print."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "hub.db"
        database, stage, clock = open_database(file), Stage(), RealClock()
        fill(database, made(count, open_, clock.now_ms(), random.Random(7)))
        client = browser(stage, database)
        print(f"{count} tickets, {open_} of them open; {AGAIN} times each, in ms")
        print(f"{'list':68} {'median':>7} {'slowest':>8} {'bare SQL':>9}")
        for one in LISTS:
            times = [await asked(client, one.path) for _ in range(AGAIN)]
            plain = bare(file, one)
            plain()
            began = time.process_time()
            for _ in range(AGAIN):
                plain()
            sql_ms = (time.process_time() - began) * 1000 / AGAIN
            print(f"{one.path:68} {statistics.median(times):7.1f} {max(times):8.1f} {sql_ms:9.1f}")


def browser(stage: Stage, database: Database) -> httpx.AsyncClient:
    """Return somebody who is signed in to a hub with these tickets."""
    now_ms = stage.clock.now_ms()
    users.add(stage.database, users.User("bench", "", "admin", False, now_ms))
    digest = hashlib.sha256(b"token").hexdigest()
    users.create_session(stage.database, users.Session(digest, "bench", "csrf", now_ms, now_ms))
    parts = replace(stage.parts, database=database)
    client = httpx.AsyncClient(transport=httpx.ASGITransport(build(parts)), base_url="http://hub")
    client.cookies.set("campus_hub", "token")
    return client


async def asked(client: httpx.AsyncClient, path: str) -> float:
    """Ask once and return how long it took, in ms of the processor."""
    began = time.process_time()
    answer = await client.get(path)
    answer.raise_for_status()
    return (time.process_time() - began) * 1000


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--tickets", type=int, default=100_000)
    arguments.add_argument("--open", type=int, default=2000)
    chosen = arguments.parse_args()
    asyncio.run(main(chosen.tickets, chosen.open))
