"""Hear what drivers and pollers tell; say what is lost and back, and keep how each day went."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, time, timedelta, tzinfo

from hub.database.availability import Availability
from hub.health.group import LOST_AFTER, Group, What
from hub.health.noise import Noise
from hub.health.record import SILENT_INTERVALS, Frozen, Record, State, Tally
from hub.health.voice import Voice
from hub.model import Entry, EntryKind, Json
from hub.ports import Clock, Reach, StoreError
from hub.site import Device

log = logging.getLogger(__name__)

CHECK_S = 10.0
NOISE_MS = 60_000  # so often it is told how many polls of a line fail, when that has changed
KEEP_S = 3600.0  # how often the day so far is kept; at its end it is kept at once
LETTERS_A_MINUTE = 100
LETTER_BYTES = 4_096

DeadLetter = Callable[[int, str, str, bytes], None]
Keep = Callable[[Sequence[Availability]], Awaitable[None]]
FrozenOf = Callable[[str], Frozen | None]


class Health:
    """Devices, and the bus and the gateway of each.

    ``changed`` takes what is said, for the journal. ``keep`` takes the rows of the days, which are
    civil days of ``zone``. ``frozen`` tells of a device that answers but stands still.
    """

    def __init__(
        self,
        devices: Iterable[Device],
        clock: Clock,
        changed: Callable[[Entry], None],
        dead_letter: DeadLetter | None = None,
        zone: tzinfo = UTC,
        keep: Keep | None = None,
        frozen: FrozenOf = lambda _: None,
    ) -> None:
        self._clock = clock
        self._changed = changed
        self._dead_letter = dead_letter
        self._zone = zone
        self._keep = keep
        self._frozen = frozen
        self._began_ms = now = clock.now_ms()
        self._devices = {device.id: device for device in devices}
        self._records = {id_: self._new(id_) for id_ in self._devices}
        self._voice = Voice()
        self._publishing = [  # nobody asks them
            (self._records[device.id], _allowed_ms(device))
            for device in self._devices.values()
            if device.gateway is None
        ]
        self._buses = self._groups("bus")
        self._gateways = self._groups("gateway")
        self._noise = {
            id_: Noise(record.id for record in group.devices) for id_, group in self._buses.items()
        }
        self._noise_ms = now
        self.day, self._day_end_ms = _day_of(now, zone)
        self._closed: list[Availability] = []
        self._keep_ms = now
        self._rejected: Counter[str] = Counter()
        self._letters_minute = 0
        self._letters = 0

    def _new(self, id_: str) -> Record:
        return Record(id_, State.NEVER_SEEN, self._began_ms, Tally(self._began_ms))

    def _groups(self, what: What) -> dict[str, Group]:
        behind: dict[str, list[Record]] = {}
        for device in self._devices.values():
            if device.gateway is not None:
                behind.setdefault(device.gateway, []).append(self._records[device.id])
        return {id_: Group(what, self._new(id_), found) for id_, found in behind.items()}

    def remember(self, device: str, seen_ms: int, until_ms: int) -> None:
        """Begin with what an earlier run knew: when a device was last heard; told to nobody.

        That run heard something until ``until_ms``: of a device that spoke until then nobody was
        told that it is lost, so nobody is told that it is back.
        """
        record = self._records[device]
        record.seen_ms = seen_ms
        fresh = self._began_ms - seen_ms <= _allowed_ms(self._devices[device])
        record.turn(State.ONLINE if fresh else State.OFFLINE, self._began_ms)
        record.since_ms = seen_ms
        allowed_ms = _allowed_ms(self._devices[device])
        record.said = not fresh and until_ms - seen_ms > allowed_ms / 2
        if not fresh:
            record.error = "not heard since before the start"

    def restore(self, rows: Iterable[Availability]) -> None:
        """Go on with the day that an earlier run has begun."""
        for row in rows:
            record = self._known(row.what, row.subject)
            if record is None or row.day != self.day:
                continue
            tally = record.tally
            tally.online_ms += row.online_ms
            tally.observed_ms += row.observed_ms
            tally.answers += row.answers
            tally.failures += row.failures
            if row.latency_s is not None:
                tally.timed += row.answers
                tally.latency_s += row.latency_s * row.answers

    def _known(self, what: str, subject: str) -> Record | None:
        if what == "device":
            return self._records.get(subject)
        group = (self._buses if what == "bus" else self._gateways).get(subject)
        return group.record if group else None

    def seen(
        self, device: str, at_ms: int, latency_s: float | None = None, *, whole: bool = True
    ) -> None:
        """Note an answer or a message; ``whole`` tells that all that was asked came with it."""
        self._roll(at_ms)
        record, gateway = self._records[device], self._devices[device].gateway
        if gateway is not None:
            self._noise[gateway].answered(device, whole=whole, was_lost=record.lost)
        record.answered(at_ms, latency_s)
        if gateway is not None:
            self._through(gateway, at_ms, Reach.DEVICE, latency_s)
        frozen, before = self._frozen(device), record.frozen
        state = State.DEGRADED if frozen else State.ONLINE
        if record.state is state and frozen is before:
            return
        record.frozen = frozen
        record.turn(state, at_ms)
        if frozen is not before:
            what = f"frozen: {device}: {frozen.text}" if frozen else f"moves again: {device}"
            log.warning("device %s", what)
        elif record.said:
            self._voice.say(at_ms, "device back", device, self._devices[device].place)
        else:
            return
        record.said = False
        self._tell(at_ms, record, {"device": device})

    def failed(self, device: str, at_ms: int, error: str, reach: Reach = Reach.GATEWAY) -> None:
        """Note that a device did not answer, or said that it goes offline, and how far one came."""
        self._roll(at_ms)
        record, gateway = self._records[device], self._devices[device].gateway
        record.failed(at_ms, error, reach)
        if gateway is None:
            self._lose(record, at_ms)
            return
        self._noise[gateway].failed(device)
        self._through(gateway, at_ms, reach)
        for group in (self._gateways[gateway], self._buses[gateway]):
            failed = reach < (Reach.GATEWAY if group.what == "gateway" else Reach.DEVICE)
            if failed and group.failed(device, at_ms, error, reach):
                self._say_lost(group, at_ms)
        if record.failed_in_row >= LOST_AFTER:
            self._lose(record, at_ms)
        elif record.state is State.ONLINE:
            record.turn(State.DEGRADED, at_ms)

    def _through(
        self, gateway: str, at_ms: int, reach: Reach, latency_s: float | None = None
    ) -> None:
        """Note how far something came: through the gateway, and to a unit of its bus."""
        for group, needed in (
            (self._gateways[gateway], Reach.GATEWAY),
            (self._buses[gateway], Reach.DEVICE),
        ):
            if reach >= needed and group.answered(at_ms, latency_s):
                self._say_back(group, at_ms)

    def _say_lost(self, group: Group, at_ms: int) -> None:
        """Say that a bus or gateway is lost, unless that of its gateway says it already."""
        record = group.record
        if group.what == "bus" and self._gateways[record.id].lost:
            return
        record.said = True
        error = f"with {len(group.devices)} devices: {record.error}"
        self._voice.say(at_ms, f"{group.what} lost", record.id, self._place_of(group), error)
        self._tell(at_ms, record, {group.what: record.id, "devices": len(group.devices)})

    def _say_back(self, group: Group, at_ms: int) -> None:
        """Say that it is back; its devices have their time to answer before they are lost."""
        for record in group.devices:
            if not record.said:
                record.failed_in_row = min(record.failed_in_row, 1)
        record = group.record
        if record.said:
            record.said = False
            self._voice.say(at_ms, f"{group.what} back", record.id, self._place_of(group))
            self._tell(at_ms, record, {group.what: record.id, "devices": len(group.devices)})

    def _lose(self, record: Record, at_ms: int) -> None:
        """Take a device for lost, and say so unless its bus or gateway may be the reason."""
        if not record.lost:
            record.turn(State.OFFLINE, at_ms)
        gateway = self._devices[record.id].gateway
        if record.said or (gateway is not None and self._perhaps_all(gateway, record)):
            return
        record.said = True
        place = self._devices[record.id].place
        self._voice.say(at_ms, "device lost", record.id, place, record.error)
        self._tell(at_ms, record, {"device": record.id})

    def _place_of(self, group: Group) -> str:
        return self._devices[group.devices[0].id].place

    def _perhaps_all(self, gateway: str, record: Record) -> bool:
        """Tell whether nothing of the bus has answered since this device began to fail."""
        bus = self._buses[gateway]
        if len(bus.devices) == 1:
            return False
        return (bus.record.seen_ms or 0) <= record.failing_ms

    def skewed(self, device: str, ahead_ms: int) -> None:
        """Note how far the clock of a device is ahead, or that it is right: 0."""
        self._records[device].ahead_ms = ahead_ms

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
        """Lose the devices that publish and have been silent for too long; end the day."""
        self._roll(now_ms)
        self._voice.pass_time(now_ms)
        if now_ms - self._noise_ms >= NOISE_MS:
            self._noise_ms = now_ms
            self._tell_noise(now_ms)
        for record, allowed_ms in self._publishing:
            if record.lost and record.said:
                continue
            heard_ms = max(self._began_ms, record.seen_ms or 0)
            if now_ms - heard_ms > allowed_ms:
                record.error = "no message"
                self._lose(record, now_ms)

    def _tell_noise(self, now_ms: int) -> None:
        """Tell which share of the polls of each line fails, where that has changed."""
        for gateway, noise in self._noise.items():
            if news := noise.news():
                content = {"line": gateway, **news}
                self._changed(Entry(EntryKind.HEALTH, now_ms, content=content))

    async def run(self) -> None:
        """Check for silence and keep the days until cancelled."""
        try:
            while True:
                await self._clock.sleep(CHECK_S)
                now_ms = self._clock.now_ms()
                self.check(now_ms)
                if self._closed or now_ms - self._keep_ms >= KEEP_S * 1000:
                    self._keep_ms = now_ms
                    await self._keep_days()
        finally:
            await self._keep_days()

    async def _keep_days(self) -> None:
        """Hand over the day so far and the days that ended; what cannot be kept waits."""
        if self._keep is None:
            self._closed.clear()
            return
        ended = len(self._closed)
        rows = [*self._closed, *self.today()]
        try:
            await self._keep(rows)
        except StoreError as error:
            log.warning("availability is not kept, tried again in an hour: %s", error)
        else:
            del self._closed[:ended]  # a day may have ended meanwhile

    def today(self) -> list[Availability]:
        """Return one row for each device, bus and gateway: its civil day so far."""
        now_ms = self._clock.now_ms()
        return [self._row(what, record, now_ms) for what, record in self._all()]

    def so_far(self, what: str, subject: str) -> Availability | None:
        """Return the civil day so far of one device, bus or gateway; None when there is no such."""
        record, now_ms = self._known(what, subject), self._clock.now_ms()
        self._roll(now_ms)
        return self._row(what, record, now_ms) if record else None

    def _all(self) -> Iterator[tuple[str, Record]]:
        for record in self._records.values():
            yield "device", record
        for groups in (self._buses, self._gateways):
            for group in groups.values():
                yield group.what, group.record

    def _row(self, what: str, record: Record, now_ms: int) -> Availability:
        record.settle(now_ms)
        tally = record.tally
        return Availability(
            self.day, what, record.id, tally.online_ms, tally.observed_ms,
            tally.answers, tally.failures, tally.mean_latency_s,
        )  # fmt: skip

    def _roll(self, now_ms: int) -> None:
        """Close the day when it is over."""
        while now_ms >= self._day_end_ms:
            end_ms = self._day_end_ms
            for what, record in self._all():
                self._closed.append(self._row(what, record, end_ms))
                record.tally = Tally(end_ms)
            self.day, self._day_end_ms = _day_of(end_ms, self._zone)

    def overview(self) -> list[dict[str, Json]]:
        """Return one row per device."""
        return [self.of(device) for device in self._records]

    def of(self, device: str) -> dict[str, Json]:
        """Return the row of one device."""
        return {"device": device} | self._records[device].row()

    def lines(self) -> list[dict[str, Json]]:
        """Return one row per gateway: itself, and its bus under ``bus``."""
        return [self.line(gateway) for gateway in self._gateways]

    def line(self, gateway: str) -> dict[str, Json]:
        """Return the row of one gateway."""
        bus = self._buses[gateway].row()
        return {"gateway": gateway} | self._gateways[gateway].row() | {"bus": bus}

    @property
    def counts(self) -> dict[str, Json]:
        """Return states, answers, failures and rejected messages per reason."""
        records = self._records.values()
        return {
            "states": _per_state(record.state for record in records),
            "buses": _per_state(group.state for group in self._buses.values()),
            "gateways": _per_state(group.state for group in self._gateways.values()),
            "answers": sum(record.answers for record in records),
            "failures": sum(record.failures for record in records),
            "rejected": dict(sorted(self._rejected.items())),
            "frozen": sum(record.frozen is not None for record in records),
            "clocks_wrong": sum(record.ahead_ms != 0 for record in records),
            "worst_skew_s": max((abs(record.ahead_ms) for record in records), default=0) / 1000,
        }

    def _tell(self, at_ms: int, record: Record, content: dict[str, Json]) -> None:
        content["state"] = record.state.value
        if record.trouble:
            content["reason"] = record.trouble
        self._changed(Entry(EntryKind.HEALTH, at_ms, content=content))


def _per_state(states: Iterable[State]) -> dict[str, int]:
    counted = Counter(states)
    return {state.value: counted[state] for state in State}


def _allowed_ms(device: Device) -> float:
    """Return how long a device may be silent."""
    return SILENT_INTERVALS * device.interval.total_seconds() * 1000


def _day_of(at_ms: int, zone: tzinfo) -> tuple[str, int]:
    """Return the civil day of an instant and the instant at which it ends."""
    day = datetime.fromtimestamp(at_ms / 1000, zone).date()
    end = datetime.combine(day + timedelta(1), time(), zone)
    return day.isoformat(), round(end.timestamp() * 1000)
