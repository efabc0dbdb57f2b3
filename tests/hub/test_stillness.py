"""A device that answers with the very same values is found out; one that works never is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from drivers.profile import ModbusProfile, Profile
from hub.cli import lint
from hub.clock import VirtualClock, VirtualLoop
from hub.health import Health, Stillness
from hub.model import Batch, Entry, EntryKind, Point, Quality, Reason, Text, flag
from hub.settings import load, shipped
from hub.site import Device
from simulators.campus import Fleet

START_MS = 1_795_226_400_000
MINUTE = 60_000
VOLTAGE, FREQUENCY, POWER = 1, 2, 3
SAID = "answers, but voltage and frequency have not changed for 10 minutes: frozen"
RESTLESS = {"points": ["voltage", "frequency"], "for": "PT10M"}


def product(**more: object) -> ModbusProfile:
    row = {"table": "input", "unit": "V", "scale": 0.1}
    points = {
        name: row | {"address": n} for n, name in enumerate(("voltage", "frequency", "power"))
    }
    return ModbusProfile.model_validate(
        {"version": 1, "id": "p", "maker": "m", "model": "m", "kind": "meter", "source": "s",
         "protocol": "modbus", "points": points} | more
    )  # fmt: skip


def meter(id_: str = "d/1", first: int = 1, interval_s: int = 60) -> Device:
    points = tuple(
        Point(first + n, f"{id_}/{name}", id_, name, "", "gauge", Text("", ""))
        for n, name in enumerate(("voltage", "frequency", "power"))
    )
    return Device(id_, "p", "meter", "d", timedelta(seconds=interval_s), "gw", 1, points)


class Scene:
    """Health that is told, minute by minute, what one meter answers."""

    def __init__(self, profile: Profile | None = None, interval_s: int = 60) -> None:
        device = meter(interval_s=interval_s)
        self.still = Stillness([device], {"p": profile or product(restless=RESTLESS)})
        self.loop = VirtualLoop()
        self.entries: list[Entry] = []
        clock = VirtualClock(self.loop, START_MS, 7)
        self.health = Health([device], clock, self.entries.append, frozen=self.still.of)

    def answer(
        self, minute: float, *values: float, quality: int = 0, points: Sequence[int] = (1, 2, 3)
    ) -> None:
        """Let the meter answer as poller and intake tell it."""
        at_ms = START_MS + round(minute * MINUTE)
        self.health.seen("d/1", at_ms, 0.02)
        flags = [quality] * len(values)
        batch = Batch.of(points[: len(values)], [at_ms] * len(values), values, flags, at_ms)
        self.still.hear([(1, Entry(EntryKind.READINGS, at_ms, batch))])

    def state(self) -> str:
        return self.health.of("d/1")["state"]

    def said(self) -> list[tuple[str, str | None]]:
        return [(one.content["state"], one.content.get("reason")) for one in self.entries]


@pytest.fixture
def scene():
    made = Scene()
    yield made
    made.loop.close()


def test_a_frozen_device_is_degraded_and_said_once_and_back_when_one_point_moves(
    scene, caplog
) -> None:
    for minute in range(12):
        assert scene.state() in ("never_seen", "online")
        scene.answer(minute, 220.1, 50.0, minute)
    for minute in range(12, 30):
        scene.answer(minute, 220.1, 50.0, 7)
        assert scene.state() == "degraded"
    assert scene.health.of("d/1")["error"] == SAID
    assert scene.health.counts["frozen"] == 1
    scene.answer(30, 220.1, 50.01, 7)
    scene.answer(31, 220.1, 50.01, 7)
    assert scene.state() == "online"
    assert scene.health.of("d/1")["error"] == ""
    assert scene.said() == [("degraded", SAID), ("online", None)]
    assert [record.getMessage() for record in caplog.records] == [
        f"device frozen: d/1: {SAID}",
        "device moves again: d/1",
    ]


def test_it_takes_the_whole_time_and_five_answers() -> None:
    slow = Scene(interval_s=240)
    for n in range(4):
        slow.answer(4 * n, 220.1, 50.0)
    assert slow.still.of("d/1") is None, "twelve minutes, but only four answers"
    slow.answer(16, 220.1, 50.0)
    assert slow.still.of("d/1") is not None
    quick = Scene(interval_s=1)
    for n in range(600):
        quick.answer(n / 60, 220.1, 50.0)
    assert quick.still.of("d/1") is None, "many answers, but a second too early"
    quick.answer(10, 220.1, 50.0)
    assert quick.still.of("d/1") is not None
    for made in (slow, quick):
        made.loop.close()


def test_one_point_that_moves_is_enough_to_be_well(scene) -> None:
    for minute in range(60):
        scene.answer(minute, 220.1, 50 + minute % 2 / 100)
    assert (scene.state(), scene.entries) == ("online", [])


def test_values_that_cannot_be_used_prove_nothing(scene) -> None:
    bad = flag(Quality.BAD, Reason.EXCEPTION_ANSWER)
    for minute in range(30):
        scene.answer(minute, 0.0, 0.0, quality=bad)
    assert scene.still.of("d/1") is None
    for minute in range(30, 36):
        scene.answer(minute, 220.1, 50.0)
    for minute in range(36, 42):
        scene.answer(minute, float(minute), float(minute), quality=bad)
    assert scene.still.of("d/1") is None


def test_a_silence_begins_the_time_anew(scene) -> None:
    scene.answer(0, 220.1, 50.0)
    for minute in range(20, 30):
        scene.answer(minute, 220.1, 50.0)
    assert scene.still.of("d/1") is None
    scene.answer(30, 220.1, 50.0)
    assert scene.still.of("d/1") is not None


def test_what_comes_late_says_nothing_of_now(scene) -> None:
    for minute in range(10, 21):
        scene.answer(minute, 220.1, 50.0)
    scene.still.hear(
        [(1, Entry(EntryKind.READINGS, 0, Batch.of([1], [START_MS], [199.0], [0], START_MS)))]
    )
    assert scene.still.of("d/1") is not None


def test_a_frozen_device_that_is_lost_is_lost(scene) -> None:
    for minute in range(14):
        scene.answer(minute, 220.1, 50.0)
    for minute in range(14, 20):
        scene.health.failed("d/1", START_MS + minute * MINUTE, "no answer")
    row = scene.health.of("d/1")
    assert (row["state"], row["error"]) == ("offline", "no answer")
    scene.answer(20, 221.0, 50.0)
    scene.answer(21, 221.5, 50.0)
    assert scene.state() == "online"
    assert [state for state, _ in scene.said()][-2:] == ["degraded", "online"]


def test_nothing_is_asked_of_a_product_that_may_stand_still() -> None:
    scene = Scene(product())
    for minute in range(60):
        scene.answer(minute, 220.1, 50.0)
    assert (scene.state(), scene.entries) == ("online", [])
    scene.loop.close()


def test_the_points_of_others_are_not_mixed_up() -> None:
    profile = product(restless=RESTLESS)
    still = Stillness([meter("d/1", 1), meter("d/9", 900)], {"p": profile})
    for minute in range(12):
        at_ms = START_MS + minute * MINUTE
        numbers, values = [1, 2, 3, 900, 901, 902, 5000], [220.1, 50, 1, minute, 50, 1, 1]
        batch = Batch.of(numbers, [at_ms] * 7, values, [0] * 7, at_ms)
        still.hear([(minute, Entry(EntryKind.READINGS, at_ms, batch))])
    assert still.of("d/1") is not None
    assert still.of("d/9") is None


def test_the_twins_of_every_product_that_is_called_restless_do_move() -> None:
    """No false alarm: longer than any standstill of a twin, at every pace of polling."""
    settings = load(shipped())
    restless = {id_: one for id_, one in settings.profiles.items() if one.restless}
    assert len(restless) >= 11
    loop = VirtualLoop()
    for interval_s in (15, 60):
        clock = VirtualClock(loop, START_MS, 7)
        devices = [
            Device(
                f"dorm-{n:02}/one", id_, one.kind, f"dorm-{n:02}/room",
                timedelta(seconds=interval_s), "gw", 1,
                tuple(
                    Point(100 * n + k, name, f"dorm-{n:02}/one", name, "", "gauge", Text("", ""))
                    for k, name in enumerate(one.points)
                ),
            )
            for n, (id_, one) in enumerate(restless.items())
        ]  # fmt: skip
        fleet, still = Fleet(devices, restless, clock), Stillness(devices, restless)
        for at_ms in range(START_MS, START_MS + 120 * MINUTE, 1000 * interval_s):
            for device in devices:
                values = fleet.twin_at(device.id, at_ms).values()
                known = [(p.number, round(values[p.name], 1)) for p in device.points
                         if p.name in values]  # fmt: skip
                numbers, shown = zip(*known, strict=True)
                batch = Batch.of(numbers, [at_ms] * len(known), shown, [0] * len(known), at_ms)
                still.hear([(1, Entry(EntryKind.READINGS, at_ms, batch))])
                assert still.of(device.id) is None, device.profile
    loop.close()


@pytest.mark.parametrize(
    ("points", "what"),
    [
        ("[voltage, volts]", "there is no point 'volts'"),
        ("[voltage, coarse]", "steps of 1 V"),
        ("[voltage, limit]", "until somebody changes it"),
        ("[voltage, relay]", "until somebody changes it"),
        ("[voltage, count]", "may stand still"),
        ("[voltage, scaled]", "its device chooses the step"),
    ],
)
def test_lint_refuses_a_point_that_may_stand_still(tmp_path, points, what) -> None:
    label = "label: {zh: 一, en: one}"
    path = tmp_path / "small.yaml"
    path.write_text(
        "version: 1\nid: small\nmaker: a\nmodel: b\nkind: meter\nprotocol: modbus\nsource: a test\n"
        f"restless: {{points: {points}, for: PT10M}}\npoints:\n"
        f"  voltage: {{table: input, address: 0, scale: 0.1, unit: V, {label}}}\n"
        f"  coarse: {{table: input, address: 1, unit: V, {label}}}\n"
        f"  limit: {{table: holding, address: 2, scale: 0.1, unit: V, {label},"
        " write: {min: 1, max: 9}}\n"
        f"  relay: {{table: input, address: 3, kind: state, unit: V, scale: 0.1, {label}}}\n"
        f"  count: {{table: input, address: 4, {label}}}\n"
        f"  exponent: {{table: input, address: 5, kind: state, {label}}}\n"
        f"  scaled: {{table: input, address: 6, unit: V, {label},"
        " scale_from: {point: exponent, kind: power_of_ten}}\n",
        "utf-8",
    )
    _, (problem,) = lint.read(path)
    assert problem.key == "restless.points[1]"
    assert what in problem.message


@pytest.mark.parametrize("restless", ["{points: [], for: PT1M}", "{points: [a], for: PT0S}"])
def test_an_empty_wish_is_refused(restless) -> None:
    with pytest.raises(ValueError, match="restless"):
        product(restless=yaml.safe_load(restless))


def test_the_shipped_profiles_that_name_restless_points_all_pass_lint() -> None:
    paths = sorted(Path(shipped() / "profiles").glob("*.yaml"))
    named = [path for path in paths if "restless:" in path.read_text("utf-8")]
    assert len(named) >= 11
    for path in named:
        assert lint.read(path)[1] == [], path.name
