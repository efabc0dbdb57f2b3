"""A hub that dies, as by kill -9, at a named point of the path of a reading.

``python -m tests.crash.failing_hub POINT N run --config DIR``: at the N-th passing of the point.
The points stand around the calls of the hub itself, so that the hub needs no seam for them.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

from hub.cli import run
from hub.database import effects
from hub.intake import Intake
from hub.journal import Journal
from hub.model import EntryKind
from hub.store.duckdb import DuckStore

POINTS = {  # each with how often it may be passed before it counts
    "before-journal": 30,
    "after-journal": 30,  # committed, and not acknowledged
    "before-handing": 30,  # acknowledged, and neither shown nor handed on
    "before-store": 2,
    "after-store": 2,
    "before-tickets": 1,
    "after-tickets": 1,
    "before-snapshot": 1,
    "after-snapshot": 1,
}


class Failpoint:
    """Ends the process at one point of a call, at its n-th passing."""

    def __init__(self, point: str, count: int) -> None:
        self._when, _, self.what = point.partition("-")
        self._left = count

    def around(self, call: Callable[..., Any], counts: Callable[..., bool]) -> Callable[..., Any]:
        """Wrap a call; ``counts`` tells from its arguments whether this passing counts."""

        def wrapped(*arguments: Any) -> Any:
            mine = counts(*arguments)
            if mine and self._when == "before":
                self._pass()
            result = call(*arguments)
            if mine and self._when == "after":
                self._pass()
            return result

        return wrapped

    def _pass(self) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def _always(*_: object) -> bool:
    return True


def _readings(_: Journal, entries: Any) -> bool:
    return any(entry.kind is EntryKind.READINGS for entry in entries)


def arm(point: str, count: int) -> None:
    """Put the point into the hub."""
    failpoint = Failpoint(point, count)
    wheres: dict[str, tuple[Any, str, Callable[..., bool]]] = {
        "journal": (Journal, "append", _readings),
        "handing": (Intake, "_hand_on", lambda _, numbered: any(one.batch for _, one in numbered)),
        "store": (DuckStore, "append", _always),
        "tickets": (effects, "apply", _always),
        "snapshot": (effects, "save_snapshot", _always),
    }
    where, name, counts = wheres[failpoint.what]
    setattr(where, name, failpoint.around(getattr(where, name), counts))


if __name__ == "__main__":
    arm(sys.argv[1], int(sys.argv[2]))
    sys.exit(run(sys.argv[3:]))
