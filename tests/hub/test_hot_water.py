"""Hot water: what readings say of tonnes, temperatures, losses, sessions; and what they do not."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from hub.energy import hot_water
from hub.energy.consumption import Consumption
from hub.energy.hot_water import Delivery, Opening, Trace
from hub.energy.hot_water_query import HotWater
from hub.energy.hot_water_row import combined, summed
from hub.energy.ledger import Ledger
from hub.energy.question import Figure
from hub.energy.told_hot_water import BY_KEY, answer
from hub.model import Batch, Point, Text
from hub.ports import Refused
from hub.site import Device, Place, Site
from hub.store import open_store

SHANGHAI = ZoneInfo("Asia/Shanghai")
MINUTE = 60_000
HOUR = 60 * MINUTE
DAY = 24 * HOUR
MIDNIGHT = 1_795_190_400_000  # 2026-11-21 00:00 in Shanghai
BOILER = {"hot_water": "m3", "make_up_water": "m3", "energy": "kWh", "heat": "kWh",
          "supply_temperature": "degC", "return_temperature": "degC", "flow": "m3/h",
          "tank_top": "degC", "tank_bottom": "degC"}  # fmt: skip
SHOWER = {"total_litres": "L", "session_litres": "L", "flow": "L/min", "outlet_temperature": "degC"}
COUNTERS = {"hot_water", "make_up_water", "energy", "heat", "total_litres"}


def trace(values: list[float], every: int = MINUTE, start: int = MIDNIGHT, reach: int = 3) -> Trace:
    at = start + every * np.arange(len(values), dtype=np.int64)
    return Trace(at, np.asarray(values, np.float64), reach * every)


def test_a_tonne_heated_by_forty_kelvin_takes_46_kilowatt_hours():
    assert hot_water.heat_of_a_tonne(55, 15) == pytest.approx(46.5, abs=0.02)


@pytest.mark.parametrize(
    ("opening", "hours"),
    [
        ([], [(0, 24)]),
        ([("06:00", "09:00"), ("17:00", "23:30")], [(6, 9), (17, 23.5)]),
        ([("22:00", "01:00")], [(0, 1), (22, 24)]),
        ([("06:00", "09:00"), ("08:00", "10:00")], [(6, 10)]),
        ([("05:00", "05:00")], [(0, 24)]),
    ],
)
def test_opening_hours_are_civil_and_go_over_midnight(opening, hours):
    made = tuple(Opening(*map(time.fromisoformat, one)) for one in opening)
    spans = Delivery(opening=made).open(MIDNIGHT, MIDNIGHT + DAY, SHANGHAI)
    assert [((s - MIDNIGHT) / HOUR, (e - MIDNIGHT) / HOUR) for s, e in spans] == hours


def test_opening_hours_keep_the_clock_on_a_day_of_23_hours():
    zone = ZoneInfo("Europe/Berlin")
    start = round(datetime(2026, 3, 28, tzinfo=zone).timestamp() * 1000)
    spans = Delivery(opening=(Opening(time(6), time(9)),)).open(start, start + 2 * DAY, zone)
    at = [datetime.fromtimestamp(one / 1000, UTC).astimezone(zone).hour for s in spans for one in s]
    assert at == [6, 9, 6, 9]


def test_compliance_counts_time_and_not_readings():
    # every minute for an hour at 52, then every five minutes for an hour at 48
    many, few = trace([52.0] * 60), trace([48.0] * 12, 5 * MINUTE, MIDNIGHT + HOUR)
    both = Trace(np.append(many.at_ms, few.at_ms), np.append(many.value, few.value), few.reach_ms)
    one = hot_water.compliance(both, [(MIDNIGHT, MIDNIGHT + 2 * HOUR)], 50).figure
    assert (one.value, one.measured) == (pytest.approx(0.5), pytest.approx(1.0))


def test_a_gap_is_missing_and_neither_warm_nor_cold():
    one = trace([52.0] * 60)
    spans = [(MIDNIGHT, MIDNIGHT + 2 * HOUR)]
    share = hot_water.compliance(one, spans, 50)
    assert share.figure.value == 1.0
    assert share.figure.missing == pytest.approx(1 - 62 / 120)  # the last one holds 3 min
    assert hot_water.compliance(one, [(MIDNIGHT, MIDNIGHT + 5 * HOUR)], 50).figure.value is None
    assert hot_water.compliance(None, spans, 50).figure == Figure(None, 0.0, 0.0, 1.0)


def test_the_standing_loss_is_found_while_the_tank_is_heated_and_cools():
    """A tank of 8 kWh/K that loses 5 kW and is heated with 20 kW now and then."""
    warm, made, heat, heating = [48.9], [0.0], 0.0, False
    for _ in range(300):
        heating = warm[-1] < (51.0 if heating else 49.0)
        power = 20.0 if heating else 0.0
        heat += power / 60
        warm.append(warm[-1] + (power - 5.0) / 60 / 8)
        made.append(heat)
    spans = [(MIDNIGHT, MIDNIGHT + 5 * HOUR)]
    loss = hot_water.standing_loss(trace(made), [trace(warm)], spans)
    assert loss.kw == pytest.approx(5.0, rel=1e-6)
    assert loss.hours == 5
    assert hot_water.standing_loss(trace(made), [trace(warm)], spans[:0]).kw is None
    short = [(MIDNIGHT, MIDNIGHT + HOUR)]
    assert hot_water.standing_loss(trace(made), [trace(warm)], short).kw is None


def test_the_loop_loses_what_its_return_is_colder_while_nobody_draws():
    flow, supply, back = trace([4.3] * 181), trace([55.0] * 181), trace([53.0] * 181)
    spans = hot_water.quiet(trace([7.0] * 181), MIDNIGHT, MIDNIGHT + 3 * HOUR)
    loss = hot_water.loop_loss(flow, supply, back, spans)
    assert loss.kw == pytest.approx(1.163 * 4.3 * 2, rel=1e-3)
    drawn = hot_water.quiet(trace([0.1 * n for n in range(181)]), MIDNIGHT, MIDNIGHT + 3 * HOUR)
    assert hot_water.loop_loss(flow, supply, back, drawn).kw is None


def test_quiet_times_end_at_a_gap():
    at = np.asarray([0, 60, 120, 130, 200], np.int64) * MINUTE + MIDNIGHT
    still = Trace(at, np.full(5, 3.0), 61 * MINUTE)
    ends = [one - MIDNIGHT for span in hot_water.quiet(still, 0, 2 * MIDNIGHT) for one in span]
    assert ends == [0, 130 * MINUTE]


def test_sessions_are_told_apart_by_their_falling_litres():
    session = [12.0, 12.0, 3.0, 9.0, 15.0, 15.0, 2.0, 20.0, 20.0]
    total = [100.0, 100.0, 103.0, 109.0, 115.0, 115.0, 117.0, 135.0, 135.0]
    found = hot_water.sessions(trace(session), trace(total), MIDNIGHT, MIDNIGHT + HOUR)
    assert found.litres == (15.0, 20.0)  # the first one ended before the time began
    assert found.drawn == 35.0
    assert found.seen == 1.0


def test_a_session_that_hides_behind_a_longer_one_is_seen_by_the_counter():
    session, total = [0.0, 8.0, 8.0, 20.0], [0.0, 8.0, 8.0, 32.0]  # 4 more L, then 20 of the next
    found = hot_water.sessions(trace(session), trace(total), MIDNIGHT, MIDNIGHT + HOUR)
    assert found.litres == (8.0, 20.0)


def test_a_dripping_valve_makes_no_sessions():
    session, total = [10.0] * 60, [100 + 0.4 * n for n in range(60)]
    found = hot_water.sessions(trace(session), trace(total), MIDNIGHT, MIDNIGHT + HOUR)
    assert found.count == 0
    assert found.seen == 0.0
    assert hot_water.sessions(None, None, MIDNIGHT, MIDNIGHT + HOUR).count is None


def test_a_valve_that_drips_on_after_a_session_does_not_cut_it_in_two():
    session, total = [0.0, 5.0, 9.0, 9.0], [0.0, 5.0, 9.3, 9.7]
    found = hot_water.sessions(trace(session), trace(total), MIDNIGHT, MIDNIGHT + HOUR)
    assert found.litres == (9.0,)


def test_the_trend_needs_fourteen_whole_days_and_bears_a_holiday():
    growing = [Figure(400 + 0.1 * n, 1.0, 0.0, 0.0) for n in range(60)]
    growing[40] = Figure(0.0, 1.0, 0.0, 0.0)
    found = hot_water.trend(growing, 540)
    assert found.slope == pytest.approx(36.5, rel=0.01)
    assert found.full_in_days == pytest.approx((540 - 406) / 0.1, rel=0.01)
    assert hot_water.trend(growing[:13], 540).slope is None
    torn = [Figure(one.value, 0.8, 0.0, 0.2) for one in growing]
    assert hot_water.trend(torn, 540) == hot_water.Trend(0)
    steady = [Figure(400.0, 1.0, 0.0, 0.0)] * 20
    assert hot_water.trend(steady, 540).full_in_days is None


def test_figures_of_different_times_are_not_divided():
    whole, torn = Figure(10.0, 1.0, 0.0, 0.0), Figure(10.0, 0.8, 0.0, 0.2)
    assert combined(whole, whole, lambda a, b: a / b).value == 1.0
    assert combined(whole, torn, lambda a, b: a / b).value is None
    assert summed([]) == Figure(None)
    assert summed([whole, Figure(None)]).missing == 0.5


def campus(*, boiler: dict[str, str] = BOILER) -> Site:
    number = iter(range(1, 100))

    def device(id_: str, kind: str, place: str, points: dict[str, str]) -> Device:
        made = tuple(
            Point(next(number), f"{id_}/{name}", id_, name, unit,
                  "counter" if name in COUNTERS else "gauge", Text(name, name))
            for name, unit in points.items()
        )  # fmt: skip
        return Device(id_, "any", kind, place, timedelta(minutes=1), None, None, made)

    name = Text("甲", "A")
    places = [Place("d", "building", name, 100), Place("d/plant", "plant", name)]
    places += [Place("e", "building", name, 50), Place("d/1/s", "shower_room", name)]
    devices = [
        device("d/boiler", "boiler", "d/plant", boiler),
        device("d/shower", "shower", "d/1/s", SHOWER),
    ]
    return Site("c", name, SHANGHAI, places, [], devices)


def told(site: Site, days: float = 1.0, *, without: tuple[float, float] | None = None):
    """Return the hub's view of plants and terminals that do the same every minute of a time.

    40 L/min leave the plant, 41 are made up, 60 are run; 1.2 kWh make 3.6 kWh of heat a minute.
    """
    minutes = np.arange(int(days * 1440) + 1)
    if without:
        hours = minutes / 60
        minutes = minutes[(hours <= without[0]) | (hours >= without[1])]
    value = {
        "hot_water": 0.04 * minutes, "make_up_water": 0.041 * minutes, "energy": 1.2 * minutes,
        "heat": 3.6 * minutes, "total_litres": 60.0 * minutes,
        "session_litres": 60.0 * (minutes % 5), "flow": np.where(minutes % 5, 60.0, 0.0),
        "supply_temperature": np.where(minutes % 4, 55.0, 45.0), "outlet_temperature": 38.0,
    }  # fmt: skip
    store = open_store("memory")
    for n, point in enumerate(site.points.values(), 1):
        column = np.broadcast_to(np.asarray(value.get(point.name, 50.0), np.float64), minutes.shape)
        count = len(minutes)
        batch = Batch(
            np.full(count, point.number, np.int32), MIDNIGHT + MINUTE * minutes, column.copy(),
            np.zeros(count, np.uint8), MIDNIGHT,
        )  # fmt: skip
        store.append(batch, n)
    delivery = Delivery(cold=15.0, cop=3.3, capacity=100.0)
    return HotWater(site, store, Consumption(site, Ledger(site, store)), delivery)


def value_of(row, key: str) -> float | None:
    return BY_KEY[key].of(row).value


def test_what_is_missing_is_no_zero_in_a_daily_rate():
    found = told(campus()).ask("c", MIDNIGHT, MIDNIGHT + 2 * DAY, "day")
    (row,) = found.rows  # of the second day there are no readings
    for key, value in (("per_day", 57.6), ("per_terminal", 86_400), ("per_student", 576)):
        assert value_of(row, key) == pytest.approx(value, rel=1e-3), key
        assert BY_KEY[key].of(row).missing == pytest.approx(0.5, abs=1e-3), key
    assert found.used.value == pytest.approx(0.576, rel=1e-3)
    nothing = told(campus()).ask("c", MIDNIGHT + 3 * DAY, MIDNIGHT + 4 * DAY, "day")
    assert value_of(nothing.rows[0], "per_day") is None


def test_a_day_is_told_in_tonnes_kilowatt_hours_and_shares():
    found = told(campus()).ask("c", MIDNIGHT, MIDNIGHT + DAY, "day")
    (row,) = found.rows
    assert (row.id, row.source, row.plants, row.terminals) == ("d/plant", "hot_water", 1, 1)
    wanted = {
        "per_day": 57.6, "made_up": 59.04, "unaccounted": 1.44, "tapped": 86.4, "mixed_in": 28.8,
        "per_tonne": 30.0, "heat_per_tonne": 90.0, "cop": 3.0, "supply": 52.5, "compliance": 0.75,
        "outlet": 1.0, "per_terminal": 86_400, "per_student": 576,
        "physics_per_tonne": 1.1628 * 37.5, "expected_per_tonne": 1.1628 * 37.5 / 3.3,
    }  # fmt: skip
    for key, value in wanted.items():
        assert value_of(row, key) == pytest.approx(value, rel=1e-3), key
        assert BY_KEY[key].of(row).missing == pytest.approx(0.0, abs=1e-3), key
    assert [one.value for one in row.steps] == [pytest.approx(57.6)]
    assert found.used.value == pytest.approx(0.576)
    assert value_of(row, "standing") is None  # somebody draws all the time
    assert value_of(row, "sessions") == pytest.approx(288, abs=1)
    assert value_of(row, "session_median") == 240
    assert found.trend.slope is None


def test_what_nobody_read_is_missing_and_no_figure_is_zero_for_it():
    found = told(campus(), 0.5).ask("c", MIDNIGHT, MIDNIGHT + DAY)
    assert found.total.delivered.value == pytest.approx(28.8)
    assert found.total.delivered.missing == pytest.approx(0.5, abs=1e-3)
    later = told(campus()).ask("c", MIDNIGHT + 9 * DAY, MIDNIGHT + 10 * DAY)
    for one in BY_KEY:
        assert value_of(later.total, one) is None, one


def test_a_gap_is_estimated_and_says_so():
    found = told(campus(), without=(6, 12)).ask("c", MIDNIGHT, MIDNIGHT + DAY)
    delivered = found.total.delivered
    assert delivered.value == pytest.approx(57.6)
    assert delivered.estimated == pytest.approx(0.25, abs=0.01)
    assert found.total.compliance.missing == pytest.approx(0.25, abs=0.01)
    assert value_of(found.total, "cop") == pytest.approx(3.0)


def test_tonnes_come_from_the_best_counter_that_there_is():
    def without(*names: str) -> HotWater:
        return told(campus(boiler={n: unit for n, unit in BOILER.items() if n not in names}))

    span = MIDNIGHT, MIDNIGHT + DAY
    made_up = without("hot_water").ask("c", *span).total
    assert (made_up.source, made_up.delivered.value) == ("make_up_water", pytest.approx(59.04))
    tapped = without("hot_water", "make_up_water").ask("c", *span).total
    assert (tapped.source, tapped.delivered.value) == ("terminals", pytest.approx(86.4))


def test_a_building_without_hot_water_has_no_rows_and_no_figures():
    found = told(campus()).ask("e", MIDNIGHT, MIDNIGHT + DAY)
    assert found.rows == ()
    assert found.total.source == "none"
    assert all(value_of(found.total, one) is None for one in BY_KEY)


@pytest.mark.parametrize("by", ["plant", "building", "campus", "terminal"])
def test_the_rows_of_every_kind_add_up_to_the_total(by):
    found = told(campus()).ask("c", MIDNIGHT, MIDNIGHT + DAY, "total", by)
    assert sum(row.tapped.value for row in found.rows) == pytest.approx(found.total.tapped.value)
    content = answer(found, "total", SHANGHAI)
    assert content["rows"][0]["figures"]["tapped"]["value"] == pytest.approx(86.4)


def test_a_period_too_long_for_single_readings_says_so():
    found = told(campus()).ask("c", MIDNIGHT, MIDNIGHT + 501 * DAY)
    assert not found.detailed
    assert found.total.delivered.value is not None
    assert value_of(found.total, "compliance") is None
    assert value_of(found.total, "sessions") is None


@pytest.mark.parametrize(
    ("place", "start", "end"), [("nowhere", 0, 1), ("c", 5, 5), ("c", 9, 3), ("c", -5, 3)]
)
def test_a_question_that_makes_no_sense_is_refused(place, start, end):
    with pytest.raises(Refused):
        told(campus(), 0.01).ask(place, start, end)
