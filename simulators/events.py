"""When the twins begin and cease to feel an episode."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from simulators.campus import Fleet
from simulators.episode import Episode
from simulators.grounds import CURES

_MOMENTARY = ("counter_reset", "counter_glitch", "meter_swapped")
_OF_PEOPLE = ("heavy_use", "visitors", "air_conditioner", "cold_snap", "vacation")
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Event:
    """A moment at which an episode begins or ends."""

    at_ms: int
    begins: bool
    episode: Episode

    def happen(self, fleet: Fleet) -> None:
        """Let it happen to the twins, which stand at this instant."""
        one = self.episode
        if one.kind in CURES and one.subject not in fleet.devices:
            if self.begins:
                fleet.grounds.begin(one.subject, one.kind)
            else:
                fleet.grounds.end(one.subject, one.kind)
            return
        twin = fleet.twin(one.subject)
        if self.begins:
            twin.fault(one.kind, said=not one.code_silent)
        else:
            twin.repair(twin.cures[one.kind])


def events_of(episodes: Sequence[Episode]) -> list[Event]:
    """Return when twins begin or cease to feel an episode, in order of time."""
    return sorted(_events(episodes), key=lambda event: event.at_ms)


def _events(episodes: Sequence[Episode]) -> Iterator[Event]:
    """Return what the twins feel; people and weather live in their own way."""
    for one in episodes:
        if one.kind not in _OF_PEOPLE:
            yield Event(one.start_ms, True, one)
            if one.kind not in _MOMENTARY:
                yield Event(one.end_ms, False, one)


def spans_of(
    episodes: Sequence[Episode], of_many: Sequence[str], of_one: str | None = None
) -> dict[str, list[Span]]:
    """Return when each device, gateway or place is struck by one of these kinds."""
    found: dict[str, list[Span]] = {}
    for one in episodes:
        if one.kind in of_many or one.kind == of_one:
            for whose in (one.subject, *one.members):
                found.setdefault(whose, []).append((one.start_ms, one.end_ms))
    return found
