"""The report on hot water: the same figures as the API and the page, to the last digit."""

from __future__ import annotations

import argparse
import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hub.cli import output, period
from hub.cli.beside import from_files, hub_beside
from hub.cli.sites import add_config
from hub.energy import told_hot_water
from hub.energy.calendar import STEPS
from hub.energy.hot_water_row import BYS
from hub.energy.told import at
from hub.kept import Kept, consumption_of, hot_water_of
from hub.model import Json, Text
from hub.settings import Settings, load
from hub.sheet import FORMATS, write

# What fits the width of a terminal.
_CHIEF = ("per_day", "per_tonne", "expected_per_tonne", "cop", "compliance", "outlet", "standing",
          "loop", "per_terminal", "sessions", "session_median")  # fmt: skip
_MISSING = Text("缺失占比", "missing")


def add_command(kinds: Any) -> None:
    """Add report hot-water."""
    one = kinds.add_parser("hot-water", help="tonnes, kWh a tonne, temperatures and losses")
    one.add_argument("--by", choices=BYS, default="plant", help="what the rows are")
    period.add_arguments(one)
    one.add_argument("--step", choices=STEPS, default="total", help="default: the whole time")
    one.add_argument("--place", default="", help="default: the whole site")
    output.add_output(one, ("table", "json", *FORMATS))
    add_config(one)
    one.set_defaults(carry_out=hot_water)


def hot_water(arguments: argparse.Namespace) -> int:
    """Print or write what was delivered and what that took."""
    settings = load(arguments.config)
    form = output.form_of(arguments, "table")
    span = period.span(arguments, settings.zone)
    language = output.language_of(arguments, settings)
    wanted = "json" if form == "table" else form
    params = {
        "start": at(span[0], settings.zone),
        "end": at(span[1], settings.zone),
        "step": arguments.step,
        "by": arguments.by,
        "place": arguments.place,
        "format": wanted,
        "lang": language,
    }
    with hub_beside(settings) as hub:

        def fill(file: Path) -> None:
            if hub is None:
                from_files(settings, lambda kept: _make(kept, settings, params, span, file))
            else:
                hub.fill(file, "/api/v1/hot-water", params)
            if form == "table":
                file.write_text(_brief(json.loads(file.read_text("utf-8")), language), "utf-8")

        output.deliver(fill, arguments.file, as_table=form == "table")
    return 0


def _make(
    kept: Kept, settings: Settings, params: Mapping[str, Any], span: tuple[int, int], file: Path
) -> None:
    """Answer from the files of a site whose hub does not run."""
    source = hot_water_of(kept, consumption_of(kept), settings.hot_water)
    step, zone = params["step"], settings.zone
    found = source.ask(params["place"] or kept.site.id, *span, step, params["by"])
    if params["format"] == "json":
        told = told_hot_water.answer(found, step, zone)
        file.write_text(json.dumps(told, ensure_ascii=False), "utf-8")
    else:
        sheet = told_hot_water.sheet(found, step, zone, params["lang"])
        write(sheet, params["format"], file, params["lang"])


def _brief(told: Mapping[str, Json], language: str) -> str:
    """Return the chief figures of an answer as CSV; the other forms have all of them."""
    titles = [told_hot_water.BY_KEY[key] for key in _CHIEF]
    text = io.StringIO(newline="")
    lines = csv.writer(text)
    head = [f"{one.title.in_language(language)} {one.unit}".rstrip() for one in titles]
    lines.writerow(["", *head, _MISSING.in_language(language)])
    for row in (*told["rows"], told["total"]):
        figures = [row["figures"][key] for key in _CHIEF]
        cells = ["-" if one["value"] is None else one["value"] for one in figures]
        lines.writerow([row["id"], *cells, figures[0]["missing"]])
    return text.getvalue()
