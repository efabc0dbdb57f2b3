"""Read the CJ/T 188 water meters behind one gateway."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from drivers.cjt188.frame import ERROR, Frame, answer_to, octets_of, question_about, value_of
from drivers.profile import Cjt188Point, Cjt188Profile
from hub.model import Batch, Point
from hub.ports import Clock, ExceptionAnswerError, OctetBus, Refused, Seen, Span
from hub.site import Device

_NUMBERS = 256


@dataclass(slots=True)
class _Meter:
    """One meter, and the number of the last question to it."""

    address: str
    profile: Cjt188Profile
    points: tuple[tuple[Cjt188Point, int], ...]
    asked: int = 0


class Cjt188Driver:
    """The meters of one line; nothing but the question for the metered values is ever sent."""

    def __init__(
        self, bus: OctetBus, devices: Sequence[tuple[Device, Cjt188Profile]], clock: Clock
    ) -> None:
        self._bus = bus
        self._clock = clock
        self._meters = {device.id: _meter(device, profile) for device, profile in devices}

    async def poll(self, device: str) -> Batch:
        """Read all points of a meter, which are one answer."""
        meter = self._meters[device]
        answer = await self._read(meter)
        found = [(number, *value_of(spec, answer)) for spec, number in meter.points]
        at_ms = self._clock.now_ms()
        return Batch.of(
            [number for number, _, _ in found],
            [at_ms] * len(found),
            [value for _, value, _ in found],
            [packed for _, _, packed in found],
            at_ms,
        )

    async def look(self, device: str, what: Span | str) -> Seen:
        """Read one point; return the octets of the whole answer and what they mean."""
        meter = self._meters.get(device)
        spec = meter.profile.points.get(what) if meter and isinstance(what, str) else None
        if meter is None or spec is None:
            raise Refused(f"{what} of {device} is nothing that this line can be asked for")
        answer = await self._read(meter)
        return Seen(answer.data, *value_of(spec, answer))

    async def write(self, point: Point, value: float) -> float:
        """Refuse: these meters are only read."""
        raise Refused(f"{point.id} cannot be set to {value:g}: CJ/T 188 meters are only read")

    async def close(self) -> None:
        """Let the connection go."""
        await self._bus.close()

    async def _read(self, meter: _Meter) -> Frame:
        meter.asked = (meter.asked + 1) % _NUMBERS
        profile = meter.profile
        question = question_about(profile.meter_type, meter.address, profile.di, meter.asked)
        answer = await self._bus.ask(octets_of(question), partial(answer_to, question))
        if answer.control & ERROR:
            what = f"meter {answer.address}: error, status {answer.data[1:].hex().upper()}"
            raise ExceptionAnswerError(what, answer.data[1])
        return answer


def _meter(device: Device, profile: Cjt188Profile) -> _Meter:
    if device.address is None:
        raise Refused(f"{device.id} has no address and cannot be polled over CJ/T 188")
    points = tuple(
        (profile.points[point.name], point.number)
        for point in device.points
        if point.name in profile.points
    )
    return _Meter(device.address, profile, points)
