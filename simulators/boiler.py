"""A hot-water plant: heat pump below, heating elements above, a tank of two layers, a loop.

The heat pump keeps the whole tank at the setpoint; two elements above are the back-up for the
evening peak, for cold days and for setpoints that the heat pump does not reach. One earth-leakage
breaker feeds them all: a burnt element trips it, and the tank cools from then on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from hub.model import Json
from hub.ports import Refused
from hub.site import Device
from simulators.climate import cold_water, outdoor_temperature
from simulators.heat_pump import cop, heat_share
from simulators.noise import uniform
from simulators.twin import Twin

STEP_MS = 10_000
_STEP_S = STEP_MS / 1000
_CP = 4.186  # kJ/(kg K)
_KWH = 3600.0  # kJ
_INDOOR = 20.0
_HEAT_PUMP_LIMIT = 55.0
_HEAT_PUMP_BAND = 2.0  # K below its limit at which it starts
_ELEMENTS_BELOW = 3.0  # K below the setpoint at which the back-up starts
_CONDENSER = 3.0  # K by which the water leaves the heat pump warmer than the layer it enters
_SAFETY_LIMIT = 78.0  # the thermostat of the elements themselves
_NO_ELEMENT_CURRENT = 21  # fault code of the controller


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
    }
    parts: ClassVar = (
        "heating-element", "sensor", "pipe", "meter", "comms-module", "controller",
        "circulation-pump", "contactor", "thermostat",
    )  # fmt: skip
    sensors: ClassVar = ("tank_top", "tank_temperature", "supply_temperature")
    counters: ClassVar = ("energy", "heat", "make_up_water", "hot_water")

    def __init__(self, device: Device, seed: int, now_ms: int, terminals: int = 8) -> None:
        super().__init__(device, now_ms)
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
    def used_kwh(self) -> float:
        """Return the electricity taken since the start."""
        return self.ledger.electric / _KWH

    @property
    def power_w(self) -> float:
        """Return the electric power taken now."""
        heat_pump = self._heat_pump_kw / self._cop if self._heat_pump_on else 0.0
        return 1000 * (heat_pump + self._pump_kw + self._elements_kw)

    @property
    def _pump_kw(self) -> float:
        return self.size.loop_kg_s * 0.6

    @property
    def _elements_kw(self) -> float:
        works = self._elements_on and not self._tripped
        return 2 * self.size.element_kw if works else 0.0

    @property
    def _tripped(self) -> bool:
        """Tell whether the breaker that heat pump and elements share has no power on it."""
        return "element_failed" in self.faults

    def advance(self, now_ms: int) -> None:
        """Note the instant; the state itself is moved by :meth:`step`."""
        self.now_ms = max(self.now_ms, now_ms)

    def step(self, at_ms: int, draw_kg: float) -> None:
        """Let ten seconds from ``at_ms`` pass in which showers draw so much hot water."""
        self._control()
        air = outdoor_temperature(at_ms)
        water = self.bottom + _CONDENSER
        self._cop = cop(air, water)
        self._heat_pump_kw = self.size.heat_pump_kw * heat_share(air, water)
        leak_kg = self.size.leak_kg_s * _STEP_S if "leak" in self.faults else 0.0
        self._draw_kg_s = draw_kg / _STEP_S
        self._move_heat(draw_kg, leak_kg, cold_water(at_ms))
        self.now_ms = max(self.now_ms, at_ms + STEP_MS)

    def _control(self) -> None:
        """Switch heat pump and elements as their thermostats say, with hysteresis."""
        seen = self._frozen.get("tank_top", self.top)
        if self._elements_on:
            self._elements_on = seen < self.setpoint and self.top < _SAFETY_LIMIT
        else:
            self._elements_on = (
                seen < self.setpoint - _ELEMENTS_BELOW and self.top < _SAFETY_LIMIT - 5
            )
        limit = min(_HEAT_PUMP_LIMIT, self.setpoint)
        start = limit if self._heat_pump_on else limit - _HEAT_PUMP_BAND
        self._heat_pump_on = self.bottom < start and not self._tripped

    def _move_heat(self, draw_kg: float, leak_kg: float, cold: float) -> None:
        size, ledger, top, bottom = self.size, self.ledger, self.top, self.bottom
        out_kg = draw_kg + leak_kg
        heat_pump = self._heat_pump_kw * _STEP_S if self._heat_pump_on else 0.0
        elements = self._elements_kw * _STEP_S
        lost_top = size.loop_loss * (top - _INDOOR) * _STEP_S
        lost_bottom = size.bottom_loss * (bottom - _INDOOR) * _STEP_S
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
        ledger.electric += heat_pump / self._cop + elements + self._pump_kw * _STEP_S
        ledger.lost += lost_top + lost_bottom
        ledger.drawn += draw_kg * _CP * top
        ledger.leaked += leak_kg * _CP * top
        ledger.brought += out_kg * _CP * cold
        ledger.drawn_kg += draw_kg
        ledger.leaked_kg += leak_kg
        ledger.made_up_kg += out_kg

    def _readings(self) -> dict[str, float]:
        size, ledger, began = self.size, self.ledger, self._began
        element_w = 500 * self._elements_kw
        loop_drop = size.loop_loss * (self.top - _INDOOR) / (size.loop_kg_s * _CP)
        no_current = self._elements_on and self._tripped
        return {
            "tank_top": self.top,
            "tank_bottom": self.bottom,
            # the sensor of the usable water sits low in the upper layer
            "tank_temperature": self.top - 0.02 * (self.top - self.bottom),
            "supply_temperature": self.top,
            "return_temperature": self.top - loop_drop,
            "flow": (size.loop_kg_s + self._draw_kg_s) * 3.6,
            "power": self.power_w,
            "energy": began["energy"] + ledger.electric / _KWH,
            "heat": began["heat"] + (ledger.heat_pump + ledger.elements) / _KWH,
            "make_up_water": began["make_up_water"] + ledger.made_up_kg / 1000,
            "hot_water": began["hot_water"] + ledger.drawn_kg / 1000,
            "setpoint": self.setpoint,
            "pump": 1.0,
            "heat_pump_state": float(self._heat_pump_on),
            "element_1": element_w / 690,  # A in each of three phases
            "element_2": element_w / 690,
            "fault_code": float(_NO_ELEMENT_CURRENT if no_current else 0),
            "outdoor_temperature": outdoor_temperature(self.now_ms),
        }

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
