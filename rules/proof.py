"""The proof of a fix: what telemetry must show after the report, without a gap."""

from __future__ import annotations

from collections.abc import Mapping

from hub.model import Json
from rules.form import Proof
from rules.machine import GAP_INTERVALS
from rules.sla import milliseconds


class ProofWatch:
    """Watch whether good readings after a fix report stay where the proof wants them.

    A gap of more than three intervals, a bad reading or one at or beyond the limit starts the
    watch again. ``held`` is true while the proof is complete;
    ``for_ms`` is how long that takes.
    """

    def __init__(self, proof: Proof, interval_ms: int, reported_ms: int) -> None:
        self.held = False
        self._proof = proof
        self.for_ms = milliseconds(proof.for_)
        self._gap_ms = GAP_INTERVALS * interval_ms
        self._reported_ms = reported_ms
        self._since_ms: int | None = None
        self._last_ms = reported_ms

    def step(self, at_ms: int, value: float, *, good: bool) -> bool:
        """Feed one reading; return whether the proof is complete."""
        if at_ms <= self._reported_ms:
            return False
        if not (good and self._inside(value)):
            self._since_ms = None
        elif self._since_ms is None or at_ms - self._last_ms > self._gap_ms:
            self._since_ms = at_ms
        self._last_ms = at_ms
        self.held = self._since_ms is not None and at_ms - self._since_ms >= self.for_ms
        return self.held

    def save(self) -> dict[str, Json]:
        """Return the state as JSON."""
        return {
            "held": self.held,
            "reported": self._reported_ms,
            "since": self._since_ms,
            "last": self._last_ms,
        }

    def load(self, state: Mapping[str, Json]) -> None:
        """Take back what :meth:`save` returned."""
        self.held, self._reported_ms = state["held"], state["reported"]
        self._since_ms, self._last_ms = state["since"], state["last"]

    def _inside(self, value: float) -> bool:
        if self._proof.above is not None:
            return value > self._proof.above
        return self._proof.below is not None and value < self._proof.below
