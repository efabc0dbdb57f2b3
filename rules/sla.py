"""The service clocks as arithmetic on UTC instants: deadlines, elapsed time, verdicts; pure.

A clock counts the milliseconds of its hours outside its pauses. Its deadline is the earliest
instant at which it has counted what was promised: nothing is rounded, and what is done at exactly
the deadline is met. Civil time enters through the hours of a calendar alone.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from itertools import accumulate
from typing import Literal, NamedTuple

from hub.model import Severity
from rules.calendar import DAY_MS, Calendar
from rules.service import Policy, Rung, Service, Target

Verdict = Literal["running", "met", "breached"]
CLOSED = "closed"  # the reason of the gap in which a ticket was closed
_MILLISECOND = timedelta(milliseconds=1)
_AHEAD = 64  # days that hours are worked out beyond what was asked


class Pause(NamedTuple):
    """A time in which some clocks stand: start <= t < end; an ``end_ms`` of None: it still lasts.

    It is over at its limit at the latest, and is planned to last until then.
    """

    start_ms: int
    end_ms: int | None
    limit_ms: int
    clocks: tuple[Target, ...]
    reason: str = ""

    @property
    def over_ms(self) -> int:
        """Return when it is over, by its end or its limit."""
        limit_ms = self.start_ms + self.limit_ms
        return limit_ms if self.end_ms is None else min(self.end_ms, limit_ms)


class Plan(NamedTuple):
    """What the clocks of one ticket go by.

    Response, arrival and extra crew count from the latest reopening, the fix from the opening. The
    time for which a ticket was closed is a pause of the fix: see :func:`closed_gap`.
    """

    policy: Policy
    severity: Severity
    opened_ms: int
    reopened_ms: int | None = None
    pauses: tuple[Pause, ...] = ()

    def since_ms(self, target: Target) -> int:
        """Return the instant that a clock counts from."""
        if target == "fix" or self.reopened_ms is None:
            return self.opened_ms
        return self.reopened_ms


class Deadlines(NamedTuple):
    """The instants by which a ticket's targets must be met; None where there is no such target."""

    respond_by_ms: int
    on_site_by_ms: int
    fix_by_ms: int | None
    crew_by_ms: int | None


class Hours:
    """The hours of one name of a calendar as spans of instants, worked out as far as asked."""

    def __init__(self, calendar: Calendar, name: str) -> None:
        self._calendar, self._name = calendar, name
        self._known = range(0)  # UTC days
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._before: list[int] = [0]  # how much there is before each span, and in all

    def between(self, start_ms: int, end_ms: int) -> int:
        """Return how many milliseconds of an interval lie in the hours."""
        self._know(start_ms, end_ms)
        return self._until(end_ms) - self._until(start_ms)

    def reach(self, since_ms: int, span_ms: int) -> int:
        """Return the earliest instant by which so much of the hours has passed."""
        self._know(since_ms, since_ms + span_ms)
        wanted = self._until(since_ms) + span_ms
        while self._before[-1] < wanted:
            self._know(since_ms, (self._known.stop + len(self._known)) * DAY_MS)
        n = bisect_left(self._before, wanted) - 1
        return self._starts[n] + wanted - self._before[n]

    def _until(self, at_ms: int) -> int:
        n = bisect_right(self._starts, at_ms) - 1
        if n < 0:
            return 0
        return self._before[n] + min(at_ms, self._ends[n]) - self._starts[n]

    def _know(self, start_ms: int, end_ms: int) -> None:
        first, last = start_ms // DAY_MS, end_ms // DAY_MS + 1
        known = self._known
        if known and known.start <= first and last <= known.stop:
            return
        first = min(first, known.start) if known else first
        last = max(last + _AHEAD, known.stop) if known else last + _AHEAD
        self._known = range(first, last)
        spans = self._calendar.spans(self._name, first * DAY_MS, last * DAY_MS)
        self._starts = [start for start, _ in spans]
        self._ends = [end for _, end in spans]
        self._before = list(accumulate((end - start for start, end in spans), initial=0))


def deadline(since_ms: int, span_ms: int, hours: Hours | None, pauses: Iterable[Pause]) -> int:
    """Return the earliest instant at which a clock has counted a span; ``hours`` None: 24 h a day.

    >>> deadline(0, 1000, None, [Pause(400, 700, 600, ("fix",))])
    1300
    """
    if span_ms <= 0:
        return since_ms
    now_ms, left_ms = since_ms, span_ms
    for start_ms, end_ms in _standing(pauses, since_ms):
        ran_ms = _between(hours, now_ms, start_ms)
        if ran_ms >= left_ms:
            break
        now_ms, left_ms = end_ms, left_ms - ran_ms
    return now_ms + left_ms if hours is None else hours.reach(now_ms, left_ms)


def elapsed(since_ms: int, until_ms: int, hours: Hours | None, pauses: Iterable[Pause]) -> int:
    """Return what a clock has counted from one instant to a later one, in milliseconds."""
    if until_ms <= since_ms:
        return 0
    stood_ms = sum(
        _between(hours, start_ms, min(end_ms, until_ms))
        for start_ms, end_ms in _standing(pauses, since_ms)
        if start_ms < until_ms
    )
    return _between(hours, since_ms, until_ms) - stood_ms


def verdict(by_ms: int, done_ms: int | None, now_ms: int) -> Verdict:
    """Judge one target; met at exactly its limit is met."""
    if done_ms is not None:
        return "met" if done_ms <= by_ms else "breached"
    return "running" if now_ms <= by_ms else "breached"


def closed_gap(stopped_ms: int, reopened_ms: int) -> Pause:
    """Return the time that a ticket does not count because it was closed.

    It begins with the last fix report, or where there was none with the closing.
    """
    return Pause(stopped_ms, reopened_ms, reopened_ms - stopped_ms, ("fix",), CLOSED)


class Clocks:
    """The clocks of a site: what its service.yaml promises, in the hours of its calendar."""

    def __init__(self, service: Service, calendar: Calendar) -> None:
        self.service = service
        self._calendar = calendar
        self._hours: dict[str, Hours] = {}

    def deadlines(self, plan: Plan) -> Deadlines:
        """Return the deadlines of a ticket, as if a pause that lasts ended at its limit."""
        policy = plan.policy
        return Deadlines(
            self._reached(plan, "response", milliseconds(policy.respond)),
            self._reached(plan, "on_site", milliseconds(policy.on_site)),
            self._by(plan, "fix"),
            self._by(plan, "crew"),
        )

    def elapsed(self, plan: Plan, target: Target, now_ms: int) -> int:
        """Return what a clock of a ticket has counted by an instant, in milliseconds."""
        pauses = _of(plan, target)
        return elapsed(plan.since_ms(target), now_ms, self._hours_of(plan.policy), pauses)

    def left(self, plan: Plan, target: Target, now_ms: int) -> int | None:
        """Return what a clock has yet to count, negative once late; None: no such target."""
        span = plan.policy.span(target, plan.severity)
        return None if span is None else milliseconds(span) - self.elapsed(plan, target, now_ms)

    def rung(self, plan: Plan, rung: Rung) -> int | None:
        """Return when a rung of the ladder is due; None where there is no such target.

        A rung after the deadline is due one millisecond later: at the deadline itself it is met.
        """
        span = plan.policy.span(rung.clock, plan.severity)
        if span is None:
            return None
        span_ms = milliseconds(span)
        if rung.after is not None:
            return self._reached(plan, rung.clock, span_ms + milliseconds(rung.after)) + 1
        if rung.at is not None:
            return self._reached(plan, rung.clock, milliseconds(rung.at))
        return self._reached(plan, rung.clock, span_ms - _lead_ms(rung, span_ms))

    def limit_ms(self, reason: str, pauses: Sequence[Pause]) -> int:
        """Return how long a ticket may still be paused for a reason; 0: not any more, or never."""
        form = self.service.pauses.get(reason)
        if form is None:
            return 0
        used_ms = sum(one.over_ms - one.start_ms for one in pauses if one.reason == reason)
        return max(0, milliseconds(form.limit) - used_ms)

    def _by(self, plan: Plan, target: Target) -> int | None:
        span = plan.policy.span(target, plan.severity)
        return None if span is None else self._reached(plan, target, milliseconds(span))

    def _reached(self, plan: Plan, target: Target, span_ms: int) -> int:
        hours = self._hours_of(plan.policy)
        return deadline(plan.since_ms(target), span_ms, hours, _of(plan, target))

    def _hours_of(self, policy: Policy) -> Hours | None:
        name = policy.hours
        if name is None:
            return None
        if name not in self._hours:
            self._hours[name] = Hours(self._calendar, name)
        return self._hours[name]


def milliseconds(span: timedelta) -> int:
    """Return a span as whole milliseconds."""
    return span // _MILLISECOND


def _lead_ms(rung: Rung, span_ms: int) -> int:
    if isinstance(rung.before, str):
        return span_ms * int(rung.before.removesuffix("%")) // 100
    return min(span_ms, milliseconds(rung.before or timedelta(0)))


def _of(plan: Plan, target: Target) -> list[Pause]:
    return [pause for pause in plan.pauses if target in pause.clocks]


def _between(hours: Hours | None, start_ms: int, end_ms: int) -> int:
    return end_ms - start_ms if hours is None else hours.between(start_ms, end_ms)


def _standing(pauses: Iterable[Pause], since_ms: int) -> Iterator[tuple[int, int]]:
    """Yield the times after an instant in which a clock stands, joined and in order."""
    spans = sorted((max(one.start_ms, since_ms), one.over_ms) for one in pauses)
    reached_ms = since_ms
    for start_ms, end_ms in spans:
        if end_ms > reached_ms:
            yield max(start_ms, reached_ms), end_ms
            reached_ms = end_ms
