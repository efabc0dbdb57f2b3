"""Alarms held against what is known to have happened: hits, false alarms, faults missed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np

Verdict = Literal["hit", "second", "look_alike", "false", "outside"]
FEWEST_LABELS = 20  # below it a share says nothing
DAY_MS = 86_400_000
SLOW = 2.0  # on-delays from when a fault shows to its alarm; above it an alarm is late


class Span(NamedTuple):
    """The time that a history covers, start <= at < end."""

    start_ms: int
    end_ms: int

    @property
    def days(self) -> float:
        """Return the length in days."""
        return (self.end_ms - self.start_ms) / DAY_MS


@dataclass(frozen=True, slots=True)
class Label:
    """What is known to have happened to a subject; ``end_ms`` is None while it lasts.

    ``members`` share the cause. A ``look_alike`` is no fault, however much it looks like one of
    ``kind``. ``rule`` names the right rule; None: those that find the kind. Nothing shows before
    ``evident_ms``; None: it shows from its beginning.
    """

    id: str
    kind: str
    subject: str
    start_ms: int
    end_ms: int | None
    look_alike: bool = False
    members: frozenset[str] = frozenset()
    rule: str | None = None
    evident_ms: int | None = None

    @property
    def concerned(self) -> frozenset[str]:
        """Return the subject and the members."""
        return self.members | {self.subject}


@dataclass(frozen=True, slots=True)
class Judged:
    """A rule that is judged, with every subject that it watches.

    Its devices are read every ``interval_ms``: an on-delay takes two readings at least.
    """

    pack: str
    id: str
    finds: frozenset[str]
    on_delay_ms: int
    subjects: frozenset[str]
    interval_ms: int = 0

    def is_right_for(self, label: Label) -> bool:
        """Tell whether this rule must find what a label is about."""
        if label.look_alike or self.subjects.isdisjoint(label.concerned):
            return False
        return self.id == label.rule if label.rule is not None else label.kind in self.finds

    def in_time(self, label: Label, at_ms: int) -> bool:
        """Tell whether an alarm at an instant belongs to the time of a label."""
        ended = label.end_ms is not None and at_ms > label.end_ms + SLOW * self.on_delay_ms
        return label.start_ms <= at_ms and not ended

    def on_delays(self, label: Label, at_ms: int) -> float | None:
        """Return how many on-delays after a fault shows its alarm came; None for one without."""
        if not self.on_delay_ms:
            return None
        shown_ms = label.start_ms if label.evident_ms is None else label.evident_ms
        return max(at_ms - shown_ms, 0) / max(self.on_delay_ms, self.interval_ms)


class Raised(NamedTuple):
    """An alarm that people heard; ``cleared_ms`` is None when it still held at the end."""

    pack: str
    rule: str
    subject: str
    at_ms: int
    cleared_ms: int | None = None


class Opinion(NamedTuple):
    """What an alarm turned out to be, and the label that says so, if one does."""

    alarm: Raised
    verdict: Verdict
    label: Label | None = None


@dataclass(frozen=True, slots=True)
class Score:
    """How well a rule, or a whole pack, did; delays are from the beginning of the fault, in ms.

    ``on_delays`` are those since it showed, counted in on-delays of the rule. ``second`` and
    ``look_alike`` are those of the false alarms that came again for one episode, and those that
    took a look-alike for a fault.
    """

    labels: int
    hits: int
    false: int
    missed: int
    second: int
    look_alike: int
    delays_ms: tuple[int, ...]
    on_delays: tuple[float, ...]
    alarms_per_day: float

    @property
    def precision(self) -> float | None:
        """Return the share of the alarms that were right; None without alarms."""
        alarms = self.hits + self.false
        return self.hits / alarms if alarms else None

    @property
    def recall(self) -> float | None:
        """Return the share of the faults that were found; None without faults."""
        faults = self.hits + self.missed
        return self.hits / faults if faults else None

    def delay_ms(self, percent: float) -> float | None:
        """Return a percentile of the delays; None without hits."""
        return _percentile(self.delays_ms, percent)

    def delay_in_on_delays(self) -> float | None:
        """Return the median delay, counted in on-delays of the rule; None where there are none."""
        return _percentile(self.on_delays, 50)


@dataclass(frozen=True, slots=True)
class PackScore:
    """A pack as a whole, and each of its rules."""

    pack: str
    whole: Score
    rules: Mapping[str, Score]


@dataclass(frozen=True, slots=True)
class Gate:
    """The least that a pack must reach; None: not asked for."""

    precision: float | None = None
    recall: float | None = None

    def shortfalls(self, one: PackScore) -> list[str]:
        """Say where a pack falls short."""
        if self.precision is None and self.recall is None:
            return []
        short = []
        if one.whole.labels < FEWEST_LABELS:
            few = f"labels: {one.whole.labels}, and a verdict wants {FEWEST_LABELS} or more"
            short.append(f"{one.pack}: {few}")
        for name, wanted, found in (
            ("precision", self.precision, one.whole.precision),
            ("recall", self.recall, one.whole.recall),
        ):
            if wanted is not None and (found is None or found < wanted):
                is_ = "unknown" if found is None else f"{found:.3f}"
                short.append(f"{one.pack}: {name} is {is_}, wanted {wanted:g}")
        return short


@dataclass(slots=True)
class _Known:
    """The labels, by whom they are about, and what of them was found."""

    labels: Sequence[Label]
    span: Span
    about: dict[str, list[Label]] = field(default_factory=dict)
    found: set[tuple[str, str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        for label in sorted(self.labels, key=lambda one: (one.start_ms, one.id)):
            for subject in label.concerned:
                self.about.setdefault(subject, []).append(label)

    def opinion(self, alarm: Raised, rule: Judged) -> Opinion:
        """Judge one alarm; they come in the order of time."""
        meant = [one for one in self.about.get(alarm.subject, ()) if rule.in_time(one, alarm.at_ms)]
        right = [one for one in meant if rule.is_right_for(one)]
        new = [one for one in right if (alarm.pack, one.id) not in self.found]
        if new:
            self.found.add((alarm.pack, new[0].id))
            inside = _counts(new[0], rule.on_delay_ms, self.span)
            return Opinion(alarm, "hit" if inside else "outside", new[0])
        if right:
            return Opinion(alarm, "second", right[0])
        alike = [one for one in meant if one.look_alike]
        return Opinion(alarm, "look_alike", alike[0]) if alike else Opinion(alarm, "false")


def opinions(
    labels: Sequence[Label], alarms: Iterable[Raised], rules: Iterable[Judged], span: Span
) -> list[Opinion]:
    """Judge alarms in the order of time; each pack for itself.

    A hit is the first alarm of a pack, by a right rule, on whom a label concerns, from its
    beginning to two on-delays after its end. Any other alarm is a false one, but for those whose
    label the span does not hold.
    """
    by_id = {(rule.pack, rule.id): rule for rule in rules}
    known = _Known(labels, span)
    ordered = sorted(alarms, key=lambda one: (one.at_ms, one.pack, one.rule, one.subject))
    return [known.opinion(alarm, by_id[alarm.pack, alarm.rule]) for alarm in ordered]


def scores(
    labels: Sequence[Label], judged: Sequence[Opinion], rules: Sequence[Judged], span: Span
) -> list[PackScore]:
    """Count what the alarms turned out to be, by pack and rule, in their order."""
    found = {(one.alarm.pack, one.label.id) for one in judged if one.verdict == "hit" and one.label}
    packs = []
    for pack in dict.fromkeys(rule.pack for rule in rules):
        mine = [rule for rule in rules if rule.pack == pack]
        said = [one for one in judged if one.alarm.pack == pack]
        each = {}
        for rule in mine:
            said_by_it = [one for one in said if one.alarm.rule == rule.id]
            each[rule.id] = _score(_wanted(labels, [rule], span), found, said_by_it, mine, span)
        whole = _score(_wanted(labels, mine, span), found, said, mine, span)
        packs.append(PackScore(pack, whole, each))
    return packs


def judgeable(found: Iterable[PackScore], rules: Iterable[Judged]) -> list[PackScore]:
    """Return the packs without those that are silent, and that no fault here is found by.

    Nobody can say how good the codes of a product are on a site that has none of it.
    """
    finding = {rule.pack for rule in rules if rule.finds and rule.subjects}
    return [one for one in found if one.pack in finding or one.whole.labels or one.whole.false]


def unfound(labels: Iterable[Label], rules: Collection[Judged]) -> dict[str, int]:
    """Count, by kind, the faults that no rule is right for."""
    counts: dict[str, int] = {}
    for label in labels:
        if not label.look_alike and not any(rule.is_right_for(label) for rule in rules):
            name = label.rule or label.kind
            counts[name] = counts.get(name, 0) + 1
    return dict(sorted(counts.items()))


def _wanted(labels: Iterable[Label], rules: Sequence[Judged], span: Span) -> list[Label]:
    """Return the labels that one of the rules must find within the span."""
    return [
        label
        for label in labels
        if any(
            rule.is_right_for(label) and _counts(label, rule.on_delay_ms, span) for rule in rules
        )
    ]


def _counts(label: Label, on_delay_ms: int, span: Span) -> bool:
    """Tell whether a span holds the beginning of a label, and the time to find it."""
    return span.start_ms <= label.start_ms and label.start_ms + on_delay_ms < span.end_ms


def _score(
    wanted: Sequence[Label],
    found: Collection[tuple[str, str]],
    said: Sequence[Opinion],
    rules: Sequence[Judged],
    span: Span,
) -> Score:
    by_id = {rule.id: rule for rule in rules}
    pack = rules[0].pack
    counts = {name: sum(one.verdict == name for one in said) for name in ("second", "look_alike")}
    hits = [(one.alarm, one.label) for one in said if one.verdict == "hit" and one.label]
    on_delays = (by_id[alarm.rule].on_delays(label, alarm.at_ms) for alarm, label in hits)
    alarms = sum(one.verdict != "outside" for one in said)
    return Score(
        labels=len(wanted),
        hits=len(hits),
        false=alarms - len(hits),
        missed=sum((pack, label.id) not in found for label in wanted),
        delays_ms=tuple(alarm.at_ms - label.start_ms for alarm, label in hits),
        on_delays=tuple(one for one in on_delays if one is not None),
        alarms_per_day=alarms / span.days,
        **counts,
    )


def _percentile(values: Sequence[float], percent: float) -> float | None:
    return float(np.percentile(values, percent)) if values else None
