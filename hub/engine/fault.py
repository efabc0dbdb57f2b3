"""One rule on one device, with its state machine and the alarm in force."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import TypeAdapter

from hub.desk import cause_of
from hub.model import Alarm, Entry, Json, Severity
from hub.ports import ConfigError
from hub.site import Device, Site
from rules.machine import Machine
from rules.registry import machine
from rules.sla import milliseconds
from rules.spec import Pack, Rule
from rules.told import Said, Told

_ALARM = TypeAdapter(Alarm)


@dataclass(slots=True, eq=False)
class Fault:
    """What may go wrong with one device; ``alarm`` is there until cleared and acknowledged.

    ``point`` is None for what the hub says about itself.
    """

    cause: str
    device: Device
    rule: Rule
    point: int | None
    proof_point: int | None
    machine: Machine
    alarm: Alarm | None = None

    @property
    def interval_ms(self) -> int:
        """Return how often the device is read."""
        return milliseconds(self.device.interval)

    @property
    def limit(self) -> float:
        """Return the limit that an alarm shows: the rule's own, said, or the seconds of silence."""
        if self.rule.kind == "health":
            return self.told.limit if self.told else 0.0
        if self.rule.kind == "stale":
            return self.rule.on_delay.total_seconds()
        return self.rule.limit

    @property
    def told(self) -> Told | None:
        """Return the machine that hears what the hub says about itself, None for all others."""
        return self.machine if isinstance(self.machine, Told) else None

    @property
    def severity(self) -> Severity:
        """Return how grave it is now."""
        if self.rule.kind == "health" and self.told and self.told.urgent:
            return self.rule.urgent
        return self.rule.severity

    def save(self) -> dict[str, Json]:
        """Return the state as JSON; empty when nothing has happened yet."""
        state: dict[str, Json] = {}
        if saved := self.machine.save():
            state["machine"] = saved
        if self.alarm:
            state["alarm"] = asdict(self.alarm)
        return state

    def load(self, state: Mapping[str, Any]) -> None:
        """Take back what :meth:`save` returned."""
        self.machine.load(state.get("machine", {}))
        self.alarm = _ALARM.validate_python(state["alarm"]) if "alarm" in state else None


def faults_of(site: Site, packs: Sequence[Pack]) -> list[Fault]:
    """Return every rule on every device it applies to and that has its points."""
    faults: dict[str, Fault] = {}
    for device in (*site.devices.values(), site.itself):
        for pack in packs:
            for fault in _faults(pack, device):
                if fault.cause in faults:
                    raise ConfigError(
                        [f"pack {pack.pack}: device {device.id} has a rule {fault.rule.id} already"]
                    )
                faults[fault.cause] = fault
    return list(faults.values())


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


def _faults(pack: Pack, device: Device) -> Iterator[Fault]:
    numbers = {point.name: point.number for point in device.points}
    for rule in pack.rules if _applies(pack, device) else ():
        if rule.kind == "health":
            heard = machine(rule, milliseconds(device.interval))
            yield Fault(cause_of(device.id, rule.id), device, rule, None, None, heard)
        elif rule.point in numbers:
            yield Fault(
                cause_of(device.id, rule.id),
                device,
                rule,
                numbers[rule.point],
                numbers.get(rule.proof.point) if rule.proof else None,
                machine(rule, milliseconds(device.interval)),
            )


def _applies(pack: Pack, device: Device) -> bool:
    wanted = pack.applies_to
    return wanted.kind == device.kind and (not wanted.profiles or device.profile in wanted.profiles)
