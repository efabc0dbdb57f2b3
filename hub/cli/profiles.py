"""Commands about profiles: list, show, lint and test, the conformance kit."""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from drivers.profile import PointSpec, Profile, RegisterPoint
from hub.cli import conformance, lint
from hub.cli.golden import Case, load_golden
from hub.cli.loop import run
from hub.clock import RealClock
from hub.model import Json
from hub.ports import ConfigError
from hub.settings import shipped
from hub.settings.form import suggestion

_WHICH = "an id of profile list, or the path of a YAML file"


def add_commands(commands: Any) -> None:
    """Add profile list, show, lint and test."""
    group = commands.add_parser("profile", help="the products that the hub knows, and their tests")
    what = group.add_subparsers(dest="what", required=True)
    one = what.add_parser("list", help="list the products")
    one.add_argument("--config", type=Path, metavar="DIR", help="with those of this site")
    one.add_argument("--json", action="store_true", help="print one JSON object")
    one.set_defaults(carry_out=list_all)
    one = what.add_parser("show", help="print a product and its points")
    one.add_argument("profile", help=_WHICH)
    one.add_argument("--config", type=Path, metavar="DIR", help="with those of this site")
    one.add_argument("--json", action="store_true", help="print one JSON object")
    one.set_defaults(carry_out=show)
    one = what.add_parser("lint", help="say what is wrong with a profile; exit 1 when something is")
    _choosing(one)
    one.set_defaults(carry_out=check)
    one = what.add_parser("test", help="hold twin, profile and driver against each other")
    _choosing(one)
    one.add_argument(
        "--golden",
        type=Path,
        metavar="DIR",
        help="golden bytes as <id>.yaml (default: golden beside the profile)",
    )
    one.set_defaults(carry_out=test)


def _choosing(command: argparse.ArgumentParser) -> None:
    command.add_argument("profile", nargs="?", help=_WHICH)
    command.add_argument("--all", action="store_true", help="every profile")
    command.add_argument("--config", type=Path, metavar="DIR", help="with those of this site")
    command.add_argument("--json", action="store_true", help="print one JSON object")


def files(config: Path | None) -> dict[str, Path]:
    """Return id -> file; a profile of the site comes before a shipped one."""
    folders = [shipped(), *([config] if config else [])]
    return {
        path.stem: path
        for folder in folders
        for path in sorted((folder / "profiles").glob("*.yaml"))
    }


def chosen(arguments: argparse.Namespace) -> list[Path]:
    """Return the files that a command is about; ConfigError when there is no such profile."""
    known = files(arguments.config)
    if getattr(arguments, "all", False):
        return list(known.values())
    name: str | None = arguments.profile
    if not name:
        raise ConfigError([f"profile {arguments.what}: give {_WHICH}, or --all"])
    if name in known:
        return [known[name]]
    if Path(name).suffix in (".yaml", ".yml") and Path(name).is_file():
        return [Path(name)]
    hint = suggestion(name, sorted(known)) or "; see: campus-hub profile list"
    raise ConfigError([f"profile {name}: there is none of this name{hint}"])


def loaded(path: Path) -> Profile:
    """Read a profile; ConfigError when its form is wrong."""
    profile, problems = lint.read(path)
    if profile is None:
        raise ConfigError([str(problem) for problem in problems])
    return profile


def list_all(arguments: argparse.Namespace) -> int:
    """Print id, maker, model, protocol, number of points and how far it is verified."""
    profiles = [loaded(path) for path in files(arguments.config).values()]
    if arguments.json:
        rows = [_head(profile) | {"points": len(profile.points)} for profile in profiles]
        print(json.dumps({"profiles": rows}, ensure_ascii=False))
        return 0
    for one in profiles:
        print(
            f"{one.id:28} {one.protocol:7} {one.kind:7} {len(one.points):3} points  "
            f"verified {one.verified:10} {one.maker} {one.model}"
        )
    return 0


def show(arguments: argparse.Namespace) -> int:
    """Print everything about one product."""
    profile = loaded(chosen(arguments)[0])
    if arguments.json:
        content = profile.model_dump(mode="json", by_alias=True, exclude_defaults=True)
        print(json.dumps(content, ensure_ascii=False))
        return 0
    for key, value in _head(profile).items():
        print(f"{key:10} {value}")
    points: Mapping[str, PointSpec] = profile.points
    for name, spec in points.items():
        label = f"{spec.label.zh} / {spec.label.en}" if spec.label else ""
        print(f"  {name:26} {spec.unit:6} {_where(spec):24} {_limits(spec):18} {label}")
    return 0


def _head(profile: Profile) -> dict[str, Json]:
    on = f" on {profile.verified_on}" if profile.verified_on else ""
    return {
        "id": profile.id,
        "maker": profile.maker,
        "model": profile.model,
        "kind": profile.kind,
        "protocol": profile.protocol,
        "verified": profile.verified + on,
        "source": profile.source,
    }


def _where(spec: PointSpec) -> str:
    if isinstance(spec, RegisterPoint):
        bit = "" if spec.bit is None else f" bit {spec.bit}"
        return f"{spec.table} {spec.address:#06x} {spec.type}{bit}"
    return str(getattr(spec, "key", None) or getattr(spec, "di", None) or "")


def _limits(spec: PointSpec) -> str:
    if spec.write is None:
        return ""
    step = f" by {spec.write.step:g}" if spec.write.step else ""
    return f"write {spec.write.min:g}..{spec.write.max:g}{step}"


def check(arguments: argparse.Namespace) -> int:
    """Print every problem with file and line; 1 when there is one."""
    found = {path: lint.read(path)[1] for path in chosen(arguments)}
    problems = [str(problem) for those in found.values() for problem in those]
    if arguments.json:
        print(json.dumps({"ok": not problems, "problems": problems}, ensure_ascii=False))
    else:
        sys.stdout.writelines(f"{problem}\n" for problem in problems)
        print(f"{len(found)} profiles, {len(problems)} problems")
    return 1 if problems else 0


def test(arguments: argparse.Namespace) -> int:
    """Run the kit and print its table; 1 when anything failed."""
    paths = chosen(arguments)
    profiles = [loaded(path) for path in paths]
    golden = {
        profile.id: _golden(profile.id, path, arguments.golden)
        for profile, path in zip(profiles, paths, strict=True)
    }
    drivers = logging.getLogger("drivers")
    before = drivers.level
    drivers.setLevel(logging.CRITICAL)  # the kit says it itself
    try:
        reports = run(conformance.examine(profiles, golden, RealClock()))
    finally:
        drivers.setLevel(before)
    failed = any(report.problems for report in reports)
    if arguments.json:
        rows = [report.row() for report in reports]
        print(json.dumps({"ok": not failed, "profiles": rows}, ensure_ascii=False))
    else:
        print(conformance.table(reports))
    return 1 if failed else 0


def _golden(id_: str, path: Path, folder: Path | None) -> Sequence[Case]:
    """Return the golden bytes of a product: those named, beside its file or of the checkout."""
    places = [folder] if folder else [path.parent / "golden", shipped().parent / "tests" / "golden"]
    for place in places:
        if (place / f"{id_}.yaml").is_file():
            return load_golden(place / f"{id_}.yaml")
    return ()
