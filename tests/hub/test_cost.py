"""Use becomes money: by account, by version then in force, month by month, with what is unknown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from hub.energy import told_cost
from hub.energy.calendar import span_of_days
from hub.energy.consumption import Consumption
from hub.energy.cost import Cost, CostQuery, CostTable
from hub.energy.spread import Uses
from hub.energy.tariff import TariffsFile
from hub.model import Point, Text
from hub.ports import Refused
from hub.site import Device, Place, Site

ZONE = ZoneInfo("Asia/Shanghai")
HOUR_MS = 3_600_000
WORDS = {"zh": "试", "en": "Try"}
V1 = {"id": "v1", "from": "2026-01-01", "source": "a test", "prices": {"flat": "0.50"}}
V2 = {"id": "v2", "from": "2026-03-16", "source": "a test", "prices": {"flat": "0.60"}}


@dataclass
class Steady:
    """A ledger of counters that use one kWh an hour, as far as it is told otherwise."""

    kwh_per_h: Callable[[np.ndarray], np.ndarray] = np.ones_like
    missing_from_ms: int | None = None
    estimated: bool = False

    def uses(self, points: Sequence[Point], edges: np.ndarray) -> Uses:
        hours = np.diff(edges) / HOUR_MS
        used = np.tile(self.kwh_per_h(edges[:-1].astype(float)) * hours, (len(points), 1))
        gone = self.missing_from_ms or edges[-1]
        missing = np.clip((edges[1:] - gone) / np.diff(edges), 0, 1)
        used = used * (1 - missing)
        nothing = np.zeros_like(used)
        return Uses(
            np.array([point.number for point in points], np.int32),
            edges,
            nothing if self.estimated else used,
            used if self.estimated else nothing,
            used * 0.5,
            used * 2,
            nothing,
            np.tile(missing, (len(points), 1)),
            np.zeros((len(points), len(edges))),
        )

    def unread(self, points: Sequence[Point], edges: np.ndarray) -> int:
        return 0


def site() -> Site:
    places = [
        Place("dorm-07", "building", Text("七", "7"), students=10),
        Place("dorm-08", "building", Text("八", "8"), students=20),
        Place("dorm-08/1", "floor", Text("1", "1")),
        Place("shed", "building", Text("棚", "shed")),
    ]
    meters = [_meter("dorm-07", 1), _meter("dorm-08", 2), _meter("dorm-08/1", 3)]
    return Site("try", Text("试", "Try"), ZONE, places, [], meters)


def _meter(place: str, number: int) -> Device:
    id_ = f"{place.partition('/')[0]}/m{number}"
    energy = Point(number, f"{id_}/energy", id_, "energy", "kWh", "counter", Text("电", "E"))
    return Device(id_, "p", "meter", place, timedelta(minutes=1), None, None, (energy,))


def tariffs(*versions: dict[str, object], **more: object) -> TariffsFile:
    tariff = {"id": "t", "name": WORDS, "versions": list(versions or (V1, V2))}
    more.setdefault("standard", {"electricity": "t"})
    return TariffsFile.model_validate({"version": 1, "tariffs": [tariff, OTHER], **more})


OTHER = {
    "id": "other",
    "name": WORDS,
    "currency": "EUR",
    "versions": [V1 | {"prices": {"flat": "0.05"}, "demand": {"basis": "maximum", "price": 10}}],
}


def asked(
    first: str, last: str, file: TariffsFile | None = None, ledger: Steady | None = None, **more
) -> CostTable:
    span = span_of_days(date.fromisoformat(first), date.fromisoformat(last), ZONE)
    consumption = Consumption(site(), ledger or Steady())
    pricing = Cost(site(), consumption, tariffs() if file is None else file)
    return pricing.of(CostQuery(*span, **({"places": ("dorm-07",)} | more)))


def amounts(table: CostTable) -> list[list[str]]:
    return [[str(one.money.amount) for one in row.bills] for row in table.rows]


def test_each_day_is_priced_by_the_version_then_in_force() -> None:
    table = asked("2026-02-01", "2026-03-31")
    (row,) = table.rows
    assert [one.version for one in row.bills] == ["v1", "v1", "v2"]
    # 28, 15 and 16 days of 24 kWh.
    assert amounts(table) == [["336.00", "180.00", "230.40"]]
    assert table.total is not None
    assert table.total.amount == Decimal("746.40")


def test_a_past_month_is_priced_by_another_version_for_comparison() -> None:
    for named in ("v2", "t@v2"):
        table = asked("2026-02-01", "2026-02-28", tariff=named)
        assert amounts(table) == [["403.20"]]
    assert asked("2026-02-01", "2026-02-28", tariff="other").currency == "EUR"


def test_days_before_the_first_version_are_refused_and_can_be_compared() -> None:
    with pytest.raises(Refused, match="no version of t was in force on 2025-12-31; name one"):
        asked("2025-12-31", "2026-01-31")
    assert amounts(asked("2025-12-31", "2025-12-31", tariff="t@v1")) == [["12.00"]]


@pytest.mark.parametrize(
    ("named", "what"),
    [
        ("t@v9", "t has no version 'v9'; known: v1, v2"),
        ("x", "'x' is neither a tariff nor a version of t; known tariffs: t, other"),
        ("x@v1", "there is no tariff 'x'"),
    ],
)
def test_a_tariff_that_there_is_not_is_refused(named: str, what: str) -> None:
    with pytest.raises(Refused, match=what):
        asked("2026-02-01", "2026-02-28", tariff=named)


def test_a_site_without_prices_says_so() -> None:
    span = span_of_days(date(2026, 2, 1), date(2026, 2, 1), ZONE)
    with pytest.raises(Refused, match=r"no tariffs.yaml"):
        Cost(site(), Consumption(site(), Steady()), None).of(CostQuery(*span))


def test_a_place_is_billed_by_its_account_or_that_of_what_it_lies_in() -> None:
    file = tariffs(accounts=[{"place": "dorm-08", "tariff": "other"}])
    table = asked("2026-02-01", "2026-02-28", file, places=("dorm-07", "dorm-08", "dorm-08/1"))
    tariffs_ = [row.bills[0].tariff for row in table.rows]
    assert tariffs_ == ["t", "other", "other"]
    assert (table.currency, table.total) == (None, None)  # CNY and EUR do not add up


def test_by_building_every_building_with_a_meter_is_billed_for_itself() -> None:
    table = asked("2026-02-01", "2026-02-28", places=(), by="building")
    assert [row.id for row in table.rows] == ["dorm-07", "dorm-08"]
    assert table.total is not None
    assert table.total.amount == sum(row.money.amount for row in table.rows)
    (floor,) = asked("2026-02-01", "2026-02-28", places=("dorm-08",), by="floor").rows
    assert floor.id == "dorm-08/1"


def test_months_are_those_of_the_site() -> None:
    (row,) = asked("2026-01-31", "2026-02-01").rows
    starts = [datetime.fromtimestamp(one.start_ms / 1000, ZONE).isoformat() for one in row.bills]
    assert starts == ["2026-01-31T00:00:00+08:00", "2026-02-01T00:00:00+08:00"]


TIERS = {
    "prices": {"flat": "0"},
    "tiers": {"period": "year", "blocks": [{"up_to": 1000, "add": "1"}, {"add": "2"}]},
}


def test_blocks_of_a_year_go_on_from_what_was_used_before_the_time_asked_for() -> None:
    # 24 kWh a day: the 1000th comes in the 16th hour of the 42nd day, February 11.
    table = asked("2026-02-11", "2026-02-11", tariffs(V1 | TIERS))
    quantities = {line.id: line.quantity for line in table.rows[0].bills[0].lines}
    assert quantities == {"flat-1": 16, "flat-2": 8}


def test_a_year_costs_the_same_whole_or_month_by_month() -> None:
    file = tariffs(V1 | TIERS)
    whole = asked("2026-01-01", "2026-12-31", file).rows[0].money
    parts = [
        asked(f"2026-{month:02}-01", f"2026-{month:02}-{last}", file).rows[0].money
        for month, last in ((1, 31), (2, 28), (3, 31), (4, 30), (5, 31), (6, 30), (7, 31),
                            (8, 31), (9, 30), (10, 31), (11, 30), (12, 31))
    ]  # fmt: skip
    assert whole.amount == sum(one.amount for one in parts)


def test_free_use_is_per_student_of_the_place() -> None:
    blocks = [{"up_to": 9, "add": "0"}, {"add": "0.71"}]
    one = V1 | {"prices": {"flat": "0"}, "tiers": {"per": "student", "blocks": blocks}}
    table = asked("2026-02-01", "2026-02-28", tariffs(one), places=("dorm-07", "dorm-08"))
    assert amounts(table) == [["413.22"], ["349.32"]]  # 672 kWh less 90, less 180


def test_the_maximum_demand_is_that_of_each_month_and_charged_for_its_part() -> None:
    at = span_of_days(date(2026, 2, 10), date(2026, 2, 10), ZONE)[0]
    ledger = Steady(lambda start: np.where(start == at + 900_000, 30.0, 1.0))
    file = tariffs(standard={"electricity": "other"})
    table = asked("2026-02-01", "2026-03-10", file, ledger)
    lines = [{line.id: line for line in one.lines}["maximum"] for one in table.rows[0].bills]
    assert [str(line.quantity) for line in lines] == ["30.0", "1.0"]
    assert [str(line.money.amount) for line in lines] == ["300.00", "3.23"]  # 10 of 31 days


def test_what_is_missing_and_estimated_is_said_and_not_billed_as_zero_use() -> None:
    gone = span_of_days(date(2026, 2, 15), date(2026, 2, 15), ZONE)[0]
    row = asked("2026-02-01", "2026-02-28", ledger=Steady(missing_from_ms=gone)).rows[0]
    assert row.money.amount == Decimal("168.00")
    assert row.missing == pytest.approx(0.5)
    assert row.bills[0].lines[0].missing == pytest.approx(0.5)
    guessed = asked("2026-02-01", "2026-02-28", ledger=Steady(estimated=True)).rows[0].money
    assert (guessed.amount, guessed.estimated) == (336, 336)
    assert (guessed.low, guessed.high) == (168, 672)


def test_endless_and_inverted_times_are_refused_with_the_limit() -> None:
    pricing = Cost(site(), Consumption(site(), Steady()), tariffs())
    start = span_of_days(date(2026, 2, 1), date(2026, 2, 1), ZONE)[0]
    for query, what in (
        (CostQuery(start, start), "start must be before end"),
        (CostQuery(start, start + 1000 * 366 * 24 * HOUR_MS), "at most|after the year"),
        (CostQuery(start, start + 1000 * 31 * 24 * HOUR_MS), "at most 36 are priced"),
        (CostQuery(start, start + HOUR_MS, ("nowhere",)), "no place 'nowhere'"),
    ):
        with pytest.raises(Refused, match=what):
            pricing.of(query)


def test_the_rows_of_the_file_add_up_to_the_totals_of_the_answer() -> None:
    table = asked("2026-02-01", "2026-03-31", places=(), by="building")
    rows = list(told_cost.sheet(table, ZONE, "en").rows)
    answer = told_cost.answer(table, ZONE)
    column = [one.key for one in told_cost.COLUMNS].index("amount")
    assert sum(Decimal(repr(row[column])) for row in rows) == Decimal(answer["total"]["amount"])
    assert answer["rows"][0]["bills"][0]["lines"][0]["price"] == "0.5"
