from __future__ import annotations

import asyncio
import logging
from datetime import timedelta

import pytest

from hub.clock import VirtualClock, VirtualLoop
from hub.health import LETTER_BYTES, LETTERS_A_MINUTE, Health
from hub.model import Entry, EntryKind
from hub.site import Device

START_MS = 1_700_000_000_000


def device(id_: str, gateway: str | None) -> Device:
    return Device(
        id_, "p", "meter", "d", timedelta(seconds=60), gateway, 1 if gateway else None, ()
    )


class Scene:
    def __init__(self) -> None:
        self.loop = VirtualLoop()
        self.clock = VirtualClock(self.loop, START_MS, 7)
        self.entries: list[Entry] = []
        self.letters: list[tuple[int, str, str, bytes]] = []
        self.health = Health(
            [device("d/polled", "gw"), device("d/pushed", None)],
            self.clock,
            self.entries.append,
            lambda *letter: self.letters.append(letter),
        )

    def state(self, device: str) -> str:
        return self.health.of(device)["state"]

    def fail(self, times: int, at_ms: int = START_MS) -> None:
        for _ in range(times):
            self.health.failed("d/polled", at_ms, "no answer")


@pytest.fixture
def scene():
    made = Scene()
    yield made
    made.loop.close()


def test_a_device_begins_never_seen_and_comes_online_without_a_word(scene, caplog) -> None:
    assert scene.state("d/polled") == "never_seen"
    scene.health.seen("d/polled", START_MS + 5, 0.02)
    assert scene.state("d/polled") == "online"
    assert scene.entries == []
    assert caplog.text == ""
    row = scene.health.of("d/polled")
    assert (row["seen_ms"], row["latency_s"], row["answers"]) == (START_MS + 5, 0.02, 1)


def test_one_failure_degrades_and_three_in_a_row_lose(scene) -> None:
    scene.health.seen("d/polled", START_MS)
    scene.fail(2)
    assert scene.state("d/polled") == "degraded"
    scene.health.seen("d/polled", START_MS)
    assert scene.state("d/polled") == "online"
    scene.fail(2)
    assert scene.state("d/polled") == "degraded"
    scene.fail(1)
    assert scene.state("d/polled") == "offline"


def test_lost_and_back_are_each_said_once(scene, caplog) -> None:
    caplog.set_level(logging.INFO)
    scene.health.seen("d/polled", START_MS)
    scene.fail(50, START_MS + 1)
    scene.health.seen("d/polled", START_MS + 2)
    scene.health.seen("d/polled", START_MS + 3)
    assert [record.getMessage() for record in caplog.records] == [
        "device lost: d/polled: no answer",
        "device back: d/polled",
    ]
    assert [(entry.kind, entry.at_ms, dict(entry.content)) for entry in scene.entries] == [
        (
            EntryKind.HEALTH,
            START_MS + 1,
            {"device": "d/polled", "state": "offline", "reason": "no answer"},
        ),
        (EntryKind.HEALTH, START_MS + 2, {"device": "d/polled", "state": "online"}),
    ]


def test_a_device_that_never_answered_is_lost_too(scene) -> None:
    scene.fail(3)
    assert scene.state("d/polled") == "offline"
    assert len(scene.entries) == 1


def test_a_device_that_says_offline_is_believed_at_once(scene) -> None:
    scene.health.seen("d/pushed", START_MS)
    scene.health.failed("d/pushed", START_MS, "says that it is offline")
    assert scene.state("d/pushed") == "offline"


def test_a_device_that_publishes_is_lost_after_three_silent_intervals(scene) -> None:
    scene.health.seen("d/pushed", START_MS)
    scene.health.check(START_MS + 180_000)
    assert scene.state("d/pushed") == "online"
    scene.health.check(START_MS + 180_001)
    assert scene.state("d/pushed") == "offline"
    assert scene.state("d/polled") == "never_seen"
    scene.health.check(START_MS + 999_999)
    assert len(scene.entries) == 1


def test_silence_is_found_while_it_runs(scene) -> None:
    async def story() -> None:
        running = asyncio.create_task(scene.health.run())
        await scene.clock.sleep(200)
        running.cancel()

    scene.loop.run_until_complete(story())
    assert scene.state("d/pushed") == "offline"


def test_rejected_messages_are_counted_and_kept(scene) -> None:
    scene.health.rejected("d/pushed", START_MS, "not JSON", b"{")
    scene.health.rejected("d/pushed", START_MS, "not JSON", b"}")
    scene.health.rejected("d/pushed", START_MS, "no values", b"x" * 10_000)
    assert scene.health.counts["rejected"] == {"no values": 1, "not JSON": 2}
    assert scene.letters[0] == (START_MS, "d/pushed", "not JSON", b"{")
    assert len(scene.letters[2][3]) == LETTER_BYTES


def test_a_flood_of_junk_is_counted_whole_and_kept_in_part(scene) -> None:
    for n in range(1000):
        scene.health.rejected("d/pushed", START_MS + n, "not JSON", b"{")
    assert scene.health.counts["rejected"] == {"not JSON": 1000}
    kept = len(scene.letters)
    assert kept <= 2 * LETTERS_A_MINUTE
    scene.health.rejected("d/pushed", START_MS + 60_000, "not JSON", b"{")
    assert len(scene.letters) == kept + 1


def test_the_overview_counts_the_states(scene) -> None:
    scene.health.seen("d/polled", START_MS)
    assert [row["device"] for row in scene.health.overview()] == ["d/polled", "d/pushed"]
    assert scene.health.counts["states"] == {
        "never_seen": 1, "online": 1, "degraded": 0, "offline": 0,
    }  # fmt: skip


def test_begins_with_what_an_earlier_run_knew_and_tells_nobody(scene) -> None:
    scene.health.remember("d/polled", START_MS - 30_000, START_MS)
    assert scene.state("d/polled") == "online"
    scene.health.remember("d/polled", START_MS - 3_600_000, START_MS)
    assert scene.state("d/polled") == "offline"
    assert scene.entries == []
    scene.health.seen("d/polled", START_MS + 1_000)
    assert [entry.content["state"] for entry in scene.entries] == ["online"]


def test_a_hub_that_was_off_does_not_take_its_own_absence_for_that_of_devices(scene) -> None:
    stopped_ms = START_MS - 3_600_000
    for device in ("d/polled", "d/pushed"):
        scene.health.remember(device, stopped_ms - 20_000, stopped_ms)
        assert scene.state(device) == "offline"  # old is not live
    scene.health.seen("d/polled", START_MS + 1_000)
    assert scene.state("d/polled") == "online"
    assert scene.entries == []  # nobody was told that it is lost
    scene.health.check(START_MS + 100_000)
    assert scene.entries == []  # it has its time to speak
    scene.health.check(START_MS + 181_000)
    scene.health.check(START_MS + 240_000)
    said = [(entry.content["device"], entry.content["state"]) for entry in scene.entries]
    assert said == [("d/pushed", "offline")]


def test_a_terminal_has_its_time_to_speak_after_a_restart(scene) -> None:
    scene.health.remember("d/pushed", START_MS - 170_000, START_MS)
    scene.health.check(START_MS + 60_000)
    assert scene.state("d/pushed") == "online"
    scene.health.check(START_MS + 181_000)
    assert scene.state("d/pushed") == "offline"
