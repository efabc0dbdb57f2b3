"""Figures of use and weather as the model of expected use takes them; and its answers, told."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from hub.energy.calendar import HOUR_MS
from hub.energy.consumption import Consumption
from hub.energy.expected import Fit, Model, NotEnough, Observed, Slope, at_hours
from hub.energy.question import Figure, Query
from hub.energy.saving import Saving
from hub.energy.told import rounded, share
from hub.model import Json
from hub.ports import Refused

MOST_ESTIMATED = 0.5  # of an hour, for it to tell something about that hour
MOST_MISSING = 0.01
Weather = tuple[NDArray[np.int64], NDArray[np.float64]]
_FREEZING_F, _PER_F = 32.0, 5 / 9


def asked(
    consumption: Consumption, who: Query, span: tuple[int, int]
) -> tuple[Sequence[int], Sequence[Figure]]:
    """Return the edges of the hours of a time (UTC ms) and what was used in each."""
    table = consumption.use(replace(who, start_ms=span[0], end_ms=span[1], step="hour"))
    return table.edges, table.total.steps


def observed(
    edges: Sequence[int],
    figures: Sequence[Figure],
    zone: ZoneInfo,
    weather: Weather | None = None,
    most_estimated: float = MOST_ESTIMATED,
) -> Observed:
    """Return hourly figures as observations; hours that are cut short are left out.

    An hour of which something is missing is not known, and one that is mostly estimated tells
    nothing about itself: the energy of a gap is right in its sum only.
    """
    used = [
        one.value
        if one.value is not None and one.missing <= MOST_MISSING and one.estimated <= most_estimated
        else np.nan
        for one in figures
    ]
    starts = np.asarray(edges[:-1], np.int64)
    whole = np.diff(np.asarray(edges, np.int64)) == HOUR_MS
    starts = starts[whole]
    warm = None if weather is None else at_hours(starts, *weather)
    return Observed.of(starts, np.asarray(used, np.float64)[whole], zone, warm)


def read_weather(text: str, file: str, zone: ZoneInfo) -> Weather:
    """Read a table of instants and temperatures: ``at,temperature_c`` or a column that ends in F.

    An instant is ISO 8601; without an offset it is site time. Refused with the line of a mistake.
    """
    rows = csv.reader(io.StringIO(text.removeprefix("\ufeff")))
    header = [name.strip().lower() for name in next(rows, [])]
    if len(header) < 2 or not header[1].endswith(("c", "f")):  # noqa: PLR2004 - two columns
        raise Refused(
            f"{file}:1: the header is {','.join(header) or 'missing'}; write at,temperature_c "
            "(or temperature_f)"
        )
    fahrenheit = header[1].endswith("f")
    at, warm = [], []
    for row in rows:
        if not any(row):
            continue
        try:
            instant = datetime.fromisoformat(row[0].strip())
            degrees = float(row[1]) if row[1].strip() else np.nan
        except (ValueError, IndexError) as error:
            raise Refused(f"{file}:{rows.line_num}: {','.join(row)[:60]!r}: {error}") from None
        aware = instant if instant.tzinfo else instant.replace(tzinfo=zone)
        at.append(round(aware.timestamp() * 1000))
        warm.append((degrees - _FREEZING_F) * _PER_F if fahrenheit else degrees)
    return np.asarray(at, np.int64), np.asarray(warm, np.float64)


def told_model(model: Model) -> dict[str, Json]:
    """Return what was fitted, and how well, as it stands in the API."""
    return {
        "days": model.days,
        "heating": _slope(model.heating),
        "cooling": _slope(model.cooling),
        "fit": [told_fit(one) for one in model.fits],
    }


def _slope(one: Slope | None) -> dict[str, Json] | None:
    if one is None:
        return None
    return {"balance_c": round(one.balance_c, 1), "per_kelvin_and_hour": rounded(one.per_kelvin)}


def told_fit(one: Fit) -> dict[str, Json]:
    """Return one comparison with Guideline 14."""
    return {
        "step": one.step,
        "count": one.count,
        "cv_rmse": share(one.cv_rmse),
        "nmbe": share(one.nmbe),
        "limits": None if one.within is None else [one.cv_rmse_limit, one.nmbe_limit],
        "within": one.within,
    }


def told_saving(found: Saving | NotEnough, unit: str) -> dict[str, Json]:
    """Return a saving, or why nobody can tell it."""
    if isinstance(found, NotEnough):
        return {"enough": False, "reasons": list(found.reasons)}
    return {
        "enough": True,
        "verdict": found.verdict,
        "unit": unit,
        "expected": rounded(found.expected),
        "measured": rounded(found.measured),
        "saved": rounded(found.saved),
        "low": rounded(found.low),
        "high": rounded(found.high),
        "confidence": found.confidence,
        "share": share(found.share),
        "share_low": share(found.low / found.expected),
        "share_high": share(found.high / found.expected),
        "covered": share(found.covered),
        "baseline_days": found.baseline_days,
        "reporting_days": found.reporting_days,
        "correlation": share(found.correlation),
        "fsu_68": share(min(found.fsu_68, 1e6)),
        **told_model(found.model),
    }
