"""The truth about a stretch of time: a fault, or something that only looks like one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from hub.model import Json

What = Literal["fault", "look_alike"]


@dataclass(frozen=True, slots=True)
class Episode:
    """What is the matter with a device, gateway or place, from when to when.

    ``code_silent``: the device itself says nothing of it. ``members`` are the devices that the
    same cause touches. ``evident_ms`` is when the state of a twin first showed a fault whose effect
    takes its time (a tank that heats up), or waits for somebody (a valve that nobody opens); None:
    it shows from its start, or never did.
    """

    id: str
    what: What
    kind: str
    subject: str
    start_ms: int
    end_ms: int
    code_silent: bool = True
    members: Sequence[str] = ()
    evident_ms: int | None = None

    def told(self) -> dict[str, Json]:
        """Return it as a line of a truth file."""
        return {
            "id": self.id,
            "what": self.what,
            "kind": self.kind,
            "subject": self.subject,
            "start_ms": self.start_ms,
            "end_ms": self.end_ms,
            "code_silent": self.code_silent,
            "members": list(self.members),
            "evident_ms": self.evident_ms,
        }


def write_truth(path: Path, head: dict[str, Json], episodes: Iterable[Episode]) -> None:
    """Write a truth file: a line about the whole, then a line for each episode."""
    lines = [head, *(episode.told() for episode in episodes)]
    text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines)
    path.write_text(text, encoding="utf-8")
