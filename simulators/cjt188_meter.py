"""CJ/T 188 water meters on a line: frames of their own, and water that trickles evenly.

Nothing here is shared with the driver's codec; what both know is the profile.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from drivers.profile import Cjt188Profile
from hub.ports import Clock
from hub.site import Device
from simulators.campus import Fleet
from simulators.twin import Twin

_WAKE = b"\xfe\xfe\xfe\xfe"
_SHORTEST = 13
_M3 = 0x2C
_M3_PER_H = 0.2
_BEGAN_MS = 1_577_836_800_000  # 2020-01-01, when every meter stood at 0
_H_MS = 3_600_000


class Cjt188Meter:
    """One meter; ``status`` is the word that it tells, with the valve in the two lowest bits."""

    def __init__(
        self, device: Device, profile: Cjt188Profile, twin: Callable[[], Twin], clock: Clock
    ) -> None:
        self.id = device.id
        self.digits = (device.address or "").replace("AA", "00")
        self.status = 0
        self._profile = profile
        self._twin = twin
        self._clock = clock

    @property
    def total_m3(self) -> float:
        """Return what has flowed."""
        return (self._clock.now_ms() - _BEGAN_MS) / _H_MS * _M3_PER_H

    def answer(self, asked: bytes) -> bytes:
        """Return what the meter says to one whole frame; nothing when it is not meant or silent."""
        twin = self._twin()
        if sum(asked[:-2]) % 256 != asked[-2] or twin.silent or not self._is_meant(asked):
            return b""
        number = asked[13:14]
        if asked[11:13] != bytes.fromhex(self._profile.di) or twin.exception is not None:
            return self._frame(0xC1, number + b"\x01\x00")
        total = _digits(round(self.total_m3 * 100) % 10**8, 4) + bytes([_M3])
        now = datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC)
        time = bytes.fromhex(f"{now:%S%M%H%d%m}") + _digits(now.year, 2)
        data = total + total + time + self.status.to_bytes(2, "little")
        return self._frame(0x81, asked[11:14] + data)

    def _is_meant(self, asked: bytes) -> bool:
        own = bytes.fromhex(self.digits)[::-1]
        same = all(one in (mine, 0xAA) for one, mine in zip(asked[2:9], own, strict=True))
        return same and asked[1] == self._profile.meter_type and asked[9] == 0x01

    def _frame(self, control: int, data: bytes) -> bytes:
        own = bytes.fromhex(self.digits)[::-1]
        body = bytes([0x68, self._profile.meter_type]) + own + bytes([control, len(data)]) + data
        return _WAKE + body + bytes([sum(body) % 256, 0x16])


def _digits(number: int, octets: int) -> bytes:
    """Write decimal digits, two an octet, the low ones first."""
    return bytes.fromhex(f"{number:0{2 * octets}d}")[::-1]


class Cjt188Line:
    """The meters on one line: everybody hears everything, whoever is meant answers."""

    def __init__(self, meters: Sequence[Cjt188Meter]) -> None:
        self.meters = {meter.id: meter for meter in meters}
        self._heard = b""

    def hear(self, octets: bytes) -> bytes:
        """Return what is said once a frame is whole; octets may come in pieces."""
        self._heard = (self._heard + octets)[-256:]
        start = self._heard.find(b"\x68")
        if start < 0 or len(self._heard) < start + _SHORTEST:
            return b""
        end = start + _SHORTEST + self._heard[start + 10]
        if len(self._heard) < end:
            return b""
        frame, self._heard = self._heard[start:end], self._heard[end:]
        return b"".join(meter.answer(frame) for meter in self.meters.values())


def cjt188_line(fleet: Fleet, gateway: str) -> Cjt188Line:
    """Return the meters of a fleet behind one gateway."""

    def twin(device: str) -> Callable[[], Twin]:
        return lambda: fleet.twin_at(device, fleet.clock.now_ms())

    meters = []
    for device in fleet.devices.values():
        profile = fleet.profiles[device.profile]
        if device.gateway == gateway and isinstance(profile, Cjt188Profile):
            meters.append(Cjt188Meter(device, profile, twin(device.id), fleet.clock))
    return Cjt188Line(meters)
