"""Readings as files: raw, or what they come to per step."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import TypeAdapter, ValidationError

from hub.cli import output, period
from hub.cli.beside import from_files, hub_beside
from hub.cli.sites import add_config
from hub.energy import told
from hub.kept import Kept
from hub.model import Point, written_duration
from hub.ports import Refused
from hub.settings import load
from hub.sheet import FORMATS, Format, Sheet, write
from hub.sheet.readings import readings_sheet, series_sheet
from hub.site import Site

_LENGTH = TypeAdapter(timedelta)


def add_commands(commands: Any) -> None:
    """Add export."""
    one = commands.add_parser("export", help="write readings to a file, raw or per step")
    for name, what in (("point", "a point"), ("device", "all of a device"), ("place", "and below")):
        one.add_argument(f"--{name}", action="append", default=[], help=f"{what}; may be repeated")
    period.add_arguments(one)
    one.add_argument("--step", type=_step, metavar="PT15M", help="what they come to in such steps")
    output.add_output(one, FORMATS)
    add_config(one)
    one.set_defaults(carry_out=export)


def _step(text: str) -> timedelta:
    try:
        length = _LENGTH.validate_python(written_duration(text))
    except (ValidationError, ValueError) as error:
        raise argparse.ArgumentTypeError(f"{text!r} is no length like PT15M or PT1H") from error
    if length <= timedelta(0):
        raise argparse.ArgumentTypeError("the step must be above zero")
    return length


def export(arguments: argparse.Namespace) -> int:
    """Write the readings of points, devices and places."""
    settings = load(arguments.config)
    if not (arguments.point or arguments.device or arguments.place):
        raise Refused("nothing is asked for; name at least one --point, --device or --place")
    form: Format = output.form_of(arguments, "csv")
    language = output.language_of(arguments, settings)
    span = period.span(arguments, settings.zone)

    with hub_beside(settings) as hub:

        def fill(file: Path) -> None:
            if hub is None:
                from_files(
                    settings,
                    lambda kept: write(
                        _sheet(kept, arguments, span, language), form, file, language
                    ),
                )
            else:
                params = _params(arguments, span, settings.zone)
                hub.fill(file, "/api/v1/export", params | {"format": form, "lang": language})

        output.deliver(fill, arguments.file)
    return 0


def _params(
    arguments: argparse.Namespace, span: tuple[int, int], zone: ZoneInfo
) -> dict[str, str | Sequence[str]]:
    given: dict[str, str | Sequence[str]] = {
        "start": told.at(span[0], zone),
        "end": told.at(span[1], zone),
        "point": arguments.point,
        "device": arguments.device,
        "place": arguments.place,
    }
    step = {"step": f"PT{arguments.step.total_seconds():g}S"} if arguments.step else {}
    return given | step


def _sheet(
    kept: Kept, arguments: argparse.Namespace, span: tuple[int, int], language: str
) -> Sheet:
    """Return the readings of what is named, raw or what they come to per step."""
    points = _chosen(kept.site, arguments)
    if not arguments.step:
        return readings_sheet(kept.store, kept.site, points, span, language)
    step_ms = round(arguments.step / timedelta(milliseconds=1))
    return series_sheet(kept.store, kept.site, points, (*span, step_ms), language)


def _chosen(site: Site, arguments: argparse.Namespace) -> list[Point]:
    """Return the points that are named, each once, in the site's order."""
    for name, known in (
        ("point", site.numbers), ("device", site.devices), ("place", {**site.places, site.id: 0})
    ):  # fmt: skip
        for id_ in getattr(arguments, name):
            if id_ not in known:
                raise Refused(f"There is no {name} {id_}.")
    devices = [site.devices[id_] for id_ in arguments.device]
    for place in arguments.place:
        devices += site.devices.values() if place == site.id else site.below(place)
    wanted = {site.numbers[id_] for id_ in arguments.point}
    wanted.update(point.number for device in devices for point in device.points)
    return [site.points[number] for number in sorted(wanted)]
