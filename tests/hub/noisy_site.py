"""Buildings with buses of meters and with terminals that publish; for the tests of noise."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from zoneinfo import ZoneInfo

import yaml

from hub.engine import Core
from hub.model import (
    Alarm,
    AlarmEvent,
    Batch,
    Effect,
    Entry,
    EntryKind,
    Notification,
    Point,
    Text,
    Ticket,
    TicketEvent,
)
from hub.site import Device, Gateway, Place, Site
from rules.load import TOLD
from rules.spec import Pack
from tests.hub.fault_site import CONFIG, MINUTE, PROMISE, START

EVERY = timedelta(minutes=1)
MOVES = {"voltage": 0.1, "power": 0.1}
VALUES = {"energy": 100.0, "voltage": 230.0, "power": 50.0, "state": 0.0}
Alive = Callable[[Device], bool]


def shipped_pack(name: str) -> Pack:
    """Return the rules of a shipped pack about what is not heard; values stand still here."""
    pack = Pack.model_validate(yaml.safe_load((CONFIG / "rules" / f"{name}.yaml").read_text()))
    silent = tuple(rule for rule in pack.rules if rule.kind in ("stale", "share", "health"))
    return pack.model_copy(update={"rules": silent})


PACKS = [shipped_pack(name) for name in ("meter", "shower", "gateway", "building", "hub")]


def noisy_site(buildings: int = 3, buses: int = 2, meters: int = 8, terminals: int = 3) -> Site:
    """Return a site; every building has its buses and, by MQTT, its terminals."""
    places, gateways, devices = [], [], []
    zone, count = ZoneInfo("Asia/Shanghai"), iter(range(1, 10**6))

    def device(id_: str, kind: str, place: str, gateway: str | None, names: Sequence[str]) -> None:
        points = [
            Point(next(count), f"{id_}/{name}", id_, name, "", "gauge", Text(name, name))
            for name in names
        ]
        devices.append(Device(id_, "p", kind, place, EVERY, gateway, 1, tuple(points)))

    for b in range(1, buildings + 1):
        house = f"dorm-{b:02}"
        places.append(Place(house, "building", Text(house, house)))
        for n in range(1, buses + 1):
            gateway = f"gw-{b:02}-{n}"
            gateways.append(Gateway(gateway, "tcp://x", timedelta(seconds=1)))
            for m in range(1, meters + 1):
                id_ = f"{house}/meter-{n}{m:02}"
                device(id_, "meter", f"{house}/{n}/{m}", gateway, ("energy", "voltage"))
        for t in range(1, terminals + 1):
            device(f"{house}/shower-{t}", "shower", f"{house}/shower", None, ("state",))
    return Site("test", Text("校", "U"), zone, places, gateways, devices)


@dataclass
class Story:
    """A site that lives minute by minute, and what the engine made of it."""

    site: Site
    packs: Sequence[Pack] = tuple(PACKS)
    effects: list[Effect] = field(default_factory=list)
    minute: int = 0
    rows: int = 10_000  # of a batch

    def __post_init__(self) -> None:
        self.core = Core(self.site, self.packs, PROMISE)
        self.take(Entry(EntryKind.CONFIGURATION, START))

    def take(self, *entries: Entry) -> list[Effect]:
        """Let the engine take entries, and keep what came of them."""
        new = [effect for entry in entries for effect in self.core.step(0, entry)]
        self.effects += new
        return new

    def live(self, minutes: int, alive: Alive = lambda _: True) -> list[Effect]:
        """Let the devices that live send a reading a minute, with a tick every ten seconds."""
        new: list[Effect] = []
        for _ in range(minutes):
            self.minute += 1
            at_ms = START + self.minute * MINUTE
            new += self.take(
                *self._minute(at_ms, [d for d in self.site.devices.values() if alive(d)])
            )
        return new

    def _minute(self, at_ms: int, devices: Sequence[Device]) -> Iterable[Entry]:
        points = [point for device in devices for point in device.points]
        for first in range(0, len(points), self.rows):
            part = points[first : first + self.rows]
            batch = Batch.of(
                [point.number for point in part],
                [at_ms] * len(part),
                # what stands still for hours would be a fault of its own
                [
                    VALUES[point.name] + MOVES.get(point.name, 0.0) * (self.minute % 7)
                    for point in part
                ],
                [0] * len(part),
                at_ms,
            )
            yield Entry(EntryKind.READINGS, at_ms, batch)
        for second in range(0, 60, 10):
            yield Entry(EntryKind.TICK, at_ms + second * 1000)

    def tickets(self) -> list[Ticket]:
        """Return the last state of every ticket, in the order they opened."""
        latest = {effect.id: effect for effect in self.effects if isinstance(effect, Ticket)}
        return list(latest.values())

    def alarms(self) -> dict[str, Alarm]:
        """Return the last state of every alarm, by id."""
        return {effect.id: effect for effect in self.effects if isinstance(effect, Alarm)}

    def told(self) -> list[tuple[str, str]]:
        """Return device and rule of the alarms that people were told of."""
        alarms = self.alarms()
        return [
            (alarms[effect.alarm].device, alarms[effect.alarm].rule)
            for effect in self.effects
            if isinstance(effect, AlarmEvent) and effect.kind in TOLD
        ]

    def notified(self) -> list[str]:
        """Return the subjects of what people were sent, but for deadlines."""
        found = [effect for effect in self.effects if isinstance(effect, Notification)]
        return [one.subject.en for one in found if "late" not in one.subject.en]

    def listed(self, ticket: Ticket) -> set[str]:
        """Return what a ticket lists as effects of its cause."""
        return {
            member
            for effect in self.effects
            if isinstance(effect, TicketEvent) and effect.ticket == ticket.id
            for member in effect.detail.get("members", ())
        }
