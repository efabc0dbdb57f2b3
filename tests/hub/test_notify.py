"""Telling people: at least once, in order, by a channel that lives, never again what is marked."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from itertools import pairwise

import pytest

from hub.database import outbox
from hub.database.connection import Database, open_database
from hub.notify import LogNotifier
from hub.notify.allowance import AT_ONCE, EVERY_S
from hub.ports import StoreError
from tests.hub.telling_scene import NOON_MS, Scene, play, told

HOUR_S = 3600.0


@pytest.fixture
def memory() -> Iterator[Database]:
    database = open_database(":memory:")
    yield database
    database.close()


def test_everybody_is_told_once_in_their_language_and_a_restart_tells_nothing_again(
    database: Database,
) -> None:
    async def first(scene: Scene) -> None:
        scene.note(told(0, "li", "wang"))
        await scene.clock.sleep(1)

    scene = play(database, first)
    zh, en = sorted(scene.phones["mail"].heard, key=lambda one: one.key)
    assert (zh.key, zh.address, zh.subject) == ("t1/0/li", "li@uni.test", "主题 0")
    assert (en.key, en.address, en.subject) == ("t1/0/wang", "wang@uni.test", "subject 0")
    assert "指导" in zh.body
    assert "guidance" in en.body
    assert "https://hub.test/tickets/t1" in en.body

    async def again(scene: Scene) -> None:
        scene.pipeline.wake()
        await scene.clock.sleep(HOUR_S)

    assert play(database, again).phones["mail"].tries == []


def test_who_is_nobody_in_particular_is_the_duty_desk_in_both_languages(memory: Database) -> None:
    async def script(scene: Scene) -> None:
        scene.note(told(0))
        await scene.clock.sleep(1)

    (one,) = play(memory, script).phones["duty"].heard
    assert (one.key, one.subject) == ("t1/0/duty", "主题 0 / subject 0")


def test_a_dead_channel_falls_back_to_the_next_within_a_minute(memory: Database) -> None:
    async def script(scene: Scene) -> None:
        scene.phones["mail"].takes_s, scene.phones["mail"].dead = 3600.0, True
        scene.note(told(0, "li"))
        await scene.clock.sleep(60)

    scene = play(memory, script)
    (one,) = scene.phones["wecom"].heard
    assert one.key == "t1/0/li"
    assert one.at_s <= 60
    assert scene.entered == []  # somebody was told, so nobody skips


def test_when_every_channel_is_dead_the_ladder_hears_of_it_once_and_at_once(
    memory: Database,
) -> None:
    async def script(scene: Scene) -> None:
        for phone in scene.phones.values():
            phone.dead = True
        scene.note(told(4, "li"))
        await scene.clock.sleep(1)
        (entry,) = scene.entered
        wanted = {"id": "undelivered/t1/4/li", "kind": "undelivered", "person": "li"}
        assert wanted.items() <= entry.content.items()
        assert entry.content["ticket"] == "t1"
        await scene.clock.sleep(HOUR_S)

    scene = play(memory, script)
    assert len(scene.entered) == 1
    assert 10 <= len(scene.phones["mail"].tries) <= 30  # again and again, less and less often


def test_who_has_no_channel_or_is_not_known_is_said_to_be_out_of_reach(memory: Database) -> None:
    async def script(scene: Scene) -> None:
        scene.note(told(0, "gone"))
        await scene.clock.sleep(HOUR_S)

    (entry,) = play(memory, script).entered
    assert entry.content["note"] == "gone has no channel"


def test_a_dead_line_that_comes_back_is_told_what_waited_in_order_and_joined(
    memory: Database,
) -> None:
    async def script(scene: Scene) -> None:
        scene.phones["mail"].dead = True
        for n in range(20):
            scene.note(told(n, "wang"))
            await scene.clock.sleep(60)
        scene.phones["mail"].dead = False
        await scene.clock.sleep(HOUR_S)

    scene = play(memory, script)
    assert scene.phones["mail"].keys[0] == "t1/0/wang"  # begun before: it keeps its key
    assert len(scene.phones["mail"].heard) <= 3
    assert outbox.due(memory, 2**53) == []


def test_after_a_failure_the_later_ones_of_that_ticket_wait_and_others_do_not(
    memory: Database,
) -> None:
    async def script(scene: Scene) -> None:
        phone = scene.phones["mail"]
        phone.failing = ("t1/0",)
        scene.note(told(0, "wang"), told(1, "wang"))
        await scene.clock.sleep(1)
        scene.note(told(5, "wang", ticket="t2"))
        await scene.clock.sleep(60)
        assert phone.keys == ["t2/5/wang"]
        phone.failing = ()
        await scene.clock.sleep(600)
        assert phone.keys == ["t2/5/wang", "t1/0/wang", "t1/1/wang"]

    play(memory, script)


def test_what_one_channel_keeps_waiting_holds_up_nobody_else(memory: Database) -> None:
    async def script(scene: Scene) -> None:
        scene.phones["mail"].takes_s = 10.0
        scene.note(told(0, "li"))
        await scene.clock.sleep(1)
        scene.note(told(1, ticket="t2"))
        await scene.clock.sleep(1)
        assert scene.phones["duty"].keys == ["t2/1/duty"]
        assert scene.phones["mail"].heard == []

    play(memory, script)


def test_a_storm_comes_as_a_few_messages_that_name_what_is_urgent_first(memory: Database) -> None:
    async def script(scene: Scene) -> None:
        for n in range(0, 1000, 10):
            scene.note(
                *(told(k, "wang", ticket=f"t{k}", urgent=k == 777) for k in range(n, n + 10))
            )
            await scene.clock.sleep(0.6)
        await scene.clock.sleep(EVERY_S)

    scene = play(memory, script)
    heard = scene.phones["mail"].heard
    assert len(heard) <= AT_ONCE + 80 / EVERY_S + 1
    assert outbox.due(memory, 2**53) == []
    gaps = [b.at_s - a.at_s for a, b in pairwise(heard)]
    assert max(gaps) <= EVERY_S  # nobody waits longer for the next
    (with_urgent,) = (one for one in heard if "subject 777" in one.subject)
    assert with_urgent.body.split("\n")[2] == "- subject 777"
    assert "messages" in with_urgent.subject


def test_quiet_hours_hold_what_can_wait_and_pass_what_cannot_in_the_order_of_the_ticket(
    memory: Database,
) -> None:
    eleven_at_night_ms = NOON_MS + 11 * 3_600_000

    async def script(scene: Scene) -> None:
        phone = scene.phones["mail"]
        scene.note(told(0, "zhao"), told(1, "zhao", ticket="t2"))
        await scene.clock.sleep(HOUR_S)
        assert phone.heard == []
        scene.note(told(2, "zhao", urgent=True))
        await scene.clock.sleep(1)
        assert phone.keys == ["t1/0/zhao", "t1/2/zhao"]
        for n in range(3, 9):
            scene.note(told(n, "zhao", ticket="t3"))
        await scene.clock.sleep(6.9 * HOUR_S)
        assert len(phone.heard) == 2
        await scene.clock.sleep(0.2 * HOUR_S)
        (_, _, joined) = phone.heard
        assert joined.subject.startswith("7 条消息")

    play(memory, script, eleven_at_night_ms)


def test_quiet_hours_hold_nothing_at_noon(memory: Database) -> None:
    async def script(scene: Scene) -> None:
        scene.note(told(0, "zhao"))
        await scene.clock.sleep(1)
        assert scene.phones["mail"].keys == ["t1/0/zhao"]

    play(memory, script)


def test_what_waited_longer_than_anything_does_is_told_after_the_clock_was_put_back(
    memory: Database,
) -> None:
    async def dead(scene: Scene) -> None:
        scene.phones["mail"].dead = True
        scene.note(told(0, "wang"))
        await scene.clock.sleep(1)

    play(memory, dead)

    async def a_day_before(scene: Scene) -> None:
        await scene.clock.sleep(1)
        assert scene.phones["mail"].keys == ["t1/0/wang"]

    play(memory, a_day_before, NOON_MS - 86_400_000)


def test_what_was_told_but_not_marked_is_marked_and_not_told_again(
    memory: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = outbox.mark_told

    def gone(*args: object) -> None:
        raise StoreError("database is away")

    async def script(scene: Scene) -> None:
        monkeypatch.setattr(outbox, "mark_told", gone)
        scene.note(told(0, "wang"))
        await scene.clock.sleep(30)
        monkeypatch.setattr(outbox, "mark_told", real)
        await scene.clock.sleep(30)
        assert scene.phones["mail"].keys == ["t1/0/wang"]

    play(memory, script)
    assert outbox.due(memory, 2**53) == []


def test_nothing_goes_out_that_the_outbox_does_not_know_to_be_tried(
    memory: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*args: object) -> None:
        raise StoreError("database is away")

    async def script(scene: Scene) -> None:
        monkeypatch.setattr(outbox, "begin", gone)
        scene.note(told(0, "wang"))
        await scene.clock.sleep(30)
        assert scene.phones["mail"].tries == []

    play(memory, script)


def test_a_stop_waits_for_what_is_being_handed_over_and_notes_it(memory: Database) -> None:
    async def script(scene: Scene) -> None:
        scene.phones["mail"].takes_s = 5.0
        scene.note(told(0, "wang"), told(1, "wang", ticket="t2"))
        await scene.clock.sleep(1)

    scene = play(memory, script)
    assert scene.phones["mail"].keys == ["t1/0/wang"]
    assert [row.key for row in outbox.due(memory, 2**53)] == ["t2/1/wang"]


async def test_the_log_notifier_writes_one_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    await LogNotifier().send("k", "subject", "one\ntwo")
    assert [record.getMessage() for record in caplog.records] == ["tell k: subject: one | two"]
