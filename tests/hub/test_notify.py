"""Telling people: at least once, in order, never again what is marked."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field

import pytest

from hub.clock import RealClock, VirtualClock, VirtualLoop
from hub.database import effects, outbox
from hub.database.connection import Database, open_database
from hub.model import Notification
from hub.notify import LogNotifier, Pipeline
from hub.ports import HubError, StoreError


def told(n: int, ticket: str = "t1") -> Notification:
    return Notification(f"{ticket}/{n}", ticket, f"subject {n}", "body\nline", n)


@dataclass
class Phone:
    """Takes what it is sent, except the keys it is told to fail for."""

    failing: list[str] = field(default_factory=list)
    heard: list[str] = field(default_factory=list)

    async def send(self, key: str, subject: str, body: str) -> None:
        if key in self.failing:
            raise HubError("line is dead")
        self.heard.append(key)


@pytest.fixture
def memory():
    database = open_database(":memory:")
    yield database
    database.close()


def fill(database: Database, seq: int, *notifications: Notification) -> None:
    assert effects.apply(database, seq, notifications)


async def test_what_waits_is_told_once_in_order(database) -> None:
    fill(database, 1, told(2), told(1), told(3, "t2"))
    phone = Phone()
    assert await Pipeline(database, phone, RealClock()).tell_all()
    assert phone.heard == ["t1/1", "t1/2", "t2/3"]
    assert await Pipeline(database, phone, RealClock()).tell_all()  # after a restart
    assert len(phone.heard) == 3


async def test_after_a_failure_the_later_ones_of_that_ticket_wait(memory) -> None:
    fill(memory, 1, told(1), told(2), told(3, "t2"))
    phone = Phone(failing=["t1/1"])
    pipeline = Pipeline(memory, phone, RealClock())
    assert not await pipeline.tell_all()
    assert phone.heard == ["t2/3"]
    phone.failing.clear()
    assert await pipeline.tell_all()
    assert phone.heard == ["t2/3", "t1/1", "t1/2"]
    assert pipeline.counts == {"sent": 3, "failed": 1}


async def test_what_was_told_but_not_marked_is_marked_and_not_told_again(
    memory, monkeypatch
) -> None:
    fill(memory, 1, told(1))
    phone, real = Phone(), outbox.note_sent
    pipeline = Pipeline(memory, phone, RealClock())

    def gone(*args: object) -> None:
        raise StoreError("database is away")

    monkeypatch.setattr(outbox, "note_sent", gone)
    assert not await pipeline.tell_all()
    monkeypatch.setattr(outbox, "note_sent", real)
    assert await pipeline.tell_all()
    assert phone.heard == ["t1/1"]
    assert outbox.unsent(memory) == []


def test_a_dead_line_is_tried_again_later_and_less_often(memory) -> None:
    fill(memory, 1, told(1))
    loop, phone = VirtualLoop(), Phone(failing=["t1/1"])

    async def hour() -> Pipeline:
        clock = VirtualClock(loop, 0, seed=1)
        pipeline = Pipeline(memory, phone, clock)
        task = asyncio.create_task(pipeline.run())
        await clock.sleep(3600)
        assert 10 < pipeline.counts["failed"] < 25
        phone.failing.clear()
        await clock.sleep(301)
        fill(memory, 2, told(2))
        pipeline.wake()
        await clock.sleep(1)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        return pipeline

    loop.run_until_complete(hour())
    loop.close()
    assert phone.heard == ["t1/1", "t1/2"]


async def test_the_log_notifier_writes_one_line(caplog) -> None:
    caplog.set_level(logging.INFO)
    await LogNotifier().send("k", "subject", "one\ntwo")
    assert [record.getMessage() for record in caplog.records] == ["tell k: subject: one | two"]
