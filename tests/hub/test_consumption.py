"""Use by place: nothing twice, nothing missing called zero, and no missing meter called a loss."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub.energy import told
from hub.energy.consumption import MOST_FIGURES, Consumption
from hub.energy.ledger import Ledger
from hub.energy.metering import Metering
from hub.energy.question import Query, Table
from hub.model import Batch, Point, Quality, Reason, Text, flag
from hub.ports import Refused
from hub.site import Device, DeviceKind, Place, Site
from hub.store.memory import MemoryStore

BAD = flag(Quality.BAD, Reason.OUT_OF_RANGE)
UNCERTAIN = flag(Quality.UNCERTAIN, Reason.RECEIPT_TIME)
MINUTE = 60_000
HOUR = 60 * MINUTE
ZONE = ZoneInfo("Asia/Shanghai")
T0 = 1_800_000_000_000  # 2027-01-15 16:00 there
NAME = Text("名", "Name")


def device(
    number: int, id_: str, place: str, kind: DeviceKind = "meter", *names: tuple[str, str]
) -> Device:
    points = [
        Point(number + n, f"{id_}/{name}", id_, name, unit, "counter", NAME)
        for n, (name, unit) in enumerate(names or (("energy", "kWh"),))
    ]
    power = Point(number + 9, f"{id_}/power", id_, "power", "W", "gauge", NAME)
    points.append(power)
    return Device(id_, "any", kind, place, timedelta(minutes=1), None, None, tuple(points))


BOILER = (("energy", "kWh"), ("heat", "kWh"), ("make_up_water", "m3"), ("hot_water", "m3"))
DEVICES = [
    device(10, "d7/meter-311", "d7/3/311"),
    device(20, "d7/meter-312", "d7/3/312"),
    device(30, "d7/boiler-1", "d7/plant", "boiler", *BOILER),
    device(40, "d7/main", "d7", "meter", ("total_energy", "kWh")),
    device(50, "d8/meter-101", "d8/1/101"),
    device(60, "d8/meter-102", "d8/1/102"),
    device(70, "d7/shower-1", "d7/3/bath", "shower", ("total_litres", "L")),
    device(80, "d9/main", "d9"),
]
PLACES = [
    Place("d7", "building", Text("7栋", "Seven"), students=20, area_m2=100),
    Place("d7/3", "floor", Text("7栋3层", "Seven 3")),
    Place("d7/3/311", "room", NAME, students=4, area_m2=20),
    Place("d7/3/312", "room", NAME, students=6, area_m2=20),
    Place("d7/3/bath", "shower_room", NAME),
    Place("d7/plant", "plant", NAME),
    Place("d8", "building", Text("8栋", "Eight")),
    Place("d8/1", "floor", NAME),
    Place("d8/1/101", "room", NAME, students=4),
    Place("d8/1/102", "room", NAME),
    Place("d9", "building", Text("9栋", "Nine")),
]


def site(*more: Device, without: Sequence[str] = ()) -> Site:
    devices = [one for one in (*DEVICES, *more) if one.id not in without]
    return Site("campus", Text("校园", "Campus"), ZONE, PLACES, [], devices)


class Counters:
    """A store with counters that run evenly, and what they would say."""

    def __init__(self, of: Site | None = None) -> None:
        self.store = MemoryStore()
        self.seq = 0
        self.site = of or site()
        self.consumption = Consumption(self.site, Ledger(self.site, self.store))

    def run(self, number: int, per_h: float, start_ms: int, end_ms: int, quality: int = 0) -> None:
        at = range(start_ms, end_ms + 1, MINUTE)
        self.put(number, at, [100 + per_h * (one - T0) / HOUR for one in at], quality)

    def put(
        self, number: int, at: Sequence[int], values: Sequence[float], quality: int = 0
    ) -> None:
        self.seq += 1
        batch = Batch.of([number] * len(at), at, values, [quality] * len(at), at[-1])
        self.store.append(batch, self.seq)

    def use(self, hours: float = 4, **query: object) -> Table:
        asked = {"start_ms": T0, "end_ms": T0 + round(hours * HOUR), **query}
        return self.consumption.use(Query(**asked))  # type: ignore[arg-type]


@pytest.fixture
def counters() -> Counters:
    """Two buildings with 22 and 3 kWh/h; the main meter of the first sees 1 kWh/h more."""
    made = Counters()
    for number, per_h in ((10, 0.5), (20, 1.5), (30, 20.0), (40, 23.0), (50, 3.0), (60, 0.25)):
        made.run(number, per_h, T0 - HOUR, T0 + 5 * HOUR)
    return made


def values(table: Table) -> dict[str, object]:
    return {row.id: row.total.value for row in table.rows}


def test_both_ends_of_a_time_leave_open_what_was_used_around_them() -> None:
    made = Counters()
    made.run(80, 6.0, T0 - HOUR, T0 + 6 * HOUR)
    hourly = made.use(places=("d9",), step="hour")
    sharp = hourly.total
    assert sharp.total.ends == pytest.approx(0.01)  # readings at both ends: the last digit only
    beside = {"start_ms": T0 + 30_000, "end_ms": T0 + 4 * HOUR + 30_000}
    blurred = made.use(places=("d9",), **beside).total.total
    assert blurred.value == pytest.approx(24)
    assert (blurred.low, blurred.high) == (pytest.approx(24), pytest.approx(24))
    assert blurred.least == pytest.approx(24 - 0.01 - 2 * 0.1)  # 6 kWh/h, read every minute
    assert blurred.most == pytest.approx(24 + 0.01 + 2 * 0.1)
    for total in (sharp.total, made.use(places=("d9",), step="total").total.total):
        assert (total.least, total.most) == (pytest.approx(23.99), pytest.approx(24.01))
    assert [one.ends for one in sharp.steps] == pytest.approx([0.01] * 4)


def ids(found: Sequence[object]) -> list[str]:
    return [one.device.id for one in found]  # type: ignore[attr-defined]


def test_a_place_is_what_its_own_meter_says_and_else_the_sum_of_what_lies_below(
    counters: Counters,
) -> None:
    assert values(counters.use(by="building")) == {
        "d7": pytest.approx(92),
        "d8": pytest.approx(13),
        "d9": None,
    }
    assert counters.use().total.total.value == pytest.approx(105)
    assert values(counters.use(by="floor")) == {"d7/3": pytest.approx(8), "d8/1": pytest.approx(13)}
    assert values(counters.use(by="room", places=("d7",))) == pytest.approx(
        {"d7/3/311": 2, "d7/3/312": 6, "d7/plant": 80}
    )
    assert values(counters.use(by="device", places=("d7",))) == pytest.approx(
        {"d7/meter-311": 2, "d7/meter-312": 6, "d7/boiler-1": 80}
    )
    assert values(counters.use(by="kind", places=("d7", "d8"))) == pytest.approx(
        {"plant": 80, "room": 21}
    )


def test_a_place_asked_for_twice_or_inside_another_counts_once(counters: Counters) -> None:
    for places in (("d8", "d8/1", "d8/1/101"), ("d8", "d8"), ("campus", "d7", "d8")):
        whole = counters.use(places=places[:1]).total.total.value
        assert counters.use(places=places).total.total.value == pytest.approx(whole)
    assert values(counters.use(devices=("d7/main", "d8/meter-101"))) == pytest.approx(
        {"d7/main": 92, "d8/meter-101": 12}
    )


def test_the_meter_in_a_plant_is_the_buildings_unless_that_has_its_own() -> None:
    plant = device(90, "d7/plant-meter", "d7/plant")
    alone = Metering(site(plant, without=["d7/main"]), "electricity")
    assert ids(alone.of("d7")) == ["d7/plant-meter"]
    assert ids(alone.beneath("d7")) == ["d7/meter-311", "d7/meter-312", "d7/boiler-1"]
    beside = Metering(site(plant), "electricity")
    assert ids(beside.of("d7")) == ["d7/main"]
    assert ids(beside.beneath("d7")) == ["d7/meter-311", "d7/meter-312", "d7/plant-meter"]
    assert ids(beside.of("d7/plant")) == ["d7/plant-meter"]  # and not its boiler once more
    assert ids(beside.leaves("d7")) == ["d7/meter-311", "d7/meter-312", "d7/boiler-1"]


def test_meters_of_every_level_stand_above_each_other() -> None:
    levels = Metering(
        site(device(90, "d7/floor", "d7/3"), device(100, "campus/main", "campus")), "electricity"
    )
    assert ids(levels.of("campus")) == ["campus/main"]
    assert ids(levels.beneath("campus")) == [
        "d7/main", "d8/meter-101", "d8/meter-102", "d9/main",
    ]  # fmt: skip
    assert ids(levels.beneath("d7")) == ["d7/boiler-1", "d7/floor"]
    assert ids(levels.of("d7/3")) == ["d7/floor"]
    assert ids(levels.beneath("d7/3")) == ["d7/meter-311", "d7/meter-312"]
    assert not levels.own("d8")


@given(st.lists(st.sampled_from(["campus", *(place.id for place in PLACES)]), max_size=12))
def test_no_use_is_ever_counted_twice_or_left_out(where: list[str]) -> None:
    """Every leaf has the meters of exactly one place of the total above it, wherever they stand."""
    more = [device(1000 + 10 * n, f"more/{n}", place) for n, place in enumerate(where)]
    metering = Metering(site(*more), "electricity")
    total = metering.of("campus")

    def covers(one: object, leaf: object) -> bool:
        root = one.place == "campus"  # type: ignore[attr-defined]
        return one is leaf or (
            one.whole  # type: ignore[attr-defined]
            and (root or f"{leaf.place}/".startswith(f"{one.place}/"))  # type: ignore[attr-defined]
            and not (leaf.whole and leaf.place == one.place)  # type: ignore[attr-defined]
        )

    for leaf in metering.leaves("campus"):
        assert len({one.place for one in total if covers(one, leaf)}) == 1
    for place in PLACES:
        if own := metering.own(place.id):
            assert set(ids(metering.of(place.id))) == set(ids(own))
            assert not {*ids(own)} & {*ids(metering.beneath(place.id))}


def test_every_utility_has_its_own_counters_and_unit(counters: Counters) -> None:
    counters.run(33, 2.0, T0 - HOUR, T0 + 5 * HOUR)  # m3
    counters.run(70, 3000.0, T0 - HOUR, T0 + 5 * HOUR)  # litres, mixed with cold water
    counters.run(31, 36.0, T0 - HOUR, T0 + 5 * HOUR)
    hot = counters.use(utility="hot_water", by="room", places=("d7",), balance=True)
    assert (hot.unit, hot.total.total.value) == ("m3", pytest.approx(8))
    assert values(hot) == {"d7/3/bath": pytest.approx(12)}
    assert hot.balances == ()
    assert counters.use(utility="heat").total.total.value == pytest.approx(144)
    assert counters.use(utility="gas").total.total.value is None


def test_missing_is_not_zero(counters: Counters) -> None:
    nothing = counters.use(places=("d9",), step="hour")
    assert [one.value for one in nothing.total.steps] == [None] * 4
    assert nothing.total.total.missing == 1
    counters.run(80, 1.0, T0 + 2 * HOUR, T0 + 3 * HOUR)
    table = counters.use(places=("d9",), step="hour")
    assert [one.value for one in table.total.steps] == [None, None, pytest.approx(1), None]
    assert [one.missing for one in table.total.steps] == pytest.approx([1, 1, 0, 1])
    assert table.total.total.missing == pytest.approx(0.75)
    assert told.answer(table, ZONE)["total"]["values"] == [None, None, 1.0, None]


def test_energy_over_a_gap_is_estimated_between_bounds_and_sure_in_sum() -> None:
    made = Counters()
    made.run(80, 1.0, T0, T0 + HOUR)
    made.run(80, 1.0, T0 + 3 * HOUR, T0 + 4 * HOUR)
    table = made.use(places=("d9",), step="hour")
    steps = table.total.steps
    assert [one.value for one in steps] == pytest.approx([1, 1, 1, 1])
    assert [one.estimated for one in steps] == pytest.approx([0, 1, 1, 0])
    assert [one.low for one in steps] == pytest.approx([1, 0, 0, 1])
    assert [one.high for one in steps] == pytest.approx([1, 2, 2, 1], abs=0.05)
    whole = table.total.total
    assert (whole.low, whole.high) == pytest.approx((4, 4))
    assert (whole.measured, whole.estimated) == pytest.approx((0.5, 0.5))
    assert whole.coverage == pytest.approx(0.5)
    for one in (*steps, whole):
        assert one.measured + one.estimated + one.missing == pytest.approx(1)


def test_bad_readings_count_for_nothing_and_uncertain_ones_do() -> None:
    made = Counters()
    made.run(80, 1.0, T0, T0 + HOUR, UNCERTAIN)
    made.put(80, [T0 + 90_000, T0 + 95_000], [9e9, 0.0], BAD)
    assert made.use(1, places=("d9",)).total.total.value == pytest.approx(1.0)


@settings(max_examples=25)
@given(st.lists(st.integers(1, 9 * 60 - 1), max_size=6, unique=True))
def test_any_cut_of_a_day_adds_up_to_the_day(cuts: list[int]) -> None:
    made = Counters()
    made.run(80, 2.0, T0 + 17_000, T0 + 3 * HOUR + 17_000)
    made.run(80, 2.5, T0 + 5 * HOUR, T0 + 8 * HOUR)
    whole = made.use(9, places=("d9",)).total.total.value
    edges = [T0, *(T0 + cut * MINUTE for cut in sorted(cuts)), T0 + 9 * HOUR]
    parts = [
        made.use(start_ms=start, end_ms=end, places=("d9",)).total.total.value
        for start, end in pairwise(edges)
    ]
    assert sum(part or 0 for part in parts) == pytest.approx(whole)


def test_a_last_step_cut_short_is_still_a_step(counters: Counters) -> None:
    table = counters.use(1.5, places=("d8",), step="hour")
    assert [one.value for one in table.total.steps] == pytest.approx([3.25, 1.625])


def test_a_place_without_students_has_no_use_per_student(counters: Counters) -> None:
    per = counters.use(by="building", per="student")
    assert values(per) == {"d7": pytest.approx(92 / 20), "d8": pytest.approx(13 / 4), "d9": None}
    assert per.total.divisor == 24
    assert values(counters.use(by="building", per="m2"))["d8"] is None  # nobody knows its area
    floor = counters.use(by="floor", per="student", places=("d7",))
    assert values(floor) == {"d7/3": pytest.approx(8 / 10)}
    assert told.unit_of(per) == "kWh/student"


def test_rows_are_ranked_and_what_is_unknown_has_no_rank(counters: Counters) -> None:
    table = counters.use(by="building")
    assert [row.rank for row in table.rows] == [1, 2, None]
    assert [row.id for row in table.ranked()] == ["d7", "d8", "d9"]
    room = counters.use(by="room")
    assert [row.id for row in room.ranked()][:2] == ["d7/plant", "d8/1/101"]


def test_the_period_before_and_the_year_before_stand_beside_it() -> None:
    made = Counters()
    day = 24 * HOUR
    midnight = T0 + 8 * HOUR
    made.put(80, [midnight - day, midnight, midnight + day], [0.0, 10.0, 25.0])
    span = {"start_ms": midnight, "end_ms": midnight + day, "places": ("d9",)}
    row = made.use(compare=("previous", "year"), **span).total
    assert row.before["previous"].value == pytest.approx(10)
    assert row.change("previous") == pytest.approx(0.5)
    assert row.before["year"].value is None
    assert row.change("year") is None


def test_only_like_is_compared_with_like() -> None:
    made = Counters()
    made.run(80, 1.0, T0 - HOUR, T0 + 4 * HOUR)  # of the four hours before, one was read
    row = made.use(compare=("previous",), places=("d9",)).total
    assert row.before["previous"].value == pytest.approx(1)
    assert row.before["previous"].missing == pytest.approx(0.75)
    assert row.change("previous") is None


def test_the_difference_to_the_main_meter_is_a_loss(counters: Counters) -> None:
    (one,) = counters.use(by="building", balance=True).balances
    assert (one.place, one.count) == ("d7", 3)
    assert (one.parent.value, one.children.value) == pytest.approx((92, 88))
    assert (one.loss, one.share) == pytest.approx((4, 4 / 92))
    assert one.missing == ()


@pytest.mark.parametrize("number", [10, 30, 40])
def test_a_missing_meter_is_not_called_a_loss(number: int) -> None:
    made = Counters()
    for one, per_h in ((10, 0.5), (20, 1.5), (30, 20.0), (40, 22.0)):
        silent = one == number
        made.run(one, per_h, T0 - HOUR, T0 + (2 if silent else 5) * HOUR)
    (balance,) = made.use(places=("d7",), balance=True).balances
    assert balance.loss is None
    assert balance.share is None
    names = {10: "d7/meter-311", 30: "d7/boiler-1"}
    # Where the main meter itself is silent, it is all the others that cannot be compared with it.
    assert names.get(number, "d7/meter-312") in balance.missing


def test_a_period_that_still_runs_has_a_balance(counters: Counters) -> None:
    (balance,) = counters.use(30, places=("d7",), balance=True).balances
    assert balance.parent.missing > 0.8
    assert balance.loss == pytest.approx(5)  # five hours of 1 kWh/h


@pytest.mark.parametrize(
    ("query", "word"),
    [
        ({"end_ms": T0}, "start must be before end"),
        ({"end_ms": T0 - 1}, "start must be before end"),
        ({"start_ms": -5}, "after 1970"),
        ({"places": ("d99",)}, "no place 'd99'"),
        ({"devices": ("d99/x",)}, "no device 'd99/x'"),
        ({"end_ms": T0 + 40 * 365 * 24 * HOUR, "step": "hour"}, f"at most {MOST_FIGURES:,}"),
        ({"end_ms": T0 + 7000 * 365 * 24 * HOUR}, "at most|after the year"),
        ({"end_ms": 2**62}, "year"),
    ],
)
def test_what_cannot_be_answered_at_once_is_refused(
    counters: Counters, query: dict[str, object], word: str
) -> None:
    with pytest.raises(Refused, match=word):
        counters.use(**query)
    with pytest.raises(Refused, match=word):
        counters.consumption.check(Query(**{"start_ms": T0, "end_ms": T0 + HOUR, **query}))  # type: ignore[arg-type]


def test_a_question_of_more_meter_hours_than_can_be_read_at_once_is_refused() -> None:
    rooms = [replace(device(10 * n, f"x/{n}", f"x/{n}")) for n in range(1, 4001)]
    places = [Place(f"x/{n}", "room", NAME) for n in range(1, 4001)]
    big = Site("campus", NAME, ZONE, [Place("x", "building", NAME), *places], [], rooms)
    asked = Consumption(big, Ledger(big, MemoryStore()))
    with pytest.raises(Refused, match="hours of meters"):
        asked.use(Query(start_ms=T0, end_ms=T0 + 20 * 365 * 24 * HOUR, by="room"))


def test_rows_with_gaps_ask_the_ledger_for_their_totals_once(monkeypatch) -> None:
    made = Counters()
    for number in (10, 20, 50, 60):  # a gap of two hours in each
        made.run(number, 1.0, T0, T0 + HOUR)
        made.run(number, 1.0, T0 + 3 * HOUR, T0 + 4 * HOUR)
    asked: list[int] = []
    uses = Ledger.uses

    def counted(ledger, points, edges):
        asked.append(len(points))
        return uses(ledger, points, edges)

    monkeypatch.setattr(Ledger, "uses", counted)
    table = made.use(by="device", step="hour")

    estimated = [row for row in table.rows if row.total.estimated]
    assert len(estimated) == 4
    assert len(asked) <= 2
