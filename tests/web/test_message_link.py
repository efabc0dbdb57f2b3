"""The link of a message: a page and one button, for one person, one ticket and one purpose."""

from __future__ import annotations

from hub.database import records
from hub.model import Ticket
from hub.notify import link
from tests.pages.stage import Stage
from tests.web.conftest import Person, browser

DAY_MS = link.GOOD_FOR_MS


def open_ticket(stage: Stage) -> Ticket:
    return next(one for one in records.open_tickets(stage.database) if one.responded_ms is None)


def path_to(stage: Stage, ticket: str, person: str = "li", good_ms: int = DAY_MS) -> str:
    ask = link.Ask(ticket, person, stage.clock.now_ms() + good_ms)
    return link.written(stage.parts.secret, ask)


def events_of(stage: Stage, ticket: Ticket) -> list[tuple[str, str]]:
    return [(one.kind, one.actor) for one in records.events(stage.database, ticket.id)]


async def test_opening_the_link_changes_nothing_and_pressing_acknowledges_as_that_person(
    played: Stage,
) -> None:
    ticket = open_ticket(played)
    before = events_of(played, ticket)
    async with browser(played) as phone:
        path = path_to(played, ticket.id)
        for _ in range(3):
            shown = await phone.get(path)
        assert shown.status_code == 200
        assert '<form method="post"' in shown.text
        assert "<script>" not in shown.text
        assert events_of(played, ticket) == before
        pressed = await phone.post(path)
        assert pressed.status_code == 303
        then = await phone.get(pressed.headers["location"])
    new = events_of(played, ticket)[len(before) :]
    assert ("acknowledged", "li") in new
    assert "li" in then.text
    assert '<form method="post" action="/a/' not in then.text
    (event,) = (
        one for one in records.events(played.database, ticket.id) if one.kind == "acknowledged"
    )
    assert event.detail["note"] == "message link"


async def test_a_link_that_is_replayed_says_who_was_faster_and_does_nothing(
    played: Stage,
) -> None:
    ticket = open_ticket(played)
    async with browser(played) as phone:
        await phone.post(path_to(played, ticket.id))
        done = events_of(played, ticket)
        for person in ("li", "wang"):
            again = await phone.post(path_to(played, ticket.id, person))
            assert again.status_code == 200
            assert (
                "li acknowledged it"
                in (await phone.get(path_to(played, ticket.id, person) + "?lang=en")).text
            )
    assert events_of(played, ticket) == done


async def test_an_old_link_and_one_that_was_changed_do_nothing(played: Stage) -> None:
    ticket = open_ticket(played)
    before = events_of(played, ticket)
    good = path_to(played, ticket.id)
    label = "/a/" + played.parts.secret.signed("label", f"{ticket.id} li {2**53}")
    cases = {
        path_to(played, ticket.id, good_ms=-1): 410,
        good[:-1] + ("A" if good[-1] != "A" else "B"): 404,
        label: 404,  # signed by this hub, but for something else
        path_to(played, "20000101-000000"): 404,
        "/a/x": 404,
    }
    async with browser(played) as phone:
        for path, status in cases.items():
            for answer in (await phone.get(path), await phone.post(path)):
                assert answer.status_code == status, path
                assert '<form method="post" action="/a/' not in answer.text
    assert events_of(played, ticket) == before


async def test_another_site_cannot_press_the_button(played: Stage, visitor: Person) -> None:
    ticket = open_ticket(played)
    async with browser(played) as phone:
        answer = await phone.post(
            path_to(played, ticket.id), headers={"Origin": "https://evil.test"}
        )
    assert answer.status_code == 403
    assert open_ticket(played).id == ticket.id
