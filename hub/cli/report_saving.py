"""The report of what a measure has saved: expected less measured, with its uncertainty."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hub.cli import period
from hub.cli.beside import Beside, from_files, hub_beside
from hub.cli.sites import add_config
from hub.energy import baseline, told
from hub.energy.baseline import Weather
from hub.energy.metering import UNITS, UTILITIES
from hub.energy.question import Figure, Query
from hub.energy.saving import CONFIDENCE, verified
from hub.kept import consumption_of
from hub.model import Json
from hub.ports import Refused
from hub.settings import Settings, load

Asked = tuple[Sequence[int], Sequence[Figure]]
_VERDICTS = {
    "saved": "saved",
    "more_used": "more was used",
    "not_proven": "not proven: zero lies inside the uncertainty",
}


def add_command(kinds: Any) -> None:
    """Add report saving."""
    one = kinds.add_parser("saving", help="verified saving against a baseline; 1: not enough data")
    one.add_argument("--place", required=True)
    for name in ("baseline", "reporting"):
        one.add_argument(
            f"--{name}", required=True, metavar="FROM/TO", help="days, the last one included"
        )
    one.add_argument("--weather", type=Path, metavar="FILE.csv", help="at,temperature_c by hour")
    one.add_argument("--utility", choices=UTILITIES, default="electricity")
    one.add_argument("--confidence", type=float, default=CONFIDENCE, metavar="P", help="0.9")
    one.add_argument("--json", action="store_true", help="print one JSON object")
    add_config(one)
    one.set_defaults(carry_out=saving)


def saving(arguments: argparse.Namespace) -> int:
    """Print what was saved; 1 where there is too little to say."""
    settings = load(arguments.config)
    if not 0.5 <= arguments.confidence < 1:  # noqa: PLR2004 - a share of certainty
        raise Refused(f"--confidence {arguments.confidence}: from 0.5 to below 1, like 0.9")
    before, after = (_span(arguments, name, settings) for name in ("baseline", "reporting"))
    if before[1] > after[0]:
        raise Refused("--reporting begins before --baseline ends; a measure lies between them")
    weather = _weather(arguments.weather, settings)
    place, utility = arguments.place, arguments.utility
    who = Query(start_ms=0, end_ms=1, places=(place,), step="hour", utility=utility)
    with hub_beside(settings) as hub:
        if hub is not None:
            found = [_ask(hub, who, span, settings) for span in (before, after)]
        else:
            found = from_files(
                settings,
                lambda kept: [
                    baseline.asked(consumption_of(kept), who, span) for span in (before, after)
                ],
            )
    # In the sum of a reporting period the energy of a gap is as good as measured.
    learnt = baseline.observed(*found[0], settings.zone, weather)
    judged = baseline.observed(*found[1], settings.zone, weather, most_estimated=1.0)
    answer = baseline.told_saving(verified(learnt, judged, arguments.confidence), UNITS[utility])
    if arguments.json:
        print(json.dumps({"place": place, **answer}, ensure_ascii=False))
    else:
        print("\n".join(_lines(answer)))
    return 0 if answer["enough"] else 1


def _lines(answer: dict[str, Json]) -> Iterator[str]:
    """Yield a saving as lines for a terminal."""
    if not answer["enough"]:
        yield "not enough data:"
        yield from (f"  {reason}" for reason in answer["reasons"])
        return
    one, unit = answer, answer["unit"]
    shares = f"{one['share']:.1%} ({one['share_low']:.1%} to {one['share_high']:.1%}"
    days = f"{one['baseline_days']} days of baseline, {one['reporting_days']} of reporting"
    yield f"verdict    {_VERDICTS[one['verdict']]}"
    yield f"saving     {shares} at {one['confidence']:.0%} confidence)"
    yield f"           {one['saved']} {unit} ({one['low']} to {one['high']})"
    yield f"expected   {one['expected']} {unit}, measured {one['measured']} {unit}"
    yield f"hours      {one['covered']:.1%} of the reporting period; {days}"
    for name, side in (("heating", "below"), ("cooling", "above")):
        if slope := one[name]:
            cost = f"{slope['per_kelvin_and_hour']} {unit} per K and hour"
            yield f"{name}    {cost} {side} {slope['balance_c']} degC"
    for fit in one["fit"]:
        yield f"by {fit['step']:<7} {_judged(fit)}"


def _judged(fit: dict[str, Json]) -> str:
    found = f"CV(RMSE) {fit['cv_rmse']:.1%}, NMBE {fit['nmbe']:.2%}"
    if not fit["limits"]:
        return f"{found}; ASHRAE Guideline 14 has no limit"
    limits = " and ".join(f"{limit:.0%}" for limit in fit["limits"])
    return f"{found}; ASHRAE Guideline 14 {'met' if fit['within'] else 'NOT met'} ({limits})"


def _span(arguments: argparse.Namespace, name: str, settings: Settings) -> tuple[int, int]:
    text: str = getattr(arguments, name)
    first, slash, last = text.partition("/")
    if not slash:
        raise Refused(f"--{name} {text!r} is no period; write one like 2025-01-01/2025-12-31")
    try:
        return period.span(argparse.Namespace(start=first, end=last), settings.zone)
    except Refused as error:
        raise Refused(f"--{name} {text}: {error}") from error


def _weather(file: Path | None, settings: Settings) -> Weather | None:
    if file is None:
        return None
    try:
        text = file.read_text("utf-8")
    except OSError as error:
        raise Refused(f"--weather {file}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise Refused(f"--weather {file}: is no text in UTF-8; save it as CSV UTF-8") from error
    return baseline.read_weather(text, str(file), settings.zone)


def _ask(hub: Beside, who: Query, span: tuple[int, int], settings: Settings) -> Asked:
    """Ask the running hub for the hours of a time."""
    params = {
        "start": told.at(span[0], settings.zone),
        "end": told.at(span[1], settings.zone),
        "place": who.places,
        "step": "hour",
        "utility": who.utility,
    }
    pieces: list[bytes] = []
    hub.write("/api/v1/consumption", params, pieces.append)
    return figures(json.loads(b"".join(pieces)), span[1])


def figures(answer: dict[str, Json], end_ms: int) -> Asked:
    """Return the figures of the API's answer about use."""
    total = answer["total"]
    columns = ("values", "measured", "estimated", "missing", "low", "high")
    rows = zip(*(total[name] for name in columns), strict=True)
    edges = [*(told.instant(one) for one in answer["steps"]), end_ms]
    known = ([math.nan if x is None else x for x in row] for row in rows)
    return edges, [
        Figure(value, measured, estimated, missing, low, high)
        for value, measured, estimated, missing, low, high in known
    ]
