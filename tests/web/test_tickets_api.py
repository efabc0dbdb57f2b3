"""Tickets over the API: reported, worked on and listed by who may; a contractor sees its own."""

from __future__ import annotations

from typing import get_args

import pytest

from hub.desk.action import TicketKind
from hub.web.own import NEEDS
from rules.roster import Roster
from rules.roster_form import RosterFile
from tests.pages.stage import Stage
from tests.web.conftest import browser

LEAK = {"kind": "no-hot-water", "place": "dorm-08", "note": "水很凉"}
MINUTE = 60_000


@pytest.fixture(scope="module")
def stage() -> Stage:
    """One hub for all of these tests: each has tickets of its own, at its own place."""
    return Stage()


@pytest.fixture
async def duty(stage, sign_in, request):
    async with await sign_in(stage, "duty", f"duty-{request.node.name[:50]}") as person:
        yield person


def roster(stage) -> Roster:
    people = [{"id": "wang", "name": "Wang", "user": "contractor-one"}]
    words = {"zh": "外包", "en": "Outside"}
    crews = [{"id": "outside", "name": words, "members": ["wang"], "contractor": True}]
    turns = {"crew": "outside", "shifts": [{"name": "day", "from": "08:00", "to": "08:00"}]}
    rotations = [turns | {"order": [["wang"]], "starts": "2026-01-01"}]
    raw = {"version": 1, "people": people, "crews": crews, "rotations": rotations}
    return Roster(RosterFile.model_validate(raw), stage.site.zone)


async def opened(person, **more) -> dict:
    answer = await person.send_json("/api/v1/tickets", LEAK | more)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_fault_that_somebody_reports_is_a_ticket_and_again_is_the_same(duty, stage):
    ticket = await opened(duty)
    assert (ticket["source"], ticket["rule"], ticket["reports"]) == ("report", "no-hot-water", 1)
    assert ticket["events"][0]["detail"]["note"] == "水很凉"
    stage.clock.instant_ms += MINUTE
    again = await opened(duty)
    assert again["id"] == ticket["id"]
    assert [event["kind"] for event in again["events"]] == ["opened", "merged"]


async def test_a_report_of_what_there_is_not_is_refused(duty):
    for wrong, status, said in (
        ({"kind": "ghosts"}, 422, "no kind ghosts"),
        ({"place": "dorm-99"}, 409, "no such place"),
        ({"device": "dorm-07/boiler-1"}, 409, "no such device at dorm-08"),
        ({"proof": "dorm-08"}, 422, "proof"),
    ):
        answer = await duty.send_json("/api/v1/tickets", LEAK | wrong)
        assert (answer.status_code, said in answer.text) == (status, True)


async def test_a_ticket_is_given_paused_graded_and_closed_with_its_reasons(duty, stage):
    path = "/api/v1/tickets/" + (await opened(duty, place="dorm-07/3"))["id"]

    async def does(kind: str, **said: object):
        stage.clock.instant_ms += MINUTE
        return await duty.send_json(f"{path}/{kind}", said)

    given = (await does("assign", assignment={"person": "li", "crew": "east"})).json()
    assert (given["assignee"], given["crew"]) == ("li", "east")
    paused = (await does("pause", pausing={"reason": "parts"}, note="valve")).json()
    assert paused["fix_by"] > given["fix_by"]
    assert (await does("resume")).json()["paused_at"] is None
    graver = (await does("reclassify", classing={"severity": "small"}, note="a washer")).json()
    assert graver["fix_by"] < given["fix_by"]
    bare = await does("close")
    assert (bare.status_code, "no fix was reported" in bare.text) == (409, True)
    assert (await does("close", note="the resident is content")).json()["closing"] == "confirmed"
    rated = (await does("rate", rating={"stars": 4})).json()
    assert rated["events"][-1]["detail"]["stars"] == 4
    joined = (await does("link", linking={"new": True, "owner": "li"})).json()
    (problem,) = (await duty.get("/api/v1/problems")).json()["items"]
    assert (problem["id"], problem["owner"]) == (joined["problem"], "li")


async def test_what_was_done_offline_counts_from_its_own_time(duty, stage):
    ticket = await opened(duty, place="dorm-07/1")
    stage.clock.instant_ms += 10 * MINUTE
    said = {"own_at": ticket["respond_by"]}
    seen = (await duty.send_json(f"/api/v1/tickets/{ticket['id']}/acknowledge", said)).json()
    assert seen["responded_at"] == ticket["respond_by"]
    last = [event["kind"] for event in seen["events"]][-2:]
    assert last == ["acknowledged", "breach_withdrawn"]


async def test_tickets_are_found_by_what_they_are(duty, stage):
    ticket = await opened(duty, place="dorm-08/1")
    me = ticket["events"][0]["actor"]
    given = {"assignment": {"person": me, "crew": "west"}}
    await duty.send_json(f"/api/v1/tickets/{ticket['id']}/assign", given)

    async def ids(query: str) -> list[str]:
        items = (await duty.get(f"/api/v1/tickets?{query}")).json()["items"]
        return [item["id"] for item in items]

    assert len(await ids("place=dorm-08&source=report")) > 1
    for query in ("mine=true", "crew=west", "place=dorm-08/1", f"assignee={me}"):
        assert await ids(query) == [ticket["id"]]
    assert ticket["id"] not in await ids("late=true")
    stage.clock.instant_ms += 6 * MINUTE
    assert ticket["id"] in await ids("late=true&severity=ordinary&severity=small")


async def test_a_contractor_sees_and_works_on_its_own_tickets_alone(duty, stage, sign_in):
    stage.roster = roster(stage)
    async with await sign_in(stage, "contractor") as contractor:
        ticket = await opened(duty, place="dorm-08/2")
        own = f"/api/v1/tickets/{ticket['id']}"
        assert (await contractor.get("/api/v1/tickets")).json()["total"] == 0
        assert (await contractor.get(own)).status_code == 404
        assert (await contractor.get(f"/tickets/{ticket['id']}")).status_code == 404
        assert (await contractor.send_json(f"{own}/note", {"note": "x"})).status_code == 404
        await duty.send_json(f"{own}/assign", {"assignment": {"crew": "outside"}})
        (seen,) = (await contractor.get("/api/v1/tickets?crew=east&crew=outside")).json()["items"]
        assert seen["id"] == ticket["id"]
        assert (await contractor.get("/api/v1/tickets?crew=east")).json()["total"] == 0
        assert ticket["id"] in (await contractor.get("/tickets")).text
        assert (await contractor.get(f"/tickets/{ticket['id']}")).status_code == 200
        assert (await contractor.send_json(f"{own}/acknowledge")).status_code == 200
        refused = ("/api/v1/alarms", "/api/v1/stream", "/", "/energy", "/api/v1/problems")
        for path in refused:
            assert (await contractor.get(path)).status_code == 403, path
        assert (await contractor.send_json(f"{own}/close", {"note": "x"})).status_code == 403
        assert (await contractor.send_json("/api/v1/tickets", LEAK)).status_code == 403


async def test_what_a_crew_may_not_do_is_refused(stage, sign_in):
    async with await sign_in(stage, "crew") as crew:
        path = "/api/v1/tickets/" + (await opened(crew, place="dorm-07/2"))["id"]
        for kind in ("close", "refuse", "reclassify", "assign", "correct", "reopen"):
            assert (await crew.send_json(f"{path}/{kind}", {"note": "x"})).status_code == 403
        assert (await crew.send_json(f"{path}/accept")).json()["assignee"] == "crew-one"


def test_each_thing_that_is_done_to_a_ticket_needs_a_right():
    assert set(NEEDS) == set(get_args(TicketKind))


async def test_nobody_reads_tickets_without_signing_in(stage):
    async with browser(stage) as nobody:
        assert (await nobody.get("/api/v1/tickets")).status_code == 401
