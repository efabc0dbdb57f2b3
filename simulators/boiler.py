"""A hot-water plant: heat pump below, heating elements above, a tank of two layers, a loop.

The heat pump keeps the whole tank at the setpoint; two elements above are the back-up for the
evening peak, for cold days and for setpoints that the heat pump does not reach. One earth-leakage
breaker feeds them all: a burnt element trips it, and the tank cools from then on.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import exp
from typing import ClassVar

from hub.model import Json
from hub.ports import Refused
from hub.site import Device
from simulators.climate import USUAL, Climate
from simulators.heat_pump import cop, heat_share
from simulators.noise import uniform
from simulators.twin import Twin

STEP_MS = 10_000
_STEP_S = STEP_MS / 1000
_MINUTE_MS = 60_000
_CP = 4.186  # kJ/(kg K)
_KWH = 3600.0  # kJ
INDOOR = 20.0
_HEAT_PUMP_LIMIT = 55.0
_HEAT_PUMP_BAND = 2.0  # K below its limit at which it starts
_ELEMENTS_BELOW = 3.0  # K below the setpoint at which the back-up starts
_CONDENSER = 3.0  # K by which the water leaves the heat pump warmer than the layer it enters
_CONDENSER_RISE = 5.0  # K from inlet to outlet at rated heat
_PRESSURE = 1.6  # bar
_SAFETY_LIMIT = 78.0  # the thermostat of the elements themselves
_CYCLE_S, _CYCLE_ON_S = 360, 120  # of a compressor that its pressure switch stops again
_FOULED = 0.7  # of the coefficient that is left
_IDLING = 0.1  # of its power that a heat pump takes whose compressor stands
_DRY_BAR = 0.35
_AIR_BAR = 0.8  # with less of it the pump begins to draw air
_ICY_WATER, _ICY_AIR = 5.0, 2.0  # degC: so cold, controllers guard a loop against frost
_SCALDING = 70.0  # the hottest water that a heater may give (GB 50015)
_EMPTYING_S = 120.0
_HARD_DRAW = 0.06  # kg/s per kW of element: the draw at which pressure is lowest
_LOOP_COOLS_S = 1800.0
# fault codes of the controller, the gravest first
_CODES = {
    "lock_out": 13,
    "low_pressure": 41,
    "pump_failed": 42,
    "element_failed": 21,
    "compressor_failed": 11,
    "short_cycling": 12,
    "thermostat_stuck": 31,
}


@dataclass(frozen=True, slots=True)
class Size:
    """What a plant is built for; powers in kW, heat losses in kW/K.

    The heat pump gives ``heat_pump_kw`` at 7 degC outside, more on warm days and less on cold ones.
    """

    top_kg: float
    bottom_kg: float
    heat_pump_kw: float
    element_kw: float
    loop_loss: float
    bottom_loss: float
    mixing: float
    loop_kg_s: float
    leak_kg_s: float

    @classmethod
    def of(cls, terminals: int) -> Size:
        """Size a plant for so many shower terminals (some 660 L a day each)."""
        n = max(terminals, 4)
        return cls(
            top_kg=40.0 * n,
            bottom_kg=120.0 * n,
            heat_pump_kw=4.0 * n,
            element_kw=1.0 * n,
            loop_loss=0.008 * n,
            bottom_loss=0.001 * n,
            mixing=0.003 * n,
            loop_kg_s=0.04 * n,
            leak_kg_s=0.01 * n,
        )


@dataclass(slots=True)
class Ledger:
    """True totals since the start, in kJ and kg: the balance of heat and of mass."""

    heat_pump: float = 0.0
    elements: float = 0.0
    electric: float = 0.0
    lost: float = 0.0
    drawn: float = 0.0
    leaked: float = 0.0
    brought: float = 0.0
    drawn_kg: float = 0.0
    leaked_kg: float = 0.0
    made_up_kg: float = 0.0


class BoilerTwin(Twin):
    """The plant of a building; its state changes at whole steps of ten seconds."""

    cures: ClassVar = {
        "element_failed": "heating-element",
        "sensor_stuck": "sensor",
        "leak": "pipe",
        "counter_reset": "meter",
        "silent": "comms-module",
        "exception_answer": "controller",
        "compressor_failed": "compressor",
        "thermostat_stuck": "thermostat",
        "short_cycling": "pressure-switch",
        "low_pressure": "make-up-valve",
        "pump_failed": "circulation-pump",
        "fouled": "heat-exchanger",
        "lock_out": "controller",
    }
    parts: ClassVar = (
        "heating-element", "sensor", "pipe", "meter", "comms-module", "controller",
        "circulation-pump", "contactor", "thermostat", "compressor", "pressure-switch",
        "make-up-valve", "heat-exchanger",
    )  # fmt: skip
    sensors: ClassVar = ("tank_top", "tank_temperature", "supply_temperature")
    counters: ClassVar = ("energy", "heat", "make_up_water", "hot_water")

    def __init__(
        self,
        device: Device,
        seed: int,
        now_ms: int,
        terminals: int = 8,
        climate: Climate = USUAL,
        start_lag_s: float = 0.0,
    ) -> None:
        super().__init__(device, now_ms)
        self._start_lag_s = start_lag_s  # from the command to the start, as a controller has it
        self._wanted_ms: int | None = None
        self._seed = seed
        self._climate = climate
        self._since_ms: dict[str, int] = {}
        self.size = Size.of(terminals)
        self.ledger = Ledger()
        self.setpoint = 55.0
        self.top = self.setpoint - uniform(seed, 0)
        self.bottom = self.top - uniform(seed, 1)
        self._began = {
            "energy": 20_000 + 60_000 * uniform(seed, 2),
            "heat": 60_000 + 180_000 * uniform(seed, 3),
            "make_up_water": 1_000 + 4_000 * uniform(seed, 4),
            "hot_water": 1_000 + 4_000 * uniform(seed, 5),
        }
        self.leaking_kg_s = 0.0  # out of the pipes of the building, behind its meter of hot water
        self.indoor = INDOOR
        self._heat_wanted = False
        self._heat_pump_on = False
        self._elements_on = False
        self._cop = 3.3
        self._heat_pump_kw = self.size.heat_pump_kw
        self._draw_kg_s = 0.0
        self._first_stored = self.stored_kj

    @property
    def stored_kj(self) -> float:
        """Return the heat in the tank above 0 degC."""
        return _CP * (self.size.top_kg * self.top + self.size.bottom_kg * self.bottom)

    @property
    def usable(self) -> float:
        """Return the temperature of the usable water, whose sensor sits low in the upper layer."""
        return self.top - 0.02 * (self.top - self.bottom)

    @property
    def used_kwh(self) -> float:
        """Return the electricity taken since the start."""
        return self.ledger.electric / _KWH

    @property
    def power_w(self) -> float:
        """Return the electric power taken now."""
        heat_pump = self._heat_pump_kw / self._cop if self._heat_pump_on else 0.0
        return 1000 * (heat_pump * self._compressing + self._pump_kw + self._elements_kw)

    @property
    def _compressing(self) -> float:
        """Return the share of its power that a running heat pump takes."""
        return _IDLING if "compressor_failed" in self.faults else 1.0

    @property
    def _pump_runs(self) -> bool:
        return "pump_failed" not in self.faults and not self.dark

    @property
    def _pump_kw(self) -> float:
        return self.size.loop_kg_s * 0.6 if self._pump_runs else 0.0

    @property
    def _elements_kw(self) -> float:
        works = self._elements_on and not self._barred
        return 2 * self.size.element_kw if works else 0.0

    @property
    def _barred(self) -> bool:
        """Tell whether heat pump and elements cannot run: no supply, tripped, or locked out."""
        return "element_failed" in self.faults or "lock_out" in self.faults or self.dark

    def advance(self, now_ms: int) -> None:
        """Note the instant; the state itself is moved by :meth:`step`."""
        self.now_ms = max(self.now_ms, now_ms)

    def step(self, at_ms: int, draw_kg: float) -> None:
        """Let ten seconds from ``at_ms`` pass in which showers draw so much hot water."""
        self._control(at_ms)
        air = self._climate.outdoor(at_ms)
        water = self.bottom + _CONDENSER
        self._cop = cop(air, water)
        self._heat_pump_kw = self.size.heat_pump_kw * heat_share(air, water)
        if "fouled" in self.faults:
            self._cop, self._heat_pump_kw = _FOULED * self._cop, _FOULED * self._heat_pump_kw
        draw_kg += self.leaking_kg_s * _STEP_S
        leak_kg = self.size.leak_kg_s * _STEP_S if "leak" in self.faults else 0.0
        self._draw_kg_s = draw_kg / _STEP_S
        self._move_heat(draw_kg, leak_kg, self._climate.cold_water(at_ms))
        self.now_ms = max(self.now_ms, at_ms + STEP_MS)
        if self.faults:
            self._note_evident()

    def _note_evident(self) -> None:
        """Note when a tank is too hot, a pump begins to run dry, and a loop to freeze."""
        if "thermostat_stuck" in self.faults and self.usable > _SCALDING:
            self.evident_ms.setdefault("thermostat_stuck", self.now_ms)
        if "low_pressure" in self.faults and self._loop()["pressure"] < _AIR_BAR:
            self.evident_ms.setdefault("low_pressure", self.now_ms)
        if "pump_failed" in self.faults and self._freezes:
            self.evident_ms.setdefault("freezing", self.now_ms)

    @property
    def _freezes(self) -> bool:
        """Tell whether what stands in the loop is near freezing while it freezes outside."""
        cold = self._climate.outdoor(self.now_ms) < _ICY_AIR
        return cold and self._loop()["return_temperature"] < _ICY_WATER

    def _control(self, at_ms: int) -> None:
        """Switch heat pump and elements as their thermostats say, with hysteresis."""
        seen = self._frozen.get("tank_top", self.top)
        if "thermostat_stuck" in self.faults:
            seen = 0.0
        if self._elements_on:
            self._elements_on = seen < self.setpoint and self.top < _SAFETY_LIMIT
        else:
            self._elements_on = (
                seen < self.setpoint - _ELEMENTS_BELOW and self.top < _SAFETY_LIMIT - 5
            )
        limit = min(_HEAT_PUMP_LIMIT, self.setpoint)
        start = limit if self._heat_wanted else limit - _HEAT_PUMP_BAND
        self._heat_wanted = self.bottom < start
        self._wanted_ms = (self._wanted_ms or at_ms) if self._heat_wanted else None
        waits = at_ms - (self._wanted_ms or 0) < 1000 * self._start_lag_s
        stopped = waits or self._barred or self._stopped(at_ms)
        self._heat_pump_on = self._heat_wanted and not stopped

    def _stopped(self, at_ms: int) -> bool:
        """Tell whether the pressure switch has stopped the compressor."""
        return "short_cycling" in self.faults and at_ms // 1000 % _CYCLE_S >= _CYCLE_ON_S

    def _move_heat(self, draw_kg: float, leak_kg: float, cold: float) -> None:
        size, ledger, top, bottom = self.size, self.ledger, self.top, self.bottom
        out_kg = draw_kg + leak_kg
        heat_pump = self._heat_pump_kw * _STEP_S if self._heat_pump_on else 0.0
        taken = heat_pump / self._cop * self._compressing
        if "compressor_failed" in self.faults:
            heat_pump = 0.0
        elements = self._elements_kw * _STEP_S
        lost_top = size.loop_loss * (top - self.indoor) * _STEP_S * self._pump_runs
        lost_bottom = size.bottom_loss * (bottom - self.indoor) * _STEP_S
        down = size.mixing * (top - bottom) * _STEP_S
        into_top = elements - lost_top - down + out_kg * _CP * (bottom - top)
        into_bottom = heat_pump - lost_bottom + down + out_kg * _CP * (cold - bottom)
        self.top += into_top / (size.top_kg * _CP)
        self.bottom += into_bottom / (size.bottom_kg * _CP)
        if self.top < self.bottom:  # warm water rises: the layers mix at once
            mass = size.top_kg + size.bottom_kg
            self.top = self.bottom = self.stored_kj / (_CP * mass)
        ledger.heat_pump += heat_pump
        ledger.elements += elements
        ledger.electric += taken + elements + self._pump_kw * _STEP_S
        ledger.lost += lost_top + lost_bottom
        ledger.drawn += draw_kg * _CP * top
        ledger.leaked += leak_kg * _CP * top
        ledger.brought += out_kg * _CP * cold
        ledger.drawn_kg += draw_kg
        ledger.leaked_kg += leak_kg
        ledger.made_up_kg += out_kg

    def _begin(self, kind: str) -> None:
        self._since_ms[kind] = self.now_ms
        if kind == "pump_failed":
            self.evident_ms.pop("freezing", None)

    def _lasted_s(self, kind: str) -> float:
        """Return how long a fault has lasted; 0 where there is none."""
        return (self.now_ms - self._since_ms[kind]) / 1000 if kind in self.faults else 0.0

    def _readings(self) -> dict[str, float]:
        ledger, began = self.ledger, self._began
        element_w = 500 * self._elements_kw
        return {
            "tank_top": self.top,
            "tank_bottom": self.bottom,
            "tank_temperature": self.usable,
            "supply_temperature": self.top,
            "power": self.power_w,
            "energy": began["energy"] + ledger.electric / _KWH,
            "heat": began["heat"] + (ledger.heat_pump + ledger.elements) / _KWH,
            "make_up_water": began["make_up_water"] + ledger.made_up_kg / 1000,
            "hot_water": began["hot_water"] + ledger.drawn_kg / 1000,
            "setpoint": self.setpoint,
            "heat_pump_command": float(self._heat_wanted),
            "heat_pump_state": float(self._heat_pump_on),
            "elements_command": float(self._elements_on),
            "element_1": element_w / 690,  # A in each of three phases
            "element_2": element_w / 690,
            "fault_code": float(self._code()),
            "outdoor_temperature": self._climate.outdoor(self.now_ms),
            "heat_pump_inlet": self.bottom,
            "heat_pump_outlet": self.bottom + self._warmed(),
        } | self._loop()

    def _loop(self) -> dict[str, float]:
        """Return what is seen of the circulation: its pump, flow, pressure and return."""
        size = self.size
        drop = size.loop_loss * (self.top - self.indoor) / (size.loop_kg_s * _CP)
        still_s = self._lasted_s("pump_failed")
        back, air = self.top - drop, self._climate.outdoor(self.now_ms)
        if still_s:  # what stands in the pipes across the roof becomes as cold as the air
            back = air + (back - air) * exp(-still_s / _LOOP_COOLS_S)
        empty = min(self._lasted_s("low_pressure") / _EMPTYING_S, 1.0)
        loop_kg_s = size.loop_kg_s * self._pump_runs * (1 - 0.8 * empty)
        minute = self.now_ms // _MINUTE_MS
        drawing = min(self._draw_kg_s / (_HARD_DRAW * size.element_kw), 1.0)
        full = _PRESSURE - 0.3 * drawing + 0.04 * (uniform(self._seed, minute) - 0.5)
        return {
            "return_temperature": back,
            "flow": (loop_kg_s + self._draw_kg_s) * 3.6,
            "pressure": full + empty * (_DRY_BAR - full),
            "pump": float(self._pump_runs),
            "pump_command": 1.0,
        }

    def _warmed(self) -> float:
        """Return by how much water leaves the heat pump warmer than it came."""
        if not self._heat_pump_on or "compressor_failed" in self.faults:
            return 0.0
        return _CONDENSER_RISE * self._heat_pump_kw / self.size.heat_pump_kw

    def _code(self) -> int:
        """Return the fault code that the controller shows.

        It sees no current in an element, and no heat, only once they are wanted.
        """
        for kind, code in _CODES.items():
            unseen = kind == "element_failed" and not self._elements_on
            if self._tells(kind) and not unseen:
                return code
        return 0

    def _write(self, point: str, value: float) -> None:
        """Take a new setpoint."""
        if point != "setpoint":
            raise Refused(f"{self.device.id}: {point} cannot be written")
        self.setpoint = value

    def truth(self) -> dict[str, Json]:
        """Return the balance of heat (kWh) and water (kg) since the start."""
        ledger = self.ledger
        return self._record() | {
            "energy_kwh": ledger.electric / _KWH,
            "heat_kwh": (ledger.heat_pump + ledger.elements) / _KWH,
            "lost_kwh": ledger.lost / _KWH,
            "drawn_kwh": (ledger.drawn - ledger.brought + ledger.leaked) / _KWH,
            "stored_kwh": (self.stored_kj - self._first_stored) / _KWH,
            "hot_water_kg": ledger.drawn_kg,
            "leaked_kg": ledger.leaked_kg,
            "make_up_kg": ledger.made_up_kg,
            "tank_top": self.top,
        }
