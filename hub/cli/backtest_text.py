"""What a backtest found, as JSON and as lines for a terminal."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from hub.cli.output import aligned
from hub.model import Json
from rules.backtest import SLOW, Opinion, PackScore, Score
from rules.comparison import Comparison

SHOWN = 10  # alarms of a comparison that are named
_HEAD = (
    "pack", "rule", "labels", "hits", "false", "again", "alike", "missed", "precision", "recall",
    "median s", "p90 s", "on-delays", "alarms/day",
)  # fmt: skip


def score_json(one: PackScore, *, labelled: bool) -> dict[str, Json]:
    """Return the figures of a pack; without labels only how many alarms there would be."""
    rules = [{"rule": id_} | _figures(score, labelled) for id_, score in one.rules.items()]
    return {"pack": one.pack, **_figures(one.whole, labelled), "rules": rules}


def _figures(score: Score, labelled: bool) -> dict[str, Json]:
    alarms = {
        "alarms": score.hits + score.false,
        "alarms_per_day": round(score.alarms_per_day, 3),
    }
    if not labelled:
        return alarms
    on_delays = score.delay_in_on_delays()
    return {
        "labels": score.labels,
        "hits": score.hits,
        "false": score.false,
        "second": score.second,
        "look_alike": score.look_alike,
        "missed": score.missed,
        "precision": _rounded(score.precision),
        "recall": _rounded(score.recall),
        "median_delay_s": _seconds(score.delay_ms(50)),
        "p90_delay_s": _seconds(score.delay_ms(90)),
        "median_delay_in_on_delays": _rounded(on_delays),
        "delays_s": [_seconds(one) for one in score.delays_ms],
        "delays_in_on_delays": [_rounded(one) for one in score.on_delays],
        "late": on_delays is not None and on_delays > SLOW,
        **alarms,
    }


def comparison_json(difference: Comparison, *, labelled: bool) -> dict[str, Json]:
    """Return what another version says more, and what it says no more."""
    return {
        "kept": difference.kept,
        "risen": _differences(difference.risen, labelled),
        "gone": _differences(difference.gone, labelled),
    }


def _differences(some: Sequence[Opinion], labelled: bool) -> dict[str, Json]:
    by_rule: dict[str, int] = {}
    for one in some:
        name = f"{one.alarm.pack}/{one.alarm.rule}"
        by_rule[name] = by_rule.get(name, 0) + 1
    return {
        "count": len(some),
        "by_rule": dict(sorted(by_rule.items())),
        "alarms": [
            {
                "pack": one.alarm.pack,
                "rule": one.alarm.rule,
                "subject": one.alarm.subject,
                "at_ms": one.alarm.at_ms,
                "verdict": one.verdict if labelled else None,
                "label": one.label.id if one.label else None,
            }
            for one in some
        ],
    }


def lines_of(report: Mapping[str, Json], zone: ZoneInfo) -> Iterator[str]:
    """Yield the report as lines for people."""
    start, end = (_instant(report[name], zone) for name in ("start_ms", "end_ms"))
    labels = "none" if report["labels"] is None else report["labels"]
    readings = f"{report['readings']:,}"
    yield f"{report['source']}, {start} to {end}, readings: {readings}, labels: {labels}"
    yield ""
    yield _table(report["packs"], labelled=report["labels"] is not None)
    for kind, count in report["no_rule_finds"].items():
        yield f"no rule finds {kind}, labels: {count}"
    if "comparison" in report:
        yield from _compared(report["comparison"], zone)
    late = [one["pack"] for one in report["packs"] if one.get("late")]
    if late:
        yield f"late: the median alarm of {', '.join(late)} comes after more than two on-delays"
    if left_out := report["gate"]["left_out"]:
        yield f"no verdict on {', '.join(left_out)}: they find no fault that there can be here"
    for line in report["gate"]["short"]:
        yield f"below the gate: {line}"


def _table(packs: Iterable[Mapping[str, Json]], *, labelled: bool) -> str:
    out = io.StringIO()
    rows = csv.writer(out)
    rows.writerow(_HEAD if labelled else ("pack", "rule", "alarms", "alarms/day"))
    for pack in packs:
        for one in (pack, *pack["rules"]):
            rows.writerow([pack["pack"], one.get("rule", "(all)"), *_cells(one, labelled)])
    return aligned(out.getvalue())


def _cells(one: Mapping[str, Json], labelled: bool) -> list[Json]:
    names = (
        (
            "labels", "hits", "false", "second", "look_alike", "missed", "precision", "recall",
            "median_delay_s", "p90_delay_s", "median_delay_in_on_delays", "alarms_per_day",
        )
        if labelled
        else ("alarms", "alarms_per_day")
    )  # fmt: skip
    return ["-" if one[name] is None else one[name] for name in names]


def _compared(found: Mapping[str, Json], zone: ZoneInfo) -> Iterator[str]:
    yield ""
    yield f"{found['kept']} alarms rise with both versions"
    for name, words in (("risen", "rise only with the new"), ("gone", "rise no more")):
        some = found[name]
        yield f"{some['count']} alarms {words}"
        for rule, count in some["by_rule"].items():
            yield f"  {rule}: {count}"
        for one in some["alarms"][:SHOWN]:
            judged = f" ({one['verdict']})" if one["verdict"] else ""
            yield f"    {_instant(one['at_ms'], zone)} {one['rule']} {one['subject']}{judged}"
        if some["count"] > SHOWN:
            yield f"    and {some['count'] - SHOWN} more; --json lists them all"


def _instant(at_ms: int, zone: ZoneInfo) -> str:
    return datetime.fromtimestamp(at_ms / 1000, zone).strftime("%Y-%m-%d %H:%M:%S")


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _seconds(value_ms: float | None) -> float | None:
    return None if value_ms is None else round(value_ms / 1000, 1)
