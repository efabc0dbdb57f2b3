"""What the machines that take no readings have in common: they wait for what is said."""

from __future__ import annotations

from collections.abc import Sequence

from rules.machine import QUIET, Quiet, Still, Transition


class Unread:
    """A machine without inputs: no reading changes it, and it waits for no time unless it says."""

    remembers = stands = False
    busy = False

    def step(
        self, at_ms: int, value: float, *, good: bool, of: int = 0, reason: int = 0
    ) -> Transition | None:
        """Change nothing: no reading is about it."""
        del at_ms, value, good, of, reason
        return None

    def quiet(self, of: int = 0) -> Quiet:
        """Return that no reading matters."""
        del of
        return QUIET

    def recall(self, at_ms: Sequence[int], value: Sequence[float], still: Still | None) -> None:
        """Change nothing: it has no inputs."""

    def tick(self, now_ms: int) -> Transition | None:  # noqa: ARG002 - every machine is told
        """Change nothing: only what is said can."""
        return None

    def settle(self, at_ms: int, well_ms: int) -> Transition | None:  # noqa: ARG002
        """Change nothing: whoever said that it is there says when it is over."""
        return None

    def due_ms(self) -> int | None:
        """Return None: this machine waits for what is said only."""
        return None

    def listen(self, at_ms: int) -> None:
        """Change nothing: who says something knows itself what it has not heard."""
