"""What the counters of a meter show, apart from what was used: wound, reset, wrong, exchanged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from hub.model import Json
from simulators.noise import uniform

_GLITCH_INTERVALS = 1.5  # of the meter: one reading or two are wrong
_NEW_METER = 5.0  # what a meter from the factory shows at most; its test has moved it a little
_USED_METER = 3000.0  # what one shows at most that stood elsewhere before
_NEAR = 400.0
_HIGHEST = 900_000.0


@dataclass(frozen=True, slots=True)
class Swap:
    """One exchange of a meter: when, and what the counters of the old and the new one showed."""

    at_ms: int
    closing: Mapping[str, float]
    opening: Mapping[str, float]

    def told(self) -> dict[str, Json]:
        """Return it as part of the truth."""
        return {"at_ms": self.at_ms, "closing": dict(self.closing), "opening": dict(self.opening)}


class Dials:
    """The dials of a meter's counters.

    They stand off from the true totals by what winding, resets and exchanges have left, and show
    something else while a glitch lasts. Where a register rolls over is a matter of its encoding.
    """

    def __init__(self, counters: Sequence[str]) -> None:
        self.swaps: list[Swap] = []
        self._counters = tuple(counters)
        self._off: dict[str, float] = {}
        self._gears: dict[str, tuple[float, float]] = {}
        self._wrong: dict[str, float] = {}
        self._wrong_until_ms = 0

    def shown(self, readings: Mapping[str, float], now_ms: int) -> dict[str, float]:
        """Return the readings with their counters as the dials show them."""
        values = dict(readings)
        for name, off in self._off.items():
            values[name] += off
        for name, (gear, since) in self._gears.items():
            values[name] += (gear - 1) * (readings[name] - since)
        return values | self._wrong if self.wrong(now_ms) else values

    def wrong(self, now_ms: int) -> bool:
        """Tell whether a glitch lasts."""
        return now_ms < self._wrong_until_ms

    def odd(self, now_ms: int) -> bool:
        """Tell whether the dials do anything but stand off from the true totals."""
        return self.wrong(now_ms) or bool(self._gears)

    @property
    def off(self) -> Mapping[str, float]:
        """Return how far each counter stands off from its true total."""
        return self._off

    def wind(self, readings: Mapping[str, float], counter: str, level: float) -> None:
        """Let one counter show ``level``."""
        self._off[counter] = level - readings[counter]
        if counter in self._gears:
            self._gears[counter] = self._gears[counter][0], readings[counter]

    def gear(self, readings: Mapping[str, float], gears: Mapping[str, float]) -> None:
        """Let counters count so much for each true one from now on: 1 is right."""
        for name, gear in gears.items():
            old, since = self._gears.pop(name, (1.0, 0.0))
            self._off[name] = self._off.get(name, 0.0) + (old - 1) * (readings[name] - since)
            if gear != 1:
                self._gears[name] = gear, readings[name]

    def fault(self, kind: str, readings: Mapping[str, float], now_ms: int, interval_ms: int) -> int:
        """Reset, exchange, or show something wrong; return when that is over."""
        if kind == "counter_reset":
            self._set(readings, dict.fromkeys(self._counters, 0.0))
        elif kind == "meter_swapped":
            self._exchange(readings, now_ms)
        else:
            shown = self.shown(readings, now_ms)
            self._wrong = {name: _glitch(shown[name], now_ms) for name in self._counters}
            self._wrong_until_ms = now_ms + round(_GLITCH_INTERVALS * interval_ms)
            return self._wrong_until_ms
        return now_ms

    def _set(self, readings: Mapping[str, float], levels: Mapping[str, float]) -> None:
        for name, level in levels.items():
            self.wind(readings, name, level)

    def _exchange(self, readings: Mapping[str, float], now_ms: int) -> None:
        """Put another meter in place: one in two comes from the factory."""
        shown = self.shown(readings, now_ms)
        new = uniform(now_ms, 1) < 0.5  # noqa: PLR2004
        level = (_NEW_METER if new else _USED_METER) * uniform(now_ms, 2)
        # the parts of a total stand to it as they do on the old meter
        opening = {name: level * _share(readings, name) for name in self._counters}
        closing = {name: shown[name] for name in self._counters}
        self._set(readings, opening)
        self._wrong_until_ms = 0
        self.swaps.append(Swap(now_ms, closing, opening))


def _share(readings: Mapping[str, float], name: str) -> float:
    return readings[name] / readings["energy"]


def _glitch(shown: float, now_ms: int) -> float:
    """Return a wrong value: nothing, a little too much, or anything."""
    way = uniform(now_ms, 3)
    if way < 1 / 3:
        return 0.0
    if way < 2 / 3:
        return shown + _NEAR * uniform(now_ms, 4)
    return _HIGHEST * uniform(now_ms, 5)
