"""What is known of the service in a time: whole numbers, so that two ways to count must agree."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

DAY_MS = 86_400_000
WEEK_MS = 7 * DAY_MS
By = Literal["severity", "place", "crew", "contractor", "source"]
BYS: tuple[By, ...] = get_args(By)


class Share(NamedTuple):
    """How many of how many."""

    n: int
    of: int

    @property
    def value(self) -> float | None:
        """Return the share, None where there is nothing that it could be of.

        >>> Share(3, 4).value, Share(0, 0).value
        (0.75, None)
        """
        return self.n / self.of if self.of else None


class Mean(NamedTuple):
    """A sum and what it is the sum of: times in ms, or stars."""

    total: int
    of: int

    @property
    def value(self) -> float | None:
        """Return the mean, None where there is nothing that it could be of."""
        return self.total / self.of if self.of else None


class Backlog(NamedTuple):
    """The tickets that were open at the end of the time, by how long ago they were opened."""

    day: int  # a day ago at most
    week: int
    older: int


class Period(NamedTuple):
    """The time of which tickets count that were opened in it, and when that is asked (UTC ms)."""

    start_ms: int
    end_ms: int
    now_ms: int

    @property
    def last_ms(self) -> int:
        """Return the instant of the backlog: the end, or now where that comes first."""
        return min(self.end_ms, self.now_ms)


class Subject(NamedTuple):
    """What a ticket is counted under."""

    severity: str
    place: str
    crew: str
    source: str


Of = Callable[[Subject], str]


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of a group of tickets; docs/service-figures.md has a formula for each.

    All but ``backlog`` and ``refused`` are of the tickets that were opened in the time and not
    refused. ``mtta``, ``mttr`` and ``paused`` are in ms, ``rating`` in stars.
    """

    opened: int
    refused: int
    response: Share
    on_site: Share
    fix: Share
    crew: Share
    mtta: Mean
    mttr: Mean
    paused: Mean
    first_time: Share
    rework: Share
    reopened: int
    backlog: Backlog
    rating: Mean
    answered: Share
    unproven: Share


def grouping(by: By | None, contractors: Collection[str] = ()) -> Of:
    """Return what tells the group of a ticket; None: all are one.

    ``contractors`` are the crews that are one; the work of others is under the empty name there.

    >>> grouping("place")(Subject("small", "dorm-07/401", "east", "report"))
    'dorm-07'
    """
    if by is None:
        return lambda _: ""
    if by == "place":
        return lambda one: one.place.partition("/")[0]
    if by == "contractor":
        return lambda one: one.crew if one.crew in contractors else ""
    return lambda one: str(getattr(one, by))
