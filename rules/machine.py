"""What every kind of rule is: a state machine that is fed readings and told the time."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from hub.model import Json

GAP_INTERVALS = 3  # after a longer silence than this many intervals, a delay starts again
NEVER_MS = 2**62  # an instant, or a span, that does not come


class Transition(NamedTuple):
    """A fault began (``raised``) or ended, at an instant of the readings themselves."""

    raised: bool
    at_ms: int
    value: float


class Quiet(NamedTuple):
    """Good readings of one input that a machine need not see: they change nothing in it.

    Those with a value of ``low`` to ``high``, before ``until_ms``, at most ``gap_ms`` after the
    last good one and at most ``fall`` below or ``rise`` (and ``per_ms`` for the time between) above
    it; and when the value stays within ``tolerance``, for less than ``still_ms``. With ``bad_too``
    readings that are not good are to be seen. It may always be narrower than it could be.
    """

    low: float = -math.inf
    high: float = math.inf
    until_ms: int = NEVER_MS
    gap_ms: int = NEVER_MS
    fall: float = math.inf
    rise: float = math.inf
    per_ms: float = math.inf
    still_ms: int = NEVER_MS
    tolerance: float = 0.0
    bad_too: bool = False


QUIET = Quiet()
BUSY = Quiet(low=math.inf, high=-math.inf)


class Still(NamedTuple):
    """Around which value a point has stayed, and since when; NaN and 0 when it never was read."""

    value: float = math.nan
    since_ms: int = 0


class Machine(Protocol):
    """One rule on one subject. Readings come in order of time; all state can be saved.

    ``remembers``: it wants :meth:`recall` before a step, when it did not see all readings;
    ``stands``: it is about how long its first input stays as it is.
    """

    remembers: bool
    stands: bool

    @property
    def active(self) -> bool:
        """Tell whether the fault is there."""

    @property
    def busy(self) -> bool:
        """Tell whether it wants to see every reading now; when not, ask :meth:`quiet`."""

    def step(
        self, at_ms: int, value: float, *, good: bool, of: int = 0, reason: int = 0
    ) -> Transition | None:
        """Feed one reading of input ``of``; return a transition only when the state changed."""

    def quiet(self, of: int = 0) -> Quiet:
        """Return the readings of an input that need not be fed until the next step."""

    def recall(self, at_ms: Sequence[int], value: Sequence[float], still: Still | None) -> None:
        """Take the last good reading of each input (0 and NaN: none) that came meanwhile.

        ``still`` is that of the first input, where the machine does not follow it by itself.
        """

    def tick(self, now_ms: int) -> Transition | None:
        """Tell the time; return a transition only when the state changed."""

    def settle(self, at_ms: int, well_ms: int) -> Transition | None:
        """End a fault whose fix is proven before its off-delay, when it was over for so long."""

    def due_ms(self) -> int | None:
        """Return when :meth:`tick` is next needed, None when it is not."""

    def listen(self, at_ms: int) -> None:
        """Note that the hub listens since ``at_ms``: what it could not hear before counts not."""

    def save(self) -> dict[str, Json]:
        """Return the state as JSON, without the last readings; empty when it is as new."""

    def load(self, state: Mapping[str, Json]) -> None:
        """Take back what :meth:`save` returned; the last readings come with :meth:`recall`."""

    def why(self, now_ms: int) -> dict[str, Json]:
        """Return what it holds: the last readings, the thresholds, since when, the next look."""
