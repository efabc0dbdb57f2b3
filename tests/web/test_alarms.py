"""Alarms and planned outages over HTTP: shelving, history, figures, and who may do what."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

MINUTE = 60_000


@pytest.fixture
async def person(played, sign_in):
    return await sign_in(played)


async def alarm_of(person) -> dict:
    (first, *_) = (await person.get("/api/v1/alarms?state=unacknowledged")).json()["items"]
    return first


async def test_an_alarm_is_shelved_with_a_reason_and_comes_back(person, played):
    path = f"/api/v1/alarms/{(await alarm_of(person))['id']}"
    assert (await person.send_json(path + "/shelve", {"for": "PT1H"})).status_code == 422
    assert (await person.send_json(path + "/shelve", {"reason": "x"})).status_code == 422
    long = {"reason": "x", "for": "P8D"}
    assert (await person.send_json(path + "/shelve", long)).status_code == 409
    answer = await person.send_json(path + "/shelve", {"reason": "part ordered", "for": "PT1H"})
    shelved = answer.json()
    assert (shelved["state"], shelved["owner"]) == ("shelved", "admin-one")
    assert shelved["reason"] == "part ordered"
    assert shelved["until"] is not None
    played.clock.instant_ms += 1000
    back = (await person.send_json(path + "/unshelve")).json()
    assert back["state"] == "unacknowledged"
    kinds = [event["kind"] for event in back["events"]]
    assert kinds[-2:] == ["shelved", "released"]
    played.clock.instant_ms += 1000
    again = await person.send_json(path + "/unshelve")
    assert again.status_code == 409
    assert "needs no unshelving" in again.json()["title"]


async def test_an_instant_without_an_offset_is_site_time(person, played):
    path = f"/api/v1/alarms/{(await alarm_of(person))['id']}/shelve"
    until = datetime.fromtimestamp(played.clock.now_ms() / 1000 + 3600, played.site.zone)
    wish = {"reason": "x", "until": until.replace(tzinfo=None).isoformat()}
    shelved = (await person.send_json(path, wish)).json()
    assert datetime.fromisoformat(shelved["until"]) == until.replace(microsecond=until.microsecond)


async def test_out_of_service_and_back(person, played):
    path = f"/api/v1/alarms/{(await alarm_of(person))['id']}"
    answer = await person.send_json(path + "/out-of-service", {"reason": "rebuilt"})
    assert answer.json()["state"] == "out_of_service"
    played.clock.instant_ms += 1000
    answer = await person.send_json(path + "/return-to-service")
    assert answer.json()["state"] == "unacknowledged"
    assert (await person.send_json(path + "/reset")).status_code == 409


async def test_a_crew_sees_and_acknowledges_but_holds_nothing_back(played, sign_in):
    crew = await sign_in(played, "crew")
    path = f"/api/v1/alarms/{(await alarm_of(crew))['id']}"
    wish = {"reason": "x", "for": "PT1H"}
    assert (await crew.send_json(path + "/shelve", wish)).status_code == 403
    assert (await crew.send_json(path + "/acknowledge")).status_code == 200


async def test_the_figures_of_the_last_hours(person, played):
    played.clock.instant_ms += 1000
    found = (await person.get("/api/v1/alarms/kpi?hours=24")).json()
    assert found["alarms"] >= 1
    assert found["bearable"] is True
    assert found["flood_since"] is None
    assert found["top"][0]["share"] <= 1
    assert (await person.get("/api/v1/alarms/kpi?hours=0")).status_code == 422


async def test_the_figures_of_each_crew_are_parts_of_the_whole(person, played):
    played.clock.instant_ms += 1000
    assert (await person.get("/api/v1/alarms/kpi")).json()["crews"] == []
    played.roster = played.settings.duty_roster()
    found = (await person.get("/api/v1/alarms/kpi")).json()
    assert sum(one["alarms"] for one in found["crews"]) == found["alarms"] >= 1
    assert "hot-water" in [one["crew"] for one in found["crews"]]


async def test_an_outage_is_planned_listed_and_ended(person, played):
    now_ms = played.clock.now_ms()
    start, end = (
        datetime.fromtimestamp((now_ms + minutes * MINUTE) / 1000, UTC).isoformat()
        for minutes in (10, 70)
    )
    wish = {"area": "dorm-07", "start": start, "end": end, "reason": "new cable",
            "rules": ["tank-cold"]}  # fmt: skip
    answer = await person.send_json("/api/v1/outages", wish)
    assert answer.status_code == 201, answer.text
    planned = answer.json()
    assert (planned["area"], planned["rules"], planned["ended_at"]) == (
        "dorm-07",
        ["tank-cold"],
        None,
    )
    assert [one["id"] for one in (await person.get("/api/v1/outages")).json()["items"]] == [
        planned["id"]
    ]
    played.clock.instant_ms += 1000
    ended = await person.send_json(f"/api/v1/outages/{planned['id']}/end")
    assert ended.json()["ended_at"] is not None
    assert (await person.get("/api/v1/outages")).json()["total"] == 0
    assert (await person.get("/api/v1/outages?past=true")).json()["total"] == 1
    played.clock.instant_ms += 1000
    again = await person.send_json(f"/api/v1/outages/{planned['id']}/end")
    assert again.status_code == 409


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"area": "dorm-99"}, "no such place"),
        ({"rules": ["tank-odd"]}, "no rule tank-odd"),
        ({"end": "2026-01-01T00:00"}, "not after its start"),
    ],
)
async def test_an_outage_that_cannot_be_says_why(person, played, change, said):
    wish = {"area": "dorm-07", "start": "2030-01-01T00:00", "end": "2030-01-01T01:00",
            "reason": "x"}  # fmt: skip
    answer = await person.send_json("/api/v1/outages", wish | change)
    assert answer.status_code == 409
    assert said in answer.json()["title"]
