"""All twins of a site on one clock, with what couples them, and the faults of the day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from drivers.profile import Profile
from hub.model import Json
from hub.ports import Clock, Refused
from hub.site import Device
from simulators.boiler import STEP_MS, BoilerTwin
from simulators.climate import cold_water
from simulators.meter import MainMeterTwin, RoomMeterTwin
from simulators.reference import write_reference
from simulators.shower import ShowerTwin
from simulators.twin import Twin

__all__ = ["Fleet", "Label", "write_reference"]
_MAINS_HOT = 55.0  # what a terminal gets whose building has no plant of its own


@dataclass(frozen=True, slots=True)
class Label:
    """The truth about one fault; ``end_ms`` is None while it lasts."""

    device: str
    kind: str
    start_ms: int
    end_ms: int | None


class Plant:
    """The boilers and terminals of one building, moved together in steps of ten seconds."""

    def __init__(
        self, boilers: Sequence[BoilerTwin], showers: Sequence[ShowerTwin], now_ms: int
    ) -> None:
        self._boilers = boilers
        self._showers = showers
        self._at_ms = now_ms // STEP_MS * STEP_MS

    def advance(self, now_ms: int) -> None:
        """Step to the last whole step at or before ``now_ms``."""
        while self._at_ms + STEP_MS <= now_ms:
            self._step(self._at_ms)
            self._at_ms += STEP_MS
        for twin in (*self._boilers, *self._showers):
            twin.advance(now_ms)

    def _step(self, at_ms: int) -> None:
        boilers = self._boilers
        hot = sum(twin.top for twin in boilers) / len(boilers) if boilers else _MAINS_HOT
        cold = cold_water(at_ms)
        draw_kg = 0.0
        for shower in self._showers:
            draw_kg += shower.step(at_ms, hot, cold)
        for boiler in boilers:
            boiler.step(at_ms, draw_kg / len(boilers))


class Fleet:
    """Every twin of a site; twins are advanced when somebody looks at them.

    ``pace`` lets the physics run faster than the clock (the self-test); it is 1 elsewhere.
    """

    def __init__(
        self,
        devices: Sequence[Device],
        profiles: Mapping[str, Profile],
        clock: Clock,
        pace: float = 1.0,
    ) -> None:
        self.clock = clock
        self.profiles = profiles
        self.devices: Mapping[str, Device] = {device.id: device for device in devices}
        self.labels: list[Label] = []
        self._pace = pace
        self._began_ms = clock.now_ms()
        self._twins: dict[str, Twin] = {}
        self._movers: dict[str, tuple[Plant | Twin, ...]] = {}
        self._build()

    def _build(self) -> None:
        """Make the twins building by building: main meters last, they sum the others."""
        buildings: dict[str, list[Device]] = {}
        for device in self.devices.values():
            buildings.setdefault(_building(device), []).append(device)
        for devices in buildings.values():
            self._build_plant(devices)
            for device in devices:
                if device.kind == "meter" and not _is_main(device):
                    twin = RoomMeterTwin(device, self._seed(device), self._began_ms)
                    self._twins[device.id] = twin
                    self._movers[device.id] = (twin,)
            self._build_mains(devices)

    def _build_plant(self, devices: Sequence[Device]) -> None:
        now_ms = self._began_ms
        terminals = sum(device.kind == "shower" for device in devices)
        boilers = [
            BoilerTwin(device, self._seed(device), now_ms, terminals)
            for device in devices
            if device.kind == "boiler"
        ]
        showers = [
            ShowerTwin(device, self._seed(device), now_ms)
            for device in devices
            if device.kind == "shower"
        ]
        plant = Plant(boilers, showers, now_ms)
        for twin in (*boilers, *showers):
            self._twins[twin.device.id] = twin
            self._movers[twin.device.id] = (plant,)

    def _build_mains(self, devices: Sequence[Device]) -> None:
        below = [device.id for device in devices if device.id in self._twins]
        feeders = [
            twin
            for twin in (self._twins[id_] for id_ in below)
            if isinstance(twin, (RoomMeterTwin, BoilerTwin))
        ]
        movers = tuple(
            dict.fromkeys(mover for twin in feeders for mover in self._movers[twin.device.id])
        )
        for device in devices:
            if device.kind == "meter" and _is_main(device):
                main = MainMeterTwin(device, self._seed(device), self._began_ms, feeders)
                self._twins[device.id] = main
                self._movers[device.id] = (*movers, main)

    def _seed(self, device: Device) -> int:
        return self.clock.random(f"twin/{device.id}").getrandbits(64)

    def _physics_ms(self, now_ms: int) -> int:
        return self._began_ms + round((now_ms - self._began_ms) * self._pace)

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
        return [
            {
                "device": twin.device.id,
                "kind": twin.device.kind,
                "place": twin.device.place,
                "faults": list(twin.faults_possible),
                "active": list(twin.faults),
                "parts": list(twin.parts),
            }
            for twin in self._twins.values()
        ]

    async def fault(self, device: str, kind: str) -> None:
        """Start a fault now and label it."""
        now_ms = self.clock.now_ms()
        twin = self.twin_at(device, now_ms)
        already = kind in twin.faults
        twin.fault(kind)
        if not already:
            momentary = kind not in twin.faults
            self.labels.append(Label(device, kind, now_ms, now_ms if momentary else None))

    async def repair(self, device: str, part: str) -> None:
        """Replace a part now and end the labels of the faults that it cured."""
        now_ms = self.clock.now_ms()
        cured = self.twin_at(device, now_ms).repair(part)
        self.labels = [
            replace(label, end_ms=now_ms)
            if label.device == device and label.kind in cured and label.end_ms is None
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
