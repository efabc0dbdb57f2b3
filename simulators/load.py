"""What is plugged in within a room, by how it takes its current."""

from __future__ import annotations

from dataclasses import dataclass

MOTOR_FACTOR = 0.80
STANDBY_W = 15.0


@dataclass(frozen=True, slots=True)
class Load:
    """Electric power in W: of the usual mixture, of bare heating wire, of motors."""

    mixed_w: float
    heat_w: float = 0.0
    motor_w: float = 0.0

    @property
    def power_w(self) -> float:
        """Return the active power."""
        return self.mixed_w + self.heat_w + self.motor_w

    def apparent(self, factor: float) -> float:
        """Return the apparent power in VA; ``factor`` is that of the usual mixture."""
        return self.mixed_w / factor + self.heat_w + self.motor_w / MOTOR_FACTOR

    def plus(self, other: Load) -> Load:
        """Return both together."""
        return Load(
            self.mixed_w + other.mixed_w, self.heat_w + other.heat_w, self.motor_w + other.motor_w
        )


NOTHING = Load(0.0)
