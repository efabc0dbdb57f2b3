"""Concentrators: each reads ten meters and forwards what they show, as badly as it is drawn."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from drivers.profile import MqttProfile
from hub.ports import Message, Refused
from hub.site import Device
from simulators.campus import Fleet
from simulators.dialects import Said, Speaker
from simulators.fate import Fate, drawn
from simulators.metering import ROOMS_PER_CONCENTRATOR, WORK_MS, Planned
from simulators.scenario import Metering, Scenario

_TURN_MS = 5000  # from one concentrator to the next, at most
_REPEATED_AFTER_MS = 6 * 3_600_000  # at most


@dataclass(slots=True)
class Tally:
    """What was done to the readings on their way, counted: the truth about the path.

    ``lying`` are the meters of whose glitch a reading was sent.
    """

    made: int = 0
    lost: int = 0
    late: int = 0
    repeated: int = 0
    mistimed: int = 0
    longest_gap_ms: int = 0
    longest_wait_ms: int = 0
    lying: set[str] = field(default_factory=set)


@dataclass(slots=True)
class _Line:
    """One meter and what has happened to its readings so far."""

    speaker: Speaker
    device: Device
    fate: Fate
    off: tuple[tuple[int, int], ...]  # while somebody works at it
    waiting: list[tuple[int, Said]] = field(default_factory=list)
    heard_ms: int | None = None


class Concentrators:
    """The meters of a fleet as one connection to a broker, whose messages come as badly as asked.

    Meters of one concentrator are read at the same instant, and concentrators one after the other.
    What waits comes as a list or as messages that waited, not always in order.
    """

    def __init__(self, fleet: Fleet, scenario: Scenario, plans: Sequence[Planned]) -> None:
        metering = scenario.metering
        if metering is None:
            raise Refused(f"{scenario.id} has no metering")
        self.tally = Tally()
        self._fleet = fleet
        self._clock = fleet.clock
        self._interval_ms = round(metering.interval.total_seconds() * 1000)
        # Away from the full interval, so that no clock of the bearable kind crosses a midnight.
        self._margin_ms = round(metering.delivery.clock.total_seconds() * 1000) + 1000
        self._start_ms = scenario.start_ms
        self._slots = (scenario.end_ms - scenario.start_ms) // self._interval_ms
        self._groups = self._laid(metering, plans)
        self._again: list[tuple[int, Said]] = []
        self._waiting: list[Message] = []
        self._wake: Callable[[], None] = lambda: None
        self._task: asyncio.Task[None] | None = None

    def _laid(self, metering: Metering, plans: Sequence[Planned]) -> list[list[_Line]]:
        """Put the meters behind their concentrators."""
        off: dict[str, list[tuple[int, int]]] = {}
        for plan in plans:
            if plan.kind == "meter_swapped":
                span = (plan.at_ms - WORK_MS, plan.at_ms + WORK_MS)
                off.setdefault(plan.device, []).append(span)
        lines = [
            _Line(
                Speaker(device, profile, self._fleet.zone),
                device,
                self._fate(metering, device),
                tuple(off.get(device.id, ())),
            )
            for device in self._fleet.devices.values()
            if isinstance(profile := self._fleet.profiles[device.profile], MqttProfile)
        ]
        size = ROOMS_PER_CONCENTRATOR
        return [lines[first : first + size] for first in range(0, len(lines), size)]

    def _fate(self, metering: Metering, device: Device) -> Fate:
        draw = self._clock.random(f"delivery/{device.id}").random
        return drawn(metering.delivery, self._slots, self._interval_ms, draw)

    async def start(self, wake: Callable[[], None]) -> None:
        """Begin to read the meters."""
        self._wake = wake
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        room_ms = self._interval_ms - 2 * self._margin_ms
        turn_ms = min(room_ms // len(self._groups), _TURN_MS)
        for slot in range(self._slots):
            slot_ms = self._start_ms + slot * self._interval_ms + self._margin_ms
            for n, group in enumerate(self._groups):
                due_ms = slot_ms + turn_ms * n
                await self._clock.sleep((due_ms - self._clock.now_ms()) / 1000)
                for line in group:
                    self._read(line, slot)
                self._repeat()
        for group in self._groups:
            for line in group:
                self._release(line)

    def _read(self, line: _Line, slot: int) -> None:
        """Read one meter, and forward what it shows as its fate wants it."""
        now_ms, fate, tally = self._clock.now_ms(), line.fate, self.tally
        if line.waiting and not _within(slot, fate.held):
            self._release(line)
        tally.made += 1
        if _within(slot, fate.lost) or any(begin <= now_ms < end for begin, end in line.off):
            tally.lost += 1
            return
        if line.heard_ms is not None:
            gap_ms = now_ms - line.heard_ms - self._interval_ms
            tally.longest_gap_ms = max(tally.longest_gap_ms, gap_ms)
        line.heard_ms = now_ms
        said = self._said(line, slot, now_ms)
        tally.mistimed += slot in fate.wrong
        if _within(slot, fate.held):
            tally.late += 1
            line.waiting.append((now_ms, said))
            return
        self._put(said)
        if slot in fate.repeated:
            tally.repeated += 1
            if slot % 2 or slot in fate.wrong:
                self._put(said)  # at once, as QoS 1 may
            else:
                self._again.append((now_ms + _REPEATED_AFTER_MS * (slot % 7) // 7, said))

    def _said(self, line: _Line, slot: int, now_ms: int) -> Said:
        twin = self._fleet.twin_at(line.device.id, now_ms)
        if twin.dials.wrong(now_ms):
            self.tally.lying.add(line.device.id)
        points = self._fleet.profiles[line.device.profile].points
        values = twin.values()
        shown = {
            name: round(values[name] % spec.rollover if spec.rollover else values[name], 3)
            for name, spec in points.items()
        }
        # a clock that stands before 1970 shows 1970
        at_ms = max(now_ms + line.fate.ahead_ms(slot), 0)
        return line.speaker.telemetry(shown, at_ms, slot, {})

    def _release(self, line: _Line) -> None:
        """Forward what had to wait: as one list, or one by one and the newest first."""
        waiting, line.waiting = line.waiting, []
        if not waiting:
            return
        now_ms = self._clock.now_ms()
        self.tally.longest_wait_ms = max(self.tally.longest_wait_ms, now_ms - waiting[0][0])
        if len(waiting) % 2:
            for _, said in reversed(waiting):
                self._put(said, waited=True)
            return
        for first in range(0, len(waiting), 500):  # a list of more would be too long a message
            some = [said for _, said in waiting[first : first + 500]]
            payload = b"[" + b",".join(said.payload for said in some) + b"]"
            self._put(Said(some[0].topic, payload))

    def _repeat(self) -> None:
        """Send again what is due to come a second time, hours later."""
        now_ms = self._clock.now_ms()
        due = [said for at_ms, said in self._again if at_ms <= now_ms]
        if due:
            self._again = [(at_ms, said) for at_ms, said in self._again if at_ms > now_ms]
        for said in due:
            self._put(said, waited=True)

    def _put(self, said: Said, *, waited: bool = False) -> None:
        now_ms = self._clock.now_ms()
        self._waiting.append(Message(said.topic, said.payload, False, now_ms, None, waited))
        self._wake()

    def drain(self) -> list[Message]:
        """Take the messages that wait, oldest first."""
        waiting, self._waiting = self._waiting, []
        return waiting

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """Do nothing: a list forgets nothing that it would have to send again."""

    async def publish(self, topic: str, payload: bytes) -> None:  # noqa: ARG002 - the port's form
        """Refuse: nothing can be written to these meters."""
        raise Refused(f"{topic}: these meters take no commands")

    def connected(self) -> bool:
        """Say yes."""
        return True

    async def close(self) -> None:
        """Stop reading."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)


def _within(slot: int, spans: Sequence[range]) -> bool:
    return any(slot in span for span in spans)


def shares(tally: Tally) -> Mapping[str, float]:
    """Return what of all readings was lost, late, repeated and mistimed."""
    made = tally.made or 1
    return {name: getattr(tally, name) / made for name in ("lost", "late", "repeated", "mistimed")}
