"""How people live on the campus: the weather, their rooms, their showers.

This is the usual life, the same every day; :mod:`simulators.month_life` has one with a calendar.
"""

from __future__ import annotations

from collections.abc import Callable

from simulators.climate import USUAL, Climate
from simulators.load import Load

RoomLife = Callable[[int, float], Load]
"""What is on in a room at the start of a slot (ms), where usual people would take so many W."""


class Life:
    """The usual life, in whatever weather."""

    def __init__(self, climate: Climate = USUAL) -> None:
        self.climate = climate

    def room(self, place: str) -> RoomLife | None:
        """Return how a room is lived in; None: as every room."""
        del place
        return None

    def demand(self, place: str, usual: float) -> Callable[[int], float]:
        """Return how many people come to the showers of a place, for each of a usual day."""
        del place
        return lambda _: usual


USUAL_LIFE = Life()
