"""What a ticket rests on: the rule's point around the fault, its limit, what proves a fix."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from hub.model import Point, Ticket
from hub.ports import StoreError
from hub.web import form
from hub.web.charts import Chart
from hub.web.pages.frame import Frame
from hub.web.parts import Parts
from hub.web.value import Shown, shown
from rules.spec import ErrorsRule, Rule
from rules.spec_members import MembersRule

log = logging.getLogger(__name__)
BEFORE_MS = 2 * form.HOUR_MS
AFTER_MS = form.HOUR_MS // 2
LONGEST_MS = form.DAY_MS
MOST_STEPS = 240
MOST_OTHERS = 18
STEPS_MIN = (1, 2, 5, 10)


@dataclass(frozen=True, slots=True)
class Evidence:
    """The point with its last value, its curve and the rows of its table."""

    value: Shown | None
    chart: Chart | None
    rows: Sequence[tuple[int, float | None]]
    needed: str


class About(NamedTuple):
    """What evidence is about: a rule on a subject, since when and until when; ``word`` marks it.

    ``limits`` are the thresholds as they were then; None: those of the rule as it is now.
    """

    subject: str
    rule: str
    since_ms: int
    until_ms: int | None
    word: str
    limits: Sequence[float] | None = None


def about_ticket(ticket: Ticket) -> About:
    """Return what the evidence of a ticket is about."""
    return About(ticket.device, ticket.rule, ticket.opened_ms, ticket.closed_ms, word="opened-here")


def rule_of(parts: Parts, subject: str, rule: str) -> Rule | None:
    """Return a rule on a subject, None when it is no longer in force."""
    kind = _kind_of(parts, subject)
    rules = (rule for pack in parts.packs if pack.applies_to.kind == kind for rule in pack.rules)
    return next((one for one in rules if one.id == rule), None)


def _kind_of(parts: Parts, subject: str) -> str:
    site = parts.site
    if subject in site.gateways:
        return "gateway"
    if subject in site.places:
        return site.places[subject].kind
    device = site.itself if subject == site.itself.id else site.devices.get(subject)
    return device.kind if device else ""


def point_of(parts: Parts, subject: str, rule: str) -> Point | None:
    """Return the point that a rule on a device is about."""
    found = rule_of(parts, subject, rule)
    if found is None or not found.inputs:
        return None
    number = parts.site.numbers.get(f"{subject}/{found.inputs[0]}")
    return None if number is None else parts.site.points[number]


def value_words(page: Frame, ticket: Ticket, value: float, *, raised: bool) -> str:
    """Say what a rule saw: a value of its point, or when it raised, for how long there was none."""
    at = (page.parts, ticket.device, ticket.rule)
    rule, point = rule_of(*at), point_of(*at)
    if raised and rule is not None and rule.shown_unit == "s":
        return page.t("event-silent", span=form.span(round(value * 1000), page.language))
    if rule is not None and rule.kind == "health":
        which = rule.subject if raised else "over"
        return page.t(f"event-health-{which}", value=form.number(value, 1))
    if isinstance(rule, MembersRule | ErrorsRule):  # a number or share: its explanation says it
        return ""
    unit = point.unit if point else ""
    if rule is not None and rule.shown_unit == "":  # a count, a share or a code
        unit = ""
    text = f"{form.number(value, form.decimals(unit))} {form.symbol(unit)}".strip()
    return page.t("event-value", value=text)


def others(parts: Parts, subject: str, rule: str) -> list[Shown]:
    """Return what else a device says now beside a rule; it often names the broken part."""
    device = parts.site.devices.get(subject)
    point = point_of(parts, subject, rule)
    if device is None:
        return []
    return [shown(parts, one) for one in device.points if one != point][:MOST_OTHERS]


def window(about: About, now_ms: int, interval_ms: int) -> tuple[int, int, int]:
    """Return start, end and step of a curve; no step is shorter than two polls."""
    until_ms = about.until_ms
    end_ms = now_ms if until_ms is None else min(until_ms + AFTER_MS, now_ms)
    start_ms = max(about.since_ms - BEFORE_MS, end_ms - LONGEST_MS)
    steps = (minutes * form.MINUTE_MS for minutes in STEPS_MIN)
    fitting = (
        step
        for step in steps
        if step >= 2 * interval_ms and (end_ms - start_ms) // step <= MOST_STEPS
    )
    step_ms = next(fitting, form.HOUR_MS // 4)
    return start_ms // step_ms * step_ms, -(-end_ms // step_ms) * step_ms, step_ms


async def gathered(page: Frame, about: About) -> Evidence:
    """Gather the evidence of a ticket or an alarm."""
    parts = page.parts
    rule = rule_of(parts, about.subject, about.rule)
    point = point_of(parts, about.subject, about.rule)
    if rule is None or point is None:
        return Evidence(None, None, (), "")
    interval = parts.site.devices[point.device].interval
    span = window(about, page.now_ms, round(interval.total_seconds() * 1000))
    values = await _values(parts, point.number, span)
    now = shown(parts, point)
    if all(value is None for value in values):
        return Evidence(now, None, (), _needed(page, about, rule))
    chart = _chart(page, about, rule, point, (span[0], span[2], values))
    rows = [(span[0] + i * span[2], value) for i, value in enumerate(values)]
    return Evidence(now, chart, rows, _needed(page, about, rule))


async def _values(parts: Parts, number: int, span: tuple[int, int, int]) -> Sequence[float | None]:
    """Read a curve; a store that fails hides the curve, never the ticket."""
    try:
        found = await parts.store_worker.run(lambda: parts.store.series([number], *span, ["mean"]))
    except StoreError as error:
        log.warning("evidence not shown: %s", error)
        return ()
    return found.get(number, {}).get("mean", [])


def _chart(
    page: Frame,
    about: About,
    rule: Rule,
    point: Point,
    series: tuple[int, int, Sequence[float | None]],
) -> Chart:
    now = getattr(rule, "limit", None)  # a stale rule has none
    limits = about.limits if about.limits is not None else [] if now is None else [now]
    words = ("limit", "clear-limit" if rule.kind in ("high", "low") else "limit")
    drawn = dict.fromkeys(limits)  # a limit that is its own clear value is one line
    return Chart(
        title=page.words(point.label),
        unit=point.unit,
        start_ms=series[0],
        step_ms=series[1],
        values=series[2],
        zone=page.parts.site.zone,
        language=page.language,
        gap_word=page.t("no-data"),
        limits=[
            (limit, page.t(word, limit=_with_unit(point, limit)))
            for limit, word in zip(drawn, words, strict=False)
        ],
        mark_ms=about.since_ms,
        mark_word=page.t(about.word),
    )


def _with_unit(point: Point, value: float) -> str:
    return f"{value:g} {form.symbol(point.unit)}".strip()


def _needed(page: Frame, about: About, rule: Rule) -> str:
    """Say what telemetry must show before a fix counts."""
    proof = rule.proof
    number = page.parts.site.numbers.get(f"{about.subject}/{proof.point}") if proof else None
    if proof is None or number is None:
        return ""
    point = page.parts.site.points[number]
    side, limit = ("below", proof.below) if proof.above is None else ("above", proof.above)
    return page.t(
        f"proof-needs-{side}",
        point=page.words(point.label),
        limit=_with_unit(point, limit or 0.0),
        span=form.span(round(proof.for_.total_seconds() * 1000), page.language),
    )
