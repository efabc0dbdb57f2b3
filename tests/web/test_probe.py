"""The probe of a device over the API: between the polls, for who may command, and audited."""

from __future__ import annotations

import asyncio

import pytest

from hub.database import audit
from hub.ports import ExceptionAnswerError, NoAnswerError, Seen, Span
from hub.probe import probe

ROOM = "dorm-07/meter-101"
PATH = f"/api/v1/devices/{ROOM}/probe"


class Bus:
    """What the pollers of all gateways would look at: registers that hold nothing."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, Span]] = []
        self.silent = False
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def look(self, device: str, what: Span) -> Seen:
        self.asked.append((device, what))
        await self.go_on.wait()
        if self.silent:
            raise NoAnswerError("no answer within 1 s")
        if what.table == "coil":
            raise ExceptionAnswerError("exception 2", 2)
        return Seen([0] * what.count)


@pytest.fixture
def bus(stage, monkeypatch) -> Bus:
    monkeypatch.setattr(probe, "BETWEEN_S", 0.0)
    made = Bus()
    stage.looks.update(dict.fromkeys(stage.site.gateways, made.look))
    return made


def probed(stage) -> list[tuple[str, str]]:
    lines = audit.latest(stage.database)
    return [(line.actor, line.subject) for line in lines if line.action == "probe"]


async def test_a_device_is_looked_at_and_the_finding_told_and_audited(stage, bus, sign_in):
    person = await sign_in(stage, "duty")
    answer = await person.send_json(PATH)
    assert answer.status_code == 200
    row = answer.json()
    assert (row["device"], row["ok"]) == (ROOM, False)
    assert row["finding"] == "nothing fits: another product, or another unit id"
    assert len(row["points"]) == 12
    assert row["points"][0]["words"] is not None
    assert {device for device, _ in bus.asked} == {ROOM}
    assert probed(stage) == [("duty-one", ROOM)]


async def test_a_silent_device_is_a_finding_and_no_error(stage, bus, sign_in):
    bus.silent = True
    row = (await (await sign_in(stage)).send_json(PATH)).json()
    assert (row["ok"], row["finding"], row["points"]) == (False, "no answer within 1 s", [])
    assert len(bus.asked) == 1


@pytest.mark.parametrize("role", ["energy", "crew"])
async def test_who_may_not_command_may_not_take_the_bus_s_time(stage, bus, sign_in, role):
    assert (await (await sign_in(stage, role)).send_json(PATH)).status_code == 403
    assert (bus.asked, probed(stage)) == ([], [])


async def test_what_cannot_be_looked_at_is_said(stage, bus, sign_in):
    person = await sign_in(stage)
    for device, status, said in (
        ("dorm-07/no-such", 404, "There is no device dorm-07/no-such."),
        (
            "dorm-07/shower-1-01",
            409,
            "dorm-07/shower-1-01 publishes by itself; campus-hub probe --mqtt",
        ),
    ):
        answer = await person.send_json(f"/api/v1/devices/{device}/probe")
        assert answer.status_code == status, answer.text
        assert said in answer.json()["title"]
    assert not bus.asked


async def test_one_gateway_is_probed_once_at_a_time(stage, bus, sign_in):
    person = await sign_in(stage)
    bus.go_on.clear()
    first = asyncio.create_task(person.send_json(PATH))
    async with asyncio.timeout(10):
        while not bus.asked:  # noqa: ASYNC110 - nothing tells when
            await asyncio.sleep(0.01)
    second = await person.send_json(PATH)
    assert (second.status_code, "being probed already" in second.json()["title"]) == (409, True)
    bus.go_on.set()
    assert (await first).status_code == 200
    assert (await person.send_json(PATH)).status_code == 200
