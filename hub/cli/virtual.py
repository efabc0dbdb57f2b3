"""The whole hub and its twins on one virtual clock, playing a scenario."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

from hub.app import Outside, running
from hub.cli.faulty_lines import FaultyLines
from hub.clock import VirtualClock, VirtualLoop, run_virtual
from hub.database import records
from hub.energy.question import Query
from hub.engine import log_line
from hub.journal import Journal
from hub.model import Alarm, AlarmEvent, Effect, Entry, Json, Ticket, TicketEvent
from hub.ports import Clock, Refused, RegisterBus
from hub.settings import Settings, build_site
from hub.site import Gateway, Site
from hub.whole import Hub
from simulators.campus import Day, Fleet, Label
from simulators.life import USUAL_LIFE, Life
from simulators.lines import TwinLine, line_behind
from simulators.scenario import Scenario, Step, play
from simulators.virtual import TwinBus, TwinMessages
from simulators.weather import Snap, Weather


@dataclass
class Played:
    """What came of a scenario: the hub's log and figures, and the twins' truth beside them.

    ``kwh`` and ``true_kwh`` are by device, over the whole scenario; the hub cannot read the latter.
    ``lines`` tells of the protocol faults, where the scenario has any; ``entries`` is all that
    the journal holds.
    """

    log: list[bytes] = field(default_factory=list)
    alarms: dict[str, Alarm] = field(default_factory=dict)
    tickets: dict[str, Ticket] = field(default_factory=dict)
    events: list[TicketEvent] = field(default_factory=list)
    alarm_events: list[AlarmEvent] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)
    kwh: dict[str, float | None] = field(default_factory=dict)
    true_kwh: dict[str, float] = field(default_factory=dict)
    readings: int = 0
    polls: dict[str, int] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    lines: dict[str, Json] | None = None
    entries: list[Entry] = field(default_factory=list)

    def hear(self, effect: Effect) -> None:
        """Keep an effect as the engine tells it."""
        self.log.append(log_line(effect))
        if isinstance(effect, Alarm):
            self.alarms[effect.id] = effect
        elif isinstance(effect, Ticket):
            self.tickets[effect.id] = effect
        elif isinstance(effect, TicketEvent):
            self.events.append(effect)
        elif isinstance(effect, AlarmEvent):
            self.alarm_events.append(effect)

    @property
    def log_hash(self) -> str:
        """Return the SHA-256 of the alarm and ticket log."""
        return hashlib.sha256(b"\n".join(self.log)).hexdigest()


class _Crew:
    """The people of a scenario, at the hub's tickets."""

    def __init__(self, hub: Hub, settings: Settings, refused: list[str]) -> None:
        self._hub = hub
        self._settings = settings
        self._refused = refused

    def _latest(self, device: str) -> Ticket | None:
        wanted = records.Filter(device=device)
        found = records.tickets(self._hub.kept.database, wanted, limit=1)
        return found[0] if found else None

    async def opened_ms(self, device: str) -> int | None:
        """Return when the latest ticket of a device opened; None when it has none."""
        ticket = self._latest(device)
        return ticket.opened_ms if ticket else None

    async def act(self, step: Step) -> None:
        """Carry out a person's step: a report, or an act on the latest ticket of its device."""
        ticket = self._latest(step.device)
        if step.ticket and ticket is None:
            self._refused.append(f"{step.ticket}: {step.device} has no ticket")
            return
        action: dict[str, Json] = {"kind": step.ticket, "ticket": ticket and ticket.id}
        action |= {"part": step.part} if step.part else {}
        try:
            if step.report:
                action = {"kind": "open", "opening": self._opening(step)}
            await self._hub.engine.act({**action, "actor": step.actor, "note": step.note})
        except Refused as refusal:
            self._refused.append(f"{step.ticket or step.report}: {refusal}")

    def _opening(self, step: Step) -> dict[str, Json]:
        """Return what a person reports of a device; Refused for a kind that there is not."""
        device = next(one for one in self._settings.devices if one.id == step.device)
        kind = self._settings.reports.kind(step.report or "")
        if kind is None:
            raise Refused(f"{step.report}: reports.yaml has no such kind")
        return {
            "source": "report",
            "kind": kind.id,
            "place": device.place,
            "device": device.id,
            "title": kind.name.model_dump(),
            "severity": kind.severity,
            "skill": kind.skill,
            "rules": list(kind.rules),
        }


def site_of(settings: Settings) -> Site:
    """Return the campus tree for twins, which know no lasting numbers."""
    return build_site(settings, lambda ids: {id_: n for n, id_ in enumerate(ids, 1)})


def play_virtual(
    settings: Settings, scenario: Scenario, seed: int, *, memory: bool = True, patience_s: float = 0
) -> Played:
    """Play a scenario in virtual time; the same seed gives the same log.

    ``memory`` keeps everything in memory; otherwise it goes to the settings' data folder.
    """
    loop = VirtualLoop(patience_s)
    clock = VirtualClock(loop, scenario.start_ms, seed)
    return run_virtual(loop, _play(settings, scenario, clock, memory=memory))


async def _play(settings: Settings, scenario: Scenario, clock: Clock, *, memory: bool) -> Played:
    played = Played()
    site = site_of(settings)
    day = Day(life=_life(scenario), start_lag_s=scenario.start_lag.total_seconds())
    fleet = Fleet(list(site.devices.values()), settings.profiles, clock, day=day, zone=site.zone)
    before = fleet.truth()
    lines = FaultyLines(scenario, fleet, clock)

    def bus_of(gateway: Gateway, _: Clock) -> RegisterBus:
        behind = [one for one in fleet.devices.values() if one.gateway == gateway.id]
        return lines.bus(gateway, TwinBus(fleet, behind, gateway.timeout.total_seconds()))

    def line_of(gateway: Gateway, _: Clock) -> TwinLine:
        line = line_behind(fleet, gateway.id)
        if line is None:
            raise Refused(f"{gateway.id}: no twin has frames like these")
        return TwinLine(line, clock, gateway.timeout.total_seconds())

    outside = Outside(
        memory=memory,
        web=False,
        bus_of=bus_of,
        line_of=line_of,
        messages=TwinMessages(fleet, clock),
        heard=played.hear,
    )
    async with running(settings, clock, outside) as hub:
        end_ms = scenario.start_ms + round(scenario.length.total_seconds() * 1000)
        watching = asyncio.create_task(lines.watch(hub))
        await play(scenario, fleet, _Crew(hub, settings, played.refused), clock)
        await clock.sleep((end_ms - clock.now_ms()) / 1000)
        watching.cancel()
        await hub.recorder.flush()
        played.lines = lines.report(hub) if scenario.protocol_faults else None
        _measure(played, hub, scenario.start_ms, end_ms)
        after = fleet.truth()
        played.labels = list(fleet.labels)
        played.entries = [entry for _, entry in _all(hub.kept.journal)]
    for device in played.kwh:
        played.true_kwh[device] = after[device]["energy_kwh"] - before[device]["energy_kwh"]
    return played


def _life(scenario: Scenario) -> Life:
    """Return the usual life, in the weather of a scenario."""
    if not scenario.snaps:
        return USUAL_LIFE
    snaps = []
    for one in scenario.snaps:
        start_ms = scenario.start_ms + round(one.at.total_seconds() * 1000)
        snaps.append(Snap(start_ms, start_ms + round(one.for_.total_seconds() * 1000), one.depth))
    return Life(Weather(scenario.seed, snaps))


def _all(journal: Journal) -> Iterator[tuple[int, Entry]]:
    after = 0
    while found := journal.read(after):
        yield from found
        after = found[-1][0]


def _measure(played: Played, hub: Hub, start_ms: int, end_ms: int) -> None:
    """Take the figures that the hub shows."""
    use = hub.consumption.use(Query(start_ms=start_ms, end_ms=end_ms, by="device"))
    played.kwh = {row.id: row.total.value for row in use.rows}
    played.readings = hub.intake.counts["readings"]
    counters = hub.counters()
    played.polls = {
        name: int(counters[f"polls_{name}_total"]) for name in ("due", "done", "failed", "late")
    }
