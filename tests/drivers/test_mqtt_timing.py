"""Whose time a reading has: late ones keep theirs, those of a wrong clock get ours and say so."""

from __future__ import annotations

import logging

import pytest

from hub.model import Quality, Reason
from tests.drivers.mqtt_stage import DEVICE, START_MS, Scene, played

SECOND, MINUTE, HOUR, DAY = 1000, 60_000, 3_600_000, 86_400_000
YEAR = 365 * DAY
SKEWS = [
    -50 * YEAR, -YEAR, -31 * DAY, -DAY, -8 * HOUR, -HOUR, -6 * MINUTE, -4 * MINUTE, -2 * SECOND,
    0, 2 * SECOND, 4 * MINUTE, 6 * MINUTE, HOUR, 8 * HOUR, DAY, YEAR,
]  # fmt: skip
LIMIT = 5 * MINUTE


@pytest.mark.parametrize("skew", SKEWS)
def test_whatever_the_clock_of_a_device_a_day_of_readings_is_of_that_day(skew, caplog) -> None:
    """F17: a reading a minute for a day, the hub's connection up all the time."""

    async def story(scene: Scene) -> None:
        truth = []
        for n in range(24 * 60):
            truth.append(scene.clock.now_ms() - START_MS)
            scene.hear({"at": max(truth[-1] + START_MS + skew, 0), "values": {"total": n}})
            await scene.clock.sleep(60)
        rows = scene.hub.rows()
        wrong = abs(skew) > LIMIT
        assert [value for *_, value, _, _ in rows] == list(range(24 * 60))
        assert all(abs(row[1] - at) <= LIMIT for row, at in zip(rows, truth, strict=True))
        assert {row[3] for row in rows} == {Quality.GOOD}
        assert {row[4] for row in rows} == {Reason.RECEIPT_TIME if wrong else Reason.NONE}
        assert caplog.text.count("device clock wrong") == wrong

    with caplog.at_level(logging.WARNING):
        played(story)


def test_a_clock_that_jumps_is_said_once_and_again_when_it_is_right(caplog) -> None:
    async def story(scene: Scene) -> None:
        for skew in (0, -YEAR, -YEAR, 0, 0, HOUR):
            scene.hear({"at": scene.clock.now_ms() + skew, "values": {"flow": 1}})
            await scene.clock.sleep(60)
        said = [record.getMessage() for record in caplog.records]
        assert said == [
            f"device clock wrong: {DEVICE}: 31536000 s behind",
            f"device clock right again: {DEVICE}",
            f"device clock wrong: {DEVICE}: 3600 s ahead",
        ]

    with caplog.at_level(logging.WARNING):
        played(story)


def test_health_hears_how_wrong_a_clock_is_and_that_it_is_right_again() -> None:
    async def story(scene: Scene) -> None:
        for skew in (0, -YEAR, HOUR, 0, 0):
            scene.hear({"at": scene.clock.now_ms() + skew, "values": {"flow": 1}})
            await scene.clock.sleep(60)
        assert scene.hub.skews == [(DEVICE, -YEAR), (DEVICE, HOUR), (DEVICE, 0)]

    played(story)


def entries(*ages: int | None) -> list[dict]:
    return [
        {"values": {"total": n}} | ({} if age is None else {"at": START_MS - age})
        for n, age in enumerate(ages)
    ]


def test_a_list_brings_each_reading_with_its_own_time() -> None:
    async def story(scene: Scene) -> None:
        scene.hear(entries(2 * HOUR, HOUR, SECOND))
        assert [row[1:] for row in scene.hub.rows()] == [
            (-2 * HOUR, 0.0, Quality.GOOD, Reason.NONE),
            (-HOUR, 1.0, Quality.GOOD, Reason.NONE),
            (-SECOND, 2.0, Quality.GOOD, Reason.NONE),
        ]

    played(story)


def test_an_old_list_is_late_where_the_clock_was_right_and_else_it_is_moved_to_now() -> None:
    async def story(scene: Scene) -> None:
        scene.hear(entries(3 * HOUR, 2 * HOUR))
        assert [(row[1], row[4]) for row in scene.hub.rows()] == [
            (-HOUR, Reason.RECEIPT_TIME),
            (0, Reason.RECEIPT_TIME),
        ]
        scene.hub.puts.clear()
        scene.hear({"at": START_MS, "values": {"flow": 1}})
        scene.hear(entries(3 * HOUR - 1, 2 * HOUR - 1))
        assert [(row[1], row[4]) for row in scene.hub.rows()][1:] == [
            (-3 * HOUR + 1, Reason.NONE),
            (-2 * HOUR + 1, Reason.NONE),
        ]

    played(story)


def test_what_was_said_before_the_clock_was_set_is_not_of_1970() -> None:
    async def story(scene: Scene) -> None:
        scene.hear(entries(START_MS - 5, 0, None))
        assert [(row[1], row[4]) for row in scene.hub.rows()] == [
            (0, Reason.RECEIPT_TIME),
            (0, Reason.NONE),
            (0, Reason.RECEIPT_TIME),
        ]

    played(story)


def test_what_waited_keeps_its_time_but_nothing_waits_for_years() -> None:
    async def story(scene: Scene) -> None:
        for age in (30 * DAY, 32 * DAY, 50 * YEAR):
            scene.hear({"at": START_MS - age, "values": {"total": age}}, waited=True)
            scene.hear({"at": START_MS - age, "values": {"flow": 1}}, retained=True)
        assert [(row[1], row[4]) for row in scene.hub.rows()] == [
            (-30 * DAY, Reason.NONE),
            (-30 * DAY, Reason.NONE),
            (0, Reason.RECEIPT_TIME),
            (0, Reason.RECEIPT_TIME),
        ]
        rejected = [told for told in scene.hub.told if told[0] == "rejected"]
        assert rejected == [("rejected", DEVICE, "retained with at out of reach")] * 2

    played(story)


def test_one_bad_part_of_a_list_does_not_cost_the_others() -> None:
    async def story(scene: Scene) -> None:
        whole = [*entries(SECOND), {"at": "soon", "values": {}}, 5, [], {"at": 1}]
        scene.hear(whole)
        assert [row[1:3] for row in scene.hub.rows()] == [(-SECOND, 0.0)]
        assert scene.hub.told == [
            ("rejected", DEVICE, "at is no instant"),
            ("rejected", DEVICE, "no JSON object"),
            ("rejected", DEVICE, "no values"),
            ("seen", DEVICE),
        ]
        scene.hub.told.clear()
        scene.hear([], [5], [{}])
        reasons = [told[2] for told in scene.hub.told if told[0] == "rejected"]
        assert reasons == ["no values", "no JSON object", "no values"]
        assert ("seen", DEVICE) not in scene.hub.told

    played(story)
