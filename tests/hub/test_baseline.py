"""What the model learns from: measured hours, and weather as people keep it."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import numpy as np
import pytest

from hub.energy import baseline
from hub.energy.question import Figure
from hub.ports import Refused

ZONE = ZoneInfo("Asia/Shanghai")
HOUR_MS = 3_600_000
MONDAY_MS = 1_736_092_800_000  # 2025-01-06 there
FIGURES = (
    Figure(5.0, 1.0, 0.0, 0.0, 5.0, 5.0),
    Figure(6.0, 0.2, 0.8, 0.0, 1.0, 9.0),  # spread over a gap
    Figure(2.0, 0.5, 0.0, 0.5, 2.0, 2.0),  # half of it is not known
    Figure(None),
)
EDGES = [MONDAY_MS + n * HOUR_MS for n in range(5)]


def test_hours_that_are_not_known_or_mostly_guessed_teach_nothing() -> None:
    learnt = baseline.observed(EDGES, FIGURES, ZONE)
    assert learnt.usable.tolist() == [True, False, False, False]
    assert learnt.hour.tolist() == [0, 1, 2, 3]


def test_in_a_sum_the_energy_of_a_gap_counts_but_never_what_is_missing() -> None:
    judged = baseline.observed(EDGES, FIGURES, ZONE, most_estimated=1.0)
    assert judged.usable.tolist() == [True, True, False, False]


def test_an_hour_that_is_cut_short_is_no_hour() -> None:
    cut = [EDGES[0] + 60_000, *EDGES[1:]]
    assert len(baseline.observed(cut, FIGURES, ZONE).used) == 3


def test_hours_without_a_temperature_are_not_used() -> None:
    weather = np.array(EDGES[:1], np.int64), np.array([3.5])
    learnt = baseline.observed(EDGES, FIGURES[:1] * 4, ZONE, weather)
    assert learnt.usable.tolist() == [True, False, False, False]


@pytest.mark.parametrize("header", ["at,temperature_c", "dt,tempF", "\ufeffat,Temperature_F"])
def test_weather_is_read_in_both_scales_and_in_site_time(header: str) -> None:
    value = "10" if header.endswith("c") else "50"
    text = f"{header}\n2025-01-06T00:00,{value}\n2025-01-05T17:00:00Z,\n"
    at, warm = baseline.read_weather(text, "w.csv", ZONE)
    assert at.tolist() == EDGES[:2]
    assert warm[0] == pytest.approx(10)
    assert np.isnan(warm[1])


def test_a_wrong_row_has_its_line() -> None:
    with pytest.raises(Refused, match=r"w\.csv:3: 'soon,4'"):
        baseline.read_weather("at,temperature_c\n2025-01-06T00:00,1\nsoon,4\n", "w.csv", ZONE)
