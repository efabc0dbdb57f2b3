"""When the hub hears each device of a site, through its buses and from those that publish."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from drivers.profile import Profile
from hub.site import Device, Site
from simulators.polls import Bus, Instants, asked_after

Span = tuple[int, int]


class Asking:
    """The polls and messages of a site, day by day; ``away`` are the spans of silence (ms)."""

    def __init__(
        self,
        site: Site,
        profiles: Mapping[str, Profile],
        began_ms: int,
        away: Mapping[str, Sequence[Span]],
    ) -> None:
        devices = list(site.devices.values())
        self._away = away
        self._speakers = [device for device in devices if device.gateway is None]
        self._buses = []
        for gateway in site.gateways.values():
            behind = [device for device in devices if device.gateway == gateway.id]
            took_ms = [max(asked_after(profiles[device.profile])) for device in behind]
            timeout_ms = round(gateway.timeout.total_seconds() * 1000)
            if behind:
                self._buses.append(Bus(behind, began_ms, timeout_ms, took_ms))

    def day(self, start_ms: int, end_ms: int) -> dict[str, Instants]:
        """Return when each device is heard; days come one after the other."""
        heard: dict[str, Instants] = {}
        for bus in self._buses:
            away = [self._quiet(device, start_ms, end_ms) for device in bus.devices]
            silent = _silent(away) if any(away) else None
            answers = bus.day(end_ms, silent)
            heard |= {one.id: at_ms for one, at_ms in zip(bus.devices, answers, strict=True)}
        for n, device in enumerate(self._speakers):
            interval_ms = round(device.interval.total_seconds() * 1000)
            phase_ms = interval_ms * n // len(self._speakers)
            spoken = np.arange(start_ms + phase_ms, end_ms, interval_ms, dtype=np.int64)
            for a, b in self._quiet(device, start_ms, end_ms):
                spoken = spoken[(spoken < a) | (spoken >= b)]
            heard[device.id] = spoken
        return heard

    def _quiet(self, device: Device, start_ms: int, end_ms: int) -> list[Span]:
        spans = self._away.get(device.id, ())
        return [(a, b) for a, b in spans if a < end_ms and b > start_ms]


def _silent(away: Sequence[Sequence[Span]]) -> Callable[[int, int], bool]:
    def silent(order: int, at_ms: int) -> bool:
        return any(start_ms <= at_ms < end_ms for start_ms, end_ms in away[order])

    return silent
