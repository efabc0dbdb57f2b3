"""Shower terminals that publish at a steady rate and know for each message what it said."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from pathlib import Path

from tests.crash.broker_stub import BrokerStub, Letter
from tests.whole.site import terminal, write_site

# As many as a run has lives: each life needs a fault of its own to die at.
DEVICES = tuple(f"dorm-07/shower-1-{n:02}" for n in range(1, 101))
READINGS_PER_S = 2000
POINTS = (
    "state",
    "flow",
    "outlet_temperature",
    "session_litres",
    "total_litres",
    "valve",
    "faults",
    "battery",
)
STEP_MS = 1000 * len(POINTS) // READINGS_PER_S
TURN_S = 0.02
TOO_HOT = 55.0

Reading = tuple[str, int, float]


class Terminals:
    """Publish in turn, 2,000 readings a second altogether; some deliver water that is too hot."""

    def __init__(self, broker: BrokerStub) -> None:
        self.hot: set[str] = set()
        self.published = 0
        self._broker = broker

    def write_site(self, folder: Path) -> Path:
        devices = [terminal(id_) for id_ in DEVICES]
        return write_site(folder, devices, mqtt={"url": self._broker.url})

    async def speak(self) -> None:
        """Publish until cancelled, whether anybody listens or not."""
        began_s, began_ms = time.monotonic(), time.time_ns() // 1_000_000
        while True:
            due = int((time.monotonic() - began_s) * 1000 / STEP_MS)
            while self.published < due:
                # The instant it was due, also after a halt: a device says nothing twice at once.
                self._say(self.published, began_ms + self.published * STEP_MS)
            await asyncio.sleep(TURN_S)

    def _say(self, n: int, at_ms: int) -> None:
        """Publish the message of this number; no two messages hold the same readings."""
        turn, nth = divmod(n, len(DEVICES))
        id_ = DEVICES[nth]
        heat = TOO_HOT if id_ in self.hot else 38.0
        # Fractions of two survive every way of writing them down.
        values = {
            "state": 2,
            "flow": turn % 64 / 8,
            "outlet_temperature": heat + turn % 32 / 16,
            "session_litres": turn % 256 / 4,
            "total_litres": turn / 4,
            "valve": True,
            "faults": turn % 4,
            "battery": turn % 101,
        }
        content = {"at": at_ms, "seq": turn, "values": values}
        self.published += 1
        self._broker.publish(f"campus/{id_}/telemetry", json.dumps(content).encode())


def readings(letter: Letter) -> Iterator[Reading]:
    """Yield (point, at, value) of a message."""
    device = letter.topic.removeprefix("campus/").removesuffix("/telemetry")
    content = json.loads(letter.payload)
    for name, value in content["values"].items():
        yield f"{device}/{name}", content["at"], float(value)
