"""Commands over the API: one wish per key, and no way round what holds a command back."""

import asyncio

import pytest

from tests.pages.stage import Stage

BOILER = "dorm-07/boiler-1"


@pytest.fixture
def stage() -> Stage:
    stage = Stage()
    stage.read([stage.site.devices[BOILER]], stage.clock.now_ms())  # interlocks want to see
    return stage


def wish(**changes):
    return {"point": f"{BOILER}/setpoint", "value": 52.5, "reason": "trial"} | changes


async def ask(person, key="k", **changes):
    return await person.send_json("/api/v1/commands", wish(**changes), Idempotency_Key=key)


async def test_a_key_with_another_body_is_refused(stage, sign_in):
    person = await sign_in(stage)
    assert (await ask(person)).json()["outcome"] == "done"
    for changes in ({"value": 53}, {"reason": "other"}, {"valid": "PT1M"}):
        answer = await ask(person, **changes)
        assert answer.status_code == 409, changes
        assert "it was used for another command; send a new key" in answer.json()["title"]
    assert stage.written == [(f"{BOILER}/setpoint", 52.5)]


async def test_a_key_that_comes_many_times_at_once_is_carried_out_once(stage, sign_in):
    person = await sign_in(stage)
    answers = await asyncio.gather(*(ask(person) for _ in range(8)))
    assert {answer.json()["outcome"] for answer in answers} == {"done"}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert stage.written == [(f"{BOILER}/setpoint", 52.5)]


@pytest.mark.parametrize("extra", ["force", "override", "address", "function", "toggle"])
async def test_there_is_no_key_that_passes_over_a_guard(stage, sign_in, extra):
    person = await sign_in(stage)
    answer = await ask(person, **{extra: True})
    assert answer.status_code == 422
    assert stage.written == []


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e999", None, "toggle"])
async def test_what_is_no_number_is_no_command(stage, sign_in, value):
    person = await sign_in(stage)
    assert (await ask(person, value=value)).status_code == 422
    assert stage.written == []


@pytest.mark.parametrize("valid", ["PT0S", "-PT1S", "PT15M1S"])
async def test_a_command_is_valid_for_a_while_and_not_for_ever(stage, sign_in, valid):
    person = await sign_in(stage)
    assert (await ask(person, valid=valid)).status_code == 422
    assert stage.written == []
