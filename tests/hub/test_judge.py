"""The daily look: the same judgements from the store and from a history, each day entered once."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from datetime import date, timedelta
from random import Random
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from hub.app import Outside, running
from hub.clock import VirtualClock, VirtualLoop, run_virtual
from hub.energy import calendar
from hub.energy.ledger import Ledger
from hub.engine import Core
from hub.journal.body import pack as packed
from hub.journal.body import unpack
from hub.judge import MADE_UP, DailyLook, Look, Nights, Reader
from hub.judge.hours import hours_at
from hub.judge.look import entry_of
from hub.model import (
    Alarm,
    AlarmState,
    Batch,
    Effect,
    Entry,
    EntryKind,
    Point,
    Quality,
    Text,
    Ticket,
)
from hub.schedule import Schedule
from hub.settings import load
from hub.site import Device, Place, Site
from hub.store.memory import MemoryStore
from rules.calendar import NO_CALENDAR, Calendar
from rules.day_columns import Term
from rules.judged import Judgement
from tests.hub.fault_site import PROMISE, pack
from tests.hub.memory_wire import Wire
from tests.hub.test_schedule import Runs, at
from tests.whole.site import BUILDING, write_site

ZONE = ZoneInfo("Asia/Shanghai")
MINUTE, HOUR = 60_000, 3_600_000
STEP = 10 * MINUTE
FIRST = date(2026, 11, 2)
NAME = Text("名", "name")
T0 = calendar.day_start(FIRST, ZONE)
ROOMS = 9

GATEWAY = {"id": "gw", "url": "tcp://127.0.0.1:1502"}
DEVICE = {
    "id": "dorm-07/boiler-1", "profile": "reference-boiler", "place": "dorm-07", "gateway": "gw",
    "unit_id": 1, "interval": "PT5M",
}  # fmt: skip

NIGHT = {"id": "night-load", "kind": "night", "utility": "electricity", "severity": "small"}
SUM = {"id": "sum-check", "kind": "balance", "severity": "ordinary"}
ODD = {"id": "room-odd", "kind": "peers", "point": "energy", "floor": 2.0, "side": "high"}
STORE = {"id": "store-cold", "kind": "exposure", "of": "store", "point": "tank_temperature",
         "limit": 55, "clear": 60}  # fmt: skip
OUTLET = {"id": "outlet-dead", "kind": "exposure", "of": "outlet", "point": "total_litres",
          "limit": 0, "clear": 8, "for": "P7D"}  # fmt: skip
DRIFT = {"id": "cop-low", "kind": "efficiency"}
LEAK = {"id": "pipe-leak", "kind": "night_flow", "utility": "water", "window": 3, "weeks": 3}
LOST = {"id": "water-lost", "kind": "balance", "of": "water", "floor": 0.2, "side": "high"}
PACKS = [
    pack(ODD, kind="meter"),
    pack(STORE, DRIFT, kind="boiler"),
    pack(OUTLET, kind="shower"),
    pack(NIGHT, SUM, LEAK, LOST, kind="building"),
]


def device(number: int, id_: str, kind, place: str, points: Sequence[tuple[str, str]]) -> Device:
    made = tuple(
        Point(100 * number + n, f"{id_}/{name}", id_, name, unit,
              "gauge" if unit == "degC" else "counter", Text(name, name), most_per_h=500.0)
        for n, (name, unit) in enumerate(points)
    )  # fmt: skip
    ten_minutes = timedelta(milliseconds=STEP)
    return Device(id_, f"any-{kind}", kind, place, ten_minutes, None, None, made)


def dormitory() -> Site:
    """Return a building with a meter of its own, nine rooms, a plant and a shower terminal."""
    plant = [
        ("tank_temperature", "degC"), ("supply_temperature", "degC"),
        ("outdoor_temperature", "degC"), ("energy", "kWh"), ("heat", "kWh"),
        ("make_up_water", "m3"), ("hot_water", "m3"),
    ]  # fmt: skip
    rooms = [f"d/1/{100 + n}" for n in range(ROOMS)]
    places = [
        Place("d", "building", NAME, students=40),
        Place("d/plant", "plant", NAME),
        Place("d/1", "floor", NAME),
        Place("d/1/shower-1", "shower_room", NAME),
        *(Place(room, "room", NAME) for room in rooms),
    ]
    devices = [
        device(1, "d/main", "meter", "d", [("energy", "kWh")]),
        *(
            device(2 + n, f"d/meter-{n}", "meter", room, [("energy", "kWh")])
            for n, room in enumerate(rooms)
        ),
        device(20, "d/boiler-1", "boiler", "d/plant", plant),
        device(21, "d/shower-1", "shower", "d/1/shower-1", [("total_litres", "L")]),
    ]
    return Site("c", NAME, ZONE, places, [], devices)


class Life:
    """What the devices of the dormitory count and show; faults are switched on by name."""

    def __init__(self, site: Site, faults: Sequence[str] = ()) -> None:
        self.site = site
        self.faults = set(faults)
        self.levels = dict.fromkeys(site.points, 0.0)
        self.draw = Random(7)

    def rates(self, at_ms: int) -> dict[str, float]:
        """Return what is used in an hour (or is so warm) by the id of the point."""
        local = calendar.local(at_ms, ZONE)
        evening = 18 <= local.hour < 23
        found = {}
        rooms = 0.0
        for n in range(ROOMS):
            use = (0.5 if evening else 0.05) * (1 + 0.02 * n)
            if n == 4 and "heater" in self.faults:
                use += 1.0
            found[f"d/meter-{n}/energy"] = use
            rooms += use
        found["d/boiler-1/energy"] = 2.0
        found["d/main/energy"] = (rooms + 2.0) * (1.5 if "tapped" in self.faults else 1.0)
        found["d/boiler-1/heat"] = 2.0 * (1.8 if "fouled" in self.faults else 3.4)
        found["d/boiler-1/outdoor_temperature"] = 7.0 + (2 if evening else 0)
        tank = 52.0 if "cold" in self.faults else 61.0
        found["d/boiler-1/tank_temperature"] = found["d/boiler-1/supply_temperature"] = tank
        drawn = 0.0 if "dead" in self.faults else (100.0 if evening else 0.0)
        found["d/shower-1/total_litres"] = drawn
        hot = drawn / 1000 * (38 - 15) / (tank - 15)
        leak = 0.3 if "leak" in self.faults else 0.0
        found["d/boiler-1/hot_water"] = hot
        found["d/boiler-1/make_up_water"] = hot + leak
        return found

    def batches(self, days: int, begin_ms: int = T0) -> list[Batch]:
        """Return a batch of all points every ten minutes."""
        return [self.batch(at) for at in range(begin_ms, begin_ms + days * 24 * HOUR, STEP)]

    def batch(self, at_ms: int) -> Batch:
        rates = self.rates(at_ms)
        for id_, rate in rates.items():
            point = self.site.points[self.site.numbers[id_]]
            share = STEP / HOUR if point.kind == "counter" else 0.0
            before = self.levels[point.number] if share else 0.0
            self.levels[point.number] = before + rate * share if share else rate
        numbers = sorted(self.levels)
        values = [self.levels[number] for number in numbers]
        at = [at_ms] * len(numbers)
        return Batch.of(numbers, at, values, [Quality.GOOD] * len(numbers), at_ms)


class Kept:
    """A store, its ledger and a look, as they stand beside each other in the hub."""

    def __init__(self, site: Site) -> None:
        self.store = MemoryStore()
        self.ledger = Ledger(site, self.store)
        self.look = Look(site, PACKS, Calendar(NO_CALENDAR, ZONE))
        self.reader = Reader(site, self.ledger, self.store, self.look)
        self.seq = 0

    def keep(self, batches: Sequence[Batch]) -> None:
        self.seq += 1
        whole = Batch.joined(batches, batches[-1].received_ms)
        self.store.append(whole, self.seq)
        self.ledger.recorded(whole, self.seq)

    def judged(self, day: date) -> dict[str, Judgement]:
        for _ in self.reader.read(self.look.lacking(day)):
            pass
        return dict(self.look.judge(day))


def day_of(n: int) -> date:
    return FIRST + timedelta(n)


def judged_by_history(site: Site, batches: Sequence[Batch], days: int) -> dict[str, Judgement]:
    look = Look(site, PACKS, Calendar(NO_CALENDAR, ZONE))
    builder = look.builder(lambda at_ms: hours_at(at_ms, ZONE))
    for n in range(0, len(batches), 50):  # a time of some hours
        builder.read(Batch.joined(batches[n : n + 50], batches[n].received_ms))
    for columns in builder.close(T0 + days * 24 * HOUR):
        look.add(columns)
    return dict(look.judge(day_of(days - 1)))


def test_every_rule_finds_its_subjects() -> None:
    look = Look(dormitory(), PACKS, Calendar(NO_CALENDAR, ZONE))
    rooms = [f"d/meter-{n}#room-odd" for n in range(ROOMS)]
    assert len(look) == len(look.causes) == ROOMS + 8
    assert set(look.causes) == {
        *rooms, "d/main#room-odd", "d/boiler-1#store-cold", "d/boiler-1#cop-low",
        "d/shower-1#outlet-dead", "d#night-load", "d#sum-check", "d#pipe-leak", "d#water-lost",
    }  # fmt: skip
    assert [cause for cause, _ in look.judge(FIRST)] == look.causes


def test_places_are_compared_by_their_students_and_those_without_any_not_at_all() -> None:
    by_student = {"id": "use", "kind": "peers", "utility": "electricity", "within": "campus",
                  "per": "student"}  # fmt: skip
    look = Look(dormitory(), [pack(by_student, kind="building")], Calendar(NO_CALENDAR, ZONE))
    assert look.causes == ["d#use"]
    area = by_student | {"per": "m2"}
    assert not len(Look(dormitory(), [pack(area, kind="building")], Calendar(NO_CALENDAR, ZONE)))


def states(judged: dict[str, Judgement], *but: str) -> set[str]:
    return {cause for cause, one in judged.items() if one.state == "fault"} - set(but)


@pytest.mark.parametrize(
    ("fault", "causes"),
    [
        ("", set()),
        ("heater", {"d/meter-4#room-odd", "d#night-load"}),
        ("tapped", {"d#night-load", "d#sum-check"}),
        ("fouled", {"d/boiler-1#cop-low"}),
        ("cold", {"d/boiler-1#store-cold"}),
        ("leak", {"d#pipe-leak", "d#water-lost"}),
    ],
)
def test_each_fault_is_seen_by_its_rules_alone_and_twice_alike(fault, causes) -> None:
    site = dormitory()
    life, kept = Life(site), Kept(site)
    batches = life.batches(21)
    life.faults = {fault}
    batches += life.batches(8, batches[-1].received_ms + STEP)
    batches.append(life.batch(batches[-1].received_ms + STEP))  # the last day has its end
    kept.keep(batches)
    by_store, by_history = kept.judged(day_of(28)), judged_by_history(site, batches, 29)
    assert states(by_store, "d/main#room-odd") == causes
    for cause, one in by_store.items():
        other = by_history[cause]
        assert (one.state, one.value, one.limit) == (
            other.state, pytest.approx(other.value, rel=1e-3, abs=1e-3), pytest.approx(other.limit),
        ), cause  # fmt: skip


def test_an_outlet_that_nobody_opens_is_seen_after_a_week() -> None:
    site = dormitory()
    life, kept = Life(site), Kept(site)
    batches = life.batches(3)
    life.faults = {"dead"}
    batches += life.batches(7, batches[-1].received_ms + STEP)
    batches.append(life.batch(batches[-1].received_ms + STEP))
    kept.keep(batches)
    assert "d/shower-1#outlet-dead" not in states(kept.judged(day_of(8)))
    assert "d/shower-1#outlet-dead" in states(kept.judged(day_of(9)))


def test_where_readings_are_missing_nothing_is_judged_a_fault_or_fine() -> None:
    site = dormitory()
    kept = Kept(site)
    kept.keep([one for one in Life(site).batches(29) if calendar.day_of(one.received_ms, ZONE)
               != day_of(28)])  # fmt: skip
    # Of the week one day is missing: that the outlet was used on another is known all the same.
    assert kept.judged(day_of(28)).pop("d/shower-1#outlet-dead").state == "between"
    others = {one.state for cause, one in kept.judged(day_of(28)).items() if "outlet" not in cause}
    assert others == {"unknown"}
    assert {one.state for one in Kept(site).judged(day_of(28)).values()} == {"unknown"}


def test_the_columns_of_the_store_are_those_of_the_readings() -> None:
    site, days = dormitory(), 4
    life, kept, draw = Life(site), Kept(site), Random(3)
    batches = [one for one in life.batches(days + 1) if draw.random() > 0.1]
    silent = range(T0 + 30 * HOUR, T0 + 37 * HOUR), range(T0 + 70 * HOUR, T0 + 75 * HOUR)
    batches = [one for one in batches if not any(one.received_ms in gap for gap in silent)]
    kept.keep(batches)
    builder = kept.look.builder(lambda at_ms: hours_at(at_ms, ZONE))
    for batch in batches:
        builder.read(batch)
    built = Look(site, PACKS, Calendar(NO_CALENDAR, ZONE)).history
    for columns in builder.close(T0 + days * 24 * HOUR):
        built.add(columns)
    for _ in kept.reader.read([day_of(n) for n in range(days)]):
        pass
    read = kept.look.history
    every = [site.points[number] for number in [*read.counters.tolist(), *read.gauges.tolist()]]
    for point in every:
        for fact in ("use",) if point.kind == "counter" else ("mean", "low", "high"):
            one, other = (
                history.past(day_of(days - 1), [Term(point.number)], fact, days)
                for history in (read, built)
            )
            np.testing.assert_allclose(one.hours, other.hours, rtol=1e-3, atol=1e-3)
            np.testing.assert_allclose(one.total, other.total, rtol=1e-3, atol=1e-3)


def core() -> Core:
    one = Core(dormitory(), PACKS, PROMISE)
    one.step(0, Entry(EntryKind.CONFIGURATION, T0))
    return one


def told(cause: str, n: int, state, grave: bool = False) -> Entry:
    """Return the entry of a judgement as it comes out of the journal."""
    at_ms = T0 + (n + 1) * 24 * HOUR + 150 * MINUTE
    judgement = Judgement(state, 6.5, 5.0, {"median": 3.0, "members": 10}, grave)
    entry = entry_of(at_ms, day_of(n), cause, judgement)
    return unpack(entry.kind, entry.at_ms, packed(entry))


def alarms(effects) -> list[Alarm]:
    return [effect for effect in effects if isinstance(effect, Alarm)]


def test_a_judgement_opens_one_ticket_and_another_one_clears_its_alarm() -> None:
    one, cause = core(), "d/meter-4#room-odd"
    effects = one.step(1, told(cause, 0, "fault"))
    assert [(a.device, a.state, a.value, a.limit) for a in alarms(effects)] == [
        ("d/meter-4", AlarmState.UNACKNOWLEDGED, 6.5, 5.0)
    ]
    assert len([effect for effect in effects if isinstance(effect, Ticket)]) == 1
    assert one.step(2, told(cause, 0, "fault")) == []  # the look was repeated after a crash
    assert alarms(one.step(3, told(cause, 1, "fault"))) == []
    assert alarms(one.step(4, told(cause, 2, "unknown"))) == []
    assert alarms(one.step(5, told("d/meter-99#room-odd", 2, "fault"))) == []  # it is gone
    (cleared,) = alarms(one.step(6, told(cause, 3, "fine")))
    assert cleared.state is AlarmState.CLEARED_UNACKNOWLEDGED


def test_what_becomes_grave_makes_the_repair_a_large_one() -> None:
    leak = {"id": "leak", "kind": "night_flow", "point": "make_up_water", "nights": 1}
    one = Core(dormitory(), [pack(leak)], PROMISE)
    cause = "d/boiler-1#leak"
    assert [a.severity for a in alarms(one.step(1, told(cause, 0, "fault")))] == ["ordinary"]
    effects = one.step(2, told(cause, 1, "fault", grave=True))
    assert [a.severity for a in alarms(effects)] == ["large"]
    assert [one.severity for one in effects if isinstance(one, Ticket)][-1] == "large"


def test_what_was_heard_is_there_after_a_restart() -> None:
    before, cause = core(), "d/boiler-1#cop-low"
    before.step(1, told(cause, 0, "fault"))
    for n in (1, 2):
        before.step(1 + n, told(cause, n, "fine"))
    after = Core(dormitory(), PACKS, PROMISE)
    after.load(before.save())
    assert after.save() == before.save()
    entry = told(cause, 3, "fine")  # the third night in a row
    assert alarms(after.step(9, entry)) == alarms(before.step(9, entry)) != []


def live_through(kept: Kept, runs: Runs, start: str, hours: float) -> list[tuple[str, str]]:
    """Let a hub live from an instant on; return (day, cause) of what it entered."""
    loop = VirtualLoop()
    clock = VirtualClock(loop, round(at(start).timestamp() * 1000), 1)
    entered: list[Entry] = []

    async def live() -> None:
        look = DailyLook(kept.look, kept.reader, clock, clock.worker("judge"), entered.append)
        schedule = Schedule(ZONE, clock, runs.last, runs.mark)
        schedule.daily("judge", "02:30", look.judge, MADE_UP)
        task = asyncio.create_task(schedule.run())
        await clock.sleep(hours * 3600)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    loop.run_until_complete(live())
    loop.close()
    assert all(entry.kind is EntryKind.JUDGEMENT for entry in entered)
    return [(entry.content["day"], entry.content["cause"]) for entry in entered]


def test_a_history_tells_what_the_hub_would_have_entered_and_when() -> None:
    site, days = dormitory(), 9
    life, kept = Life(site), Kept(site)
    batches = life.batches(days + 1)
    kept.keep(batches)
    nights = Nights(Look(site, PACKS, Calendar(NO_CALENDAR, ZONE)), ZONE)
    assert nights.due_ms is None
    told: list[Entry] = []
    for n in range(0, len(batches), 7):  # of about an hour
        told += nights.until(batches[n].received_ms - 1)
        nights.read(Batch.joined(batches[n : n + 7], batches[n].received_ms))
    assert [entry.at_ms for entry in told] == [
        T0 + n * 24 * HOUR + 150 * MINUTE for n in range(1, days + 1) for _ in kept.look.causes
    ]
    for n in range(days):
        by_store = kept.judged(day_of(n))
        by_history = {
            entry.content["cause"]: entry.content["state"]
            for entry in told
            if entry.content["day"] == day_of(n).isoformat()
        }
        if n:  # nothing was read before the first day: where it begins is not known in a store
            assert by_history == {cause: one.state for cause, one in by_store.items()}


def test_each_day_is_judged_once_and_a_missed_one_is_made_up_once() -> None:
    site, runs = dormitory(), Runs()
    kept = Kept(site)
    kept.keep(Life(site).batches(8))
    causes = kept.look.causes
    assert live_through(kept, runs, "2026-11-05 00:00", 2) == [
        ("2026-11-03", cause)
        for cause in causes  # nobody had judged it; it is not 2:30 yet
    ]
    assert live_through(kept, runs, "2026-11-05 02:00", 24) == [
        ("2026-11-04", cause) for cause in causes
    ]
    assert live_through(kept, runs, "2026-11-05 12:00", 8) == []
    # Down over the time of the look: made up, once.
    assert {day for day, _ in live_through(kept, runs, "2026-11-06 09:00", 1)} == {"2026-11-05"}
    assert live_through(kept, runs, "2026-11-06 11:00", 1) == []
    # Down for days: each of them, in order, as if the hub had been awake.
    made_up = live_through(kept, runs, "2026-11-09 09:00", 1)
    assert made_up == [(f"2026-11-0{n}", cause) for n in (6, 7, 8) for cause in causes]


def test_in_the_night_after_a_hub_opens_a_ticket_for_what_the_day_has_shown(tmp_path) -> None:
    words = {"zh": "词", "en": "word"}
    rule = STORE | {"severity": "ordinary", "title": words, "guidance": words}
    folder = write_site(tmp_path, [DEVICE], places=[BUILDING], gateways=[GATEWAY])
    (folder / "rules").mkdir()
    raw = {"version": 1, "pack": "boiler", "applies_to": {"kind": "boiler"}, "rules": [rule]}
    (folder / "rules" / "boiler.yaml").write_text(json.dumps(raw), encoding="utf-8")
    loop = VirtualLoop()
    clock = VirtualClock(loop, round(at("2026-11-20 00:00").timestamp() * 1000), 1)
    wire = Wire(clock)  # 50.0 degC all day
    wire.image |= {(1, "input", n): 500 for n in range(7)} | {(1, "discrete", 0): 1}
    heard: list[Effect] = []

    async def story() -> None:
        outside = Outside(memory=True, web=False, bus_of=lambda *_: wire.bus(), heard=heard.append)
        async with running(load(folder), clock, outside) as hub:
            await clock.sleep(26.45 * 3600)
            assert alarms(heard) == []
            await clock.sleep(0.1 * 3600)
            await hub.engine.settle()

    run_virtual(loop, story())
    (alarm,) = alarms(heard)
    assert (alarm.device, alarm.rule, alarm.value, alarm.limit) == (
        "dorm-07/boiler-1", "store-cold", 50.0, 55.0,
    )  # fmt: skip
    assert alarm.raised_ms == round(at("2026-11-21 02:30").timestamp() * 1000)
    assert [one.rule for one in heard if isinstance(one, Ticket)] == ["store-cold"]
