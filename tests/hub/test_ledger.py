"""The ledger: the same figures for any order of arrival, and only what is touched is read again."""

from dataclasses import replace
from datetime import date, timedelta
from random import Random
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.energy import calendar, ledger
from hub.energy.counter import RULES, MeterChange, intervals
from hub.energy.ledger import Ledger, rule_of
from hub.energy.spread import Uses
from hub.model import Batch, Point, Quality, Reason, Text, flag
from hub.site import Device, Place, Site
from hub.store.memory import MemoryStore
from tests.hub.per_step import per_step

MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
NAME = Text("表", "meter")
ZONE = ZoneInfo("Asia/Shanghai")
FIRST_DAY = date(2026, 11, 2)
T0 = calendar.day_start(FIRST_DAY, ZONE)
BAD = flag(Quality.BAD, Reason.OUT_OF_RANGE)
PARTS = ("measured", "estimated", "low", "high", "doubt", "gap", "missing")


def site_of(counters: int, zone: ZoneInfo = ZONE, interval: timedelta = timedelta(minutes=15)):
    devices = []
    for n in range(1, counters + 1):
        id_ = f"dorm-07/meter-{n}"
        energy = Point(
            n, f"{id_}/energy", id_, "energy", "kWh", "counter", NAME, False, 1e6, most_per_h=20.0
        )
        devices.append(Device(id_, "any", "meter", "dorm-07", interval, None, None, (energy,)))
    return Site("campus", NAME, zone, [Place("dorm-07", "building", NAME)], [], devices)


class Hub:
    """A store and its ledger, as they stand beside each other in the hub."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.points = [device.points[0] for device in site.devices.values()]
        self.store = MemoryStore()
        self.ledger = Ledger(site, self.store)
        self.seq = 0

    def keep(self, rows) -> None:
        self.seq += 1
        point, at, value, quality = zip(*rows, strict=True)
        batch = Batch.of(point, at, value, quality, max(at))
        self.store.append(batch, self.seq)
        self.ledger.recorded(batch, self.seq)

    def uses(self, edges) -> Uses:
        return self.ledger.uses(self.points, np.asarray(edges, np.int64))


def elsewhere(draw: Random, level: float) -> float:
    """Return what another meter shows: not so little more that it could have been used."""
    other = draw.uniform(0, 3000)
    return other if not 0 <= other - level < 100 else other + 100


def life(seed: int, number: int, days: int, interval_ms: int):
    """Make the readings of a meter to which everything happens, and the true use."""
    draw = Random(f"{seed} {number}")
    level, true, readings, changes = draw.uniform(0, 999_999), 0.0, [], []
    at, end = T0 - DAY + draw.randrange(interval_ms), T0 + days * DAY
    silent_until = 0
    while at < end:
        used = draw.choice((0.0, 0.01, 0.2, 1.0)) * draw.random()
        true += used
        level = (level + used) % 1e6
        chance = draw.random()
        if chance < 0.004:
            silent_until = at + draw.randrange(1, 50) * HOUR
        elif chance < 0.007 and level > 5000:
            readings.append((number, at, draw.choice((0.0, level + 3000 * draw.random())), 0))
            at += interval_ms
        elif chance < 0.009:
            level = elsewhere(draw, level)
        elif chance < 0.011:
            opening = elsewhere(draw, level)
            changes.append(MeterChange(at + 1, level, opening, draw.choice((None, 2.0))))
            level = opening
        elif chance < 0.015:
            readings.append((number, at, draw.choice((4_294_967_295.0, 7.0)), BAD))
            at += interval_ms
        if at >= silent_until:
            readings.append((number, at, level, 0))
        at += interval_ms + draw.randrange(-2000, 2000)
    return readings, changes


def reference(hub: Hub, lives, edges) -> list[Uses]:
    """Work every counter out from all of its readings at once."""
    made = []
    for point, (readings, changes) in zip(hub.points, lives, strict=True):
        rule = rule_of(point, hub.site.devices[point.device])
        good = [(at, value) for _, at, value, quality in readings if quality == 0]
        columns = zip(*good, strict=True) if good else ((), ())
        multiplier = max([1.0, *(one.multiplier for one in changes if one.multiplier is not None)])
        known = intervals(*columns, rule, changes)
        made.append(per_step(known, edges, None, point.number, rule.resolution * multiplier))
    return made


def check_equal(found: Uses, wanted: list[Uses]) -> None:
    for n, one in enumerate(wanted):
        for part in PARTS:
            assert getattr(found, part)[n] == pytest.approx(getattr(one, part)[0], abs=1e-6), part
    told = {(p, f.kind, f.start_ms) for p, f in found.findings if f.kind != "change"}
    assert told == {(p, f.kind, f.start_ms) for one in wanted for p, f in one.findings}


def days_of(count: int) -> list[int]:
    return [calendar.day_start(FIRST_DAY + timedelta(n), ZONE) for n in range(count + 1)]


@pytest.mark.parametrize(
    ("name", "unit", "own", "utility", "times"),
    [
        ("energy", "kWh", None, "electricity", 1),
        ("heat", "kWh", None, "heat", 1),
        ("water", "m3", None, "water", 1),
        ("hot_water", "m3", None, "hot_water", 1),
        ("total_litres", "L", None, "hot_water", 1000),
        ("gas", "m3", None, "gas", 1),
        ("energy", "kWh", 20.0, "electricity", 1),
    ],
)
def test_what_can_be_true_of_a_counter_goes_by_its_utility(
    name: str, unit: str, own: float | None, utility: str, times: int
) -> None:
    (device,) = site_of(1).devices.values()
    point = replace(device.points[0], name=name, unit=unit, most_per_h=own)
    rule = rule_of(point, device)
    assert rule.resolution == RULES[utility].resolution * times
    assert rule.most_per_h == (own or RULES[utility].most_per_h * times)
    assert (rule.modulus, rule.gap_ms) == (1e6, 45 * MINUTE)


def test_a_counter_that_shows_coarse_steps_is_only_as_exact_as_they_are() -> None:
    (device,) = site_of(1).devices.values()
    told = {
        digit: rule_of(replace(device.points[0], digit=digit), device).resolution
        for digit in (None, 0.001, 1.0)
    }
    assert told == {None: 0.01, 0.001: 0.01, 1.0: 1.0}


@pytest.mark.parametrize("few", [0, 32])
@settings(max_examples=12)
@given(st.integers(0, 10_000), st.integers(1, 6), st.sampled_from((15, 5)), st.integers(0, 3))
def test_any_order_of_arrival_gives_what_all_readings_at_once_give(
    few: int, seed: int, pieces: int, minutes: int, partly: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ledger, "FEW", few)
        hub = Hub(site_of(3, interval=timedelta(minutes=minutes)))
        lives = [life(seed, point.number, 6, minutes * MINUTE) for point in hub.points]
        hub.ledger.change({n: changes for n, (_, changes) in enumerate(lives, 1) if changes})
        draw = Random(seed)
        rows = [row for readings, _ in lives for row in readings]
        late = [row for row in rows if draw.random() < 0.2]
        known_late = set(late)
        batches = [[] for _ in range(pieces)]
        for row in late:
            batches[draw.randrange(pieces)].append(row)
        in_time = [row for row in rows if row not in known_late]
        edges = days_of(6)
        edges = [edges[0] + partly * 1000, *edges[1:-1], edges[-1] - partly * 77_777]
        for batch in (in_time, *batches):
            if batch:
                draw.shuffle(batch)
                hub.keep(batch)
            hub.uses(edges)  # what was asked before must not stand in the way of what comes
        check_equal(hub.uses(edges), reference(hub, lives, edges))
        span = [edges[0], edges[-1]]
        check_equal(hub.uses(span), reference(hub, lives, span))
        day = np.arange(days_of(6)[2], days_of(6)[4] + 1, HOUR)
        check_equal(hub.uses(day), reference(hub, lives, day))


@pytest.mark.parametrize("few", [0, 32])
def test_what_explains_a_figure_is_told_alike_by_every_way_and_step(monkeypatch, few: int) -> None:
    monkeypatch.setattr(ledger, "FEW", few)
    hub = Hub(site_of(2))
    at = np.arange(T0 - DAY, T0 + 4 * DAY, 15 * MINUTE)
    level = (999_990 + (at - T0) / HOUR) % 1e6  # begins again at 0 after ten hours
    level[at >= T0 + 2 * DAY + 5 * MINUTE] += 5000  # exchanged, and entered
    level[at >= T0 + 3 * DAY + 5 * MINUTE] += 7000  # exchanged, and nobody said so
    level[at == T0 + 30 * HOUR] = 77_777  # a peak
    hub.keep([(1, int(a), float(b), 0) for a, b in zip(at, level, strict=True)])
    change = MeterChange(T0 + 2 * DAY + 60_000, 38.0, 5038.0)
    hub.ledger.change({1: [change]})
    days = days_of(4)
    days[-1] -= HOUR
    for edges in (days, [days[0], days[-1]], list(range(days[0], days[-1] + 1, HOUR))):
        uses = hub.uses(edges)
        assert [(point, one.kind) for point, one in uses.findings] == [
            (1, "rollover"),
            (1, "glitch"),
            (1, "change"),
            (1, "swap"),
        ]
        rolled, glitch, changed, swap = (one for _, one in uses.findings)
        assert (rolled.before, rolled.after) == (999_999.75, 0)
        assert rolled.end_ms == T0 + 10 * HOUR
        assert glitch.after == 77_777
        assert (changed.start_ms, changed.before, changed.after) == (change.at_ms, 38, 5038)
        assert swap.end_ms == T0 + 3 * DAY + 15 * MINUTE
        assert (swap.used, swap.high) == (pytest.approx(0.25), pytest.approx(5, abs=0.1))
    assert not hub.uses([T0 + 11 * HOUR, T0 + 12 * HOUR]).findings


def test_a_counter_that_stands_still_while_its_power_does_not_is_a_finding() -> None:
    site = site_of(2)
    devices = [
        replace(
            one,
            points=(
                *one.points,
                Point(10 + n, f"{one.id}/power", one.id, "power", "W", "gauge", NAME),
            ),
        )
        for n, one in enumerate(site.devices.values(), 1)
    ]
    hub = Hub(Site("campus", NAME, ZONE, site.places.values(), [], devices))
    rows = []
    for at in range(T0 - HOUR, T0 + 2 * DAY + HOUR, 15 * MINUTE):
        moved = min(max(at - T0, 0), DAY) / HOUR  # both stand still on the second day
        rows += [(1, at, 500 + moved, 0), (2, at, 500 + moved, 0)]
        rows += [(11, at, 1000.0, 0), (12, at, 1000.0 if at < T0 + DAY else 0.0, 0)]
    hub.keep(rows)
    hours = list(range(T0, T0 + 2 * DAY + 1, HOUR))
    for few, edges in ((0, days_of(2)), (32, days_of(2)), (32, hours), (32, [T0, T0 + 2 * DAY])):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(ledger, "FEW", few)
            ((point, found),) = hub.uses(edges).findings
        assert (point, found.kind, found.start_ms, found.end_ms) == (
            1,
            "stuck",
            T0 + DAY,
            T0 + 2 * DAY,
        )
        assert (found.used, found.low) == (0, 0)
        assert found.high == pytest.approx(24, rel=0.3)


class Asked(MemoryStore):
    """A store that notes for what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.spans: list[tuple[tuple[int, ...], int, int]] = []

    def rollups(self, points, start_ms, end_ms):
        self.spans.append((tuple(points), start_ms, end_ms))
        return super().rollups(points, start_ms, end_ms)


def test_a_late_reading_touches_the_days_around_it_and_no_other(monkeypatch) -> None:
    monkeypatch.setattr(ledger, "FEW", 0)
    hub = Hub(site_of(2))
    hub.store = Asked()
    hub.ledger = Ledger(hub.site, hub.store)
    lost = range(T0 + 4 * DAY + 14 * HOUR, T0 + 4 * DAY + 16 * HOUR)
    ats = range(T0 - DAY, T0 + 10 * DAY, 15 * MINUTE)
    hub.keep([(n, at, 500 + (at - T0) / HOUR, 0) for n in (1, 2) for at in ats if at not in lost])
    edges = days_of(9)
    before = hub.uses(edges)
    hub.store.spans.clear()
    hub.uses(edges)
    assert not hub.store.spans  # all of it is kept
    hub.keep([(1, lost[0], 500 + (lost[0] - T0) / HOUR + 0.25, 0)])
    after = hub.uses(edges)
    assert {points for points, *_ in hub.store.spans} == {(1,)}
    assert min(start for _, start, _ in hub.store.spans) >= T0 + 3 * DAY
    # The next day begins within the reach of the reading, and is read with what is around it.
    assert max(end for *_, end in hub.store.spans) <= T0 + 7 * DAY
    assert after.used.sum() == pytest.approx(before.used.sum())
    assert after.gap[0, 4] < before.gap[0, 4]
    hub.store.spans.clear()
    hub.keep([(1, T0 - 30 * MINUTE, 480.0, BAD)])  # a correction: nothing of it can be used
    hub.uses(edges)
    assert max(end for *_, end in hub.store.spans) <= T0 + 2 * DAY


class Overtaken(MemoryStore):
    """A store that keeps late readings while their time is being read."""

    def __init__(self) -> None:
        super().__init__()
        self.late: Batch | None = None
        self.told = None

    def rollups(self, points, start_ms, end_ms):
        found = super().rollups(points, start_ms, end_ms)
        if self.late is not None and start_ms <= self.late.at_ms.max() < end_ms:
            batch, self.late = self.late, None
            self.append(batch, 1000)
            self.told(batch, 1000)
        return found


def test_what_comes_while_a_day_is_read_is_not_overlooked(monkeypatch) -> None:
    monkeypatch.setattr(ledger, "FEW", 0)
    hub = Hub(site_of(1))
    hub.store = Overtaken()
    hub.ledger = Ledger(hub.site, hub.store)
    hub.keep([(1, at, 500 + (at - T0) / HOUR, 0) for at in (T0 - HOUR, T0, T0 + 5 * DAY)])
    hub.store.told = hub.ledger.recorded
    hub.store.late = Batch.of([1], [T0 + DAY], [500.0], [0], T0 + 5 * DAY)
    edges = days_of(3)
    hub.uses(edges)
    assert hub.uses(edges).used[0] == pytest.approx([0, 30, 30])


class Changed(MemoryStore):
    """A store while which is being read somebody enters that a meter was exchanged."""

    change = None

    def rollups(self, points, start_ms, end_ms):
        found = super().rollups(points, start_ms, end_ms)
        if self.change is not None:
            change, self.change = self.change, None
            change()
        return found


def test_a_change_that_is_entered_while_a_day_is_read_is_not_overlooked(monkeypatch) -> None:
    monkeypatch.setattr(ledger, "FEW", 0)
    hub = Hub(site_of(1))
    hub.store = Changed()
    hub.ledger = Ledger(hub.site, hub.store)
    ats = range(T0 - HOUR, T0 + 2 * DAY, 15 * MINUTE)
    level = {at: 500 + (at - T0) / HOUR + 1000 * (at > T0 + 12 * HOUR) for at in ats}
    hub.keep([(1, at, one, 0) for at, one in level.items()])
    changes = {1: [MeterChange(T0 + 12 * HOUR + 60_000, 512.0, 1512.0)]}
    hub.store.change = lambda: hub.ledger.change(changes)
    hub.uses(days_of(2))
    assert "swap" not in {one.kind for _, one in hub.uses(days_of(2)).findings}


def test_what_people_read_of_a_silent_meter_counts_for_each_day_as_for_all() -> None:
    hub = Hub(site_of(1))
    hub.keep([(1, T0, 500.0, 0)])
    first = MeterChange(T0 + DAY, 524.0, 0.0)
    hub.ledger.change({1: [first, MeterChange(T0 + 5 * DAY, 96.0, 0.0)]})  # silent ever after
    whole = hub.uses([T0, T0 + 5 * DAY])
    assert whole.used[0] == pytest.approx([120])
    for day in range(5):
        apart = hub.uses(days_of(5)[day : day + 2])
        assert apart.used[0] == pytest.approx([24])
        assert not apart.missing.any()


def test_one_who_has_read_does_not_take_away_what_another_is_told() -> None:
    days = Hub(site_of(1)).ledger.days
    row, at = np.zeros(1, np.intp), np.array([T0], np.int64)
    with days.reading() as first:
        with days.reading():
            pass  # began later, ends earlier
        days.touch(row, at, 1)
        with days.reading():
            days.touch(row, at, 2)  # arrays, too, are never compared
        assert len(first) == 2
