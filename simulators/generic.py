"""A twin for any profile: it holds one plausible value per point, each different from the others.

It has no physics but this: what a meter shows of voltage, current and power fits together, so that
the checks that a profile names hold for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import inf, sqrt
from typing import ClassVar

from drivers.profile import MessagePoint, ModbusProfile, PointSpec, Profile, RegisterPoint
from hub.model import Json
from hub.ports import Refused
from hub.site import Device
from simulators.registers import capacity, factor_of, value_of, words_of
from simulators.twin import Twin

_TYPICAL: Mapping[str, float] = {
    "kWh": 1234.5, "kvarh": 234.5, "W": 1000.0, "kW": 1.5, "VA": 1100.0, "var": 250.0, "V": 230.0,
    "A": 5.0, "Hz": 50.02, "degC": 45.5, "K": 5.0, "m3": 321.5, "m3/h": 3.25, "L": 18.8,
    "L/min": 5.1, "bar": 1.5, "kPa": 900.0, "%": 55.0, "s": 300.0, "min": 25.0, "h": 4321.0,
    "rpm": 850.0, "uA": 12.0, "CNY": 66.5, "": 7.0,
}  # fmt: skip
_PHASES = ("_l1", "_l2", "_l3")
_APART = 0.004  # from one point to the next, so that a mixed-up address cannot go unseen
_OTHERWISE = 0.01  # from one variant to the next
_FEWEST_STEPS = 3  # of its register that a value is at least, so that its scale can be seen
_RATIOS = (2.0, 30.0, 5.0, 7.0)
_EXPONENTS = (-1.0, 0.0)


class GenericTwin(Twin):
    """A device of any product; nothing changes but what is written to it or shown on purpose.

    Variant 1 holds other values, bits, ratios and firmware than variant 0.
    """

    cures: ClassVar = {"silent": "comms-module", "exception_answer": "device"}
    parts: ClassVar = ("comms-module", "device")
    sensors: ClassVar = ()
    counters: ClassVar = ()

    def __init__(self, device: Device, profile: Profile, now_ms: int) -> None:
        super().__init__(device, now_ms)
        self._profile = profile
        self._points: Mapping[str, PointSpec] = profile.points
        self._held = plausible(profile)
        self._shown: dict[str, float] = {}
        self._inside = inside(profile) if isinstance(profile, ModbusProfile) else {}

    def advance(self, now_ms: int) -> None:
        """Let time pass; nothing else does."""
        self.now_ms = max(self.now_ms, now_ms)

    def turn(self, variant: int) -> None:
        """Hold the values of another variant and show them all."""
        self._held = plausible(self._profile, variant)
        self._shown.clear()

    def show(self, point: str, value: float | None) -> None:
        """Show a value, a NaN or a Marker in place of what the point holds; None ends that.

        It is no write: the range of the point does not matter.
        """
        self._shown.pop(point, None)
        if value is not None:
            self._shown[point] = value

    def _write(self, point: str, value: float) -> None:
        """Take a written value, where the profile lets it be written and its conditions hold."""
        spec = self._points.get(point)
        if spec is None or spec.write is None:
            raise Refused(f"{self.device.id}: {point} cannot be written")
        if spec.write.one_of and round(value, 6) not in spec.write.one_of:
            raise Refused(f"{self.device.id}: {point}: {value:g} is none of its values")
        shown = self.values()
        for condition in spec.write.only_while:
            if shown[condition.point] not in condition.equals:
                raise Refused(f"{self.device.id}: {point} waits for another {condition.point}")
        self._held[point] = value
        for name, part in self._inside.get(point, {}).items():
            whole = self._points[point]
            if isinstance(whole, RegisterPoint):
                words = words_of(whole, value, shown)[part.address - whole.address :]
                self._held[name] = value_of(part, words[: part.words], shown)

    def truth(self) -> dict[str, Json]:
        """Return faults and repairs; there is nothing else to know."""
        return self._record()

    def _readings(self) -> dict[str, float]:
        values = self._held | self._shown
        for name, parts in self._inside.items():
            whole = self._points[name]
            if name not in self._shown and isinstance(whole, RegisterPoint):
                values[name] = _joined(whole, parts, values)
        return values


def plausible(profile: Profile, variant: int = 0) -> dict[str, float]:
    """Choose a value for every point: in its range, fit for its register, unlike its neighbours."""
    points: Mapping[str, PointSpec] = profile.points
    held = _selectors(points, variant)
    electric = _electric(points)
    for n, (name, spec) in enumerate(points.items()):
        if name not in held:
            typical = _TYPICAL[spec.unit] * (1 + n * _APART * (spec.unit != "Hz"))
            wish = electric.get(name, typical) * (1 + _OTHERWISE * variant)
            held[name] = _chosen(spec, wish, n + variant, held)
    for spec in points.values():
        for condition in spec.write.only_while if spec.write else ():
            held[condition.point] = condition.equals[0]
    return held


def _selectors(points: Mapping[str, PointSpec], variant: int) -> dict[str, float]:
    """Choose the values of points that others depend on: exponents, ratios, prefixes, firmware."""
    held: dict[str, float] = {}
    for spec in points.values():
        if not isinstance(spec, RegisterPoint):
            continue
        for source in spec.scale_from:
            choices: Sequence[float] = {
                "power_of_ten": _EXPONENTS,
                "factor": _RATIOS[len(held) % len(_RATIOS) :],
                "choice": sorted(source.factors, reverse=True),
            }[source.kind]
            held.setdefault(source.point, float(choices[variant % len(choices)]))
        if order := spec.word_order_from:
            held.setdefault(order.point, max(order.at_least - variant, 0))
    return held


def _chosen(spec: PointSpec, wish: float, n: int, held: Mapping[str, float]) -> float:
    write, low, high = spec.write, *_range(spec, held)
    if write and write.one_of:
        return write.one_of[n % len(write.one_of)]
    named = {*spec.values, *(spec.words.values() if isinstance(spec, MessagePoint) else ())}
    if named:
        return float(sorted(named)[n % len(named)])
    if spec.kind == "state":
        return low + n % 2 if high - low <= 1 else max(low, min(high, 1.0 + n % 7))
    if isinstance(spec, RegisterPoint):
        wish = _visible(spec, wish * _ratio(spec, held), n, held)
    if not low <= wish <= high:
        wish = low + (high - low) * (0.4 + 0.02 * (n % 10))
    if write and write.step:
        steps = round((wish - write.min) / write.step) + n % 3
        return min(write.min + steps * write.step, write.max)
    return wish


def _visible(spec: RegisterPoint, wish: float, n: int, held: Mapping[str, float]) -> float:
    """Move a value so that it is some steps of its register, and others than its neighbours."""
    step = abs(spec.scale) * factor_of(spec, held)
    if spec.type.startswith("float") or spec.unit == "Hz":
        return wish
    if wish < _FEWEST_STEPS * step:
        return step * (_FEWEST_STEPS + n % 5)
    return wish + n % 10 * step if wish * _APART < step / 2 else wish


def _range(spec: PointSpec, held: Mapping[str, float]) -> tuple[float, float]:
    """Return what the point may be and its register can hold."""
    lows, highs = [spec.min, -inf], [spec.max, inf]
    if spec.write:
        lows.append(spec.write.min)
        highs.append(spec.write.max)
    if isinstance(spec, RegisterPoint) and not spec.type.startswith("float"):
        smallest, largest = capacity(spec)
        factor = factor_of(spec, held)
        ends = [(raw * spec.scale + spec.offset) * factor for raw in (smallest, largest)]
        lows.append(min(ends))
        highs.append(max(ends))
    return max(low for low in lows if low is not None), min(h for h in highs if h is not None)


def _ratio(spec: RegisterPoint, held: Mapping[str, float]) -> float:
    """Return what the device's transformers make of a value on the meter's side."""
    ratio = 1.0
    for source in spec.scale_from:
        if source.kind == "factor":
            ratio *= held[source.point]
    return ratio


def _electric(points: Mapping[str, PointSpec]) -> dict[str, float]:
    """Return voltages, currents and powers that fit together, by the names that profiles use."""
    phases = [one for one in _PHASES if {f"voltage{one}", f"current{one}"} <= set(points)]
    single = "voltage" in points and "current" in points
    values: dict[str, float] = {}
    totals = dict.fromkeys(("current", "power", "apparent_power", "reactive_power"), 0.0)
    for n, phase in enumerate(phases or [""] * single):
        volt, ampere = 229.3 + 1.7 * n, 2.4 + 0.45 * n
        factor = 0.94 + 0.01 * n if f"power_factor{phase}" in points else 0.95
        apparent = volt * ampere
        power = apparent * factor
        reactive = sqrt(apparent**2 - power**2)
        own = {"current": ampere, "power": power, "apparent_power": apparent}
        own["reactive_power"] = reactive
        for name, value in own.items():
            values[name + phase] = value
            totals[name] += value
        values[f"voltage{phase}"], values[f"power_factor{phase}"] = volt, factor
    if phases:
        values |= totals | {"voltage": 229.3 + 1.7 * (len(phases) - 1) / 2}
        values["power_factor"] = totals["power"] / totals["apparent_power"]
    return values


def inside(profile: ModbusProfile) -> dict[str, dict[str, RegisterPoint]]:
    """Return the points that lie inside the registers of another one, by the name of that."""
    found: dict[str, dict[str, RegisterPoint]] = {}
    for name, whole in profile.points.items():
        if whole.partial or whole.table in ("coil", "discrete"):
            continue
        last = whole.address + whole.words
        for other, part in profile.points.items():
            within = whole.address <= part.address and part.address + part.words <= last
            smaller = part.partial or part.words < whole.words
            if other != name and part.table == whole.table and within and smaller:
                found.setdefault(name, {})[other] = part
    return found


def _joined(
    whole: RegisterPoint, parts: Mapping[str, RegisterPoint], values: Mapping[str, float]
) -> float:
    """Return the value of a point whose registers its parts have filled."""
    words = [0] * whole.words
    for name, part in parts.items():
        for at, word in enumerate(words_of(part, values[name], values), part.address):
            words[at - whole.address] |= word
    return value_of(whole, words, values)
