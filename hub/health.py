"""Which devices answer; lost and back are said once."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from hub.model import Entry, EntryKind, Json
from hub.ports import Clock
from hub.site import Device

log = logging.getLogger(__name__)

LOST_AFTER = 3  # failures in a row
SILENT_INTERVALS = 3  # silence of so many intervals means lost, where nobody asks
CHECK_S = 10.0
LETTERS_A_MINUTE = 100
LETTER_BYTES = 4_096

DeadLetter = Callable[[int, str, str, bytes], None]


class DeviceState(StrEnum):
    """How a device stands."""

    NEVER_SEEN = "never_seen"
    ONLINE = "online"
    DEGRADED = "degraded"
    OFFLINE = "offline"


@dataclass(slots=True)
class _Record:
    """What is known of one device; ``failed_in_row`` counts since its last answer."""

    device: Device
    state: DeviceState
    since_ms: int
    seen_ms: int | None = None
    latency_s: float | None = None
    answers: int = 0
    failures: int = 0
    failed_in_row: int = 0
    error: str = ""


class Health:
    """Hear what drivers and poller tell of their devices."""

    def __init__(
        self,
        devices: Iterable[Device],
        clock: Clock,
        changed: Callable[[Entry], None],
        dead_letter: DeadLetter | None = None,
    ) -> None:
        self._clock = clock
        self._changed = changed
        self._dead_letter = dead_letter
        self._began_ms = now = clock.now_ms()
        self._records = {
            device.id: _Record(device, DeviceState.NEVER_SEEN, now) for device in devices
        }
        self._rejected: Counter[str] = Counter()
        self._letters_minute = 0
        self._letters = 0

    def remember(self, device: str, seen_ms: int) -> None:
        """Begin with what an earlier run knew: when a device was last heard; told to nobody."""
        record = self._records[device]
        record.seen_ms = seen_ms
        fresh = self._began_ms - seen_ms <= _allowed_ms(record.device)
        self._turn(record, DeviceState.ONLINE if fresh else DeviceState.OFFLINE, seen_ms)
        if not fresh:
            record.error = "not heard since before the start"

    def seen(self, device: str, at_ms: int, latency_s: float | None = None) -> None:
        """Note an answer or a message of a device."""
        record = self._records[device]
        record.answers += 1
        record.failed_in_row = 0
        record.seen_ms = at_ms
        record.latency_s = latency_s
        if record.state is DeviceState.ONLINE:
            return
        was = record.state
        self._turn(record, DeviceState.ONLINE, at_ms)
        if was is DeviceState.OFFLINE:
            log.warning("device back: %s", device)
            self._tell(record, at_ms)

    def failed(self, device: str, at_ms: int, error: str) -> None:
        """Note that a device did not answer, or said that it goes offline."""
        record = self._records[device]
        record.failures += 1
        record.failed_in_row += 1
        record.error = error
        published = record.device.gateway is None
        if published or record.failed_in_row >= LOST_AFTER:
            self._lose(record, at_ms, error)
        elif record.state is DeviceState.ONLINE:
            self._turn(record, DeviceState.DEGRADED, at_ms)

    def rejected(self, source: str, at_ms: int, reason: str, payload: bytes) -> None:
        """Count a message that could not be used and keep it as a dead letter.

        A flood of them is counted to the last one, but only so many a minute are kept.
        """
        self._rejected[reason] += 1
        minute = at_ms // 60_000
        if minute != self._letters_minute:
            self._letters_minute, self._letters = minute, 0
        self._letters += 1
        if self._dead_letter is not None and self._letters <= LETTERS_A_MINUTE:
            self._dead_letter(at_ms, source, reason, payload[:LETTER_BYTES])

    def check(self, now_ms: int) -> None:
        """Lose the devices that publish and have been silent for too long."""
        for record in self._records.values():
            if record.device.gateway is not None or record.state is DeviceState.OFFLINE:
                continue
            heard_ms = max(self._began_ms, record.seen_ms or 0)
            if now_ms - heard_ms > _allowed_ms(record.device):
                self._lose(record, now_ms, "no message")

    async def run(self) -> None:
        """Check for silence until cancelled."""
        while True:
            await self._clock.sleep(CHECK_S)
            self.check(self._clock.now_ms())

    def overview(self) -> list[dict[str, Json]]:
        """Return one row per device."""
        return [_row(record) for record in self._records.values()]

    def of(self, device: str) -> dict[str, Json]:
        """Return the row of one device."""
        return _row(self._records[device])

    @property
    def counts(self) -> dict[str, Json]:
        """Return devices per state, answers, failures and rejected messages per reason."""
        states = Counter(record.state for record in self._records.values())
        return {
            "states": {state.value: states[state] for state in DeviceState},
            "answers": sum(record.answers for record in self._records.values()),
            "failures": sum(record.failures for record in self._records.values()),
            "rejected": dict(sorted(self._rejected.items())),
        }

    def _lose(self, record: _Record, at_ms: int, error: str) -> None:
        if record.state is DeviceState.OFFLINE:
            return
        record.error = error
        self._turn(record, DeviceState.OFFLINE, at_ms)
        log.warning("device lost: %s: %s", record.device.id, error)
        self._tell(record, at_ms)

    def _turn(self, record: _Record, state: DeviceState, at_ms: int) -> None:
        record.state, record.since_ms = state, at_ms

    def _tell(self, record: _Record, at_ms: int) -> None:
        content = {"device": record.device.id, "state": record.state.value}
        if record.state is DeviceState.OFFLINE:
            content["reason"] = record.error
        self._changed(Entry(EntryKind.HEALTH, at_ms, content=content))


def _allowed_ms(device: Device) -> float:
    """Return how long a device may be silent."""
    return SILENT_INTERVALS * device.interval.total_seconds() * 1000


def _row(record: _Record) -> dict[str, Json]:
    return {
        "device": record.device.id,
        "state": record.state.value,
        "since_ms": record.since_ms,
        "seen_ms": record.seen_ms,
        "latency_s": record.latency_s,
        "failures": record.failures,
        "answers": record.answers,
        "error": record.error if record.failed_in_row or record.state == "offline" else "",
    }
