"""The conformance kit: what every profile must pass, and the table that it prints."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from drivers.profile import ModbusProfile, MqttProfile, Profile
from hub.cli import kit_line, kit_modbus, kit_mqtt
from hub.cli.golden import Case
from hub.model import Json
from hub.ports import Clock

SECTIONS = ("read", "write", "refuse", "markers", "golden", "faults")
_AT_ONCE = 8


@dataclass
class Report:
    """What came of one profile: per section how many checks were done and what failed."""

    profile: str
    done: dict[str, int] = field(default_factory=lambda: dict.fromkeys(SECTIONS, 0))
    failed: dict[str, list[str]] = field(default_factory=lambda: {name: [] for name in SECTIONS})

    def check(self, section: str, holds: bool, problem: str) -> None:
        """Note one check."""
        self.done[section] += 1
        if not holds:
            self.failed[section].append(problem)

    @property
    def problems(self) -> list[str]:
        """Return everything that failed, a line each."""
        return [
            f"{self.profile}: {section}: {problem}"
            for section, problems in self.failed.items()
            for problem in problems
        ]

    def row(self) -> dict[str, Json]:
        """Return the report as JSON."""
        return {
            "profile": self.profile,
            "ok": not self.problems,
            "checks": dict(self.done),
            "problems": self.problems,
        }


async def examine(
    profiles: Sequence[Profile], golden: Mapping[str, Sequence[Case]], clock: Clock
) -> list[Report]:
    """Put each profile through its kit, several at a time."""
    turn = asyncio.Semaphore(_AT_ONCE)

    async def one(profile: Profile) -> Report:
        report = Report(profile.id)
        async with turn:
            await _kit(profile, golden.get(profile.id, ()), report, clock)
        return report

    return list(await asyncio.gather(*(one(profile) for profile in profiles)))


async def _kit(profile: Profile, golden: Sequence[Case], report: Report, clock: Clock) -> None:
    if isinstance(profile, ModbusProfile):
        await kit_modbus.examine(profile, golden, report.check, clock)
    elif isinstance(profile, MqttProfile):
        await kit_mqtt.examine(profile, golden, report.check, clock)
    else:
        await kit_line.examine(profile, golden, report.check, clock)


def table(reports: Sequence[Report]) -> str:
    """Write the reports as a table for people; ``-`` where there was nothing to check."""
    width = max([len(report.profile) for report in reports] + [len("profile")])
    lines = [f"{'profile':{width}}" + "".join(f"{name:>10}" for name in SECTIONS)]
    for report in reports:
        cells = "".join(f"{_cell(report, name):>10}" for name in SECTIONS)
        lines.append(f"{report.profile:{width}}{cells}")
    checks = sum(sum(report.done.values()) for report in reports)
    failures = sum(len(report.problems) for report in reports)
    lines += [problem for report in reports for problem in report.problems]
    lines.append(f"{len(reports)} profiles, {checks} checks, {failures} failures")
    return "\n".join(lines)


def _cell(report: Report, section: str) -> str:
    done, failed = report.done[section], len(report.failed[section])
    if failed:
        return f"{failed}/{done} FAIL"
    return str(done) if done else "-"
