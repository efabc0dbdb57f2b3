"""Is a meter wired as its profile says? All word orders and offsets, ranked by physics; pure.

A wrong map gives numbers that look right one by one; they hardly ever fit together.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from drivers.codec import Value, decode
from drivers.profile import ModbusProfile, RegisterPoint
from hub.model import Quality, quality_of
from hub.ports import Table

PHASES = ("_l1", "_l2", "_l3")
_FLIPPED = {"big": "little", "little": "big"}
_KILO = {"kW": 1000.0, "W": 1.0}
_TRIANGLE = 0.15  # of the power by which U x I x pf may miss it
_SUM = 0.05
_EXACT = 1e-6  # nothing that is held in a float32 fits better
_IDLE_W = 5.0
_LEAST = 1e-6  # a float of a wrong word order is often far below anything that is measured
_MOST_KWH = 1e8
_STEEPEST_W = 1_000.0  # a counter may rise by three times the power shown, or by this
_UNREAD = 0.2  # of the score is lost when nothing can be read
_HALF = 0.5
_PRECISION = 0.2  # weight of how closely the equations hold, beside whether they do
_SHARP = (
    4  # one equation that holds exactly says more than many that hold as a moving load lets them
)
_AS_GOOD = 0.02
_FITS = 0.85
_IN_PHASE = 0.8  # a power factor from which on a current belongs to its voltage

Image = Mapping[tuple[Table, int], int]
"""The registers that could be read."""


@dataclass(frozen=True, slots=True)
class Wiring:
    """How the registers of a device may differ from its profile."""

    offset: int = 0
    words_swapped: bool = False
    bytes_swapped: bool = False

    @property
    def differences(self) -> int:
        """Count what differs from the profile."""
        return abs(self.offset) + self.words_swapped + self.bytes_swapped

    def __str__(self) -> str:
        """Name it."""
        parts = [f"every register is at address {self.offset:+d}"] if self.offset else []
        parts += ["words swapped"] if self.words_swapped else []
        parts += ["bytes swapped"] if self.bytes_swapped else []
        return ", ".join(parts) or "as the profile says"

    def of(self, point: RegisterPoint) -> RegisterPoint:
        """Return a point as it is under this wiring, at the address of the profile."""
        flips = {}
        if self.words_swapped:
            flips["word_order"] = _FLIPPED[point.word_order]
        if self.bytes_swapped:
            flips["byte_order"] = _FLIPPED[point.byte_order]
        return point.model_copy(update=flips)


WIRINGS = tuple(
    Wiring(offset, words, octets)
    for offset, words, octets in product((0, -1, 1), (False, True), (False, True))
)


@dataclass(frozen=True, slots=True)
class Rank:
    """How well a wiring fits physics, 0..1, and which checks it fails.

    ``score`` is the weight of the checks that hold within what real meters miss them by, so noise
    does not lower it. ``precision`` is how closely they hold: it decides between wirings that hold
    alike, such as two whose floats differ only in the lower halves.
    """

    wiring: Wiring
    score: float
    precision: float
    failed: tuple[str, ...]

    @property
    def merit(self) -> float:
        """Return what wirings are ranked by."""
        return self.score + _PRECISION * self.precision


def values_of(profile: ModbusProfile, image: Image, wiring: Wiring) -> dict[str, float]:
    """Return the good values of a device under a wiring, by point."""
    told: dict[str, Value] = {}
    for follows in (False, True):
        for name, point in profile.points.items():
            if bool(point.follows) is follows:
                words = words_at(point, image, wiring.offset)
                if words is not None:
                    told[name] = decode(wiring.of(point), words, told)
    return {name: value for name, (value, flag) in told.items() if quality_of(flag) < Quality.BAD}


def words_at(point: RegisterPoint, image: Image, offset: int = 0) -> list[int] | None:
    """Return the registers of a point; None when not all of them could be read."""
    addresses = range(point.address + offset, point.address + offset + point.words)
    words = [image.get((point.table, address)) for address in addresses]
    return None if None in words else [word for word in words if word is not None]


def rank(
    profile: ModbusProfile, image: Image, later: Image | None = None, seconds: float = 0.0
) -> list[Rank]:
    """Return all wirings, the likeliest first.

    ``later`` is a second look: it shows what the counters did, and another moment of the load.
    """
    ranked = [_rank(profile, image, later, seconds, wiring) for wiring in WIRINGS]
    if later:
        again = [_rank(profile, later, None, 0.0, wiring) for wiring in WIRINGS]
        ranked = [_mean(*both) for both in zip(ranked, again, strict=True)]
    return sorted(ranked, key=lambda one: (-round(one.merit, 3), one.wiring.differences))


def _mean(one: Rank, other: Rank) -> Rank:
    score = (one.score + other.score) / 2
    precision = (one.precision + other.precision) / 2
    failed = tuple(dict.fromkeys((*one.failed, *other.failed)))
    return Rank(one.wiring, score, precision, failed)


def _rank(
    profile: ModbusProfile, image: Image, later: Image | None, seconds: float, wiring: Wiring
) -> Rank:
    """Judge one wiring; what lies beyond the registers that the device has is not held against it.

    It only counts a little: a wiring of which nothing can be read must not win.
    """
    values = values_of(profile, image, wiring)
    then = values_of(profile, later, wiring) if later else {}
    read = {
        name
        for name, point in profile.points.items()
        if words_at(point, image, wiring.offset) is not None
    }
    found = [one for one in _checks(profile, values, then, seconds) if read.issuperset(one.points)]
    weight = sum(one.weight for one in found)
    score = sum(one.weight * one.held for one in found) / weight if weight else 0.0
    close = [one.close for one in found if one.close is not None]
    precision = sum(one**_SHARP for one in close) / len(close) if close else 0.0
    unread = 1 - len(read) / len(profile.points)
    failed = tuple(dict.fromkeys(one.name for one in found if one.held < _HALF))
    return Rank(wiring, score * (1 - _UNREAD * unread), precision, failed)


def verdict(profile: ModbusProfile, image: Image, ranked: Sequence[Rank]) -> tuple[bool, str]:
    """Tell whether a device is wired as its profile says, and name what is not."""
    best = ranked[0]
    as_is = next(one for one in ranked if not one.wiring.differences)
    if best.score < _FITS:
        return False, "nothing fits: another product, or another unit id"
    if as_is.merit < best.merit - _AS_GOOD:
        return False, str(best.wiring)
    currents = transformers(profile, values_of(profile, image, Wiring()))
    return not currents, currents or str(Wiring())


def transformers(profile: ModbusProfile, values: Mapping[str, float]) -> str:
    """Name current transformers that are turned round or on the wrong phase; empty when none is.

    A reversed one turns the sign of its phase; two that are exchanged see their currents 120
    degrees away from their voltages. Only a meter that feeds nothing back can be judged so.
    """
    phases = [
        (phase.removeprefix("_").upper(), *found)
        for phase in (*PHASES, "")
        if (found := _phase(profile, values, phase)) is not None
    ]
    phases = [one for one in phases if one[0]] or phases
    backward = [(name, factor) for name, power, factor in phases if power < -_IDLE_W]
    names = " and ".join(name or "L1" for name, _ in backward)
    if not backward:
        return ""
    if len(backward) > 1 and all(abs(factor) < _IN_PHASE for _, factor in backward):
        return f"current transformers of {names} exchanged"
    return f"current transformer of {names} reversed"


def _phase(
    profile: ModbusProfile, values: Mapping[str, float], phase: str
) -> tuple[float, float] | None:
    """Return power in W and power factor of a phase."""
    power, factor = values.get(f"power{phase}"), values.get(f"power_factor{phase}")
    if power is None or factor is None:
        return None
    return power * _KILO.get(profile.points[f"power{phase}"].unit, 1.0), factor


@dataclass(frozen=True, slots=True)
class _Check:
    """One test of some points; ``held`` is 1, 0, or between when it says little.

    ``close`` is how closely an equation holds, None where there is none or nothing to compare.
    """

    name: str
    points: tuple[str, ...]
    weight: float
    held: float
    close: float | None = None


def _checks(
    profile: ModbusProfile, values: Mapping[str, float], then: Mapping[str, float], seconds: float
) -> Iterator[_Check]:
    """Hold a device's values against each other; what cannot be read has failed."""
    for name, point in profile.points.items():
        held = _plausible(point, values.get(name))
        yield _Check(f"{name} is possible", (name,), 2 / len(profile.points), float(held))
        if (bounds := _bounds(profile, name)) is not None:
            low, high = bounds
            yield _Check(
                f"{name} within {low:g}..{high:g}",
                (name,),
                2.0,
                float(_in(values, name, low, high)),
            )
        if point.kind == "counter" and point.unit == "kWh" and then:
            yield _Check(
                f"{name} rises with the power",
                (name,),
                1.0,
                _slope(profile, name, values, then, seconds),
            )
    yield from _triangles(profile, values)
    yield from _sums(profile, values)


def _bounds(profile: ModbusProfile, name: str) -> tuple[float, float] | None:
    """Return what a value must lie between, whatever the load."""
    point, probe = profile.points[name], profile.probe
    if point.unit == "Hz":
        return 45.0, 65.0
    if probe is not None and probe.point == name:
        return probe.min, probe.max
    if point.unit == "V" and name.startswith("voltage"):
        return 80.0, 500.0
    return None


def _in(values: Mapping[str, float], name: str, low: float, high: float) -> bool:
    return low <= values.get(name, math.nan) <= high


def _plausible(point: RegisterPoint, value: float | None) -> bool:
    if value is None or 0 < abs(value) < _LEAST:
        return False
    if point.kind == "counter":
        return 0 <= value <= (point.rollover or _MOST_KWH)
    return abs(value) < _MOST_KWH


def _triangles(profile: ModbusProfile, values: Mapping[str, float]) -> Iterator[_Check]:
    """U x I x pf is the power of each phase."""
    for phase in (*PHASES, ""):
        names = [f"{what}{phase}" for what in ("voltage", "current", "power_factor", "power")]
        if not all(name in profile.points for name in names):
            continue
        found = [values.get(name, math.nan) for name in names]
        power = found[3] * _KILO.get(profile.points[names[3]].unit, 1.0)
        product_w = abs(found[0] * found[1] * found[2])
        idle = abs(power) <= _IDLE_W and product_w <= _IDLE_W  # then everything fits
        close = None if idle else _closeness(product_w, abs(power), _TRIANGLE)
        held = _HALF if close is None else float(close > 0)
        name = f"voltage x current x factor is {names[3]}"
        yield _Check(name, tuple(names), 3.0, held, close)


def _sums(profile: ModbusProfile, values: Mapping[str, float]) -> Iterator[_Check]:
    """Three phases make the whole, of power and of energy."""
    for total in profile.points:
        parts = [f"{total}{phase}" for phase in PHASES]
        adds_up = profile.points[total].unit in ("W", "kW", "kWh", "var", "VA")
        if not (adds_up and all(part in profile.points for part in parts)):
            continue
        whole = values.get(total, math.nan)
        whole_of_parts = math.fsum(values.get(part, math.nan) for part in parts)
        close = _closeness(whole_of_parts, whole, _SUM)
        name = f"the phases add up to {total}"
        yield _Check(name, (total, *parts), 3.0, float(close > 0), close)


def _closeness(found: float, wanted: float, tolerance: float) -> float:
    """Return 1 for what is equal, a half at the tolerance and 0 beyond it."""
    miss = abs(found - wanted)
    if not miss <= tolerance * abs(wanted) + _LEAST:
        return 0.0
    error = max(miss / max(abs(wanted), _LEAST), _EXACT)
    return 1 - 0.5 * min(math.log(error / _EXACT) / math.log(tolerance / _EXACT), 1.0)


def _slope(
    profile: ModbusProfile,
    name: str,
    values: Mapping[str, float],
    then: Mapping[str, float],
    seconds: float,
) -> float:
    """Hold what a counter counted against the power shown."""
    if name not in values or name not in then:
        return 0.0
    unit = profile.points["power"].unit if "power" in profile.points else "W"
    shown_w = abs(values.get("power", 0.0)) * _KILO.get(unit, 1.0)
    most_kwh = max(3 * shown_w, _STEEPEST_W) * seconds / 3.6e6
    step = max(abs(profile.points[name].scale), 1e-6 * abs(values[name]))
    return float(-step <= then[name] - values[name] <= most_kwh + 2 * step)
