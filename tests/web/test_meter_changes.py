"""Changes of meters over HTTP: who may enter them, what is refused, and what stays readable."""

import pytest

METER = "dorm-07/meter-101"
PATH = f"/api/v1/devices/{METER}/meter-changes"
SAID = {
    "at": "2026-11-20T17:30",
    "closing": 120.5,
    "opening": 0.0,
    "reason": "the old one was broken",
}


@pytest.fixture
async def manager(stage, sign_in):
    return await sign_in(stage, "energy", "wang")


async def test_an_energy_manager_enters_corrects_and_takes_back_a_change(stage, manager):
    made = await manager.send_json(PATH, SAID)
    assert made.status_code == 201
    first = made.json()
    assert (first["point"], first["at"]) == (f"{METER}/energy", "2026-11-20T17:30:00.000+08:00")
    assert (first["actor"], first["stands"]) == ("wang", True)
    second = (await manager.send_json(PATH, SAID | {"closing": 121, "corrects": first["n"]})).json()
    void = {"corrects": second["n"], "void": True}
    third = (await manager.send_json(PATH, SAID | void)).json()
    rows = (await manager.get(PATH)).json()["items"]
    assert [(row["n"], row["corrected_by"], row["stands"]) for row in rows] == [
        (first["n"], second["n"], False),
        (second["n"], third["n"], False),
        (third["n"], None, False),
    ]
    assert rows[0]["closing"] == 120.5
    seen = (await manager.get(f"/api/v1/devices/{METER}")).json()
    assert seen["id"] == METER


@pytest.mark.parametrize(
    ("wrong", "status", "word"),
    [
        ({"at": "2030-01-01T00:00"}, 409, "not in the future"),
        ({"at": "9999-12-31T23:59"}, 409, "not in the future"),
        ({"at": "0001-01-01T00:00"}, 409, "after 2000"),
        ({"at": "noon"}, 422, "at"),
        ({"closing": "NaN"}, 422, "closing"),
        ({"opening": -5}, 409, "as its opening"),
        ({"reason": ""}, 422, "reason"),
        ({"multiplier": 0}, 409, "above 0"),
        ({"factor": 2}, 422, "factor"),
        ({"point": "voltage"}, 409, "no counter 'voltage'"),
    ],
)
async def test_what_cannot_be_is_answered_in_words(stage, manager, wrong, status, word):
    answer = await manager.send_json(PATH, SAID | wrong)
    assert answer.status_code == status
    assert word in answer.text
    assert not (await manager.get(PATH)).json()["items"]


async def test_a_crew_reads_changes_but_enters_none(stage, sign_in):
    person = await sign_in(stage, "crew")
    assert (await person.send_json(PATH, SAID)).status_code == 403
    assert (await person.get(PATH)).json()["total"] == 0
    nothing = "/api/v1/devices/dorm-07/meter-999/meter-changes"
    assert (await person.get(nothing)).status_code == 404
