"""What is wrong with keeping readings stands on every page and in /readyz."""

from dataclasses import replace

import pytest

from hub.clock import RealClock
from hub.database import records
from hub.journal import Journal, Retention, Room, Shedding, open_connection
from hub.model import Entry, EntryKind
from hub.web.texts import TEXTS
from tests.web.conftest import browser


@pytest.mark.parametrize("path", ["/", "/tickets"])
async def test_a_full_disk_is_said_on_every_page_in_both_languages(stage, sign_in, path):
    room = Room()
    journal = Journal(open_connection(":memory:"))
    told = []
    retention = Retention(
        journal, room, Shedding({}), RealClock(), 3_600_000, lambda: 0, told.append
    )
    person = await sign_in(stage)
    person._transport.app.state.parts = replace(
        stage.parts,
        trouble=retention.codes,
        ready=lambda: [f"{what}: {said.reason}" for what, said in retention.trouble().items()],
    )
    assert "磁盘已满" not in (await person.get(path)).text
    assert (await person.get("/readyz")).status_code == 200
    room.give_up("a test")
    assert "磁盘已满" in (await person.get(path)).text
    assert "The disk is full" in (await person.get(f"{path}?lang=en")).text
    answer = await person.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["problems"][0].startswith("disk: full")
    room.over()
    assert "The disk is full" not in (await person.get(path)).text
    retention.close()
    journal.close()


async def test_a_stranger_is_told_nothing_of_the_disk(stage):
    person = browser(replace(stage.parts, trouble=lambda: ["disk-full"]))
    assert "磁盘已满" not in (await person.get("/login")).text


async def test_the_alarm_and_the_ticket_of_a_disk_that_fills_up_are_shown(stage, sign_in):
    person = await sign_in(stage)
    word = {"hub": "disk", "state": "degraded", "value": 20.5, "limit": 24.0, "urgent": False}
    worse = word | {"value": 3.9, "limit": 4.0, "urgent": True}
    over = {"hub": "disk", "state": "online"}
    for n, content in enumerate((word, worse, over)):
        stage.enter(Entry(EntryKind.HEALTH, stage.clock.now_ms() + n, content=content))
    (ticket,) = records.tickets(stage.database)
    assert "磁盘快满了" in (await person.get("/tickets")).text
    assert (await person.get("/")).status_code == 200
    page = (await person.get(f"/tickets/{ticket.id}")).text
    for words in (f"{stage.site.name.zh}</a> · 系统", "campus-hub journal status", "大修"):
        assert words in page
    for words in ("约 20.5 小时后写满", "故障加重", "约 3.9 小时后写满", "已恢复正常"):
        assert words in page
    english = (await person.get(f"/tickets/{ticket.id}?lang=en")).text
    for words in ("The disk is filling up", "full in about 20.5 h", "in order again"):
        assert words in english
    (alarm,) = (await person.get("/api/v1/alarms")).json()["items"]
    assert (alarm["device"], alarm["severity"], alarm["value"]) == ("hub", "large", 3.9)


def test_every_trouble_has_words():
    assert {f"trouble-{code}" for code in ("disk-full", "disk-soon-full", "journal-full")} <= set(
        TEXTS
    )
