"""The report on the service: the same figures as the API, from the tables of a site."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from hub.cli import output, period
from hub.cli.beside import kept_tables
from hub.cli.sites import add_config
from hub.clock import RealClock
from hub.kpi import BYS, Period, told
from hub.kpi.service import Asked, check_same, service_figures, service_recounted
from hub.settings import load
from hub.sheet import FORMATS, write


def add_command(kinds: Any) -> None:
    """Add report service."""
    one = kinds.add_parser("service", help="how well the service promise is kept")
    one.add_argument("--by", choices=BYS, help="what the groups are (default: all together)")
    period.add_arguments(one)
    one.add_argument(
        "--recount",
        action="store_true",
        help="count again from the history alone; exit 2 where a figure differs",
    )
    output.add_output(one, ("table", "json", *FORMATS))
    add_config(one)
    one.set_defaults(carry_out=service)


def service(arguments: argparse.Namespace) -> int:
    """Print or write how well the promise is kept, beside a running hub or without one."""
    settings = load(arguments.config)
    form = output.form_of(arguments, "table")
    language = output.language_of(arguments, settings)
    span = period.span(arguments, settings.zone)
    crews = settings.roster.crews if settings.roster else ()
    contractors = frozenset(crew.id for crew in crews if crew.contractor)
    asked = Asked(Period(*span, RealClock().now_ms()), arguments.by, contractors)
    with kept_tables(settings) as database:
        answer = service_figures(database, asked)
        if arguments.recount:
            check_same(answer, service_recounted(database, asked))

    def fill(file: Path) -> None:
        if form == "json":
            text = json.dumps(told.answer(answer, settings.zone), ensure_ascii=False)
            file.write_text(text + "\n", "utf-8")
        else:
            write(told.sheet(answer, language), "csv" if form == "table" else form, file, language)

    output.deliver(fill, arguments.file, as_table=form == "table")
    return 0
