"""Bills come out to the cent: golden ones by hand, and laws that hold for every use."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub.energy import bill, calendar
from hub.energy.bill import Contract, Demand, Line, Money, Quantities
from hub.energy.rate import rates, step_of
from hub.energy.tariff import TariffsFile, Version
from hub.energy.timetable import RATES
from hub.ports import Refused

SHANGHAI = ZoneInfo("Asia/Shanghai")
BERLIN = ZoneInfo("Europe/Berlin")
HOUR_MS = 3_600_000
FLAT = {"id": "v", "from": "2024-01-01", "source": "a test", "prices": {"flat": "0.5"}}
FOUR = {
    "prices": {"sharp": "1.296", "peak": "1.08", "flat": "0.675", "valley": "0.27"},
    "hours": [
        {
            "rates": {
                "sharp": ["18:00-20:00"],
                "peak": ["16:00-18:00", "20:00-24:00"],
                "flat": ["06:00-12:00", "14:00-16:00"],
                "valley": ["00:00-06:00", "12:00-14:00"],
            }
        }
    ],
}


def version(**changes: object) -> Version:
    return Version.model_validate(FLAT | changes)


def file_of(one: Version, **more: object) -> TariffsFile:
    tariff = {"id": "t", "name": {"zh": "试", "en": "Try"}, "versions": [one]}
    return TariffsFile.model_validate({"version": 1, "tariffs": [tariff], **more})


def measured(*kwh: float) -> Quantities:
    used, nothing = np.array(kwh), np.zeros(len(kwh))
    return Quantities(used, nothing, used, used, nothing)


def priced(
    one: Version, used: Quantities, rate: str | Sequence[int] = "flat", **contract: object
) -> dict[str, Line]:
    named = [RATES.index(rate)] * len(used.measured) if isinstance(rate, str) else rate
    lines = bill.lines(one, "kWh", used, np.array(named, np.int8), Contract(**contract))
    return {line.id: line for line in lines}


def total(lines: dict[str, Line]) -> Money:
    return sum((line.money for line in lines.values()), Money())


def day_edges(text: str, zone: ZoneInfo, step: calendar.Step = "hour") -> np.ndarray:
    from datetime import date

    day = date.fromisoformat(text)
    return np.array(calendar.edges(*calendar.span_of_days(day, day, zone), step, zone), np.int64)


def test_a_day_of_sharp_peak_flat_and_valley_is_priced_by_the_clock_on_the_wall() -> None:
    one = version(**FOUR)
    edges = day_edges("2026-07-15", SHANGHAI)
    rate = rates(edges, one, file_of(one), SHANGHAI)
    lines = priced(one, measured(*([1.5] * 24)), rate)
    # 2 sharp, 6 peak, 8 flat and 8 valley hours of 1.5 kWh.
    assert {id_: (str(line.quantity.normalize()), str(line.money.amount))
            for id_, line in lines.items()} == {
        "sharp": ("3", "3.89"),      # 3.888
        "peak": ("9", "9.72"),
        "flat": ("12", "8.10"),
        "valley": ("12", "3.24"),
    }  # fmt: skip
    assert total(lines).amount == Decimal("24.95")


def test_the_hour_that_comes_twice_is_priced_twice_and_the_one_left_out_never() -> None:
    one = version(
        prices={"peak": "2", "valley": "1"},
        hours=[{"rates": {"peak": ["02:00-03:00"], "valley": ["03:00-02:00"]}}],
    )
    for day, hours, peak in (("2026-10-25", 25, 2), ("2026-03-29", 23, 0)):
        rate = rates(day_edges(day, BERLIN), one, file_of(one), BERLIN)
        assert len(rate) == hours
        assert (rate == RATES.index("peak")).sum() == peak


def test_seasons_and_kinds_of_days_choose_the_hours() -> None:
    one = version(
        prices={"peak": "2", "flat": "1"},
        hours=[
            {"months": [7], "days": ["workday"], "rates": {"peak": ["00:00-24:00"]}},
            {"months": [7], "days": ["weekend", "holiday"], "rates": {"flat": ["00:00-24:00"]}},
            {"months": [m for m in range(1, 13) if m != 7], "rates": {"flat": ["00:00-24:00"]}},
        ],
    )
    file = file_of(one, holidays=["2026-07-15"], workdays=["2026-07-18"])
    days = {"2026-07-14": "peak", "2026-07-15": "flat", "2026-07-18": "peak",
            "2026-07-19": "flat", "2026-08-14": "flat"}  # fmt: skip
    for day, rate in days.items():
        assert set(rates(day_edges(day, SHANGHAI), one, file, SHANGHAI)) == {RATES.index(rate)}


def test_steps_are_no_shorter_than_prices_change() -> None:
    assert step_of(version()) == "total"
    assert step_of(version(**FOUR)) == "hour"
    half = {"rates": {"peak": ["08:30-22:00"], "valley": ["22:00-08:30"]}}
    assert step_of(version(prices={"peak": "2", "valley": "1"}, hours=[half])) == "quarter"


def test_decimals_are_exact_where_floats_are_not() -> None:
    # Ten times 0.1 kWh at 0.1: floats make 0.0999..., and half a cent goes the wrong way.
    lines = priced(version(prices={"flat": "0.145"}), measured(*([0.1] * 10)))
    assert lines["flat"].quantity == 1
    assert lines["flat"].money.amount == Decimal("0.15")
    lines = priced(version(prices={"flat": "1"}), measured(2.675))
    assert lines["flat"].money.amount == Decimal("2.68")  # as a float 2.67
    assert priced(version(), measured(1.001))["flat"].quantity == Decimal("1.001")


@pytest.mark.parametrize(
    ("mode", "amount"),
    [("half_up", "0.13"), ("half_even", "0.12"), ("down", "0.12"), ("up", "0.13")],
)
def test_a_line_is_rounded_as_the_tariff_says(mode: str, amount: str) -> None:
    one = version(rounding={"mode": mode}, prices={"flat": "0.125"})
    assert str(priced(one, measured(1.0))["flat"].money.amount) == amount


def test_only_lines_are_rounded_never_what_leads_to_them() -> None:
    # Each hour would round to nothing.
    lines = priced(version(prices={"flat": "0.004"}), measured(*([1.0] * 700)))
    assert total(lines).amount == Decimal("2.80")


TIERS = {
    "prices": {"flat": "0.558"},
    "tiers": {
        "period": "month",
        "blocks": [{"up_to": 180, "add": 0}, {"up_to": 400, "add": "0.05"}, {"add": "0.3"}],
    },
}


def test_blocks_fill_one_after_the_other() -> None:
    lines = priced(version(**TIERS), measured(100.0, 100.0, 250.5))
    amounts = {id_: str(line.money.amount) for id_, line in lines.items()}
    assert amounts == {"flat-1": "100.44", "flat-2": "133.76", "flat-3": "43.33"}
    quantities = [line.quantity for line in lines.values()]
    assert quantities == [180, 220, Decimal("50.5")]


def test_what_was_used_earlier_in_the_period_has_filled_blocks() -> None:
    lines = priced(version(**TIERS), measured(10.0), before=175 * 10**9)
    assert {id_: line.quantity for id_, line in lines.items()} == {"flat-1": 5, "flat-2": 5}


def test_blocks_per_student_grow_with_the_students() -> None:
    tiers = {"per": "student", "blocks": [{"up_to": 9, "add": 0}, {"add": "0.71"}]}
    one = version(prices={"flat": 0}, tiers=tiers)
    lines = priced(one, measured(40.0), students=4)
    assert total(lines).amount == Decimal("2.84")  # 4 kWh above 36
    with pytest.raises(Refused, match="write students at the place"):
        priced(one, measured(40.0))


def test_estimated_and_missing_shares_go_into_the_money() -> None:
    used = Quantities(
        np.array([6.0, 0.0, 0.0, 2.0]),
        np.array([0.0, 4.0, 0.0, 0.0]),
        np.array([6.0, 1.0, 0.0, 2.0]),
        np.array([6.0, 9.0, 0.0, 2.0]),
        np.array([0.0, 0.0, 1.0, 0.0]),
    )
    line = priced(version(), used)["flat"]
    assert line.quantity == 12
    assert line.money == Money(Decimal("6.00"), Decimal("2.00"), Decimal("4.50"), Decimal("8.50"))
    assert line.money.measured == 4
    assert line.missing == 0.25


def test_a_maximum_demand_is_charged_by_the_month_and_for_a_part_of_it_in_part() -> None:
    one = version(demand={"basis": "maximum", "price": 42})
    peak = Demand(123.5, 120.0, 130.0, 0.01)
    line = priced(one, measured(1.0), demand=peak)["maximum"]
    assert line.money == Money(
        Decimal("5187.00"), Decimal("147.00"), Decimal("5040.00"), Decimal("5460.00")
    )
    assert line.missing == 0.01
    half = priced(one, measured(1.0), demand=peak, part=(15, 30))["maximum"]
    assert (half.money.amount, half.part) == (Decimal("2593.50"), 0.5)


def test_what_is_above_the_contract_costs_twice() -> None:
    one = version(demand={"basis": "contracted", "price": 42})
    agreed = Decimal(300)
    within = Demand(315.0, 315.0, 315.0, 0.0)
    lines = priced(one, measured(1.0), demand=within, contracted_kw=agreed)
    assert set(lines) == {"flat", "contracted"}  # 105 % exactly is within
    assert lines["contracted"].money.amount == 12600
    above = Demand(320.0, 320.0, 320.0, 0.0)
    lines = priced(one, measured(1.0), demand=above, contracted_kw=agreed)
    assert lines["over"].money.amount == 5 * 2 * 42
    with pytest.raises(Refused, match="contracted_kw; write it at the account"):
        priced(one, measured(1.0), demand=within)


def test_a_high_use_of_the_capacity_is_a_tenth_off_the_demand_charge_only() -> None:
    charge = {"basis": "capacity", "price": 28, "discount": {"use": 260, "factor": "0.9"}}
    one = version(demand=charge)
    kva = Decimal(400)
    lines = priced(one, measured(104_000.0), capacity_kva=kva)  # 260 kWh/kVA exactly
    assert lines["capacity"].money.amount == 11200
    assert lines["use"].money.amount == -1120
    assert "use" not in priced(one, measured(103_999.0), capacity_kva=kva)


def test_taxes_and_funds_are_lines_of_their_own() -> None:
    words = {"zh": "试", "en": "try"}
    one = version(
        surcharges=[
            {"id": "fund", "name": words, "per_unit": "0.0287"},
            {"id": "vat", "name": words, "percent": 13},
        ]
    )
    lines = priced(one, measured(1000.0))
    assert [str(line.money.amount) for line in lines.values()] == ["500.00", "28.70", "68.73"]


def test_a_use_that_is_no_number_is_refused() -> None:
    for strange in (float("nan"), float("inf"), 1e10):
        with pytest.raises(Refused, match="no number"):
            priced(version(), measured(strange))


uses = st.lists(st.floats(0, 500, allow_nan=False), min_size=1, max_size=60)


@given(uses, st.randoms(use_true_random=False))
def test_the_order_of_hours_of_one_rate_changes_nothing(kwh: list[float], any_: object) -> None:
    shuffled = list(kwh)
    any_.shuffle(shuffled)
    first, second = (total(priced(version(**TIERS), measured(*one))) for one in (kwh, shuffled))
    assert first == second


@given(uses, st.integers(0, 60), st.lists(st.integers(0, 3), min_size=60, max_size=60))
def test_rates_and_blocks_share_out_all_that_was_used_and_a_cut_month_the_same(
    kwh: list[float], at: int, named: list[int]
) -> None:
    one = version(**(TIERS | FOUR))
    rate, at = named[: len(kwh)], min(at, len(kwh) - 1)
    used = measured(*kwh)
    whole = priced(one, used, rate)
    assert sum(line.quantity for line in whole.values()) == bill.decimal(
        int(bill.nano(used.measured).sum())
    )
    if at:
        before = int(bill.nano(used.measured[:at]).sum())
        first = priced(one, used.cut(slice(0, at)), rate[:at])
        rest = priced(one, used.cut(slice(at, None)), rate[at:], before=before)
        for id_, line in whole.items():
            parts = [half[id_].quantity for half in (first, rest) if id_ in half]
            assert sum(parts) == line.quantity


@given(uses, uses)
def test_measured_and_estimated_make_up_the_amount_and_the_bounds_hold_it(
    kwh: list[float], guessed: list[float]
) -> None:
    count = min(len(kwh), len(guessed))
    used, more = np.array(kwh[:count]), np.array(guessed[:count])
    half = Quantities(used, more, used, used + 2 * more, np.zeros(count))
    money = total(priced(version(**TIERS), half))
    assert money.low <= money.amount <= money.high
    assert 0 <= money.estimated <= money.amount
