"""The lines to the gateways of a fleet, and what is wrong with them: by script or on demand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import cache
from typing import cast

from drivers.profile import ModbusProfile, Profile
from hub.ports import Clock, ConfigError
from hub.site import Device
from simulators.faults import EXCEPTIONS, KINDS, Kind, Wire, WireFault
from simulators.scenario import ProtocolFault, Scenario

LINE = "line"
"""The part that ends what is wrong with a line on demand."""
OF_A_GATEWAY = ("one_connection_only", "link_cut")
_DELAY_S = 0.5
_FOR_EVER_MS = 1 << 60


class Wires:
    """One line per gateway of Modbus devices; the other protocols have none to be faulty."""

    def __init__(
        self, devices: Sequence[Device], profiles: Mapping[str, Profile], clock: Clock
    ) -> None:
        self._devices = {device.id: device for device in devices}
        self._wires: dict[str, Wire] = {
            device.gateway: Wire([], clock.random(f"wire/{device.gateway}").getrandbits(64))
            for device in devices
            if device.gateway and isinstance(profiles[device.profile], ModbusProfile)
        }

    def of(self, gateway: str) -> Wire:
        """Return the line to a gateway; one without devices has one too."""
        return self._wires.setdefault(gateway, Wire([], 0))

    def lay(self, scenario: Scenario, began_ms: int) -> Mapping[str, Wire]:
        """Let the faults of a script befall the lines; return the lines that it names."""
        named = {}
        for n, spec in enumerate(scenario.protocol_faults):
            device = self._devices.get(spec.device or "")
            gateway = device.gateway if device else spec.gateway
            if gateway is None or gateway not in self._wires:
                one = spec.device or spec.gateway
                what = f"{one} is no Modbus device behind a gateway, and no gateway of such"
                raise ConfigError([f"scenario {scenario.id}: protocol_faults.{n}: {what}"])
            unit_id = device.unit_id if device else None
            self._wires[gateway].begin(_scripted(spec, began_ms, unit_id))
            named[gateway] = self._wires[gateway]
        for step in scenario.steps:
            device = self._devices.get(step.device)
            if device and device.gateway and step.fault in self.possible(device):
                named[device.gateway] = self._wires[device.gateway]
        return named

    def possible(self, device: Device) -> Sequence[str]:
        """Name what the line of a device can do wrong."""
        return _names() if device.gateway in self._wires else ()

    def beside(self, device: Device) -> set[str]:
        """Return the devices on the line of a device."""
        return {one.id for one in self._devices.values() if one.gateway == device.gateway}

    def active(self, device: Device, now_ms: int) -> list[str]:
        """Name what is wrong with the line of a device."""
        wire = self._wires.get(device.gateway or "")
        faults = (fault for fault in wire.faults if fault.active(now_ms)) if wire else ()
        return [_name(fault) for fault in faults if fault.unit_id in (None, device.unit_id)]

    def begin(self, device: Device, name: str, now_ms: int) -> bool:
        """Start a fault until the line is mended; tell whether it was not there already."""
        if name in self.active(device, now_ms) or device.gateway is None:
            return False
        self._wires[device.gateway].begin(_demanded(name, now_ms, device.unit_id))
        return True

    def mend(self, device: Device, now_ms: int) -> list[str]:
        """End everything that is wrong with the line of a device; return what that was."""
        cured = self.active(device, now_ms)
        if device.gateway is not None:
            self._wires[device.gateway].end(
                lambda fault: fault.active(now_ms) and fault.unit_id in (None, device.unit_id),
                now_ms,
            )
        return cured


@cache
def _names() -> tuple[str, ...]:
    codes = [f"exception_{code}" for code in EXCEPTIONS]
    return (*(kind for kind in KINDS if kind != "exception"), *codes)


def _name(fault: WireFault) -> str:
    return f"exception_{fault.code}" if fault.kind == "exception" else fault.kind


def _demanded(name: str, now_ms: int, unit_id: int | None) -> WireFault:
    kind, _, code = name.partition("_") if name.startswith("exception_") else (name, "", "0")
    return WireFault(
        cast("Kind", kind),
        now_ms,
        _FOR_EVER_MS,
        None if kind in OF_A_GATEWAY else unit_id,
        code=int(code),
        delay_s=_DELAY_S if kind == "delay" else 0.0,
    )


def _scripted(spec: ProtocolFault, began_ms: int, unit_id: int | None) -> WireFault:
    start_ms = began_ms + spec.at // timedelta(milliseconds=1)
    return WireFault(
        spec.kind,
        start_ms,
        start_ms + spec.for_ // timedelta(milliseconds=1),
        unit_id,
        spec.share,
        spec.code or 0,
        spec.by.total_seconds() if spec.by else 0.0,
    )
