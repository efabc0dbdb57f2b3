"""The figures from the rows of tickets, and of their history only what the rows do not hold."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from hub.kpi.figure import DAY_MS, WEEK_MS, Backlog, Figures, Mean, Of, Period, Share, Subject
from hub.model import Ticket, TicketEvent

MARKS = ("reopened", "unproven", "paused", "resumed", "pause_over", "rated")
"""The events that say what the row of a ticket does not."""
Causes = Mapping[str, Sequence[int]]


class Lived(NamedTuple):
    """A ticket with the marks of its history, in their order."""

    ticket: Ticket
    marks: Sequence[TicketEvent]

    def of_kind(self, *kinds: str) -> list[TicketEvent]:
        """Return the marks of some kinds."""
        return [mark for mark in self.marks if mark.kind in kinds]


def counted(lives: Iterable[Lived], period: Period, of: Of) -> dict[str, Figures]:
    """Return the figures of each group, in the order of their names.

    ``lives`` are all tickets that were opened since the start of the time, and those that were
    opened before and open at its end.
    """
    groups: dict[str, list[Lived]] = defaultdict(list)
    causes: dict[str, list[int]] = defaultdict(list)
    for one in lives:
        ticket = one.ticket
        if ticket.closing != "refused":
            causes[ticket.cause].append(ticket.opened_ms)
        if _begins(one, period) or _age_ms(one, period.last_ms) is not None:
            subject = Subject(ticket.severity, ticket.place, ticket.crew or "", ticket.source)
            groups[of(subject)].append(one)
    return {name: _figures(groups[name], causes, period) for name in sorted(groups)}


def _figures(group: Sequence[Lived], causes: Causes, period: Period) -> Figures:
    begun = [one for one in group if _begins(one, period)]
    taken = [one for one in begun if one.ticket.closing != "refused"]
    mended = [one for one in taken if one.ticket.closed_ms is not None and one.ticket.fixed_ms]
    waits = [_paused_ms(one) for one in mended]
    spans = [_span_ms(one) - wait for one, wait in zip(mended, waits, strict=True)]
    tickets = [one.ticket for one in taken]
    there = [ticket for ticket in tickets if ticket.on_site_ms is not None]
    asked = [one for one in taken if one.ticket.closed_ms is not None and one.ticket.reports]
    stars = [_stars(one) for one in asked]
    again = [done for one in taken if (done := _reworked(one, causes, period.now_ms)) is not None]
    return Figures(
        opened=len(taken),
        refused=len(begun) - len(taken),
        **_clocks(tickets, period.now_ms),
        mtta=_mean(_answer_ms(tickets)),
        mttr=_mean(spans),
        paused=_mean(waits),
        first_time=_share(not one.of_kind("unproven", "reopened") for one in mended),
        rework=_share(again),
        reopened=sum(ticket.reopened for ticket in tickets),
        backlog=_backlog(group, period.last_ms),
        rating=_mean(star for given in stars for star in given),
        answered=Share(
            sum(min(len(s), one.ticket.reports) for one, s in zip(asked, stars, strict=True)),
            sum(one.ticket.reports for one in asked),
        ),
        unproven=_share(not ticket.on_site_proof for ticket in there),
    )


def _begins(one: Lived, period: Period) -> bool:
    return period.start_ms <= one.ticket.opened_ms < period.end_ms


def _clocks(tickets: Sequence[Ticket], now_ms: int) -> dict[str, Share]:
    """Return of each clock how many of the tickets that are judged kept it."""
    judged: dict[str, list[bool | None]] = defaultdict(list)
    for one in tickets:
        closed_ms = one.closed_ms
        until_ms = now_ms if closed_ms is None else closed_ms
        there_ms = one.fixed_ms if one.crew_ms is None else one.crew_ms
        rests = one.crew_ms is None  # on the fix alone, which counts once it has held
        judged["response"].append(_kept(one.respond_by_ms, one.responded_ms, until_ms))
        judged["on_site"].append(_kept(one.on_site_by_ms, one.on_site_ms, until_ms))
        fix = _kept(one.fix_by_ms, one.fixed_ms, until_ms)
        crew = _kept(one.crew_by_ms, there_ms, until_ms)
        judged["fix"].append(None if fix and closed_ms is None else fix)
        judged["crew"].append(None if crew and rests and closed_ms is None else crew)
    clocks = ("response", "on_site", "fix", "crew")
    return {name: _share(one for one in judged[name] if one is not None) for name in clocks}


def _kept(by_ms: int | None, done_ms: int | None, until_ms: int) -> bool | None:
    """Tell whether a deadline was kept; None: it may be yet, or there is none."""
    if by_ms is None:
        return None
    if done_ms is None:
        return False if until_ms > by_ms else None
    return done_ms <= by_ms


def _answer_ms(tickets: Iterable[Ticket]) -> Iterator[int]:
    for one in tickets:
        if one.responded_ms is not None:
            yield one.responded_ms - (one.reopened_ms or one.opened_ms)


def _span_ms(one: Lived) -> int:
    """Return the time from the opening to the fix, without that in which it was thought over."""
    away: int = sum(mark.at_ms - mark.detail["stopped_ms"] for mark in one.of_kind("reopened"))
    return (one.ticket.fixed_ms or 0) - one.ticket.opened_ms - away


def _paused_ms(one: Lived) -> int:
    """Return how long the work stood; a closing ends a pause, too."""
    total_ms, since_ms = 0, None
    for mark in one.of_kind("paused", "resumed", "pause_over", "reopened"):
        if mark.kind == "paused":
            since_ms = mark.at_ms
        elif since_ms is not None:
            end_ms = mark.detail["closed_ms"] if mark.kind == "reopened" else mark.at_ms
            total_ms, since_ms = total_ms + max(0, end_ms - since_ms), None
    return total_ms


def _reworked(one: Lived, causes: Causes, now_ms: int) -> bool | None:
    """Tell whether what was over came again within a week; None: that week is not over."""
    ticket = one.ticket
    ends = [(mark.detail["stopped_ms"], [mark.at_ms]) for mark in one.of_kind("reopened")]
    if ticket.closed_ms is not None:
        over_ms = ticket.closed_ms if ticket.fixed_ms is None else ticket.fixed_ms
        later = [at_ms for at_ms in causes[ticket.cause] if at_ms > ticket.opened_ms]
        ends.append((over_ms, later))
    if not ends or ends[0][0] + WEEK_MS > now_ms:
        return None
    return any(0 <= at_ms - over_ms <= WEEK_MS for over_ms, again in ends for at_ms in again)


def _age_ms(one: Lived, at_ms: int) -> int | None:
    """Return how long ago a ticket was opened that was open at an instant; None: it was not."""
    ticket, ends = one.ticket, one.of_kind("reopened")
    away = [(mark.detail["closed_ms"], mark.at_ms) for mark in ends]
    closed = any(over_ms is not None and over_ms <= at_ms < back_ms for over_ms, back_ms in away)
    over = ticket.closed_ms is not None and ticket.closed_ms <= at_ms
    return None if closed or over or ticket.opened_ms >= at_ms else at_ms - ticket.opened_ms


def _backlog(group: Iterable[Lived], at_ms: int) -> Backlog:
    ages = [age_ms for one in group if (age_ms := _age_ms(one, at_ms)) is not None]
    day = sum(age_ms <= DAY_MS for age_ms in ages)
    week = sum(DAY_MS < age_ms <= WEEK_MS for age_ms in ages)
    return Backlog(day, week, len(ages) - day - week)


def _stars(one: Lived) -> list[int]:
    """Return what each person who rated said last."""
    last = {mark.detail.get("reporter") or mark.actor: mark for mark in one.of_kind("rated")}
    return [int(mark.detail["stars"]) for mark in last.values()]


def _mean(values: Iterable[int]) -> Mean:
    known = list(values)
    return Mean(sum(known), len(known))


def _share(values: Iterable[bool]) -> Share:
    known = list(values)
    return Share(sum(known), len(known))
