"""The saving of a published sample with a known truth: 10 %, as its description says."""

from __future__ import annotations

import csv
import gzip
import json
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from hub.energy import baseline
from hub.energy.expected import Observed, at_hours
from hub.energy.saving import Saving, verified

SAMPLE = Path(__file__).parents[3] / "shared" / "data" / "energy"
NAME = "il-electricity-cdd-hdd-hourly"
ZONE = ZoneInfo("America/Chicago")
pytestmark = pytest.mark.skipif(not SAMPLE.is_dir(), reason="../shared/data/energy is not here")


def rows(name: str) -> str:
    with gzip.open(SAMPLE / name, "rt") as file:
        return file.read()


def at(day: str) -> int:
    return round(datetime.fromisoformat(f"{day}T00:00:00-06:00").timestamp() * 1000)


def both() -> tuple[Observed, Observed]:
    """Return the year before the measure and the one after it, as the description has them."""
    about = json.loads((SAMPLE / "opendsm_metadata.json").read_text("utf-8"))[NAME]
    begins, ends = about["blackout_start_date"], about["blackout_end_date"]
    weather = baseline.read_weather(rows("opendsm_il-electricity-cdd-hdd-tempF.csv.gz"), "t", ZONE)
    table = list(csv.reader(rows(f"opendsm_{NAME}.csv.gz").splitlines()))[1:]
    starts = np.array(
        [round(datetime.fromisoformat(one).timestamp() * 1000) for one, _ in table], np.int64
    )
    used = np.array([float(value) for _, value in table])
    warm = at_hours(starts, *weather)

    def between(first: int, last: int) -> Observed:
        chosen = (starts >= first) & (starts < last)
        return Observed.of(starts[chosen], used[chosen], ZONE, warm[chosen])

    year_ms = 365 * 24 * 3_600_000
    return between(at(begins) - year_ms, at(begins)), between(at(ends), at(ends) + year_ms)


def test_the_known_saving_of_a_tenth_is_found_within_its_uncertainty() -> None:
    about = json.loads((SAMPLE / "opendsm_metadata.json").read_text("utf-8"))[NAME]
    truth = 1 - about["annual_reporting_total_load"] / about["annual_baseline_total_load"]
    assert truth == pytest.approx(0.1)
    found = verified(*both())
    assert isinstance(found, Saving)
    assert found.verdict == "saved"
    assert found.low < truth * found.expected < found.high
    assert found.share == pytest.approx(truth, abs=0.01)
    # An interval that holds everything would prove nothing.
    assert found.uncertainty < 0.4 * found.saved
    assert {one.step: one.within for one in found.fits}["month"]


def test_without_the_weather_the_same_sample_would_mislead() -> None:
    """The years differ by more than the measure: this is what the weather is for."""
    before, after = both()
    plain = 1 - after.used.sum() / before.used.sum()
    found = verified(before, after)
    assert isinstance(found, Saving)
    assert abs(plain - 0.1) > 2 * abs(found.share - 0.1)
