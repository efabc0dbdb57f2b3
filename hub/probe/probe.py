"""The probe of a site's devices, whoever has the lines to them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from drivers.profile import ModbusProfile, MqttProfile, Profile
from hub.ports import Clock, Look, Refused
from hub.probe import meter, registers
from hub.probe.examined import Examined
from hub.site import Device, Site

BETWEEN_S = 5.0  # the second look at counters and powers


@dataclass(kw_only=True)
class Probe:
    """Examines devices behind gateways, one at a time on each.

    ``looks`` has a way to look per gateway: the poller's own beside its polls, or a driver's.
    """

    site: Site
    profiles: Mapping[str, Profile]
    looks: Mapping[str, Look]
    clock: Clock
    _busy: set[str] = field(default_factory=set, init=False, repr=False)

    async def examine(self, device: Device) -> Examined:
        """Look at a device between the polls of its bus; Refused when that cannot be."""
        profile, gateway = self.profiles[device.profile], device.gateway
        if isinstance(profile, MqttProfile) or gateway is None:
            raise Refused(
                f"{device.id} publishes by itself; campus-hub probe --mqtt looks at its messages"
            )
        if gateway in self._busy:
            raise Refused(f"{gateway} is being probed already; try again when that has ended")
        look = self.looks.get(gateway)
        if look is None:
            raise Refused(f"{device.id}: nothing leads to {gateway}")
        self._busy.add(gateway)
        try:
            if isinstance(profile, ModbusProfile):
                where = f"{gateway} unit {device.unit_id}"
                return await registers.examine(look, device, profile, where, self.clock, BETWEEN_S)
            where = f"{gateway} address {device.address}"
            return await meter.examine(look, device, profile, where)
        finally:
            self._busy.discard(gateway)
