"""What a hub does without when it is told to keep going: wrong profiles and wrong devices."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from hub.model import Json
from hub.settings.source import Document, Problem

_ROW = re.compile(r"devices\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Profiles by id, and devices by file and place in its list."""

    profiles: frozenset[str] = frozenset()
    devices: frozenset[tuple[str, int]] = frozenset()
    keeps_going: bool = False

    @classmethod
    def of(cls, problems: Iterable[Problem], profiles: Mapping[str, str]) -> LeftOut | None:
        """Return what the problems leave out; None when one of them is about something else.

        ``profiles`` are their ids by the names of their files.
        """
        wrong_profiles, wrong_devices = set(), set()
        for problem in problems:
            if problem.file in profiles:
                wrong_profiles.add(profiles[problem.file])
            elif row := _ROW.match(problem.key):
                wrong_devices.add((problem.file, int(row[1])))
            elif not _is_no_row(problem):
                return None
        return cls(frozenset(wrong_profiles), frozenset(wrong_devices), keeps_going=True)

    def remaining(self, problems: Iterable[Problem]) -> list[Problem]:
        """Return the problems that are still in the way."""
        return [problem for problem in problems if not (self.keeps_going and _is_no_row(problem))]

    def without(self, document: Document) -> Document:
        """Return a document without the devices that are left out or have no profile any more."""
        listed = document.data.get("devices") if isinstance(document.data, dict) else None
        if not isinstance(listed, list) or not self.keeps_going:
            return document
        kept = [row for n, row in enumerate(listed) if not self._leaves(document.file, n, row)]
        return replace(document, data={**document.data, "devices": kept})

    def _leaves(self, file: str, n: int, row: Json) -> bool:
        profile = row.get("profile") if isinstance(row, dict) else None
        return (file, n) in self.devices or profile in self.profiles


def _is_no_row(problem: Problem) -> bool:
    """Tell whether a line of the device list could not be taken for a row at all."""
    return (problem.file, problem.key) == ("devices.csv", "row")
