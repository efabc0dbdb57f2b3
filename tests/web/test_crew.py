"""The pages of a crew: their jobs by the time that is left, and what they do to a ticket."""

from __future__ import annotations

import re

import pytest

from hub.database import records
from hub.model import Ticket, TicketState
from tests.pages.stage import PASSWORD, Stage
from tests.web.conftest import Person, browser

MINUTE_MS = 60_000
ROOM = "dorm-08/1/101"


async def opened(stage: Stage, name: str, **more: str | None) -> Ticket:
    """Open a ticket for something that somebody reported."""
    stage.clock.instant_ms += MINUTE_MS
    opening = {"source": "report", "kind": name, "place": ROOM, "title": {"zh": name, "en": name}}
    return await stage.act({
        "id": f"open/{name}", "kind": "open", "actor": "duty-one", "note": "x",
        "at_ms": stage.clock.instant_ms, "opening": {**opening, **more},
    })  # fmt: skip


async def give(stage: Stage, ticket: Ticket, **whose: str) -> Ticket:
    """Let the duty desk say whose a ticket is."""
    return await stage.act({
        "id": f"give/{ticket.id}/{whose}", "kind": "assign", "actor": "duty-one",
        "ticket": ticket.id, "at_ms": stage.clock.instant_ms, "assignment": whose,
    })  # fmt: skip


def now(stage: Stage, ticket: Ticket) -> Ticket:
    found = records.ticket(stage.database, ticket.id)
    assert found is not None
    return found


def section(page: str, heading: str) -> str:
    """Return the part of a page under a heading of the second level."""
    return page.split(f"<h2>{heading}", 1)[1].split("</section>", maxsplit=1)[0]


async def press(person: Person, page: str, ticket: Ticket, kind: str, **said: str):
    """Press a button as the page has it."""
    form = re.search(rf'action="/tickets/{ticket.id}/{kind}".*?</form>', page, re.DOTALL)
    assert form, f"no button {kind}"
    seen = re.search(r'name="seen" value="(\d+)"', form[0])
    assert seen
    return await person.send_form(f"/tickets/{ticket.id}/{kind}", seen=seen[1], **said)


@pytest.fixture
def stage() -> Stage:
    """Return a stage whose people are those of the shipped roster."""
    return Stage(on_duty=True)


async def test_my_jobs_are_mine_then_free_then_my_crews_each_by_the_time_left(stage, sign_in):
    crew = await sign_in(stage, "crew", "liwei")
    late = await give(stage, await opened(stage, "tap"), person="li-wei")
    soon = await give(stage, await opened(stage, "lamp"), person="li-wei")
    other = await give(stage, await opened(stage, "door"), person="wang-fang", crew="duty")
    free = await give(stage, await opened(stage, "wall", skill="electricity"), crew="electricians")
    page = (await crew.get("/jobs?lang=en")).text
    mine = section(page, "Mine")
    assert mine.index(late.id) < mine.index(soon.id)
    assert other.id in section(page, "With others of my crew")
    assert free.id not in page  # that of another crew is not open to take
    assert mine.count("I take it") == 2
    answer = await press(crew, page, late, "accept")
    assert answer.headers["location"] == f"/tickets/{late.id}"
    assert now(stage, late).state is TicketState.RESPONDED
    assert (await press(crew, page, late, "accept")).status_code == 303  # a second press: the same
    mine = section((await crew.get("/jobs?lang=en")).text, "Mine")
    assert mine.index(soon.id) < mine.index(late.id)
    assert "I am on site" in mine


async def test_a_ticket_that_is_nobodys_is_taken_with_one_press(stage, sign_in):
    crew = await sign_in(stage, "crew", "hejun")  # is not on duty: the electricians rest at night
    ticket = await opened(stage, "socket", skill="electricity")
    ticket = await give(stage, ticket, crew="electricians")
    assert ticket.assignee is None
    page = (await crew.get("/jobs?lang=en")).text
    await press(crew, section(page, "Open to take") + "</form>", ticket, "accept")
    assert now(stage, ticket).assignee == "he-jun"


async def test_who_mends_begins_at_the_jobs_and_a_contractor_has_nothing_else(stage, sign_in):
    for role, name, begins in (
        ("crew", "liwei", "/jobs"),
        ("contractor", "machao", "/jobs"),
        ("duty", "chengang", "/"),
        ("crew", "in-no-roster", "/"),
    ):
        await sign_in(stage, role, name)
        person = browser(stage)
        answer = await person.post("/login", data={"name": name, "password": PASSWORD})
        assert answer.headers["location"] == begins, name
    contractor = await sign_in(stage, "contractor", "machao-two")
    page = await contractor.get("/jobs?lang=en")
    assert page.status_code == 200
    assert "You are not in the roster" in page.text
    assert re.findall(r'<a href="(/[a-z]*)"', page.text) == ["/jobs", "/tickets"]
    assert 'class="brand" href="/jobs"' in page.text


async def test_only_who_mends_has_jobs_and_a_contractor_only_its_own(stage, sign_in):
    energy = await sign_in(stage, "energy")
    assert (await energy.get("/jobs")).status_code == 403
    assert 'href="/jobs"' not in (await energy.get("/tickets")).text
    contractor = await sign_in(stage, "contractor", "machao")
    own, other = await opened(stage, "pump"), await opened(stage, "tank")
    await give(stage, own, person="ma-chao", crew="heat-pump-service")
    page = (await contractor.get("/jobs")).text
    assert own.id in page
    assert other.id not in page
