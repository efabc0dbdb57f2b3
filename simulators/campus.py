"""All twins of a site on one clock, with what couples them, and the faults of the day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, tzinfo

from drivers.profile import Profile
from hub.model import Json
from hub.ports import Clock, Refused
from hub.site import Device
from simulators import fit
from simulators.boiler import STEP_MS, BoilerTwin
from simulators.climate import USUAL as CLIMATE
from simulators.climate import Climate
from simulators.generic import GenericTwin
from simulators.grounds import Grounds
from simulators.life import USUAL_LIFE, Life
from simulators.main_meter import MainMeterTwin
from simulators.meter import RoomMeterTwin
from simulators.reference import write_reference
from simulators.shower import ShowerTwin
from simulators.twin import Twin
from simulators.wires import LINE, OF_A_GATEWAY, Wires

__all__ = ["Fleet", "Label", "write_reference"]
_MAINS_HOT = 55.0  # what a terminal gets whose building has no plant of its own


@dataclass(frozen=True, slots=True)
class Label:
    """The truth about one fault; ``end_ms`` is None while it lasts."""

    device: str
    kind: str
    start_ms: int
    end_ms: int | None


@dataclass(frozen=True, slots=True)
class Day:
    """The day that the physics live: from when on (None: from now), and how many people shower.

    Hour and season make a fault quick or slow to show. ``demand`` is how many sessions begin for
    each of a usual day; ``life`` is its weather and its people. ``start_lag_s`` is how long heat
    pumps take to start once they are told to: controllers wait for pressures and for rest.
    """

    start_ms: int | None = None
    demand: float = 1.0
    life: Life = USUAL_LIFE
    start_lag_s: float = 0.0


USUAL = Day()


class Plant:
    """The boilers and terminals of one building, moved together in steps of ten seconds."""

    def __init__(
        self,
        boilers: Sequence[BoilerTwin],
        showers: Sequence[ShowerTwin],
        now_ms: int,
        climate: Climate = CLIMATE,
    ) -> None:
        self.boilers = boilers
        self.showers = showers
        self._climate = climate
        self._at_ms = now_ms // STEP_MS * STEP_MS

    def advance(self, now_ms: int) -> None:
        """Step to the last whole step at or before ``now_ms``."""
        self.move(now_ms)
        for twin in (*self.boilers, *self.showers):
            twin.advance(now_ms)

    def move(self, now_ms: int) -> None:
        """Step as far, but let no twin note the instant itself."""
        while self._at_ms + STEP_MS <= now_ms:
            self._step(self._at_ms)
            self._at_ms += STEP_MS

    def _step(self, at_ms: int) -> None:
        boilers = self.boilers
        hot = sum(twin.top for twin in boilers) / len(boilers) if boilers else _MAINS_HOT
        cold = self._climate.cold_water(at_ms)
        draw_kg = 0.0
        for shower in self.showers:
            # an idle terminal changes nothing before somebody may come: most are, most of the time
            if shower.flow or shower.faults or at_ms >= shower.next_visit_ms:
                draw_kg += shower.step(at_ms, hot, cold)
        for boiler in boilers:
            boiler.step(at_ms, draw_kg / len(boilers))


class Fleet:
    """Every twin of a site; twins are advanced when somebody looks at them.

    ``pace`` lets the physics run faster than the clock (the self-test); at 0 they stand still.
    Without ``physics``, and where they do not fit a product, a twin holds plausible values.
    ``zone`` is that of devices whose clock shows local time and names no zone.
    """

    def __init__(
        self,
        devices: Sequence[Device],
        profiles: Mapping[str, Profile],
        clock: Clock,
        pace: float = 1.0,
        *,
        physics: bool = True,
        day: Day = USUAL,
        zone: tzinfo = UTC,
    ) -> None:
        self.clock = clock
        self.profiles = profiles
        self.zone = zone
        self.devices: Mapping[str, Device] = {device.id: device for device in devices}
        self.labels: list[Label] = []
        self.wires = Wires(devices, profiles, clock)
        self._pace = pace
        self._clock_began_ms = clock.now_ms()
        self._began_ms = self._clock_began_ms if day.start_ms is None else day.start_ms
        self._demand = day.demand
        self._life = day.life
        self._start_lag_s = day.start_lag_s
        self._twins: dict[str, Twin] = {}
        self._movers: dict[str, Sequence[Plant | Twin]] = {}
        self.plants: list[Plant] = []
        self._build(physics=physics)
        self.grounds = Grounds(self._twins)

    def _build(self, *, physics: bool) -> None:
        """Make the twins building by building: main meters last, they sum the others."""
        buildings: dict[str, list[Device]] = {}
        for device in self.devices.values():
            buildings.setdefault(_building(device), []).append(device)
        for devices in buildings.values() if physics else ():
            boilers = self._build_plant(devices)
            loads = self._build_loads(devices)
            self._build_mains(devices, [*boilers, *loads])
        for device in self.devices.values():
            if device.id not in self._twins:
                generic = GenericTwin(device, self.profiles[device.profile], self._began_ms)
                self._keep(generic, generic)

    def _keep(self, twin: Twin, *movers: Plant | Twin) -> None:
        self._twins[twin.device.id] = twin
        self._movers[twin.device.id] = movers

    def _suits(self, twin: Twin) -> bool:
        """Tell whether physics fit a product, and let it show what else it has."""
        profile = self.profiles[twin.device.profile]
        told = fit.told(profile, twin.values())
        if told is None:
            return False
        if fit.missing(profile, told):
            twin.complete(told, GenericTwin(twin.device, profile, self._began_ms))
        return True

    def _build_plant(self, devices: Sequence[Device]) -> list[BoilerTwin]:
        now_ms = self._began_ms
        terminals = sum(device.kind == "shower" for device in devices)
        units = sum(device.kind == "boiler" for device in devices)
        climate = self._life.climate
        tanks = [
            BoilerTwin(
                device, self._seed(device), now_ms, terminals // units, climate, self._start_lag_s
            )
            for device in devices
            if device.kind == "boiler"
        ]
        outlets = [
            ShowerTwin(
                device, self._seed(device), now_ms, self._life.demand(device.place, self._demand)
            )
            for device in devices
            if device.kind == "shower"
        ]
        boilers = [twin for twin in tanks if self._suits(twin)]
        showers = [twin for twin in outlets if self._suits(twin)]
        plant = Plant(boilers, showers, now_ms, climate)
        self.plants.append(plant)
        for one in (*boilers, *showers):
            self._keep(one, plant)
        return boilers

    def _build_loads(self, devices: Sequence[Device]) -> list[RoomMeterTwin]:
        """Give every meter a load of its own; the main meter counts one of each place."""
        loads: dict[str, RoomMeterTwin] = {}
        for device in devices:
            if device.kind != "meter" or _is_main(device):
                continue
            lived = self._life.room(device.place)
            load = RoomMeterTwin(device, self._seed(device), self._began_ms, lived)
            twin: Twin = load
            if fit.three_phase(self.profiles[device.profile]):
                twin = MainMeterTwin(device, self._seed(device), self._began_ms, [load])
            if self._suits(twin):
                self._keep(twin, *dict.fromkeys((load, twin)))
                loads.setdefault(device.place, load)
        return list(loads.values())

    def _build_mains(
        self, devices: Sequence[Device], feeders: Sequence[BoilerTwin | RoomMeterTwin]
    ) -> None:
        below = [self._movers[twin.device.id] for twin in feeders]
        movers = tuple(dict.fromkeys(mover for one in below for mover in one))
        for device in devices:
            if device.kind == "meter" and _is_main(device):
                main = MainMeterTwin(device, self._seed(device), self._began_ms, feeders)
                if self._suits(main):
                    self._keep(main, *movers, main)

    def _seed(self, device: Device) -> int:
        return self.clock.random(f"twin/{device.id}").getrandbits(64)

    def _physics_ms(self, now_ms: int) -> int:
        return self._began_ms + round((now_ms - self._clock_began_ms) * self._pace)

    def advance(self, now_ms: int) -> None:
        """Let time pass for every twin."""
        physics_ms = self._physics_ms(now_ms)
        for mover in dict.fromkeys(mover for each in self._movers.values() for mover in each):
            mover.advance(physics_ms)

    def twin(self, device: str) -> Twin:
        """Return a twin as it was last advanced; Refused when there is none."""
        if device not in self._twins:
            raise Refused(f"there is no simulated device {device}")
        return self._twins[device]

    def twin_at(self, device: str, now_ms: int) -> Twin:
        """Return a twin after letting time pass for it and what it depends on."""
        twin = self.twin(device)
        physics_ms = self._physics_ms(now_ms)
        for mover in self._movers[device]:
            mover.advance(physics_ms)
        return twin

    async def overview(self) -> Sequence[Mapping[str, Json]]:
        """Return each twin: device, kind, place, faults it can have, faults active, parts."""
        return [self._seen(twin) for twin in self._twins.values()]

    def _seen(self, twin: Twin) -> dict[str, Json]:
        device = twin.device
        on_line = self.wires.possible(device)
        return {
            "device": device.id,
            "kind": device.kind,
            "place": device.place,
            "faults": [*twin.faults_possible, *on_line],
            "active": [*twin.faults, *self.wires.active(device, self.clock.now_ms())],
            "parts": [*twin.parts, *([LINE] if on_line else [])],
        }

    async def fault(self, device: str, kind: str) -> None:
        """Start a fault of a device, of its line, of a gateway or of a place now and label it."""
        now_ms = self.clock.now_ms()
        if self.grounds.possible(device):
            self.advance(now_ms)
            if self.grounds.begin(device, kind):
                self.labels.append(Label(device, kind, now_ms, None))
            return
        twin = self.twin_at(device, now_ms)
        if kind in self.wires.possible(twin.device):
            if self.wires.begin(twin.device, kind, now_ms):
                self.labels.append(Label(device, kind, now_ms, None))
            return
        if kind not in twin.faults:
            self.labels.append(Label(device, kind, now_ms, twin.fault(kind)))

    def wind(self, device: str, left: float) -> float:
        """Let the energy counter of a device stand ``left`` before it rolls over; return where."""
        spec = self.profiles[self.devices[device].profile].points["energy"]
        if spec.rollover is None:
            raise Refused(f"{device}: its energy never rolls over")
        self.twin_at(device, self.clock.now_ms()).wind("energy", spec.rollover - left)
        return spec.rollover

    async def repair(self, device: str, part: str) -> None:
        """Replace a part, or mend the line, and end the labels of the faults that it cured."""
        now_ms = self.clock.now_ms()
        if self.grounds.possible(device):
            self.advance(now_ms)
            self._relabel({device}, device, self.grounds.repair(device, part), now_ms)
            return
        twin = self.twin_at(device, now_ms)
        concerned = {device}
        if part == LINE and self.wires.possible(twin.device):
            cured: Sequence[str] = self.wires.mend(twin.device, now_ms)
            concerned |= self.wires.beside(twin.device)
        else:
            cured = twin.repair(part)
        self._relabel(concerned, device, cured, now_ms)

    def _relabel(self, concerned: set[str], device: str, cured: Sequence[str], now_ms: int) -> None:
        """End the labels of faults that were cured; those of a gateway end for all behind it."""
        self.labels = [
            replace(label, end_ms=now_ms)
            if label.device in concerned
            and label.kind in cured
            and label.end_ms is None
            and (label.device == device or label.kind in OF_A_GATEWAY)
            else label
            for label in self.labels
        ]

    def truth(self) -> dict[str, Json]:
        """Return what the hub cannot read, by device, as of now."""
        self.advance(self.clock.now_ms())
        return {device: twin.truth() for device, twin in self._twins.items()}


def _building(device: Device) -> str:
    return device.place.split("/", 1)[0]


def _is_main(device: Device) -> bool:
    """Tell whether a meter stands above the others: on the building itself or in its plant."""
    _, _, inside = device.place.partition("/")
    return inside.split("/")[-1] in ("", "plant")
