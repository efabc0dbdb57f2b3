"""F16: what comes twice or out of order is stored once each, and nothing is lost."""

from __future__ import annotations

import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.mqtt import driver
from hub.intake import Intake
from hub.journal import Journal, open_connection
from hub.live import Live
from tests.drivers.mqtt_stage import START_MS, Scene, played

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
