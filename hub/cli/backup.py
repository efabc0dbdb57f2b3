"""Commands that save a hub's data in one file and put it back."""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from hub import archive
from hub.cli.beside import from_files, hub_beside, whole_file
from hub.cli.sites import add_config
from hub.clock import RealClock
from hub.kept import back_up
from hub.lock import held
from hub.ports import Refused
from hub.settings import Settings, load


def add_commands(commands: Any) -> None:
    """Add backup and restore."""
    one = commands.add_parser("backup", help="write all data of a hub into one file")
    one.add_argument("file", type=Path, metavar="FILE")
    add_config(one)
    one.set_defaults(carry_out=backup)
    one = commands.add_parser("restore", help="put the data of a backup back")
    one.add_argument("file", type=Path, metavar="FILE")
    one.add_argument("--verify", action="store_true", help="open it all and count, before it is")
    add_config(one)
    one.set_defaults(carry_out=restore)


def backup(arguments: argparse.Namespace) -> int:
    """Save the data of a hub, through it where it runs."""
    settings = load(arguments.config)
    with hub_beside(settings) as hub, whole_file(arguments.file) as part:
        if hub is None:
            from_files(settings, lambda kept: back_up(settings, kept, RealClock(), part))
        else:
            hub.fill(part, "/api/v1/backup", {})
        contents = archive.contents_of(part)
    for absent in contents.absent:
        sys.stderr.write(f"campus-hub backup: not in the file: {absent}\n")
    print(f"{arguments.file}: {_told(contents)}")
    return 0


def restore(arguments: argparse.Namespace) -> int:
    """Put a backup into a data folder that has no data yet."""
    settings = load(arguments.config)
    with held(settings.lock_file), _beside(settings) as folder:
        contents = archive.unpack(arguments.file, folder)
        if contents.site != settings.site.id:
            raise Refused(f"{arguments.file}: is of the site {contents.site!r}")
        if contents.settings_hash != settings.content_hash:
            sys.stderr.write("campus-hub restore: the configuration has changed since the backup\n")
        if arguments.verify and (problems := _differences(folder, contents)):
            sys.stderr.writelines(f"campus-hub restore: {problem}\n" for problem in problems)
            return 1
        if there := archive.in_the_way(contents.files, settings.data):
            names = ", ".join(there)
            raise Refused(f"{settings.data} has {names} already; move it aside first")
        archive.settle(contents.files, folder, settings.data)
    print(f"{settings.data}: {_told(contents)}{', verified' if arguments.verify else ''}")
    return 0


def _differences(folder: Path, contents: archive.Contents) -> list[str]:
    facts = archive.look(folder)
    rows = sorted({*facts.rows, *contents.facts.rows})
    return facts.problems() + [
        f"{name}: {facts.rows.get(name)} rows, the backup says {contents.facts.rows.get(name)}"
        for name in rows
        if facts.rows.get(name) != contents.facts.rows.get(name)
    ]


@contextlib.contextmanager
def _beside(settings: Settings) -> Iterator[Path]:
    """Yield an empty folder on the disk of the data, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="backup-", dir=settings.data) as folder:
        yield Path(folder)


def _told(contents: archive.Contents) -> str:
    rows = contents.facts.rows
    said = [f"journal to entry {contents.facts.newest}"]
    if "telemetry.readings" in rows:
        said.append(f"{rows['telemetry.readings']} readings")
        said.append(f"{rows['telemetry.rollups']} roll-ups")
    if contents.files.get(archive.DATABASE):
        said.append(f"{sum(n for name, n in rows.items() if name[:8] == 'database')} database rows")
    return ", ".join(said)
