"""One rule on one subject, with its state machine and the alarm in force."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from pydantic import TypeAdapter

from hub.desk import cause_of
from hub.model import Alarm, Entry, Json, Point, Severity
from hub.ports import ConfigError
from hub.site import HUB, Device, Site
from rules.errors import Errors, Share
from rules.judged import Judged, Judgement, Verdict
from rules.machine import Machine, Transition
from rules.registry import machine
from rules.sla import milliseconds
from rules.spec import HealthRule, Pack, Rule
from rules.spec_members import MembersRule
from rules.spec_windows import NightFlowRule
from rules.told import Said, Told

_ALARM = TypeAdapter(Alarm)


@dataclass(frozen=True, slots=True)
class Subject:
    """What a rule is about: a device, the hub itself, or a place or gateway with its members."""

    id: str
    kind: str
    profile: str
    place: str
    interval_ms: int
    points: Mapping[str, Point]
    members: tuple[Device, ...] = ()


@dataclass(slots=True, eq=False)
class Fault:
    """What may go wrong with one subject; ``alarm`` is there until cleared and acknowledged.

    ``points`` are the inputs of its machine: none for what the hub says about itself;
    ``mode_point`` is where the subject says the mode that the rule asks for.
    """

    cause: str
    subject: Subject
    rule: Rule
    points: tuple[int, ...]
    proof_point: int | None
    machine: Machine
    alarm: Alarm | None = None
    events: int = 0  # of the alarm
    rises: list[int] = field(default_factory=list)  # the latest instants at which it began
    fell: Transition | None = None  # over, while its alarm chatters
    why: Mapping[str, Json] = field(default_factory=dict)  # what was known as it began
    pending: list[str] = field(default_factory=list)  # its effects, not yet in its ticket
    pending_ms: int | None = None  # the first of these was inhibited then
    mode_point: int | None = None

    @property
    def there(self) -> bool:
        """Tell whether the fault is there, by its alarm."""
        return self.alarm is not None and self.alarm.cleared_ms is None

    @property
    def quiet_ms(self) -> int:
        """Return since when it has neither come nor gone."""
        return max([*self.rises, self.fell.at_ms if self.fell else 0])

    @property
    def limit(self) -> float:
        """Return the limit that an alarm shows: the rule's own, or what is said."""
        if isinstance(self.machine, Told | Judged):
            return self.machine.limit
        return self.rule.shown_limit

    @property
    def told(self) -> Told | None:
        """Return the machine that hears what the hub says about itself, None for all others."""
        return self.machine if isinstance(self.machine, Told) else None

    @property
    def judged(self) -> Judged | None:
        """Return the machine that hears what the daily look judges, None for all others."""
        return self.machine if isinstance(self.machine, Judged) else None

    @property
    def errors(self) -> Errors | None:
        """Return the machine that hears how many polls of a line fail, None for all others."""
        return self.machine if isinstance(self.machine, Errors) else None

    @property
    def severity(self) -> Severity:
        """Return how grave it is now."""
        urgent = isinstance(self.machine, Told | Judged) and self.machine.urgent
        if urgent and isinstance(self.rule, HealthRule | NightFlowRule):
            return self.rule.urgent
        return self.rule.severity

    def note_rise(self, at_ms: int, window_ms: int) -> None:
        """Remember when it began, as far back as a window."""
        self.rises = [*(one for one in self.rises if one > at_ms - window_ms), at_ms]

    def save(self) -> dict[str, Json]:
        """Return the state as JSON, that of the machine apart; empty when nothing happened."""
        # Of nearly all nothing did, and all are asked every minute.
        if not (self.alarm or self.rises or self.fell or self.pending or self.pending_ms):
            return {}
        state: dict[str, Json] = {
            "alarm": asdict(self.alarm) if self.alarm else None,
            "events": self.events if self.alarm else 0,
            "rises": self.rises,
            "fell": self.fell,
            "why": self.why if self.alarm else None,
            "pending": self.pending,
            "pending_ms": self.pending_ms,
        }
        return {name: value for name, value in state.items() if value}

    def load(self, state: Mapping[str, Any]) -> None:
        """Take back what :meth:`save` returned."""
        self.alarm = _ALARM.validate_python(state["alarm"]) if "alarm" in state else None
        self.events, self.rises = state.get("events", 0), list(state.get("rises", ()))
        self.fell = Transition(*state["fell"]) if "fell" in state else None
        self.why = state.get("why", {})
        self.pending, self.pending_ms = list(state.get("pending", ())), state.get("pending_ms")


def faults_of(site: Site, packs: Sequence[Pack]) -> list[Fault]:
    """Return every rule on every subject it applies to and that has its points."""
    faults: dict[str, Fault] = {}
    for subject in _subjects(site):
        for pack in packs:
            for fault in _faults(pack, subject):
                if fault.cause in faults:
                    raise ConfigError(
                        [f"pack {pack.pack}: {subject.id} has a rule {fault.rule.id} already"]
                    )
                faults[fault.cause] = fault
    return list(faults.values())


def fault_about(site: Site, area: str, rule: Rule) -> Fault | None:
    """Return what the hub says of an area by a rule of its own; None for one that is not there."""
    wanted = HUB if area == site.id else area
    for subject in _subjects(site):
        if subject.id == wanted:
            cause = cause_of(area, rule.id)
            return Fault(cause, replace(subject, id=area), rule, (), None, machine(rule, 0, ()))
    return None


def said_in(entry: Entry) -> Said:
    """Return what the hub says about itself in a change of health."""
    said = entry.content
    return Said(
        entry.at_ms,
        said.get("state") != "online",
        bool(said.get("urgent")),
        float(said.get("value", 0.0)),
        float(said.get("limit", 0.0)),
    )


def share_in(entry: Entry) -> Share:
    """Return which share of the polls of a line fails, in a change of health."""
    devices = entry.content.get("devices", ())
    return Share(
        entry.at_ms,
        float(entry.content["share"]),
        tuple((str(device), float(share)) for device, share in devices),
    )


def verdict_in(entry: Entry) -> Verdict:
    """Return what the daily look judged."""
    told = entry.content
    judgement = Judgement(
        told["state"], told["value"], told["limit"], told["facts"], bool(told["grave"])
    )
    return Verdict(entry.at_ms, str(told["day"]), judgement)


def _subjects(site: Site) -> Iterator[Subject]:
    """Return the devices, the hub, and then what is around devices: gateways and places."""
    for device in (*site.devices.values(), site.itself):
        points = {point.name: point for point in device.points}
        interval_ms = milliseconds(device.interval)
        yield Subject(device.id, device.kind, device.profile, device.place, interval_ms, points)
    behind: dict[str, list[Device]] = {}
    below: dict[str, list[Device]] = {}
    for device in site.devices.values():
        behind.setdefault(device.gateway or "", []).append(device)
        levels = device.place.split("/")
        for depth in range(1, len(levels) + 1):
            below.setdefault("/".join(levels[:depth]), []).append(device)
    for gateway in site.gateways.values():
        members = behind.get(gateway.id, [])
        yield _around(gateway.id, "gateway", _place_of(site, members), members)
    for place in site.places.values():
        yield _around(place.id, place.kind, place.id, below.get(place.id, []))


def _around(id_: str, kind: str, place: str, members: Sequence[Device]) -> Subject:
    return Subject(id_, kind, "", place, 0, {}, tuple(members))


def _place_of(site: Site, members: Sequence[Device]) -> str:
    """Return the place that holds all members: a building at most, else the whole site."""
    levels = [device.place.split("/") for device in members]
    shared = [level[0] for level in zip(*levels, strict=False) if len(set(level)) == 1]
    return "/".join(shared) or site.id


def _faults(pack: Pack, subject: Subject) -> Iterator[Fault]:
    for rule in pack.rules if _applies(pack, subject) else ():
        interval_ms = subject.interval_ms
        if isinstance(rule, MembersRule):
            points = _members(rule, subject)
            interval_ms = max((milliseconds(device.interval) for device, _ in points), default=0)
            inputs = tuple(point for _, point in points)
            lines = {device.gateway for device, _ in points}
            there = len(inputs) >= rule.members and len(lines) >= rule.lines
        else:
            there = all(name in subject.points for name in rule.inputs)
            inputs = tuple(subject.points[name] for name in rule.inputs) if there else ()
        if there:
            proof = subject.points.get(rule.proof.point) if rule.proof else None
            asked = rule.when.mode if rule.when else None
            mode = subject.points.get(asked.point) if asked else None
            yield Fault(
                cause_of(subject.id, rule.id),
                replace(subject, interval_ms=interval_ms),
                rule,
                tuple(point.number for point in inputs),
                proof.number if proof else None,
                machine(rule, interval_ms, inputs),
                mode_point=mode.number if mode else None,
            )


def _members(rule: MembersRule, subject: Subject) -> list[tuple[Device, Point]]:
    """Return the members of a subject that a rule is over, each with the point it is about."""
    over = rule.over
    return [
        (device, point)
        for device in subject.members
        if over.kind in (None, device.kind)
        and (not over.profiles or device.profile in over.profiles)
        for point in device.points
        if point.name == rule.point
    ]


def _applies(pack: Pack, subject: Subject) -> bool:
    wanted = pack.applies_to
    return wanted.kind == subject.kind and (
        not wanted.profiles or subject.profile in wanted.profiles
    )
