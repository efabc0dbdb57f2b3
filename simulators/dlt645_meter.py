"""DL/T 645-2007 meters on a line: twins with frames and values of their own.

Nothing here is shared with the driver's codec; what both know is the profile.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from drivers.profile import Dlt645Point, Dlt645Profile
from hub.ports import Clock, Refused
from hub.site import Device
from simulators.campus import Fleet
from simulators.twin import Twin

PASSWORD = "02000000"  # noqa: S105 - what a meter comes with: level 02 and six zeros
_WAKE = b"\xfe\xfe\xfe\xfe"
_SHORTEST = 12
_OTHER, _NO_DATA, _WRONG_PASSWORD = b"\x01", b"\x02", b"\x04"
_TRIP, _PERMIT, _CLOSE, _KEEP, _KEEP_OFF = 0x1A, 0x1B, 0x1C, 0x3A, 0x3B
_ANSWER_OCTETS = 200


class Dlt645Meter:
    """One meter: a room's twin seen through the identifications of its profile.

    ``most`` is how many octets of data it puts in one answer; the rest follows when asked for.
    """

    def __init__(
        self,
        device: Device,
        profile: Dlt645Profile,
        twin: Callable[[], Twin],
        clock: Clock,
        most: int = _ANSWER_OCTETS,
    ) -> None:
        self.id = device.id
        self.digits = (device.address or "").replace("AA", "00")
        self.password = PASSWORD
        self.permitted = True
        self.keeps_power = False
        self.ahead_s = 0.0
        self.commands: list[int] = []
        self._profile = profile
        self._twin = twin
        self._clock = clock
        self._most = most
        self._rest = b""

    def answer(self, asked: bytes) -> bytes:
        """Return what the meter says to one whole frame; nothing when it is not meant or silent."""
        start = asked.find(b"\x68")
        frame = asked[start:] if start >= 0 else b""
        if len(frame) < _SHORTEST or sum(frame[:-2]) % 256 != frame[-2]:
            return b""
        data = bytes((octet - 0x33) % 256 for octet in frame[10:-2])
        twin = self._twin()
        if twin.silent:
            return b""
        if frame[1:7] == b"\x99" * 6 and frame[8] == 0x08:  # noqa: PLR2004 - the time for everybody
            self._set_clock(data)
            return b""
        if not self._is_meant(frame[1:7]):
            return b""
        control, said = self._reply(frame[8], data, twin)
        return self._frame(control, said)

    def press(self) -> None:
        """Press the button on the meter: it closes when that is permitted."""
        if self.permitted:
            self._twin().write("relay_command", 1)

    def _is_meant(self, octets: bytes) -> bool:
        own = bytes.fromhex(self.digits)[::-1]
        return all(asked in (mine, 0xAA) for asked, mine in zip(octets, own, strict=True))

    def _frame(self, control: int, data: bytes) -> bytes:
        own = bytes.fromhex(self.digits)[::-1]
        body = b"\x68" + own + b"\x68" + bytes([control, len(data)])
        body += bytes((octet + 0x33) % 256 for octet in data)
        return _WAKE + body + bytes([sum(body) % 256, 0x16])

    def _reply(self, control: int, data: bytes, twin: Twin) -> tuple[int, bytes]:
        """Return control code and data of the answer."""
        if twin.exception is not None:
            return control | 0xC0, _OTHER
        match control:
            case 0x11:
                said = self._kept(data[3::-1].hex().upper(), twin)
                if said is None:
                    return 0xD1, _NO_DATA
                self._rest = said[self._most :]
                return 0x91 | (0x20 if self._rest else 0), data[:4] + said[: self._most]
            case 0x12:
                said, self._rest = self._rest[: self._most], self._rest[self._most :]
                return 0x92 | (0x20 if self._rest else 0), data[:4] + said + data[4:5]
            case 0x1C:
                error = self._obey(data, twin)
                return (0xDC, error) if error else (0x9C, b"")
            case _:
                return control | 0xC0, _OTHER

    def _kept(self, di: str, twin: Twin) -> bytes | None:
        """Return what stands under an identification; None when there is no such thing."""
        if di in ("04000101", "04000102"):
            return self._calendar(di)
        named = [(name, spec) for name, spec in self._profile.points.items() if spec.di == di]
        values = self._values(twin)
        known = [(spec, values[name]) for name, spec in named if name in values]
        if not known:
            return None
        octets = bytearray(max(spec.at + _size(spec) for spec, _ in known))
        for spec, value in known:
            part = _written(spec, value)
            for at, octet in enumerate(part, spec.at):
                octets[at] |= octet
        return bytes(octets)

    def _values(self, twin: Twin) -> dict[str, float]:
        values = {"energy_sharp": 0.0, "remaining_energy": 120.0} | twin.values()
        values.pop("status", None)  # the bits of the word tell it here
        return values | {
            "reclose_permitted": float(self.permitted),
            "keep_power": float(self.keeps_power),
        }

    def _calendar(self, di: str) -> bytes:
        shown = self._shows()
        if di == "04000102":
            return bytes.fromhex(f"{shown:%S%M%H}")
        return bytes.fromhex(f"0{shown:%w%d%m%y}")

    def _shows(self) -> datetime:
        seconds = self._clock.now_ms() / 1000 + self.ahead_s
        return datetime.fromtimestamp(seconds, UTC).astimezone(ZoneInfo(self._profile.zone))

    def _set_clock(self, data: bytes) -> None:
        told = _instant(data, self._shows())
        if told is not None:
            self.ahead_s += (told - self._shows()).total_seconds()

    def _obey(self, data: bytes, twin: Twin) -> bytes:
        """Carry out a relay command; return the error, if any."""
        level, key = self.password[:2], self.password[2:]
        if data[:4] != bytes.fromhex(level) + bytes.fromhex(key)[::-1]:
            return _WRONG_PASSWORD
        until = _instant(data[10:16], self._shows())
        what = data[8]
        if until is None or until < self._shows() or (what == _TRIP and self.keeps_power):
            return _OTHER
        if what in (_TRIP, _CLOSE):
            try:
                twin.write("relay_command", int(what == _CLOSE))
            except Refused:  # a main meter has no relay
                return _OTHER
            self.permitted = what == _CLOSE
        elif what == _PERMIT:
            self.permitted = True
        elif what in (_KEEP, _KEEP_OFF):
            self.keeps_power = what == _KEEP
        else:
            return _OTHER
        self.commands.append(what)
        return b""


def _size(spec: Dlt645Point) -> int:
    return spec.digits // 2 if spec.type == "bcd" else 2


def _written(spec: Dlt645Point, value: float) -> bytes:
    """Write a value the way meters keep it: decimal digits, or a bit of a word, low octet first."""
    if spec.bit is not None:
        set_ = bool(value) != spec.invert
        return (int(set_) << spec.bit).to_bytes(2, "little")
    if spec.type == "word":
        return int(value).to_bytes(2, "little")
    digits = f"{round(abs(value) / spec.scale) % 10**spec.digits:0{spec.digits}d}"
    octets = bytearray(reversed(bytes.fromhex(digits)))
    if spec.signed and value < 0:
        octets[-1] += 0x80
    return bytes(octets)


def _instant(data: bytes, like: datetime) -> datetime | None:
    """Read second, minute, hour, day, month, year."""
    try:
        second, minute, hour, day, month, year = (int(f"{octet:02x}") for octet in data)
        return like.replace(2000 + year, month, day, hour, minute, second, microsecond=0)
    except ValueError:
        return None


class Dlt645Line:
    """The meters on one line: everybody hears everything, whoever is meant answers."""

    def __init__(self, meters: Sequence[Dlt645Meter]) -> None:
        self.meters = {meter.id: meter for meter in meters}
        self._heard = b""

    def hear(self, octets: bytes) -> bytes:
        """Return what is said once a frame is whole; octets may come in pieces."""
        self._heard = (self._heard + octets)[-512:]
        start = self._heard.find(b"\x68")
        if start < 0 or len(self._heard) < start + _SHORTEST:
            return b""
        end = start + _SHORTEST + self._heard[start + 9]
        if len(self._heard) < end:
            return b""
        frame, self._heard = self._heard[start:end], self._heard[end:]
        return b"".join(meter.answer(frame) for meter in self.meters.values())


def dlt645_line(fleet: Fleet, gateway: str) -> Dlt645Line:
    """Return the meters of a fleet behind one gateway."""
    meters = []
    for device in fleet.devices.values():
        profile = fleet.profiles[device.profile]
        if device.gateway == gateway and isinstance(profile, Dlt645Profile):
            meters.append(Dlt645Meter(device, profile, _twin(fleet, device.id), fleet.clock))
    return Dlt645Line(meters)


def _twin(fleet: Fleet, device: str) -> Callable[[], Twin]:
    return lambda: fleet.twin_at(device, fleet.clock.now_ms())
