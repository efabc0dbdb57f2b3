"""What every kind of rule is: a state machine that is fed readings and told the time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from hub.model import Json

GAP_INTERVALS = 3  # after a longer silence than this many intervals, a delay starts again


class Transition(NamedTuple):
    """A fault began (``raised``) or ended, at an instant of the readings themselves."""

    raised: bool
    at_ms: int
    value: float


class Machine(Protocol):
    """One rule on one device. Readings come in order of time; all state can be saved."""

    active: bool

    def step(self, at_ms: int, value: float, *, good: bool) -> Transition | None:
        """Feed one reading; return a transition only when the state changed."""

    def tick(self, now_ms: int) -> Transition | None:
        """Tell the time; return a transition only when the state changed."""

    def due_ms(self) -> int | None:
        """Return when :meth:`tick` is next needed, None when it is not."""

    def listen(self, at_ms: int) -> None:
        """Note that the hub listens since ``at_ms``: what it could not hear before counts not."""

    def save(self) -> dict[str, Json]:
        """Return the state as JSON; empty when the machine is as new."""

    def load(self, state: Mapping[str, Json]) -> None:
        """Take back what :meth:`save` returned."""
