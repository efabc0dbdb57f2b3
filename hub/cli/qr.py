"""The command that prints labels for doors and devices."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from hub.cli.sites import add_config
from hub.cli.virtual import site_of
from hub.clock import RealClock
from hub.labels import DEFAULT_KINDS, KINDS, Labels, Sheets, chosen
from hub.ports import Refused
from hub.secret import kept_secret
from hub.settings import load


def add_commands(commands: Any) -> None:
    """Add qr sheet."""
    group = commands.add_parser("qr", help="labels for doors and devices")
    one = group.add_subparsers(dest="what", metavar="WHAT", required=True).add_parser(
        "sheet", help="print A4 sheets of signed labels, 3 by 7 of 63.5 x 38.1 mm"
    )
    add_config(one)
    one.add_argument(
        "--kind",
        action="append",
        choices=KINDS,
        help=f"what gets a label; may be repeated (default: {', '.join(DEFAULT_KINDS)})",
    )
    one.add_argument("--place", metavar="PLACE", help="only this place and what is below it")
    one.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="FILE.html, or FILE.svg per sheet"
    )
    one.set_defaults(carry_out=sheet)


def sheet(arguments: argparse.Namespace) -> int:
    """Write the sheets; they stay good as long as the secret of the data folder does."""
    settings = load(arguments.config)
    file: Path = arguments.out
    if file.suffix not in (".html", ".svg"):
        raise Refused(f"{file}: write it as FILE.html (to print at once) or FILE.svg")
    if settings.web.url is None:
        raise Refused(
            "campus.yaml has no web.url: phones would not find the hub; write there what they "
            "open, like https://hub.example.edu"
        )
    site = site_of(settings)
    if arguments.place is not None and arguments.place not in site.places:
        raise Refused(f"there is no place {arguments.place!r}; name one of places, like dorm-07")
    subjects = chosen(site, arguments.kind or DEFAULT_KINDS, arguments.place)
    if not subjects:
        raise Refused("no place or device is of that kind there; nothing is written")
    labels = Labels(site, kept_secret(settings.secret_file, RealClock()))
    sheets = Sheets(site, labels, settings.web.url)
    write = sheets.write_html if file.suffix == ".html" else sheets.write_svg
    count = write(subjects, file)
    print(f"{file}: {len(subjects)} labels on {count} sheets")
    return 0
