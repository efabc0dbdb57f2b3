"""What is asked of the consumption, and the answer: figures that say how sure they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, get_args

from hub.energy.calendar import Step
from hub.energy.counter import FindingKind
from hub.energy.metering import Utility
from hub.model import Text

By = Literal["place", "building", "floor", "room", "kind", "device"]
Per = Literal["student", "m2"]
Compare = Literal["previous", "year"]
BYS: tuple[By, ...] = get_args(By)
PERS: tuple[Per, ...] = get_args(Per)
COMPARES: tuple[Compare, ...] = get_args(Compare)


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One question: which places (none: the whole site) from when to when (UTC ms), in what steps.

    ``by`` says what the rows are: the places themselves, what lies in them, or devices; ``devices``
    asks for these alone. ``per`` divides by students or m2. ``compare`` adds other periods,
    ``balance`` what the meters below a place's own one come to.
    """

    start_ms: int
    end_ms: int
    places: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    step: Step = "total"
    by: By = "place"
    utility: Utility = "electricity"
    per: Per | None = None
    compare: tuple[Compare, ...] = ()
    balance: bool = False


@dataclass(frozen=True, slots=True)
class Figure:
    """What was used in a time; ``value`` is None where nothing is known, which is not zero.

    The shares add up to 1: ``missing`` of the meters' time nothing is known; the rest is divided as
    the value is into measured and estimated. ``low`` and ``high`` bound what is known, as far as
    gaps leave it open; both ends of the time leave ``ends`` open on either side: what was used
    between the two readings around an end, and the last digit of the meters. With them it lies
    between ``least`` and ``most``, and these are told. ``gap`` of the time lies between readings
    too far apart; where a gap begins and ends inside the figure's time its use is sure all the
    same. ``findings`` counts what was found about its meters in that time.
    """

    value: float | None
    measured: float = 0.0
    estimated: float = 0.0
    missing: float = 1.0
    low: float | None = None
    high: float | None = None
    gap: float = 0.0
    findings: int = 0
    ends: float = 0.0

    @property
    def least(self) -> float | None:
        """Return what was used at least."""
        return None if self.low is None else max(self.low - self.ends, 0.0)

    @property
    def most(self) -> float | None:
        """Return what was used at most."""
        return None if self.high is None else self.high + self.ends

    @property
    def coverage(self) -> float:
        """Return the share of the meters' time in which readings came."""
        return max(1 - self.missing - self.gap, 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One place, kind of place or device: a figure per step and one of the whole time.

    ``divisor`` is what the figures were divided by (students or m2; 0: nothing is known of them).
    ``rank`` counts from 1 at the largest total; None where there is none. ``meters`` is how many
    counters stand behind it.
    """

    id: str
    kind: str
    name: Text
    steps: tuple[Figure, ...]
    total: Figure
    meters: int
    divisor: float | None = None
    before: Mapping[Compare, Figure] = field(default_factory=dict)
    rank: int | None = None

    def change(self, compare: Compare) -> float | None:
        """Return by what share more was used than in another period; None where it cannot be said.

        Two periods of which not the same share is known are not compared.
        """
        now, before = self.total, self.before.get(compare)
        if before is None or now.value is None or not before.value:
            return None
        if abs(now.missing - before.missing) > MOST_UNKNOWN:
            return None
        return now.value / before.value - 1


MOST_UNKNOWN = 0.01
"""By how much two shares of what is missing may differ, for their figures to be compared."""


@dataclass(frozen=True, slots=True)
class Balance:
    """What the meter of a place says beside the sum of the meters below it.

    ``loss`` is the difference: lines, what has no meter, and error. It is None, and no loss, where
    of a meter so much is missing that the two cannot be compared; ``missing`` names those devices.
    ``low`` and ``high`` bound it.
    """

    place: str
    name: Text
    parent: Figure
    children: Figure
    count: int
    loss: float | None
    low: float | None
    high: float | None
    missing: tuple[str, ...]

    @property
    def share(self) -> float | None:
        """Return the loss as a share of what the place's own meter says."""
        return None if self.loss is None or not self.parent.value else self.loss / self.parent.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """Something found about a meter that a figure rests on, from when to when (UTC ms).

    ``before`` and ``after`` are what the counter showed, in ``shown_unit``; None where that says
    nothing. ``used``, ``low`` and ``high`` are what went into the figure for that time, and its
    bounds, in the table's unit; None where nothing did.
    """

    device: str
    point: str
    kind: FindingKind
    start_ms: int
    end_ms: int
    before: float | None
    after: float | None
    shown_unit: str
    used: float | None
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Table:
    """The answer: rows in the site's order, and the sum of the places, in which nothing is twice.

    ``edges`` (UTC ms) are one more than the steps. The total is no sum of the rows where a place
    has a meter of its own: that counts what has no meter below it, too. ``findings`` are those of
    the meters of rows and total, at most so many; ``found`` is how many there are.
    """

    query: Query
    unit: str
    edges: tuple[int, ...]
    rows: tuple[Row, ...]
    total: Row
    balances: Sequence[Balance] = ()
    compared: Mapping[Compare, tuple[int, int]] = field(default_factory=dict)
    findings: Sequence[Explanation] = ()
    found: int = 0

    def ranked(self) -> list[Row]:
        """Return the rows by their rank; those without a figure last."""
        return sorted(self.rows, key=lambda row: (row.rank is None, row.rank or 0))
