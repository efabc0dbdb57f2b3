"""What a ticket rests on: the rule's point around the fault, its limit, what proves a fix."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from hub.model import Point, Ticket
from hub.ports import StoreError
from hub.web import form
from hub.web.charts import Chart
from hub.web.pages.frame import Frame
from hub.web.parts import Parts
from hub.web.value import Shown, shown
from rules.spec import Rule

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


def rule_of(parts: Parts, ticket: Ticket) -> Rule | None:
    """Return the rule that opened a ticket, None when it is no longer in force."""
    itself = parts.site.itself
    device = itself if ticket.device == itself.id else parts.site.devices.get(ticket.device)
    rules = (
        rule
        for pack in parts.packs
        if device is not None and pack.applies_to.kind == device.kind
        for rule in pack.rules
    )
    return next((rule for rule in rules if rule.id == ticket.rule), None)


def point_of(parts: Parts, ticket: Ticket) -> Point | None:
    """Return the point that a ticket is about."""
    rule = rule_of(parts, ticket)
    if rule is None or rule.kind == "health":
        return None
    number = parts.site.numbers.get(f"{ticket.device}/{rule.point}")
    return None if number is None else parts.site.points[number]


def value_words(page: Frame, ticket: Ticket, value: float, *, raised: bool) -> str:
    """Say what a rule saw: a value of its point, or when it raised, for how long there was none."""
    rule, point = rule_of(page.parts, ticket), point_of(page.parts, ticket)
    if raised and rule is not None and rule.kind == "stale":
        return page.t("event-silent", span=form.span(round(value * 1000), page.language))
    if rule is not None and rule.kind == "health":
        which = rule.subject if raised else "over"
        return page.t(f"event-health-{which}", value=form.number(value, 1))
    unit = point.unit if point else ""
    text = f"{form.number(value, form.decimals(unit))} {form.symbol(unit)}".strip()
    return page.t("event-value", value=text)


def others(parts: Parts, ticket: Ticket) -> list[Shown]:
    """Return what else the device of a ticket says now; it often names the broken part."""
    device, point = parts.site.devices.get(ticket.device), point_of(parts, ticket)
    if device is None:
        return []
    return [shown(parts, one) for one in device.points if one != point][:MOST_OTHERS]


def window(ticket: Ticket, now_ms: int, interval_ms: int) -> tuple[int, int, int]:
    """Return start, end and step of a ticket's curve; no step is shorter than two polls."""
    end_ms = now_ms if ticket.closed_ms is None else min(ticket.closed_ms + AFTER_MS, now_ms)
    start_ms = max(ticket.opened_ms - BEFORE_MS, end_ms - LONGEST_MS)
    steps = (minutes * form.MINUTE_MS for minutes in STEPS_MIN)
    fitting = (
        step
        for step in steps
        if step >= 2 * interval_ms and (end_ms - start_ms) // step <= MOST_STEPS
    )
    step_ms = next(fitting, form.HOUR_MS // 4)
    return start_ms // step_ms * step_ms, -(-end_ms // step_ms) * step_ms, step_ms


async def of_ticket(page: Frame, ticket: Ticket) -> Evidence:
    """Gather the evidence of a ticket."""
    parts = page.parts
    rule, point = rule_of(parts, ticket), point_of(parts, ticket)
    if rule is None or point is None:
        return Evidence(None, None, (), "")
    interval = parts.site.devices[point.device].interval
    span = window(ticket, page.now_ms, round(interval.total_seconds() * 1000))
    values = await _values(parts, point.number, span)
    now = shown(parts, point)
    if all(value is None for value in values):
        return Evidence(now, None, (), _needed(page, ticket, rule))
    chart = _chart(page, ticket, rule, point, (span[0], span[2], values))
    rows = [(span[0] + i * span[2], value) for i, value in enumerate(values)]
    return Evidence(now, chart, rows, _needed(page, ticket, rule))


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
    ticket: Ticket,
    rule: Rule,
    point: Point,
    series: tuple[int, int, Sequence[float | None]],
) -> Chart:
    limit = getattr(rule, "limit", None)  # a stale rule has none
    return Chart(
        title=page.words(point.label),
        unit=point.unit,
        start_ms=series[0],
        step_ms=series[1],
        values=series[2],
        zone=page.parts.site.zone,
        language=page.language,
        gap_word=page.t("no-data"),
        limit=limit,
        limit_word="" if limit is None else page.t("limit", limit=_with_unit(point, limit)),
        mark_ms=ticket.opened_ms,
        mark_word=page.t("opened-here"),
    )


def _with_unit(point: Point, value: float) -> str:
    return f"{value:g} {form.symbol(point.unit)}".strip()


def _needed(page: Frame, ticket: Ticket, rule: Rule) -> str:
    """Say what telemetry must show before a fix counts."""
    proof = rule.proof
    number = page.parts.site.numbers.get(f"{ticket.device}/{proof.point}") if proof else None
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
