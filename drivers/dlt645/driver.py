"""Read and command the DL/T 645-2007 meters behind one gateway."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from drivers.dlt645 import frame
from drivers.dlt645.connection import MeterLine
from drivers.dlt645.value import GARBAGE, clock_value, value_of
from drivers.guard import check
from drivers.profile import Dlt645Point, Dlt645Profile
from hub.model import Batch, Point, Quality, Reason, flag, quality_of, reason_of
from hub.ports import (
    Clock,
    DeviceError,
    ExceptionAnswerError,
    GarbageAnswerError,
    NoAnswerError,
    OctetBus,
    Refused,
    Seen,
    Span,
)
from hub.site import Device

Secret = Callable[[str | None], str | None]
"""Read the secret in the file that a ``*_file`` key names."""

_EXCEPTION = flag(Quality.BAD, Reason.EXCEPTION_ANSWER)
_NO_ANSWER = flag(Quality.BAD, Reason.NO_ANSWER)
_CLOCK = "clock"
_DATE, _TIME = "04000101", "04000102"
_MIDNIGHT = bytes(2)  # minute and hour
_ASK_AGAIN_S = 86_400.0
_PATIENCE = 2  # questions without an answer before the rest of a poll is let be
_VALID = timedelta(minutes=10)  # how long a command that is held up somewhere may still be obeyed
_LOOK_S = 0.5
_PASSWORD_DIGITS = 8


@dataclass(slots=True)
class _Meter:
    """One meter: its points by the question that brings them, and what it does not have."""

    id: str
    address: str
    profile: Dlt645Profile
    zone: ZoneInfo
    password_file: str | None
    questions: dict[str, list[tuple[str, int]]]
    holes: dict[str, float] = field(default_factory=dict)


@dataclass(slots=True)
class _Columns:
    """What a poll has read so far."""

    numbers: list[int] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    flags: list[int] = field(default_factory=list)
    answered: bool = False
    misses: int = 0

    def bad(self, points: Sequence[tuple[str, int]], packed: int) -> None:
        """Note points that gave no value."""
        for _, number in points:
            self.add(number, math.nan, packed)

    def add(self, number: int, value: float, packed: int) -> None:
        """Note the value of a point."""
        self.numbers.append(number)
        self.values.append(value)
        self.flags.append(packed)


class Dlt645Driver:
    """The meters of one line; the poller asks for one after the other."""

    def __init__(
        self,
        bus: OctetBus,
        devices: Sequence[tuple[Device, Dlt645Profile]],
        clock: Clock,
        secret: Secret,
    ) -> None:
        self._line = MeterLine(bus, devices)
        self._clock = clock
        self._secret = secret
        self._meters = {device.id: _meter(device, profile) for device, profile in devices}

    async def poll(self, device: str) -> Batch:
        """Read all points of a meter; NoAnswerError when it says nothing at all."""
        meter = self._meters[device]
        columns = _Columns()
        for di, points in meter.questions.items():
            if columns.misses >= _PATIENCE:
                columns.bad(points, _NO_ANSWER)  # the line has other meters
            elif meter.holes.get(di, 0.0) > self._clock.monotonic():
                columns.bad(points, _EXCEPTION)
            else:
                await self._read(meter, di, points, columns)
        at_ms = self._clock.now_ms()
        times = [at_ms] * len(columns.numbers)
        return Batch.of(columns.numbers, times, columns.values, columns.flags, at_ms)

    async def look(self, device: str, what: Span | str) -> Seen:
        """Read one point; return the octets that brought it and what they mean."""
        meter = self._meters.get(device)
        if meter is None or not isinstance(what, str) or what not in meter.profile.points:
            raise Refused(f"{what} of {device} is nothing that this line can be asked for")
        await self._clock.sleep(meter.profile.pause.total_seconds())
        di = _question(meter.profile.points[what])
        octets, (value,) = await self._values(meter, di, [what])
        return Seen(octets, *value)

    async def write(self, point: Point, value: float) -> float:
        """Command a declared value, read back and return what the meter says it is now."""
        meter = self._meters.get(point.device)
        spec = meter.profile.points.get(point.name) if meter else None
        if meter is None or spec is None:
            raise Refused(f"{point.id} is no point of this line")
        check(point.id, spec, value)
        await self._agree(meter, point, spec)
        local = self._local(meter)
        if spec.type == "clock":
            await self._line.tell(frame.time_for_everybody(local))
        else:
            name = spec.control[round(value)]
            password = self._password(meter)
            wish = frame.command(meter.address, name, password, local + _VALID)
            await self._line.command(wish)
        return await self._read_back(meter, point, value)

    async def close(self) -> None:
        """Let the connection go."""
        await self._line.close()

    async def _read(
        self, meter: _Meter, di: str, points: Sequence[tuple[str, int]], columns: _Columns
    ) -> None:
        """Ask one question and put what it brings into the columns."""
        if columns.answered:
            await self._clock.sleep(meter.profile.pause.total_seconds())
        try:
            _, values = await self._values(meter, di, [name for name, _ in points])
        except NoAnswerError:
            if not columns.answered:
                raise  # one deadline spent on a dead meter is enough
            columns.misses += 1
            columns.bad(points, _NO_ANSWER)
        except GarbageAnswerError:
            columns.answered = True
            columns.misses += 1
            columns.bad(points, GARBAGE)
        except ExceptionAnswerError as error:
            columns.answered = True
            if error.code & frame.NO_SUCH_DATA:
                meter.holes[di] = self._clock.monotonic() + _ASK_AGAIN_S
            columns.bad(points, _EXCEPTION)
        else:
            columns.answered = True
            for (_, number), (value, packed) in zip(points, values, strict=True):
                columns.add(number, value, packed)

    async def _values(
        self, meter: _Meter, di: str, names: Sequence[str]
    ) -> tuple[bytes, list[tuple[float, int]]]:
        """Return what one question brings: octets, and each value of them with its quality."""
        specs = [meter.profile.points[name] for name in names]
        if di == _CLOCK:
            date, time, local = await self._shown(meter)
            return date + time, [clock_value(spec, date, time, local) for spec in specs]
        data = await self._line.read(meter.address, di)
        size = max(spec.at + spec.octets for spec in specs)
        if len(data) < size or (len(data) > size and not _is_block(di)):
            what = f"{len(data)} octets for {di} where {size} were to come: {data.hex(' ')}"
            raise GarbageAnswerError(f"{meter.id}: {what}")
        return data, [value_of(spec, data) for spec in specs]

    async def _shown(self, meter: _Meter) -> tuple[bytes, bytes, datetime]:
        """Return date and time as the meter's clock shows them, and our own at that moment."""
        date = await self._line.read(meter.address, _DATE)
        time = await self._line.read(meter.address, _TIME)
        local = self._local(meter)
        if time[1:] == _MIDNIGHT:  # the date was asked for before that, perhaps on another day
            date = await self._line.read(meter.address, _DATE)
        return date, time, local

    async def _agree(self, meter: _Meter, point: Point, spec: Dlt645Point) -> None:
        """Refuse a write while another point is not what the profile says it must be."""
        for condition in spec.write.only_while if spec.write else ():
            value = await self._good(meter, point, condition.point)
            if value not in condition.equals:
                raise Refused(f"{point.id}: not while {condition.point} is {value:g}")

    async def _read_back(self, meter: _Meter, point: Point, wanted: float) -> float:
        """Return what the meter says, once it is what was wanted or the relay had its time."""
        until_s = self._clock.monotonic() + meter.profile.settle.total_seconds()
        while True:
            actual = await self._good(meter, point, point.name)
            left_s = until_s - self._clock.monotonic()
            if actual == wanted or left_s <= 0:
                return actual
            await self._clock.sleep(min(_LOOK_S, left_s))

    async def _good(self, meter: _Meter, point: Point, name: str) -> float:
        """Read one point now; DeviceError when it gives no good value."""
        di = _question(meter.profile.points[name])
        try:
            _, ((value, packed),) = await self._values(meter, di, [name])
        except ExceptionAnswerError as error:  # no refusal of the command: that was taken
            raise DeviceError(f"{point.id}: {name} cannot be read: {error}") from error
        if quality_of(packed) is not Quality.GOOD:
            reason = reason_of(packed).name.lower().replace("_", " ")
            raise DeviceError(f"{point.id}: {name} cannot be read: {reason}")
        return value

    def _password(self, meter: _Meter) -> str:
        password = self._secret(meter.password_file)
        if password is None:
            raise Refused(f"{meter.id}: a command needs a password; name its password_file")
        if len(password) != _PASSWORD_DIGITS or not (password.isascii() and password.isdecimal()):
            what = "must hold 8 digits: the level (02) and the six of the password"
            raise Refused(f"{meter.id}: {meter.password_file} {what}")
        return password

    def _local(self, meter: _Meter) -> datetime:
        return datetime.fromtimestamp(self._clock.now_ms() / 1000, UTC).astimezone(meter.zone)


def _meter(device: Device, profile: Dlt645Profile) -> _Meter:
    if device.address is None:
        raise Refused(f"{device.id} has no address and cannot be polled over DL/T 645")
    questions: dict[str, list[tuple[str, int]]] = {}
    for point in device.points:
        if spec := profile.points.get(point.name):
            questions.setdefault(_question(spec), []).append((point.name, point.number))
    return _Meter(
        device.id,
        device.address,
        profile,
        ZoneInfo(profile.zone),
        device.password_file,
        questions,
    )


def _question(spec: Dlt645Point) -> str:
    """Return what brings a point: its data identification, for a clock two of them."""
    return _CLOCK if spec.type == "clock" else spec.di


def _is_block(di: str) -> bool:
    """Tell whether a data identification stands for a whole row, which may be longer."""
    return "FF" in (di[at : at + 2] for at in range(0, len(di), 2))
