"""Reports: what was used. The same figures as the API and the page, to the last digit."""

from __future__ import annotations

import argparse
import csv
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, cast

from hub.cli import output, period, report_cost, report_hot_water, report_saving, report_service
from hub.cli.beside import Beside, from_files, hub_beside
from hub.cli.sites import add_config
from hub.energy import told, told_findings
from hub.energy.calendar import STEPS
from hub.energy.metering import UTILITIES
from hub.energy.question import BYS, COMPARES, PERS, Query
from hub.kept import Kept, consumption_of
from hub.ports import Refused
from hub.settings import Settings, load
from hub.sheet import FORMATS, Format, write

Part = Literal["use", "findings"]
WritePart = Callable[[Path, str, Part], object]


def add_commands(commands: Any) -> None:
    """Add report."""
    group = commands.add_parser("report", help="reports about what was used")
    kinds = group.add_subparsers(dest="what", required=True)
    one = kinds.add_parser("use", help="use by building, floor, room or kind of place")
    one.add_argument("--by", choices=BYS, default="building", help="what the rows are")
    period.add_arguments(one)
    one.add_argument("--step", choices=STEPS, default="total", help="default: the whole time")
    one.add_argument("--place", action="append", default=[], help="default: the whole site")
    one.add_argument("--utility", choices=UTILITIES, default="electricity")
    one.add_argument("--per", choices=PERS, help="divide by students or square metres")
    one.add_argument(
        "--compare", choices=COMPARES, action="append", default=[], help="with the whole time"
    )
    one.add_argument(
        "--findings", action="store_true", help="what was found about the meters, not the figures"
    )
    output.add_output(one, ("table", "json", *FORMATS))
    add_config(one)
    one.set_defaults(carry_out=use)
    report_cost.add_command(kinds)
    report_saving.add_command(kinds)
    report_hot_water.add_command(kinds)
    report_service.add_command(kinds)


def use(arguments: argparse.Namespace) -> int:
    """Print or write what was used."""
    if arguments.compare and arguments.step != "total":
        raise Refused("--compare is of the whole time: leave out --step, or ask for both by itself")
    settings = load(arguments.config)
    form = output.form_of(arguments, "table")
    start_ms, end_ms = period.span(arguments, settings.zone)
    query = Query(
        start_ms=start_ms,
        end_ms=end_ms,
        places=tuple(arguments.place),
        step=arguments.step,
        by=arguments.by,
        utility=arguments.utility,
        per=arguments.per,
        compare=tuple(dict.fromkeys(arguments.compare)),
    )
    language = output.language_of(arguments, settings)
    part: Part = "findings" if arguments.findings else "use"
    with hub_beside(settings) as hub:

        def fill(file: Path) -> None:
            if hub is None:
                from_files(
                    settings, lambda kept: _fill(file, form, part, _made(kept, query, language))
                )
            else:
                params = _params(query, settings) | {"lang": language}
                _fill(file, form, part, _asked(hub, params))

        output.deliver(fill, arguments.file, as_table=form == "table")
    return 0


def _fill(file: Path, form: str, part: Part, write_part: WritePart) -> None:
    """Fill a file; a table for people has its findings below."""
    write_part(file, "csv" if form == "table" else form, part)
    if form == "table" and part == "use":
        beside = file.with_name("findings")
        write_part(beside, "csv", "findings")
        with file.open("a", encoding="utf-8", newline="") as out:
            out.write(_brief(beside.read_text("utf-8")))


def _brief(text: str) -> str:
    """Return an empty line and the chief columns of findings; nothing where there are none."""
    head, *rows = csv.reader(io.StringIO(text))
    if not rows:
        return ""
    keys = [column.key for column in told_findings.COLUMNS]
    chosen = [keys.index(key) for key in told_findings.BRIEF]
    brief = io.StringIO(newline="")
    csv.writer(brief).writerows([[], *([row[n] for n in chosen] for row in (head, *rows))])
    return brief.getvalue()


def _params(query: Query, settings: Settings) -> dict[str, str | Sequence[str]]:
    given: dict[str, str | Sequence[str]] = {
        "start": told.at(query.start_ms, settings.zone),
        "end": told.at(query.end_ms, settings.zone),
        "step": query.step,
        "by": query.by,
        "utility": query.utility,
        "place": query.places,
        "compare": query.compare,
    }
    return given | ({"per": query.per} if query.per else {})


def _asked(hub: Beside, params: dict[str, str | Sequence[str]]) -> WritePart:
    def write_part(file: Path, form: str, part: Part) -> None:
        hub.fill(file, "/api/v1/consumption", params | {"format": form, "part": part})

    return write_part


def _made(kept: Kept, query: Query, language: str) -> WritePart:
    table, zone = consumption_of(kept).use(query), kept.site.zone

    def write_part(file: Path, form: str, part: Part) -> None:
        if form == "json":
            answer = told_findings.answer(table, zone)
            file.write_text(json.dumps(answer, ensure_ascii=False) + "\n", "utf-8")
            return
        made = told_findings.sheet if part == "findings" else told_findings.sheet_with_findings
        write(made(table, zone, language), cast(Format, form), file, language)

    return write_part
