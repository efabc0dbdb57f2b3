"""Twins in place of bus and broker."""

from __future__ import annotations

import json

import pytest

from hub.clock import VirtualClock
from hub.ports import ExceptionAnswerError, NoAnswerError
from simulators.telemetry import Terminals
from simulators.virtual import TwinBus, TwinMessages


def bus(fleet, gateway: str) -> TwinBus:
    return TwinBus(fleet, [one for one in fleet.devices.values() if one.gateway == gateway], 0.5)


async def test_a_bus_reads_and_writes_its_units(fleet):
    plant = bus(fleet, "gw-plant")
    top, bottom = await plant.read(1, "input", 0, 2)
    assert 540 <= top <= 550
    assert bottom < top
    await plant.write(1, "holding", 4, [450])
    assert await plant.read(1, "holding", 4, 1) == [450]
    assert await plant.read(1, "discrete", 0, 2) == [1, 0]


async def test_time_passes_between_two_reads(fleet):
    rooms = bus(fleet, "gw-rooms")
    first = await rooms.read(3, "input", 0, 2)
    fleet.clock.now += 10 * 3_600_000
    assert await rooms.read(3, "input", 0, 2) > first


async def test_a_silent_or_missing_unit_costs_the_timeout(fleet):
    rooms = bus(fleet, "gw-rooms")
    await fleet.fault("dorm-07/meter-301", "silent")
    for unit_id in (1, 99):
        before = fleet.clock.now
        with pytest.raises(NoAnswerError):
            await rooms.read(unit_id, "input", 0, 2)
        assert fleet.clock.now - before == 500
    assert await rooms.read(2, "input", 0, 2)


async def test_a_sick_unit_answers_exceptions(fleet):
    await fleet.fault("dorm-07/main", "exception_answer")
    with pytest.raises(ExceptionAnswerError):
        await bus(fleet, "gw-plant").read(2, "input", 0, 2)


def test_messages_come_on_their_schedule_with_consecutive_numbers(make_fleet, virtual_loop):
    clock = VirtualClock(virtual_loop, 1_795_190_400_500, seed=3)
    fleet = make_fleet(clock=clock)
    messages = TwinMessages(fleet, clock)
    taken = []

    async def live() -> None:
        await messages.start(lambda: taken.extend(messages.drain()))
        await clock.sleep(600)
        await messages.close()

    virtual_loop.run_until_complete(live())
    statuses = [one for one in taken if one.topic.endswith("/status")]
    assert [one.payload for one in statuses] == [b"online"] * 4
    assert all(one.retained for one in statuses)
    told = [json.loads(one.payload) for one in taken if one.topic.endswith("-02/telemetry")]
    assert [one["seq"] for one in told] == list(range(10))
    assert {one["at"] % 60_000 for one in told} == {15_000}
    assert len(taken) == 4 + 40
    assert set(told[0]["values"]) == set(fleet.profiles["reference-shower-terminal"].points)


def command(**content) -> bytes:
    return json.dumps({"id": "c1", "point": "valve", "value": 0} | content).encode()


TOPIC = "campus/dorm-07/shower-1-01/command"


async def test_a_command_is_answered_and_carried_out_once(fleet):
    messages = TwinMessages(fleet, fleet.clock)
    await messages.publish(TOPIC, command())
    fleet.twin("dorm-07/shower-1-01").write("valve", 1)
    await messages.publish(TOPIC, command())
    first, second = messages.drain()
    assert first.topic == "campus/dorm-07/shower-1-01/reply"
    assert json.loads(first.payload) == {"id": "c1", "outcome": "done", "value": 0.0}
    assert second.payload == first.payload
    assert fleet.twin("dorm-07/shower-1-01").values()["valve"] == 1


@pytest.mark.parametrize(
    ("payload", "outcome"),
    [
        (command(point="flow"), "refused"),
        (command(point=None), "refused"),
        (command(value="much"), "refused"),
        (command(value=7), "refused"),
        (command(expires_at=1), "expired"),
        (b"\xff\xfe", None),
        (b"[1]", None),
        (b'{"point": "valve"}', None),
        (command(note="x" * 70_000), None),
    ],
)
async def test_a_command_that_cannot_be_carried_out_changes_nothing(fleet, payload, outcome):
    messages = TwinMessages(fleet, fleet.clock)
    before = fleet.twin("dorm-07/shower-1-01").values()
    await messages.publish(TOPIC, payload)
    answers = [json.loads(one.payload)["outcome"] for one in messages.drain()]
    assert answers == ([outcome] if outcome else [])
    assert fleet.twin("dorm-07/shower-1-01").values() == before


async def test_a_silent_terminal_says_nothing(fleet):
    await fleet.fault("dorm-07/shower-1-01", "silent")
    messages = TwinMessages(fleet, fleet.clock)
    await messages.publish(TOPIC, command())
    await messages.publish("campus/dorm-99/nobody/command", command())
    assert messages.drain() == []
    terminals, first = Terminals(fleet), "campus/dorm-07/shower-1-01"
    said = list(terminals.spoken(fleet.clock.now + 179_000))
    assert len([one for one in said if "-02/" in one.topic]) == 3
    said = [one for one in said if one.topic.startswith(first)]
    assert [(one.topic, one.payload) for one in said] == [(f"{first}/status", b"offline")]
    assert said[0].retained
    assert first not in {one.topic[: len(first)] for one in terminals.statuses(online=True)}
    await fleet.repair("dorm-07/shower-1-01", "comms-module")
    back = [one for one in terminals.spoken(fleet.clock.now + 239_000) if "-01/" in one.topic]
    assert back[0].payload == b"online"
    assert back[1].topic == f"{first}/telemetry"


def test_what_terminals_say_does_not_depend_on_how_late_it_is_fetched(make_fleet, midnight_ms):
    prompt, late = Terminals(make_fleet()), Terminals(make_fleet())
    said = []
    for second in range(3 * 3600):
        said += prompt.spoken(midnight_ms + second * 1000)
    assert said == list(late.spoken(midnight_ms + 3 * 3_600_000 - 1000))
