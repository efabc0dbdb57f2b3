"""The command that judges rules on history, before a change goes live."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hub.backtest import Trial, of_journal, of_store, read_labels, try_out
from hub.backtest.history import Raw
from hub.backtest.labels import Known
from hub.backtest.trial import chosen
from hub.cli import campus_month, period
from hub.cli.backtest_ground import Ground, of_scenario
from hub.cli.backtest_text import comparison_json, lines_of, score_json
from hub.cli.beside import StoreBeside, from_files, hub_beside, kept_tables
from hub.cli.loop import settled
from hub.cli.numbering import SQLITE, numbers_beside, numbers_of
from hub.cli.scenarios import find, site_of_scenario
from hub.clock import RealClock
from hub.model import Json
from hub.ports import Refused
from hub.settings import Settings, build_site, load
from hub.settings.packs import packs_from
from hub.site import HUB, Site
from rules.backtest import (
    Gate,
    Judged,
    Label,
    Opinion,
    PackScore,
    Span,
    judgeable,
    opinions,
    scores,
    unfound,
)
from rules.comparison import compared
from rules.spec import Pack


def add_command(group: Any) -> None:
    """Add rules backtest."""
    one = group.add_parser(
        "backtest",
        help="judge rules on history, a recorded journal or a scenario; exit 1 below the gate",
    )
    one.add_argument(
        "--pack", action="append", required=True, metavar="P", help="a rule pack, or all; repeats"
    )
    one.add_argument("--config", type=Path, metavar="DIR", help="the site (default: config)")
    period.add_arguments(one, required=False)
    one.add_argument("--labels", type=Path, metavar="FILE", help="truth.jsonl, or CSV of faults")
    one.add_argument("--journal", type=Path, metavar="FILE", help="judge on a recorded journal")
    one.add_argument("--scenario", metavar="NAME", help="judge on a scenario and its truth")
    one.add_argument("--seed", type=int, help="another seed than the scenario's own")
    one.add_argument(
        "--packs-from", type=Path, metavar="DIR", help="compare with the packs in this folder"
    )
    for name in ("precision", "recall"):
        one.add_argument(f"--min-{name}", type=_share, metavar="X", help="0 to 1, per pack")
    one.add_argument("--json", action="store_true", help="print one JSON object")
    one.set_defaults(carry_out=backtest)


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no share; write one like 0.9")
    return share


class Judgement(NamedTuple):
    """The alarms of one version of the rules, and what they turned out to be."""

    trial: Trial
    said: list[Opinion]


def backtest(arguments: argparse.Namespace) -> int:
    """Judge; 1 when a pack falls short of what is asked for."""
    if arguments.scenario and (arguments.journal or arguments.labels):
        raise Refused("a scenario makes its own history and labels; leave --journal and --labels")
    settings = _settings(arguments)
    chosen(_versions(arguments, settings)[-1], arguments.pack)
    if arguments.scenario:
        ground = of_scenario(find(arguments.scenario), arguments.seed, settings)
        return _judged(arguments, settings, ground)
    if arguments.journal:
        return _judged(arguments, settings, _of_journal(arguments, settings))
    with hub_beside(settings) as hub:
        if hub is None:
            return from_files(
                settings, lambda kept: _on_store(arguments, settings, kept.site, kept.store)
            )
        with kept_tables(settings) as database:
            site = build_site(settings, numbers_of(database))
        return _on_store(arguments, settings, site, StoreBeside(hub, site))


def _settings(arguments: argparse.Namespace) -> Settings:
    if not arguments.scenario:
        return load(arguments.config or Path("config"))
    scenario = find(arguments.scenario)
    if scenario.labelled is None:
        return site_of_scenario(scenario, arguments.config)
    if arguments.config:
        raise Refused(f"{scenario.id} has a site of its own; try other rules with --packs-from")
    return campus_month.settings_of(None)


def _versions(arguments: argparse.Namespace, settings: Settings) -> list[tuple[Pack, ...]]:
    """Return the packs in force, then those they are compared with, which are the ones judged."""
    versions = [settings.packs]
    if arguments.packs_from:
        versions.append(packs_from(arguments.packs_from, settings.packs))
    return versions


def _of_journal(arguments: argparse.Namespace, settings: Settings) -> Ground:
    beside = (arguments.journal.parent / SQLITE).is_file()
    own = str(settings.database_file) if settings.database == "sqlite" else settings.database
    site = build_site(settings, numbers_beside(arguments.journal, None if beside else own))
    history = of_journal(arguments.journal, _span(arguments, settings))
    return Ground(site, history, _labels(arguments, settings, site))


def _on_store(arguments: argparse.Namespace, settings: Settings, site: Site, store: Raw) -> int:
    span = _span(arguments, settings)
    if span is None:
        raise Refused("name the time to judge on with --from and --to")
    points = {
        number
        for packs in _versions(arguments, settings)
        for number in Trial(site, packs, settings.promise, settings.calendar).points
    }
    history = of_store(store, sorted(points), span)
    return _judged(arguments, settings, Ground(site, history, _labels(arguments, settings, site)))


def _span(arguments: argparse.Namespace, settings: Settings) -> Span | None:
    if arguments.start is None and arguments.end is None:
        return None
    if arguments.start is None or arguments.end is None:
        raise Refused("--from and --to belong together; name both")
    return Span(*period.span(arguments, settings.zone))


def _labels(
    arguments: argparse.Namespace, settings: Settings, site: Site
) -> Callable[[], list[Label]] | None:
    """Return who tells the labels of a file, which are read at once."""
    if arguments.labels is None:
        return None
    subjects = {*site.devices, *site.gateways, *site.places, HUB}
    versions = _versions(arguments, settings)
    rules = {rule.id for packs in versions for pack in packs for rule in pack.rules}
    labels = read_labels(arguments.labels, Known(subjects, rules, settings.zone))
    return lambda: labels


def _judged(arguments: argparse.Namespace, settings: Settings, ground: Ground) -> int:
    """Lead the versions through the history and print what came of them."""
    trials = [
        Trial(ground.site, packs, settings.promise, settings.calendar)
        for packs in _versions(arguments, settings)
    ]
    clock = RealClock()
    began_s = clock.monotonic()
    with settled():
        try_out(trials, ground.history, progress(ground.history.span))
    took_s = clock.monotonic() - began_s
    readings = trials[0].readings
    sys.stderr.write(f"{readings:,} readings in {took_s:.1f} s, {readings / took_s:,.0f}/s\n")
    labels = ground.known() if ground.known else None
    said = [_opinions(arguments, one, labels or [], ground.history.span) for one in trials]
    report = _report(arguments, ground, labels, said)
    report["readings"] = readings
    if arguments.json:
        print(json.dumps(report, ensure_ascii=False))
    else:
        sys.stdout.writelines(f"{line}\n" for line in lines_of(report, settings.zone))
    return 0 if report["gate"]["passed"] else 1


def _opinions(
    arguments: argparse.Namespace, trial: Trial, labels: Sequence[Label], span: Span
) -> Judgement:
    wanted = _packs(arguments, trial)
    rules = [rule for rule in trial.rules if rule.pack in wanted]
    alarms = [alarm for alarm in trial.raised if alarm.pack in wanted]
    return Judgement(trial, opinions(labels, alarms, rules, span))


def _packs(arguments: argparse.Namespace, trial: Trial) -> set[str]:
    there = {rule.pack for rule in trial.rules}
    return there if "all" in arguments.pack else there & set(arguments.pack)


def _report(
    arguments: argparse.Namespace,
    ground: Ground,
    known: Sequence[Label] | None,
    versions: list[Judgement],
) -> dict[str, Json]:
    """Put together what is printed; the last version is the one that is judged."""
    judged, span = versions[-1], ground.history.span
    wanted = _packs(arguments, judged.trial)
    rules = [rule for rule in judged.trial.rules if rule.pack in wanted]
    labels = known or []
    found = scores(labels, judged.said, rules, span)
    labelled = known is not None
    report: dict[str, Json] = {
        "source": ground.history.source,
        "start_ms": span.start_ms,
        "end_ms": span.end_ms,
        "labels": len(labels) if labelled else None,
        "packs": [score_json(one, labelled=labelled) for one in found],
        "no_rule_finds": unfound(labels, judged.trial.rules) if "all" in arguments.pack else {},
        "gate": _gate(arguments, found, rules),
    }
    if len(versions) > 1:
        difference = compared(versions[0].said, judged.said)
        report["comparison"] = comparison_json(difference, labelled=labelled)
    return report


def _gate(
    arguments: argparse.Namespace, found: Sequence[PackScore], rules: Sequence[Judged]
) -> dict[str, Json]:
    """Hold the packs against the gate; of all packs those that can be judged here."""
    asked = judgeable(found, rules) if "all" in arguments.pack else found
    gate = Gate(arguments.min_precision, arguments.min_recall)
    short = [line for one in asked for line in gate.shortfalls(one)]
    left_out = [one.pack for one in found if one not in asked]
    return {"passed": not short, "short": short, "left_out": left_out}


def progress(span: Span) -> Any:
    """Return what shows how far the time is, where somebody sees it; else None."""
    if not sys.stderr.isatty():
        return None
    shown = -1

    def heard(at_ms: int) -> None:
        nonlocal shown
        done = min(max((at_ms - span.start_ms) / (span.end_ms - span.start_ms), 0), 1)
        if int(done * 100) > shown:
            shown = int(done * 100)
            bar = "#" * (shown * 40 // 100)
            sys.stderr.write(f"\r[{bar:40}] {shown} %" if shown < 100 else "\r\033[K")  # noqa: PLR2004

    return heard
