"""The report of what use costs: the same bills as the API's, line by line."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

from hub.cli import output, period
from hub.cli.beside import from_files, hub_beside
from hub.cli.sites import add_config
from hub.energy import told, told_cost
from hub.energy.cost import Cost, CostBy, CostQuery
from hub.energy.metering import UTILITIES
from hub.kept import Kept, consumption_of
from hub.settings import Settings, load
from hub.sheet import FORMATS, Format, write


def add_command(kinds: Any) -> None:
    """Add report cost."""
    one = kinds.add_parser("cost", help="what use costs, by the tariffs of tariffs.yaml")
    one.add_argument("--by", choices=get_args(CostBy), default="building", help="who is billed")
    period.add_arguments(one)
    one.add_argument("--place", action="append", default=[], help="default: the whole site")
    one.add_argument("--utility", choices=UTILITIES, default="electricity")
    one.add_argument(
        "--tariff", metavar="VERSION", help="price by another: tariff, version or tariff@version"
    )
    output.add_output(one, ("table", *FORMATS))
    add_config(one)
    one.set_defaults(carry_out=cost)


def cost(arguments: argparse.Namespace) -> int:
    """Print or write the bills of places."""
    settings = load(arguments.config)
    form = output.form_of(arguments, "table")
    language = output.language_of(arguments, settings)
    start_ms, end_ms = period.span(arguments, settings.zone)
    query = CostQuery(
        start_ms, end_ms, tuple(arguments.place), arguments.by, arguments.utility, arguments.tariff
    )
    wanted: Format = "csv" if form == "table" else form
    with hub_beside(settings) as hub:

        def fill(file: Path) -> None:
            if hub is None:
                from_files(
                    settings, lambda kept: _make(settings, kept, query, wanted, file, language)
                )
            else:
                params = _params(query, settings) | {"format": wanted, "lang": language}
                hub.fill(file, "/api/v1/cost", params)

        output.deliver(fill, arguments.file, as_table=form == "table")
    return 0


def _params(query: CostQuery, settings: Settings) -> dict[str, str | Sequence[str]]:
    given: dict[str, str | Sequence[str]] = {
        "start": told.at(query.start_ms, settings.zone),
        "end": told.at(query.end_ms, settings.zone),
        "by": query.by,
        "utility": query.utility,
        "place": query.places,
    }
    return given | ({"tariff": query.tariff} if query.tariff else {})


def _make(
    settings: Settings, kept: Kept, query: CostQuery, form: Format, file: Path, language: str
) -> None:
    table = Cost(kept.site, consumption_of(kept), settings.tariffs).of(query)
    write(told_cost.sheet(table, kept.site.zone, language), form, file, language)
