"""The command that says why an alarm rose, or why a rule did or did not rise on a subject."""

from __future__ import annotations

import argparse
import io
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from hub.cli.beside import Beside, from_files, hub_beside
from hub.cli.sites import add_config
from hub.clock import RealClock
from hub.database import effects, records
from hub.engine import Core
from hub.kept import Kept
from hub.model import Json
from hub.ports import Refused
from hub.settings import Settings, load
from hub.web import reasons
from rules.calendar import Calendar

_CHUNK = 500


def add_command(group: Any) -> None:
    """Add rules why."""
    one = group.add_parser(
        "why",
        help="say why an alarm rose, or why a rule did or did not rise",
        usage="campus-hub rules why ALARM | SUBJECT RULE [--config DIR] [--lang zh|en] [--json]",
    )
    one.add_argument(
        "about", metavar="ALARM|SUBJECT", help="an alarm's id, or a device, gateway or place"
    )
    one.add_argument("rule", nargs="?", metavar="RULE", help="like tank-cold, after a subject")
    one.add_argument("--lang", choices=reasons.LANGUAGES, help="default: that of the site")
    one.add_argument("--json", action="store_true", help="print one JSON object")
    add_config(one)
    one.set_defaults(carry_out=why)


def why(arguments: argparse.Namespace) -> int:
    """Print an explanation."""
    settings = load(arguments.config)
    about, rule = arguments.about, arguments.rule
    with hub_beside(settings) as hub:
        found = _asked(hub, about, rule) if hub else _from_files(settings, about, rule)
    if arguments.json:
        print(json.dumps(found, ensure_ascii=False))
        return 0
    language = arguments.lang or ("en" if settings.locale.startswith("en") else "zh")
    _print(found, language)
    return 0


def _asked(hub: Beside, about: str, rule: str | None) -> Mapping[str, Json]:
    answer = io.BytesIO()
    if rule is None:
        hub.write(f"/api/v1/alarms/{quote(about, safe='')}/why", {}, answer.write)
    else:
        path = f"/api/v1/rules/{quote(rule, safe='')}/why"
        hub.write(path, {"subject": about}, answer.write)
    found: Mapping[str, Json] = json.loads(answer.getvalue())
    return found


def _from_files(settings: Settings, about: str, rule: str | None) -> Mapping[str, Json]:
    def do(kept: Kept) -> Mapping[str, Json]:
        core = _core(settings, kept)
        alarm = None if rule else records.alarm(kept.database, about)
        if rule is None and alarm is None:
            raise Refused(f"there is no alarm {about}; for a rule that did not rise name both")
        subject, wanted = (alarm.device, alarm.rule) if alarm else (about, rule or "")
        now = core.why(subject, wanted)
        if now is None and alarm is None:
            raise Refused(f"there is no rule {wanted} on {subject}; see config/rules")
        case = reasons.case_of(kept.database, subject, wanted, now, alarm.id if alarm else "")
        return reasons.written(case, kept.site, settings.profiles, RealClock().now_ms())

    return from_files(settings, do)


def _core(settings: Settings, kept: Kept) -> Core:
    """Return the rules as they were when the hub stopped: its snapshot, then the journal."""
    calendar = Calendar(settings.calendar, kept.site.zone)
    core, seq = Core(kept.site, settings.packs, settings.promise, calendar), 0
    if found := effects.snapshot(kept.database):
        seq = found[0]
        core.load(found[1])
    while entries := kept.journal.read(seq, _CHUNK):
        for seq, entry in entries:
            core.step(seq, entry)
    return core


def _print(found: Mapping[str, Any], language: str) -> None:
    print(f"{found['subject']} · {found['rule']}")
    if found["alarm"]:
        print(f"{found['alarm']} · {found['state']} · {found['raised']}")
    for part in ("rose", "now"):
        if found[part]:
            print(f"\n{part} {found[part]['at']}")
            for sentence in found[part]["sentences"][language]:
                print(f"  {sentence}")
