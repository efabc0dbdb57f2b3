"""Who is on duty, the shifts of some days and swaps, over HTTP; and who may do what."""

from __future__ import annotations

import pytest

from tests.pages.stage import Stage

FIRST = "2026-11-20"  # a Friday; the clock of the stage stands at 21:10


@pytest.fixture
def stage() -> Stage:
    """Return a stage whose people are those of the shipped roster."""
    return Stage(on_duty=True)


@pytest.fixture
async def person(stage, sign_in):
    return await sign_in(stage, "duty")


def people(crews: list[dict], crew: str) -> list[str]:
    (one,) = (one for one in crews if one["crew"] == crew)
    return [found["person"] for found in one["on_duty"]]


async def test_who_is_on_duty_now_and_who_comes_next(person):
    found = (await person.get("/api/v1/duty")).json()
    assert found["at"].startswith(f"{FIRST}T21:10")
    assert len(people(found["crews"], "duty")) == 1
    assert people(found["crews"], "electricians") == []
    (night,) = (one for one in found["crews"] if one["crew"] == "duty")
    assert night["on_duty"][0]["shift"] == "night"
    assert night["on_duty"][0]["until"] == "2026-11-21T08:00:00.000+08:00"
    assert night["next"]["turn"] == "duty/day/2026-11-21"
    assert "fittest" not in found


async def test_the_fittest_for_a_place_and_a_skill_come_first(person):
    found = (await person.get("/api/v1/duty?place=dorm-07/plant&skill=hot-water")).json()
    water, duty = (people(found["crews"], crew) for crew in ("hot-water", "duty"))
    assert [one["person"] for one in found["fittest"]] == [*water, *duty]


async def test_telephones_are_for_those_who_work_with_the_people(stage, sign_in):
    for role, shown in (("crew", True), ("energy", False)):
        viewer = await sign_in(stage, role)
        (crew, *_) = (await viewer.get("/api/v1/duty")).json()["crews"]
        assert ("phone" in crew["lead"]) is shown


async def test_the_shifts_of_some_days(person):
    found = (await person.get(f"/api/v1/roster?start={FIRST}&days=2")).json()
    duty = [one["turn"] for one in found["items"] if one["crew"] == "duty"]
    assert duty == [f"duty/{one}" for one in (
        "night/2026-11-19", "day/2026-11-20", "night/2026-11-20", "day/2026-11-21",
        "night/2026-11-21",
    )]  # fmt: skip
    assert not any(one["swapped"] for one in found["items"])
    assert (await person.get("/api/v1/roster?days=93")).status_code == 422
    assert (await person.get("/api/v1/roster?start=9999-12-31")).status_code == 422


async def test_a_swap_is_made_listed_and_shown_and_a_second_one_refused(person):
    async def on(turn: str) -> list[str]:
        items = (await person.get(f"/api/v1/roster?start={FIRST}&days=7")).json()["items"]
        (one,) = (one for one in items if one["turn"] == turn)
        return [found["person"] for found in one["people"]]

    turn = "duty/day/2026-11-25"
    (gives,) = await on(turn)
    wish = {"turn": turn, "gives": gives, "takes": "chen-gang", "note": "an exam"}
    answer = await person.send_json("/api/v1/roster/swaps", wish, Idempotency_Key="1")
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert (made["gives"], made["takes"], made["actor"]) == (gives, "chen-gang", "duty-one")
    again = await person.send_json("/api/v1/roster/swaps", wish, Idempotency_Key="1")
    assert again.json()["id"] == made["id"]
    assert await on(turn) == ["chen-gang"]
    assert (await person.get("/api/v1/roster/swaps")).json()["items"] == [made]
    refused = await person.send_json("/api/v1/roster/swaps", wish, Idempotency_Key="2")
    assert refused.status_code == 409
    assert f"{gives} is not on {turn}" in refused.json()["title"]


@pytest.mark.parametrize("role", ["crew", "energy", "contractor"])
async def test_only_the_duty_desk_swaps(stage, sign_in, role):
    viewer = await sign_in(stage, role)
    wish = {"turn": "duty/day/2026-11-25", "gives": "a", "takes": "b"}
    assert (await viewer.send_json("/api/v1/roster/swaps", wish)).status_code == 403


@pytest.mark.parametrize("path", ["duty", "roster", "roster/swaps"])
async def test_a_contractor_and_a_stranger_see_no_roster(stage, sign_in, visitor, path):
    firm = await sign_in(stage, "contractor")
    assert (await firm.get(f"/api/v1/{path}")).status_code == 403
    assert (await visitor.get(f"/api/v1/{path}")).status_code == 401


async def test_the_alarms_of_a_crew_are_in_the_figures_of_operators(stage, person):
    stage.core._alarms.floods.tell(stage.clock.now_ms(), "duty")
    text = (await person.get("/metrics")).text
    assert 'campus_hub_crew_alarms_in_ten_minutes{crew="duty"} 1\n' in text
    assert 'campus_hub_crew_in_flood{crew="duty"} 0\n' in text


async def test_a_site_without_a_roster_says_so(sign_in):
    bare = Stage()
    viewer = await sign_in(bare, "duty")
    answer = await viewer.get("/api/v1/duty")
    assert answer.status_code == 404
    assert "no roster" in answer.json()["title"]
