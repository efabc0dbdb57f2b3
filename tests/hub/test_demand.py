"""The highest 15 minutes, and where the running ones lead: known, or said not to be."""

from __future__ import annotations

import numpy as np
import pytest

from hub.energy.calendar import MINUTE_MS
from hub.energy.demand import WINDOW_MS, Forecast, forecast, maximum
from hub.energy.expected import NotEnough
from hub.energy.question import Figure

BEGIN_MS = 1_800_000_000_000 // WINDOW_MS * WINDOW_MS


def known(kwh: float, low: float | None = None, high: float | None = None) -> Figure:
    return Figure(kwh, 1.0, 0.0, 0.0, low, high)


def edges(count: int) -> list[int]:
    return [BEGIN_MS + n * WINDOW_MS for n in range(count + 1)]


def test_the_highest_window_is_four_times_its_energy_and_the_first_of_equals() -> None:
    found = maximum(edges(4), [known(5), known(30), known(30), known(10)])
    assert (found.kw, found.at_ms, found.missing) == (120, BEGIN_MS + WINDOW_MS, 0)


def test_a_window_of_which_something_is_missing_is_no_maximum_but_is_counted() -> None:
    half = Figure(50.0, 0.5, 0.0, 0.5)
    found = maximum(edges(4), [known(5), half, Figure(None), known(10)])
    assert (found.kw, found.missing) == (40, 0.5)
    assert maximum(edges(1), [Figure(None)]).kw is None


def test_an_estimated_window_bounds_the_maximum() -> None:
    spread = Figure(10.0, 0.0, 1.0, 0.0, 2.0, 25.0)
    found = maximum(edges(2), [known(12, 12, 12), spread])
    assert (found.kw, found.low, found.high) == (48, 48, 100)


def test_a_piece_of_a_window_is_no_window() -> None:
    cut = [BEGIN_MS - 5 * MINUTE_MS, BEGIN_MS, BEGIN_MS + WINDOW_MS]
    assert maximum(cut, [known(100), known(10)]).kw == 40


def minutes(kw: np.ndarray, end_ms: int, step_ms: int = MINUTE_MS) -> tuple[np.ndarray, ...]:
    """Return intervals of so much power that end at an instant."""
    end = end_ms - step_ms * np.arange(len(kw) - 1, -1, -1, dtype=np.int64)
    return end - step_ms, end, kw * step_ms / 3_600_000


def test_even_power_leads_where_it_is() -> None:
    now_ms = BEGIN_MS + 9 * MINUTE_MS
    found = forecast(*minutes(np.full(150, 80.0), now_ms), now_ms)
    assert isinstance(found, Forecast)
    assert found.so_far_kw == pytest.approx(48)  # nine of fifteen minutes
    assert found.expected_kw == pytest.approx(80)
    assert (found.low_kw, found.high_kw) == (pytest.approx(80), pytest.approx(80))
    assert found.window_ms == BEGIN_MS


def test_the_limit_is_warned_of_before_the_window_closes() -> None:
    """A load of 60 kW becomes 140 with four minutes of the window gone; 100 are agreed."""
    kw = np.full(150, 60.0)
    kw[-5:] = 140.0
    now_ms = BEGIN_MS + 9 * MINUTE_MS
    found = forecast(*minutes(kw, now_ms), now_ms)
    assert isinstance(found, Forecast)
    assert found.so_far_kw < 100
    assert found.against(100.0) == "likely"
    left_ms = found.window_ms + WINDOW_MS - now_ms
    assert left_ms >= 3 * MINUTE_MS
    assert found.against(None) == "none"
    assert found.against(1000.0) == "below"
    assert found.against(50.0) == "passed"


def test_the_interval_holds_nine_of_ten_ends_of_a_noisy_load() -> None:
    rng = np.random.default_rng(4)
    kw = np.maximum(80 + np.cumsum(rng.normal(0, 3, 6000)) * 0.2 + rng.normal(0, 10, 6000), 0)
    start, end, used = minutes(kw, BEGIN_MS + 100 * WINDOW_MS * 4)
    held = tried = 0
    for n in range(200, 5900, 19):
        now_ms = int(end[n])
        before = slice(n - 180, n + 1)
        found = forecast(start[before], end[before], used[before], now_ms)
        assert isinstance(found, Forecast)
        inside = (start >= found.window_ms) & (end <= found.window_ms + WINDOW_MS)
        truth = used[inside].sum() * 4
        held += found.low_kw - 1e-9 <= truth <= found.high_kw + 1e-9
        tried += 1
    assert 0.82 <= held / tried <= 0.99


def test_readings_that_are_too_few_are_said_to_be() -> None:
    now_ms = BEGIN_MS + 9 * MINUTE_MS
    sparse = minutes(np.full(30, 80.0), now_ms, 10 * MINUTE_MS)
    assert forecast(*sparse, now_ms) == NotEnough(
        ("readings up to 10 min apart; it takes one in 5 min",)
    )
    old = minutes(np.full(150, 80.0), now_ms - 7 * MINUTE_MS)
    assert forecast(*old, now_ms) == NotEnough(
        ("the last reading is 7 min old; it takes one in 5 min",)
    )
    young = minutes(np.full(6, 80.0), now_ms)
    assert forecast(*young, now_ms) == NotEnough(("no readings from before this window",))
    new = minutes(np.full(25, 80.0), now_ms)
    found = forecast(*new, now_ms)
    assert found == NotEnough(
        ("15 earlier moments to learn from; it takes 8 within 2 hours",)
    ) or isinstance(found, Forecast)
    fewer = forecast(*minutes(np.full(17, 80.0), now_ms), now_ms)
    assert isinstance(fewer, NotEnough)
    assert "earlier moments to learn from; it takes 8" in fewer.reasons[0]
