"""Energy: counters through everything that happens to them, and sums that say what they miss."""

from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.energy.consumption import Consumption
from hub.energy.counter import increments
from hub.model import Batch, Point, Quality, Reason, Text, flag
from hub.ports import Refused
from hub.site import Device, DeviceKind, Place, Site
from hub.store.memory import MemoryStore

NAN = float("nan")
BAD = flag(Quality.BAD, Reason.OUT_OF_RANGE)
UNCERTAIN = flag(Quality.UNCERTAIN, Reason.RECEIPT_TIME)
MINUTE = 60_000
HOUR = 60 * MINUTE
T0 = 1_800_000_000_000
NAME = Text("名", "Name")


@pytest.mark.parametrize(
    ("levels", "used"),
    [
        ([], []),
        ([5], [0]),
        ([5, 5, 6, 8], [0, 0, 1, 2]),
        ([5, NAN, 6], [0, 1]),
        ([5, 6, 0, 0.5], [0, 1, 0, 0.5]),  # reset to nothing
        ([500, 501, 0.5, 1], [0, 1, 0.5, 0.5]),  # reset, and used before the next reading
        ([500, 0, 501], [0, 1]),  # one reading that nobody confirms
        ([500, 0, 0, 0, 501], [0, 1]),  # a dip that comes back
        ([500, 501, 499.9, 502], [0, 1, 1]),  # slipped back by a hair
        ([500, 501, 499.9], [0, 1]),
        ([500, 90_000, 501], [0, 1]),  # a peak that nobody confirms
        ([0, 5, 1, 2], [0, 5, 1, 1]),  # young counters can be reset too
    ],
)
def test_a_counter_says_what_was_used(levels: Sequence[float], used: Sequence[float]) -> None:
    at, found = increments([n * MINUTE for n in range(len(levels))], levels)
    assert found.tolist() == pytest.approx(list(used))
    assert len(at) == len(found)


def test_a_roll_over_is_no_reset() -> None:
    at = [0, 1, 2, 3]
    assert increments(at, [999_998, 999_999.5, 0.5, 2], 1_000_000)[1].tolist() == [0, 1.5, 1, 1.5]
    assert increments(at, [400_000, 400_001, 0.5, 2], 1_000_000)[1].tolist() == [0, 1, 0.5, 1.5]


STEPS = st.lists(st.floats(0, 50, allow_subnormal=False), min_size=1, max_size=60)


@given(STEPS, st.randoms(use_true_random=False))
def test_the_sum_is_last_minus_first_in_any_order(steps: list[float], random: object) -> None:
    levels = np.cumsum([1000.0, *steps])
    order = list(range(len(levels)))
    random.shuffle(order)  # type: ignore[attr-defined]
    at, used = increments([n * MINUTE for n in order], levels[order])
    assert used.sum() == pytest.approx(levels[-1] - levels[0])
    assert (used >= 0).all()
    assert at.tolist() == [n * MINUTE for n in range(len(levels))]


@given(STEPS, st.integers(0, 59), st.booleans())
def test_nothing_is_lost_over_a_reset_or_a_roll_over(
    steps: list[float], where: int, rolls: bool
) -> None:
    modulus = 100_000.0
    true = np.cumsum([modulus - 100.0, *steps])
    if rolls:
        shown, rollover = true % modulus, modulus
    else:
        shown, rollover = true.copy(), None
        cut = min(where, len(true) - 1)
        shown[cut:] -= true[cut]  # the reading after the reset says 0
    found = increments([n * MINUTE for n in range(len(shown))], shown, rollover)[1]
    lost = 0 if rolls or not (cut := min(where, len(true) - 1)) else true[cut] - true[cut - 1]
    assert found.sum() == pytest.approx(true[-1] - true[0] - lost, abs=1e-6)


def device(
    number: int, id_: str, place: str, kind: DeviceKind, *, point: str = "energy", unit: str = "kWh"
) -> Device:
    points = (
        Point(number, f"{id_}/{point}", id_, point, unit, "counter", NAME),
        Point(number + 100, f"{id_}/power", id_, "power", "W", "gauge", NAME),
    )
    return Device(id_, "any", kind, place, timedelta(minutes=1), None, None, points)


SITE = Site(
    "campus",
    NAME,
    ZoneInfo("Asia/Shanghai"),
    [
        Place("dorm-07", "building", NAME),
        Place("dorm-07/3/311", "room", NAME),
        Place("dorm-07/3/312", "room", NAME),
        Place("dorm-07/plant", "plant", NAME),
        Place("dorm-08", "building", NAME),
        Place("dorm-08/1/101", "room", NAME),
    ],
    [],
    [
        device(1, "dorm-07/meter-311", "dorm-07/3/311", "meter"),
        device(2, "dorm-07/meter-312", "dorm-07/3/312", "meter"),
        device(3, "dorm-07/boiler-1", "dorm-07/plant", "boiler"),
        device(4, "dorm-07/main", "dorm-07", "meter", point="total_energy"),
        device(5, "dorm-08/meter-101", "dorm-08/1/101", "meter"),
        device(
            6, "dorm-07/shower-1-01", "dorm-07/1/shower-1", "shower", point="total_litres", unit="L"
        ),
    ],
)


class Counters:
    """A store with counters that run evenly, and what they would say."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self.seq = 0
        self.consumption = Consumption(SITE, self.store)

    def run(self, number: int, per_h: float, start_ms: int, end_ms: int, quality: int = 0) -> None:
        at = range(start_ms, end_ms + 1, MINUTE)
        values = [100 + per_h * (instant - T0) / HOUR for instant in at]
        self.seq += 1
        self.store.append(
            Batch.of([number] * len(at), at, values, [quality] * len(at), end_ms), self.seq
        )


@pytest.fixture
def counters() -> Counters:
    return Counters()


def test_a_place_is_the_sum_of_its_rooms_and_plant_and_never_of_its_main_meter(
    counters: Counters,
) -> None:
    for number, per_h in ((1, 0.5), (2, 1.5), (3, 20.0), (4, 23.0), (5, 3.0)):
        counters.run(number, per_h, T0 - HOUR, T0 + 5 * HOUR)
    use = counters.consumption.use("dorm-07", T0, T0 + 4 * HOUR, HOUR)
    assert use.total.kwh == pytest.approx((22.0,) * 4)
    assert use.total.coverage == pytest.approx((1.0,) * 4)
    assert use.main is not None
    assert use.main.total == pytest.approx(92.0)
    assert {row.id: row.total for row in use.rows} == pytest.approx(
        {"dorm-07/meter-311": 2, "dorm-07/meter-312": 6, "dorm-07/boiler-1": 80}
    )
    room = counters.consumption.use("dorm-07/3/312", T0, T0 + 4 * HOUR, HOUR, by="room")
    assert [(row.id, row.total) for row in room.rows] == [("dorm-07/3/312", pytest.approx(6.0))]
    assert room.main is None
    site = counters.consumption.use("campus", T0, T0 + 4 * HOUR, 4 * HOUR, by="building")
    assert {row.id: row.total for row in site.rows} == pytest.approx({"dorm-07": 88, "dorm-08": 12})


def test_missing_is_not_zero(counters: Counters) -> None:
    counters.run(1, 0.5, T0 + 2 * HOUR, T0 + 3 * HOUR)
    use = counters.consumption.use("dorm-07", T0, T0 + 5 * HOUR, HOUR)
    row = use.rows[0]
    assert row.kwh == (None, None, pytest.approx(0.5), None, None)
    assert row.coverage == pytest.approx((0, 0, 1, 0, 0))
    assert use.rows[1].kwh == (None,) * 5
    assert use.rows[1].total is None
    assert use.total.kwh == (None, None, pytest.approx(0.5), None, None)
    assert use.total.coverage == pytest.approx((0, 0, 1 / 3, 0, 0))


def test_energy_over_a_gap_is_spread_and_not_called_measured(counters: Counters) -> None:
    counters.run(1, 1.0, T0, T0 + HOUR)
    counters.run(1, 1.0, T0 + 3 * HOUR, T0 + 4 * HOUR)
    use = counters.consumption.use("dorm-07/3/311", T0, T0 + 4 * HOUR, HOUR)
    assert use.total.kwh == pytest.approx((1, 1, 1, 1))
    assert use.total.coverage == pytest.approx((1, 0, 0, 1))


def test_bad_readings_count_for_nothing_and_uncertain_ones_do(counters: Counters) -> None:
    counters.run(1, 1.0, T0, T0 + HOUR, UNCERTAIN)
    counters.seq += 1
    counters.store.append(Batch.of([1, 1], [T0 + 90_000, T0 + 95_000], [9e9, 0], [BAD] * 2, 0), 99)
    use = counters.consumption.use("dorm-07/3/311", T0, T0 + HOUR, HOUR)
    assert use.total.kwh == pytest.approx((1.0,))


@given(st.lists(st.integers(1, 9 * 60 - 1), max_size=6, unique=True))
def test_any_cut_of_a_day_adds_up_to_the_day(cuts: list[int]) -> None:
    counters = Counters()
    counters.run(1, 2.0, T0 + 17_000, T0 + 3 * HOUR + 17_000)
    counters.run(1, 2.5, T0 + 5 * HOUR, T0 + 8 * HOUR)
    whole = counters.consumption.use("dorm-07/3/311", T0, T0 + 9 * HOUR, 9 * HOUR).total.total
    edges = [T0, *(T0 + cut * MINUTE for cut in sorted(cuts)), T0 + 9 * HOUR]
    parts = [
        counters.consumption.use("dorm-07/3/311", start, end, end - start).total.total
        for start, end in pairwise(edges)
    ]
    assert sum(part or 0 for part in parts) == pytest.approx(whole)


def test_a_last_step_cut_short_is_still_a_step(counters: Counters) -> None:
    counters.run(1, 1.0, T0, T0 + 3 * HOUR)
    use = counters.consumption.use("dorm-07/3/311", T0, T0 + 90 * MINUTE, HOUR)
    assert use.total.kwh == pytest.approx((1.0, 0.5))


def test_what_cannot_be_answered_is_refused(counters: Counters) -> None:
    with pytest.raises(Refused, match="no place 'dorm-99'"):
        counters.consumption.use("dorm-99", T0, T0 + HOUR, HOUR)
    with pytest.raises(Refused, match="start must be before end"):
        counters.consumption.use("dorm-07", T0, T0, HOUR)
