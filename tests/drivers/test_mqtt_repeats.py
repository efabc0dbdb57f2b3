"""F16: what comes twice or out of order is stored once each, and nothing is lost."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.mqtt import driver
from drivers.mqtt.newest import REMEMBERED, Newest
from hub.intake import Intake
from hub.journal import Journal, open_connection
from hub.live import Live
from tests.drivers.mqtt_stage import DEVICE, START_MS, Scene, played

READINGS = st.dictionaries(
    st.integers(0, 50), st.dictionaries(st.sampled_from(["flow", "total"]), st.integers(0, 60))
)


@settings(max_examples=60)
@given(READINGS, st.randoms(use_true_random=False))
def test_a_shuffled_stream_with_duplicates_is_stored_as_it_was_meant(
    readings: dict[int, dict[str, int]], chance: random.Random
) -> None:
    meant = {
        (key, second * 1000, float(value))
        for second, values in readings.items()
        for key, value in values.items()
    }

    async def story(scene: Scene) -> None:
        sent = [
            json.dumps({"at": START_MS + second * 1000, "values": values}).encode()
            for second, values in readings.items()
        ]
        sent += chance.choices(sent, k=len(sent)) if sent else []
        chance.shuffle(sent)
        while sent:
            count = chance.randint(1, 5)
            scene.hear(*sent[:count])
            del sent[:count]
        names = {1: "flow", 2: "total"}
        stored = [(names[number], at, value) for number, at, value, *_ in scene.hub.rows()]
        assert len(stored) == len(meant)
        assert {*stored} == meant

    played(story)


def test_another_value_of_the_same_instant_is_a_correction_and_is_kept() -> None:
    async def story(scene: Scene) -> None:
        scene.hear({"at": START_MS, "values": {"total": 1}})
        scene.hear({"at": START_MS, "values": {"total": 2}})
        scene.hear({"at": START_MS, "values": {"total": None}})
        scene.hear({"at": START_MS, "values": {"total": None}})
        assert len(scene.hub.rows()) == 3

    played(story)


def test_a_repeat_is_acknowledged_only_after_what_it_repeats_is_on_disk() -> None:
    async def story(scene: Scene) -> None:
        journal = Journal(open_connection(":memory:"))
        intake = Intake(journal, Live(), scene.clock)
        scene.hear({"at": START_MS, "values": {"total": 1}})
        scene.hear({"at": START_MS, "values": {"total": 1}})
        assert len(scene.hub.puts) == 2
        assert scene.line.acknowledged == []
        for batch, durable in scene.hub.puts:
            intake.put(batch, durable)
        assert scene.line.acknowledged == []
        await intake.flush()
        assert len(scene.line.acknowledged) == 2
        [(_, entry)] = journal.read(0)
        assert len(entry.batch) == 1
        journal.close()

    played(story)


@pytest.mark.parametrize("count", [50, 500])
def test_what_is_remembered_has_a_limit_and_holds_the_latest(monkeypatch, count) -> None:
    monkeypatch.setattr(driver, "REMEMBERED", 100)

    async def story(scene: Scene) -> None:
        said = [{"at": START_MS + n, "values": {"total": n}} for n in range(count)]
        scene.hear(*said)
        scene.hear(*said[-50:])
        assert len(scene.hub.rows()) == count
        assert len(scene.driver._recent) + len(scene.driver._before) <= 200

    played(story)


def of_now(seq: int | None, **values: object) -> dict[str, object]:
    said: dict[str, object] = {"at": START_MS, "values": values}
    return said if seq is None else said | {"seq": seq}


OLD = "older than what is known of its instant"


def test_of_one_instant_the_higher_number_of_the_device_wins() -> None:
    async def story(scene: Scene) -> None:
        scene.hear(of_now(7, total=12), of_now(8, total=13))
        before = of_now(7, total=12)
        (again,) = scene.hear(before)  # sent once more after a lost connection
        assert [row[2] for row in scene.hub.rows()] == [12.0, 13.0]
        assert scene.line.acknowledged == [again]
        assert ("rejected", DEVICE, OLD) in scene.hub.told
        scene.hear(of_now(9, total=14), of_now(8, total=13))
        assert [row[2] for row in scene.hub.rows()] == [12.0, 13.0, 14.0]

    played(story)


def test_what_is_said_of_other_points_or_instants_or_without_a_number_overtakes_nothing() -> None:
    async def story(scene: Scene) -> None:
        scene.hear(of_now(8, total=13), of_now(7, flow=5))  # one instant in two messages
        scene.hear(of_now(None, total=14), of_now(None, total=15))  # the later received counts
        scene.hear({"at": START_MS + 1000, "seq": 0, "values": {"total": 16}})  # it began again
        scene.hear(of_now(True, total=17), {**of_now(None, total=18), "seq": "1"})
        assert [row[2] for row in scene.hub.rows()] == [13.0, 5.0, 14.0, 15.0, 16.0, 17.0, 18.0]
        assert not [one for one in scene.hub.told if one[0] == "rejected"]

    played(story)


def test_so_many_instants_are_remembered_and_no_more() -> None:
    newest = Newest()
    for n in range(REMEMBERED):
        assert not newest.overtaken(n, 1, 5)
    assert newest.overtaken(0, 1, 4)
    assert not newest.overtaken(REMEMBERED, 1, 5)  # the first instant makes room
    assert not newest.overtaken(0, 1, 4)
    assert newest.overtaken(REMEMBERED, 1, 4)


NUMBERED = st.dictionaries(st.integers(0, 20), st.lists(st.integers(0, 60), min_size=1, max_size=3))


@settings(max_examples=40)
@given(NUMBERED, st.randoms(use_true_random=False))
def test_in_any_order_the_last_word_of_each_instant_is_that_of_the_highest_number(
    corrections: dict[int, list[int]], chance: random.Random
) -> None:
    async def story(scene: Scene) -> None:
        sent = [
            {"at": START_MS + second * 1000, "seq": seq, "values": {"total": value}}
            for second, values in corrections.items()
            for seq, value in enumerate(values)
        ]
        sent += chance.choices(sent, k=len(sent)) if sent else []
        chance.shuffle(sent)
        for one in sent:
            scene.hear(one)
        stored = {at: value for _, at, value, *_ in scene.hub.rows()}
        assert stored == {second * 1000: values[-1] for second, values in corrections.items()}

    played(story)
