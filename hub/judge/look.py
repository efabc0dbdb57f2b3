"""All rules over days of a site, and the days that they look back on; pure.

The daily look of the hub and the backtest feed it with the columns of days, each from its own
source, and get the same judgements.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from functools import partial

import numpy as np

from hub.energy.ledger import rule_of
from hub.judge.subject import Case, Terms, cases_of
from hub.model import Entry, EntryKind
from hub.site import Site
from rules import balance, efficiency, expected, exposure, night, night_flow, peers
from rules.calendar import Calendar
from rules.day_builder import Builder, Counting, HoursOf
from rules.day_columns import HOURS, DayColumns, Fact, History, Numbers, Past
from rules.judged import Judgement
from rules.spec import Pack
from rules.spec_windows import (
    BalanceRule,
    EfficiencyRule,
    ExpectedRule,
    ExposureRule,
    NightFlowRule,
    NightRule,
    PeersRule,
    WindowRule,
)

DAY = timedelta(days=1)
WEEK = 7
NIGHT = slice(0, 5)  # hours of which a statistic of the night is made


class Look:
    """Judges every rule over days on all its subjects, from the columns of the days."""

    def __init__(self, site: Site, packs: Sequence[Pack], calendar: Calendar) -> None:
        self._site = site
        self._cases = cases_of(site, packs)
        kinds: dict[bool, set[int]] = {True: set(), False: set()}  # whether of counters
        for case in self._cases:
            for term in (term for terms in case.terms for term in terms):
                kinds[site.points[term.point].kind == "counter"].add(term.point)
        days = max((days_of(case.rule) for case in self._cases), default=1)
        self.history = History(
            sorted(kinds[True]), sorted(kinds[False]), days, partial(class_of, calendar)
        )

    def __len__(self) -> int:
        """Count the causes that are judged."""
        return len(self._cases)

    @property
    def points(self) -> frozenset[int]:
        """Return the numbers of the points that are looked at, also of members and meters."""
        return frozenset([*self.history.counters.tolist(), *self.history.gauges.tolist()])

    @property
    def causes(self) -> list[str]:
        """Return what is judged, in the order of the judgements."""
        return [case.cause for case in self._ordered()]

    def builder(self, hours_of: HoursOf) -> Builder:
        """Return what makes the columns of days from readings in order of time."""
        points = [self._site.points[number] for number in self.history.counters.tolist()]
        rules = [rule_of(point, self._site.devices[point.device]) for point in points]
        counters = {
            point.number: Counting(rule.most_per_h, rule.gap_ms, rule.modulus)
            for point, rule in zip(points, rules, strict=True)
        }
        return Builder(counters, self.history.gauges.tolist(), hours_of)

    def add(self, columns: DayColumns) -> None:
        """Take the columns of a day."""
        self.history.add(columns)

    def lacking(self, day: date) -> list[date]:
        """Return the days whose columns are needed to judge a day and are not here, in order."""
        every = [day - timedelta(n) for n in reversed(range(self.history.days))]
        return [one for one in every if not self.history.holds(one)]

    def judge(self, day: date) -> Iterator[tuple[str, Judgement]]:
        """Yield the judgement of a day for every cause, peers together."""
        groups = self._peers()
        for cases in groups:
            rule = cases[0].rule
            if isinstance(rule, PeersRule):
                values = np.array([_statistic(self.history, rule, case, day) for case in cases])
                judged = peers.judge(rule, values)
                yield from zip((case.cause for case in cases), judged, strict=True)
        for case in self._cases:
            if not isinstance(case.rule, PeersRule):
                yield case.cause, _judged(self.history, case, case.rule, day)

    def _ordered(self) -> list[Case]:
        alone = [case for case in self._cases if not isinstance(case.rule, PeersRule)]
        return [case for cases in self._peers() for case in cases] + alone

    def _peers(self) -> list[list[Case]]:
        found: dict[tuple[str, str], list[Case]] = {}
        for case in self._cases:
            if isinstance(case.rule, PeersRule):
                found.setdefault((case.rule.id, case.group), []).append(case)
        return list(found.values())


def class_of(calendar: Calendar, day: date) -> str:
    """Return which days are like a day: those of a vacation, workdays, or days off in term."""
    if calendar.season(day) == "vacation":
        return "vacation"
    return "term-work" if calendar.is_workday(day) else "term-free"


def entry_of(at_ms: int, day: date, cause: str, judgement: Judgement) -> Entry:
    """Return the journal entry of a judgement."""
    content = {
        "cause": cause,
        "day": day.isoformat(),
        "state": judgement.state,
        "value": judgement.value,
        "limit": judgement.limit,
        "facts": dict(judgement.facts),
        "grave": judgement.grave,
    }
    return Entry(EntryKind.JUDGEMENT, at_ms, content=content)


def days_of(rule: WindowRule) -> int:
    """Return how many days a rule looks back on, the judged one included."""
    if isinstance(rule, ExpectedRule | NightRule):
        return rule.weeks * WEEK + 1
    if isinstance(rule, NightFlowRule):
        return rule.weeks * WEEK + rule.window
    if isinstance(rule, EfficiencyRule):
        return rule.window
    if isinstance(rule, ExposureRule):
        return -(-rule.for_ // DAY)
    return 1


def _statistic(history: History, rule: PeersRule, case: Case, day: date) -> float:
    """Return what a subject is compared by with its peers, NaN where it is not known."""
    by: Mapping[str, Fact] = {"mean": "mean", "high": "high", "low": "low"}
    fact: Fact = by.get(rule.statistic, "use" if case.counted else "mean")
    if case.counted != (fact == "use"):
        return float("nan")
    past = history.past(day, case.terms[0], fact, 1)
    hours = past.hours[0]
    if rule.statistic == "use" and case.counted:
        return float(past.total[0]) / case.divisor
    if rule.statistic == "night_use":
        return float(hours[NIGHT].sum()) / case.divisor
    reduce: Callable[[Numbers], float] = {"high": np.nanmax, "low": np.nanmin}.get(fact, np.nanmean)
    enough = np.isfinite(hours).sum() * 4 >= 3 * HOURS
    return float(reduce(hours)) if enough else float("nan")


def _judged(history: History, case: Case, rule: WindowRule, day: date) -> Judgement:
    """Judge one subject that is not compared with others."""
    if isinstance(rule, BalanceRule):
        partly = _partly(history, case, day) if rule.of == "meters" else balance.NOTHING
        return balance.judge(rule, *_both(history, case, rule, day), partly)
    if isinstance(rule, EfficiencyRule):
        return efficiency.judge(rule, _worked(history, case, rule, day))
    if isinstance(rule, ExposureRule) and not case.counted:
        high, low = (
            history.past(day, case.terms[0], fact, days_of(rule)).hours for fact in ("high", "low")
        )
        return exposure.judge_store(rule, high, low)
    fact: Fact = "use" if case.counted else "mean"
    past = history.past(day, case.terms[0], fact, days_of(rule))
    return _by_past(rule, past)


def _by_past(rule: WindowRule, past: Past) -> Judgement:
    if isinstance(rule, ExposureRule):
        return exposure.judge_outlet(rule, past)
    if isinstance(rule, NightFlowRule):
        return night_flow.judge(rule, past)
    if isinstance(rule, NightRule):
        return night.judge(rule, past)
    if isinstance(rule, ExpectedRule):
        return expected.judge(rule, past)
    raise TypeError(f"no judgement for rules of the kind {rule.kind}")


def _both(history: History, case: Case, rule: BalanceRule, day: date) -> tuple[float, float]:
    """Return what is given and what is taken in a day."""
    given = history.whole(day, case.terms[0])
    taken = history.whole(day, case.terms[1])
    if rule.of == "meters":
        return given, taken
    supply = _mean(history, case.terms[2], day)
    if rule.of == "heat":
        return given, balance.heat_taken(rule, taken, supply)
    return given, balance.hot_part(rule, taken, supply)


def _partly(history: History, case: Case, day: date) -> balance.Partly:
    """Return what is known of the meters beneath."""
    beneath = case.terms[1]
    return balance.Partly(
        at_least=history.least(day, beneath),
        about=float(history.past(day, beneath, "use", 1).total[0]),
    )


def _mean(history: History, terms: Terms, day: date) -> float:
    hours = history.past(day, terms, "mean", 1).hours
    return float(np.nanmean(hours)) if np.isfinite(hours).any() else float("nan")


def _worked(history: History, case: Case, rule: EfficiencyRule, day: date) -> efficiency.Worked:
    made, used, air, water = case.terms
    return efficiency.Worked(
        *(history.past(day, terms, "use", rule.window).hours for terms in (made, used)),
        *(history.past(day, terms, "mean", rule.window).hours for terms in (air, water)),
    )
