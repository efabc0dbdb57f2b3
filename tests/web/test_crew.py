"""The pages of a crew: their jobs by the time that is left, and what they do to a ticket."""

from __future__ import annotations

import re

import pytest

from hub.database import records
from hub.model import Ticket, TicketState
from tests.pages.residents import picture
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


async def press(member: Person, page: str, ticket: Ticket, kind: str, **said: str):
    """Press a button as the page has it."""
    form = re.search(rf'action="/tickets/{ticket.id}/{kind}".*?</form>', page, re.DOTALL)
    assert form, f"no button {kind}"
    seen = re.search(r'name="seen" value="(\d+)"', form[0])
    assert seen
    return await member.send_form(f"/tickets/{ticket.id}/{kind}", seen=seen[1], **said)


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


async def does(member: Person, ticket: Ticket, kind: str, **said: str):
    """Press a button of the page of a ticket."""
    page = (await member.get(f"/tickets/{ticket.id}?lang=en")).text
    return await press(member, page, ticket, kind, **said)


def buttons(page: str, ticket: Ticket) -> set[str]:
    return set(re.findall(rf'action="/tickets/{ticket.id}/(\w+)"', page))


async def test_a_ticket_has_only_the_buttons_that_its_state_allows(stage, sign_in):
    crew = await sign_in(stage, "crew", "liwei")
    ticket = await give(stage, await opened(stage, "tap"), person="li-wei")

    async def there() -> set[str]:
        return buttons((await crew.get(f"/tickets/{ticket.id}")).text, ticket)

    always = {"decline", "transfer", "fix", "note"}
    assert await there() == always | {"accept", "pause"}
    await does(crew, ticket, "accept")
    assert await there() == always | {"arrive", "pause"}
    await does(crew, ticket, "pause", reason="access", note="nobody opens")
    assert await there() == always | {"resume"}
    page = (await crew.get("/jobs?lang=en")).text
    assert "paused: No access" in page
    await press(crew, page, ticket, "resume")
    assert now(stage, ticket).paused_ms is None
    await does(crew, ticket, "arrive")
    assert await there() == always | {"pause"}
    assert "On site: unproven" in (await crew.get(f"/tickets/{ticket.id}?lang=en")).text
    await does(crew, ticket, "fix")
    assert await there() == {"note"}


async def test_who_hands_a_job_on_names_a_person_of_the_roster_and_the_reason(stage, sign_in):
    crew = await sign_in(stage, "crew", "liwei")
    ticket = await give(stage, await opened(stage, "tap"), person="li-wei")
    refused = await does(crew, ticket, "transfer", person="nobody", note="x")
    assert refused.status_code == 409
    assert now(stage, ticket).assignee == "li-wei"
    answer = await does(crew, ticket, "transfer", person="he-jun", note="needs an electrician")
    assert answer.headers["location"] == "/jobs"
    assert (now(stage, ticket).assignee, now(stage, ticket).crew) == ("he-jun", "electricians")
    page = (await crew.get(f"/tickets/{ticket.id}?lang=en")).text
    assert "Handed on by 李伟." in page
    assert "handed on to 何军 · Electricians" in page


async def test_who_declines_is_replaced_and_the_page_says_why_it_is_whose_it_is(stage, sign_in):
    ticket = await opened(stage, "leak")
    assert ticket.assignee is not None
    user = stage.core.roster.people[ticket.assignee].user
    crew = await sign_in(stage, "crew", user)
    page = (await crew.get(f"/tickets/{ticket.id}?lang=en")).text
    assert "On duty (" in page
    await does(crew, ticket, "decline", note="I am ill")
    assert now(stage, ticket).assignee != ticket.assignee
    name = stage.core.roster.people[ticket.assignee].name
    assert f"Do not take it: {name}." in (await crew.get(f"/tickets/{ticket.id}?lang=en")).text


async def test_a_contractor_hands_work_to_its_own_people_alone(stage, sign_in):
    contractor = await sign_in(stage, "contractor", "machao")
    ticket = await opened(stage, "pump")
    ticket = await give(stage, ticket, person="ma-chao", crew="heat-pump-service")
    answer = await contractor.send_form(
        f"/tickets/{ticket.id}/transfer", seen="1", person="li-wei", note="x"
    )
    assert answer.status_code == 409
    assert now(stage, ticket).assignee == "ma-chao"


async def test_photos_before_and_after_stand_in_the_history_and_what_is_none_is_refused(
    stage, sign_in
):
    crew = await sign_in(stage, "crew", "liwei")
    ticket = await give(stage, await opened(stage, "tap"), person="li-wei")

    async def send(kind: str, content: bytes):
        said = {"csrf": crew.csrf, "seen": "1"}
        files = {"photo": ("1.jpg", content, "image/jpeg")}
        return await crew.post(f"/tickets/{ticket.id}/{kind}", data=said, files=files)

    refused = await send("arrive", b"GIF89a no picture")
    assert refused.status_code == 422
    assert now(stage, ticket).on_site_ms is None
    assert (await send("arrive", picture())).status_code == 303
    assert (await send("fix", picture())).status_code == 303
    page = (await crew.get(f"/tickets/{ticket.id}?lang=en")).text
    assert page.index("Photo after") < page.index("Photo before")
    (address, *_) = re.findall(r'<img src="(/tickets[^"]+)"', page)
    assert (await crew.get(address)).headers["content-type"] == "image/jpeg"
    stranger = browser(stage)
    large = {"photo": ("1.jpg", b"x" * 100_000, "image/jpeg")}
    assert (await stranger.post(f"/tickets/{ticket.id}/pause", files=large)).status_code == 413
    answer = await stranger.post(f"/tickets/{ticket.id}/fix", files=large)
    assert answer.headers["location"].startswith("/login")
