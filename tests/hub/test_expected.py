"""What is to be expected is learnt from enough data or not at all, and says how well it fits."""

from __future__ import annotations

import math
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from hub.energy.calendar import HOUR_MS
from hub.energy.expected import Model, NotEnough, Observed, at_hours, fit, scored
from hub.energy.saving import Saving, fractional, student, verified

ZONE = ZoneInfo("Asia/Shanghai")
YEAR_H = 365 * 24
START_MS = round(datetime(2025, 1, 1, tzinfo=ZONE).timestamp() * 1000)


def starts(hours: int, after_h: int = 0) -> np.ndarray:
    return START_MS + (after_h + np.arange(hours, dtype=np.int64)) * HOUR_MS


def temperature(at_ms: np.ndarray, seed: int = 1) -> np.ndarray:
    """Return a climate: 16 degC on the mean, 13 K of seasons, 4 K of day and slow weather."""
    hours = (at_ms - START_MS) / HOUR_MS
    noise = np.random.default_rng(seed).normal(0, 1.2, len(at_ms) // 24 + 2)
    days = np.convolve(noise, np.ones(3), "same")
    weather = np.interp(hours - hours[0], np.arange(len(days)) * 24, days)
    season = -13 * np.cos(2 * np.pi * hours / YEAR_H)
    return 16 + season - 4 * np.cos(2 * np.pi * (hours % 24) / 24) + weather


def used(
    at_ms: np.ndarray, warm: np.ndarray, seed: int = 2, noise: float = 2.0, share: float = 1.0
) -> np.ndarray:
    """Return use: a week's course, 0.8 kWh per K below 14 degC, 1.2 above 24, and noise."""
    hour = ((at_ms - START_MS) // HOUR_MS) % 24
    weekly = 12 + 6 * np.isin(hour, range(7, 23))
    loads = 0.8 * np.maximum(14 - warm, 0) + 1.2 * np.maximum(warm - 24, 0)
    return share * (weekly + loads) + np.random.default_rng(seed).normal(0, noise, len(at_ms))


def year(after_h: int = 0, seed: int = 1, weather: bool = True, **how: float) -> Observed:
    at_ms = starts(YEAR_H, after_h)
    warm = temperature(at_ms, seed)
    return Observed.of(at_ms, used(at_ms, warm, seed + 50, **how), ZONE, warm if weather else None)


def fitted(observed: Observed) -> Model:
    model = fit(observed)
    assert isinstance(model, Model)
    return model


def test_balance_points_and_slopes_are_found_by_search() -> None:
    model = fitted(year())
    assert model.heating is not None
    assert model.cooling is not None
    assert model.heating.balance_c == pytest.approx(14, abs=0.7)
    assert model.heating.per_kelvin == pytest.approx(0.8, rel=0.05)
    assert model.cooling.balance_c == pytest.approx(24, abs=0.7)
    assert model.cooling.per_kelvin == pytest.approx(1.2, rel=0.05)


def test_weather_that_does_nothing_gets_no_slope() -> None:
    one = year()
    noise = np.random.default_rng(5).normal(10, 1, YEAR_H)
    model = fitted(Observed(one.start_ms, noise, one.temperature_c, one.hour, one.day, one.month))
    assert (model.heating, model.cooling) == (None, None)


def test_the_fit_is_judged_by_the_limits_of_guideline_14() -> None:
    fits = {one.step: one for one in fitted(year()).fits}
    assert fits["hour"].within
    assert fits["month"].within
    assert fits["day"].within is None  # the guideline has none for days
    assert abs(fits["hour"].nmbe) < 1e-9  # least squares: without bias
    noisy = {one.step: one for one in fitted(year(noise=12.0)).fits}
    assert not noisy["hour"].within
    assert noisy["hour"].cv_rmse > 0.30
    assert noisy["month"].within


def test_scores_are_those_of_the_guideline() -> None:
    one = scored("month", np.array([100.0, 200.0, 300.0]), np.array([10.0, -10.0, 30.0]), 1)
    assert one.cv_rmse == pytest.approx(math.sqrt(1100 / 2) / 200)
    assert one.nmbe == pytest.approx(30 / (2 * 200))


def test_an_odd_day_moves_the_mean_but_not_what_is_usual() -> None:
    one = year(weather=False)
    calm = fitted(one)
    burst = one.used.copy()
    burst[24 * 100 : 24 * 101] += 5000
    odd = fitted(Observed(one.start_ms, burst, None, one.hour, one.day, one.month))
    usual = [model.band(np.arange(168))[0] for model in (calm, odd)]
    assert np.abs(usual[1] - usual[0]).max() < 3
    assert np.abs(odd.base - calm.base).max() > 50
    assert odd.spread.max() < 2 * calm.spread.max()


def test_the_band_holds_most_hours_and_never_goes_below_zero() -> None:
    one = year()
    model = fitted(one)
    _, low, high = model.band(one.hour, one.temperature_c, 3.0)
    inside = (one.used >= low) & (one.used <= high)
    assert inside.mean() > 0.97
    assert low.min() >= 0


def test_hours_are_those_of_the_sites_week() -> None:
    at_ms = np.array([START_MS + 5 * 24 * HOUR_MS], np.int64)  # 2025-01-06 is a Monday
    assert Observed.of(at_ms, np.ones(1), ZONE).hour.tolist() == [0]
    assert Observed.of(at_ms, np.ones(1), ZoneInfo("UTC")).hour.tolist() == [6 * 24 + 16]


def test_too_little_is_said_to_be_too_little() -> None:
    whole = year(weather=False)
    short = whole.kept(np.arange(YEAR_H) < 20 * 24)
    found = fit(short)
    assert isinstance(found, NotEnough)
    assert "20 days are measured for at least 12 hours each; it takes 28" in found.reasons[0]
    nights = whole.used.copy()
    nights[whole.hour == 3] = np.nan
    found = fit(Observed(whole.start_ms, nights, None, whole.hour, whole.day, whole.month))
    assert isinstance(found, NotEnough)
    assert "1 of the 168 hours of the week are measured less than 3 times" in found.reasons[0]
    nothing = Observed(whole.start_ms, whole.used * 0, None, whole.hour, whole.day, whole.month)
    assert fit(nothing) == NotEnough(("nothing was used at all",))


def test_unknown_hours_are_left_out_and_never_taken_for_zero() -> None:
    one = year()
    holes = one.used.copy()
    holes[np.random.default_rng(9).random(YEAR_H) < 0.2] = np.nan
    model = fitted(Observed(one.start_ms, holes, one.temperature_c, one.hour, one.day, one.month))
    assert model.base.mean() == pytest.approx(fitted(one).base.mean(), rel=0.01)


def test_temperatures_fall_into_their_hours_or_stand_for_their_day() -> None:
    hours = starts(48)
    half = at_hours(hours, hours[:24] + HOUR_MS // 2, np.arange(24.0))
    assert half[:24].tolist() == list(range(24))
    assert np.isnan(half[24:]).all()
    days = at_hours(hours, hours[[0, 24]], [3.0, np.nan])
    assert days[:24].tolist() == [3.0] * 24
    assert np.isnan(days[24:]).all()
    assert np.isnan(at_hours(hours, np.array([], np.int64), [])).all()


def test_a_known_saving_lies_inside_its_uncertainty() -> None:
    found = verified(year(seed=3), year(after_h=YEAR_H, seed=4, share=0.9))
    assert isinstance(found, Saving)
    assert found.verdict == "saved"
    assert found.share == pytest.approx(0.1, abs=0.005)
    assert found.low < 0.1 * found.expected < found.high
    assert found.covered == 1


def test_the_interval_holds_the_truth_about_as_often_as_it_says(full_scale: bool) -> None:
    """Errors that last for days are what a naive interval forgets."""
    tries, least = (200, 0.8) if full_scale else (20, 0.75)
    held = 0
    for n in range(tries):
        before, after = year(seed=10 + n), year(after_h=YEAR_H, seed=500 + n, share=0.9)
        rng = np.random.default_rng(1000 + n)
        pair = [
            Observed(one.start_ms, one.used + _moods(rng), one.temperature_c, one.hour, one.day,
                     one.month)
            for one in (before, after)
        ]  # fmt: skip
        truth = 0.1 / 0.9 * used(after.start_ms, after.temperature_c, noise=0.0, share=0.9).sum()
        found = verified(*pair)
        assert isinstance(found, Saving)
        held += found.low <= truth <= found.high
    assert held / tries >= least


def _moods(rng: np.random.Generator) -> np.ndarray:
    """Return errors of whole days that depend on the day before (correlation 0.6)."""
    days = np.zeros(YEAR_H // 24)
    for n in range(1, len(days)):
        days[n] = 0.6 * days[n - 1] + rng.normal(0, 2.0)
    return np.repeat(days, 24)


def test_no_saving_is_not_proven_and_more_use_is_said() -> None:
    before = year(seed=3, noise=6.0)
    none = verified(before, year(after_h=YEAR_H, seed=4, noise=6.0))
    assert isinstance(none, Saving)
    assert none.verdict == "not_proven"
    more = verified(before, year(after_h=YEAR_H, seed=4, share=1.1))
    assert isinstance(more, Saving)
    assert more.verdict == "more_used"


def test_a_saving_is_not_told_from_half_a_year_of_baseline() -> None:
    half = year().kept(np.arange(YEAR_H) < 200 * 24)
    found = verified(half, year(after_h=YEAR_H))
    assert isinstance(found, NotEnough)
    assert "200 days are measured; it takes 350 of a year" in found.reasons[0]


def test_a_saving_is_not_told_of_a_period_with_holes_or_in_strange_weather() -> None:
    after = year(after_h=YEAR_H)
    holes = after.used.copy()
    holes[: YEAR_H // 5] = np.nan
    found = verified(
        year(), Observed(after.start_ms, holes, after.temperature_c, after.hour, after.day,
                         after.month)
    )  # fmt: skip
    assert isinstance(found, NotEnough)
    assert "80% of the hours are measured and have a temperature; it takes 90%" in found.reasons[0]
    hot = Observed(
        after.start_ms, after.used, after.temperature_c + 12, after.hour, after.day, after.month
    )
    found = verified(year(), hot)
    assert isinstance(found, NotEnough)
    assert "of the hours are colder or warmer than any of the baseline" in found.reasons[0]


def test_the_uncertainty_is_that_of_the_guideline() -> None:
    n, m, cv, r = 365, 365, 0.2, 0.4
    effective = n * 0.6 / 1.4
    expected = 1.26 * cv * math.sqrt(n / effective * (1 + 2 / effective) / m)
    assert fractional(cv, n, m, r, 0.9) == pytest.approx(student(0.9, effective - 1) * expected)
    assert fractional(cv, n, m, 0.8, 0.9) > fractional(cv, n, m, 0.0, 0.9) * 2


@pytest.mark.parametrize(
    ("confidence", "freedom", "t"),
    [(0.90, 10, 1.812), (0.95, 30, 2.042), (0.68, 60, 1.003), (0.90, 1e6, 1.645)],
)
def test_students_t_is_that_of_the_tables(confidence: float, freedom: float, t: float) -> None:
    assert student(confidence, freedom) == pytest.approx(t, abs=0.003)
