"""Whether somebody is on duty whenever a roster promises it, and how fair it is; pure.

Spans are swept edge by edge, never minute by minute, so a year takes a moment.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from rules.calendar import Calendar
from rules.roster import Roster, Turn
from rules.roster_form import Cover

HOUR_MS = 3_600_000
Short = tuple[int, int, tuple[str, ...]]  # from, to, who is on duty


class Gap(NamedTuple):
    """A span in which fewer people than promised are on duty for a skill at places.

    ``place`` is empty where that holds on the whole campus; ``crews`` are those who could cover.
    """

    place: str
    skill: str
    start_ms: int
    end_ms: int
    on_duty: tuple[str, ...]
    least: int
    crews: tuple[str, ...]


class Clash(NamedTuple):
    """Somebody who is on two turns at once."""

    person: str
    first: str
    second: str
    start_ms: int


class Share(NamedTuple):
    """What the roster asks of one person in a period; ``nights`` and ``free_days`` count turns."""

    person: str
    turns: int
    hours: float
    nights: int
    free_days: int


def gaps(roster: Roster, places: Sequence[str], start_ms: int, end_ms: int) -> list[Gap]:
    """Return what is not covered in start <= at < end, in order of time, place and skill."""
    turns = roster.turns(start_ms, end_ms)
    found: list[Gap] = []
    for cover in roster.file.cover:
        spans = _wanted(roster.calendar, cover, start_ms, end_ms)
        for place, crews in _parts(roster, places, cover):
            able = _able(roster, turns, crews, cover.skill or "")
            for gap_start, gap_end, who in _short(able, spans, cover.least):
                skill = cover.skill or ""
                found.append(Gap(place, skill, gap_start, gap_end, who, cover.least, crews))
    return sorted(found, key=lambda gap: (gap.start_ms, gap.place, gap.skill))


def clashes(turns: Iterable[Turn]) -> list[Clash]:
    """Return who is on two turns at once; of several clashes in a row each."""
    last: dict[str, Turn] = {}
    found = []
    for turn in sorted(turns, key=lambda one: (one.start_ms, one.id)):
        for person in turn.people:
            before = last.get(person)
            if before is not None and before.end_ms > turn.start_ms:
                found.append(Clash(person, before.id, turn.id, turn.start_ms))
            if before is None or turn.end_ms >= before.end_ms:
                last[person] = turn
    return found


def shares(roster: Roster, start_ms: int, end_ms: int) -> list[Share]:
    """Return what the turns that begin in start <= at < end ask of each person, in file order."""
    begun = [one for one in roster.turns(start_ms, end_ms) if start_ms <= one.start_ms]
    turns, length_ms, nights, free = (Counter[str]() for _ in range(4))
    for turn in begun:
        night, off = roster.is_night(turn), roster.is_free_day(turn)
        for person in turn.people:
            turns[person] += 1
            length_ms[person] += turn.end_ms - turn.start_ms
            nights[person] += night
            free[person] += off
    return [
        Share(who, turns[who], length_ms[who] / HOUR_MS, nights[who], free[who])
        for who in roster.people
    ]


def _wanted(calendar: Calendar, cover: Cover, start_ms: int, end_ms: int) -> list[tuple[int, int]]:
    if cover.hours is None:
        return [(start_ms, end_ms)]
    spans = calendar.spans(cover.hours, start_ms, end_ms)
    clipped = ((max(start, start_ms), min(end, end_ms)) for start, end in spans)
    return [(start, end) for start, end in clipped if start < end]


def _parts(
    roster: Roster, places: Sequence[str], cover: Cover
) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the outermost places that are served alike, with the crews that serve them.

    The whole campus is ``""``; it stands for the places that are served as it is, if there are any.
    """
    root, skill = cover.place or "", cover.skill or ""
    inside = [one for one in places if not root or one.startswith(root + "/")]
    serving = {place: _crews(roster, place, skill) for place in (root, *sorted(inside))}
    above = {place: _above(place, serving, root) for place in inside}
    if root or not inside or any(serving[one] == serving[root] for one in inside if not above[one]):
        yield root, serving[root]
    for place in sorted(inside):
        if serving[place] != serving[above[place]]:
            yield place, serving[place]


def _above(place: str, known: Mapping[str, tuple[str, ...]], root: str) -> str:
    """Return the nearest known place that a place lies in; the root where there is none."""
    while "/" in place:
        place = place.rpartition("/")[0]
        if place in known:
            return place
    return root


def _crews(roster: Roster, place: str, skill: str) -> tuple[str, ...]:
    fitting = (one for one in roster.file.crews if roster.fit(one, place, skill) is not None)
    return tuple(crew.id for crew in fitting)


def _able(
    roster: Roster, turns: Iterable[Turn], crews: Sequence[str], skill: str
) -> list[tuple[int, int, str]]:
    """Return when each person of these crews who has the skill begins and ends, in order."""
    return [
        (turn.start_ms, turn.end_ms, person)
        for turn in turns
        if turn.crew in crews
        for person in turn.people
        if roster.can(person, roster.crews[turn.crew], skill)
    ]


def _short(
    able: Iterable[tuple[int, int, str]], wanted: Iterable[tuple[int, int]], least: int
) -> list[Short]:
    """Return the parts of the wanted spans in which fewer than ``least`` people are there."""
    edges = [(at_ms, step, who) for start, end, who in able for at_ms, step in _both(start, end)]
    edges += [(at_ms, step, "") for start, end in wanted for at_ms, step in _both(start, end)]
    here: Counter[str] = Counter()
    found: list[Short] = []
    inside, since_ms = 0, 0
    for at_ms, step, who in sorted(edges, key=lambda edge: edge[0]):
        there = tuple(sorted(+here))
        if inside and at_ms > since_ms and len(there) < least:
            _add(found, since_ms, at_ms, there)
        since_ms = at_ms
        if who:
            here[who] += step
        else:
            inside += step
    return found


def _both(start_ms: int, end_ms: int) -> tuple[tuple[int, int], tuple[int, int]]:
    return (start_ms, 1), (end_ms, -1)


def _add(found: list[Short], start_ms: int, end_ms: int, who: tuple[str, ...]) -> None:
    """Add a span, as part of the one before it where nothing lies between them."""
    if found and found[-1][1] == start_ms and found[-1][2] == who:
        start_ms = found.pop()[0]
    found.append((start_ms, end_ms, who))
