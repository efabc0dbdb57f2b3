"""How much the alarms ask of a crew: the figures of ISA-18.2 and EEMUA 191; pure.

Counted is what people are told: an alarm that rises, or that is raised again after a hold. What is
shelved, suppressed or inhibited asks nothing of anybody.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from hub.model import Alarm, AlarmEvent, AlarmState, Json

HOUR_MS = 3_600_000
WINDOW_MS = 600_000
FLOOD_BEGINS = 10  # more than so many in ten minutes
FLOOD_ENDS = 5  # fewer than so many
STALE_MS = 24 * HOUR_MS
TOP = 10
TOLD = ("raised", "released")
MOST_PER_HOUR = 6.0  # one in ten minutes is what an operator can bear for long (EEMUA 191)


class Flood:
    """Whether alarms come faster than people can take them."""

    def __init__(self) -> None:
        self.since_ms: int | None = None
        self._told: deque[int] = deque()

    @property
    def count(self) -> int:
        """Count the alarms of the last ten minutes."""
        return len(self._told)

    def tell(self, at_ms: int) -> None:
        """Note that people are told of an alarm."""
        self.pass_time(at_ms)
        self._told.append(at_ms)
        if self.since_ms is None and len(self._told) > FLOOD_BEGINS:
            self.since_ms = at_ms

    def pass_time(self, now_ms: int) -> int | None:
        """Forget what is older than ten minutes; return when the flood ended, if it did."""
        ended = None
        while self._told and self._told[0] <= now_ms - WINDOW_MS:
            gone = self._told.popleft()
            if self.since_ms is not None and len(self._told) < FLOOD_ENDS:
                self.since_ms, ended = None, gone + WINDOW_MS
        return ended

    def save(self) -> dict[str, Json]:
        """Return the state as JSON."""
        return {"since": self.since_ms, "told": list(self._told)}

    def load(self, state: Mapping[str, Json]) -> None:
        """Take back what :meth:`save` returned."""
        self.since_ms, self._told = state["since"], deque(state["told"])


class Floods:
    """Whether alarms come too fast, for all people together and for each crew."""

    def __init__(self) -> None:
        self.all = Flood()
        self.crews: dict[str, Flood] = {}

    def tell(self, at_ms: int, crew: str) -> None:
        """Note that people are told of an alarm, and whose it is; empty: nobody's."""
        self.all.tell(at_ms)
        if crew:
            self.crews.setdefault(crew, Flood()).tell(at_ms)

    def pass_time(self, now_ms: int) -> None:
        """Forget what is older than ten minutes."""
        for flood in (self.all, *self.crews.values()):
            flood.pass_time(now_ms)

    def save(self) -> dict[str, Json]:
        """Return the state as JSON."""
        return {"all": self.all.save(), "crews": {k: v.save() for k, v in self.crews.items()}}

    def load(self, state: Mapping[str, Json]) -> None:
        """Take back what :meth:`save` returned."""
        self.all.load(state["all"])
        for crew, saved in state["crews"].items():
            self.crews.setdefault(crew, Flood()).load(saved)


class Load(NamedTuple):
    """The figures of a period; ``top`` are the causes that rose most, with their share of all."""

    hours: float
    alarms: int
    per_hour: float
    flood_share: float
    chattering: int
    stale: int
    top: tuple[tuple[str, str, int, float], ...]
    mix: Mapping[str, float]
    held: Mapping[str, int]

    @property
    def bearable(self) -> bool:
        """Tell whether a crew can bear it: at most 6 an hour, nothing chatters."""
        return self.per_hour <= MOST_PER_HOUR and not self.chattering


def load_of(
    alarms: Iterable[Alarm], events: Sequence[AlarmEvent], start_ms: int, end_ms: int
) -> Load:
    """Work out the figures of start <= at < end from alarms and the history of all of them.

    The alarms are those that the events are about, and those that still stand; the events come in
    order of time. ``chattering`` counts the alarms that were taken to chatter.
    """
    known = {alarm.id: alarm for alarm in alarms}
    inside = [event for event in events if start_ms <= event.at_ms < end_ms]
    told = [event for event in inside if event.kind in TOLD]
    hours = (end_ms - start_ms) / HOUR_MS
    causes = Counter((known[e.alarm].device, known[e.alarm].rule) for e in told if e.alarm in known)
    severities = Counter(known[e.alarm].severity for e in told if e.alarm in known)
    held = Counter(event.kind for event in inside if event.kind in tuple(AlarmState))
    total = len(told)
    return Load(
        hours=hours,
        alarms=total,
        per_hour=total / hours if hours else 0.0,
        flood_share=_flood_ms([event.at_ms for event in told], end_ms) / max(end_ms - start_ms, 1),
        chattering=len({event.alarm for event in inside if event.kind == "chattering"}),
        stale=sum(_is_stale(alarm, end_ms) for alarm in known.values()),
        top=tuple((*cause, n, n / total) for cause, n in _most(causes)),
        mix={name: severities[name] / total for name in sorted(severities)},
        held={str(state): held[state] for state in AlarmState if held[state]},
    )


def loads_by(
    crew_of: Callable[[Alarm], str],
    alarms: Iterable[Alarm],
    events: Sequence[AlarmEvent],
    start_ms: int,
    end_ms: int,
) -> dict[str, Load]:
    """Work out the same figures for each crew, in the order of their ids; "": nobody's."""
    of_crew: dict[str, list[Alarm]] = {}
    crews: dict[str, str] = {}
    for alarm in alarms:
        crews[alarm.id] = crew = crew_of(alarm)
        of_crew.setdefault(crew, []).append(alarm)
    told: dict[str, list[AlarmEvent]] = {crew: [] for crew in of_crew}
    for event in events:
        if event.alarm in crews:
            told[crews[event.alarm]].append(event)
    return {crew: load_of(of_crew[crew], told[crew], start_ms, end_ms) for crew in sorted(of_crew)}


def _most(causes: Counter[tuple[str, str]]) -> list[tuple[tuple[str, str], int]]:
    return sorted(causes.items(), key=lambda one: (-one[1], one[0]))[:TOP]


def _flood_ms(told: Sequence[int], end_ms: int) -> int:
    flood, total, began = Flood(), 0, None
    for at_ms in [*told, end_ms]:
        ended = flood.pass_time(at_ms)
        if ended is not None and began is not None:
            total, began = total + ended - began, None
        if at_ms < end_ms:
            flood.tell(at_ms)
            began = flood.since_ms
    return total if began is None else total + end_ms - began


def _is_stale(alarm: Alarm, now_ms: int) -> bool:
    standing = alarm.state in (AlarmState.UNACKNOWLEDGED, AlarmState.ACKNOWLEDGED)
    return standing and now_ms - alarm.raised_ms > STALE_MS
