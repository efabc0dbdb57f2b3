"""One rule on one device, with its state machine and the alarm in force."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import TypeAdapter

from hub.desk import cause_of
from hub.model import Alarm, Json
from hub.ports import ConfigError
from hub.site import Device, Site
from rules.machine import Machine
from rules.registry import machine
from rules.sla import milliseconds
from rules.spec import Pack, Rule

_ALARM = TypeAdapter(Alarm)


@dataclass(slots=True, eq=False)
class Fault:
    """What may go wrong with one device; ``alarm`` is there until cleared and acknowledged."""

    cause: str
    device: Device
    rule: Rule
    point: int
    proof_point: int | None
    machine: Machine
    alarm: Alarm | None = None

    @property
    def interval_ms(self) -> int:
        """Return how often the device is read."""
        return milliseconds(self.device.interval)

    @property
    def limit(self) -> float:
        """Return the limit that an alarm shows: the rule's own, or the seconds of silence."""
        return self.rule.on_delay.total_seconds() if self.rule.kind == "stale" else self.rule.limit

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
    for device in site.devices.values():
        for pack in packs:
            for fault in _faults(pack, device):
                if fault.cause in faults:
                    raise ConfigError(
                        [f"pack {pack.pack}: device {device.id} has a rule {fault.rule.id} already"]
                    )
                faults[fault.cause] = fault
    return list(faults.values())


def _faults(pack: Pack, device: Device) -> Iterator[Fault]:
    numbers = {point.name: point.number for point in device.points}
    for rule in pack.rules if _applies(pack, device) else ():
        if rule.point in numbers:
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
