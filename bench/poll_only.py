"""The hub's pollers and Modbus driver alone, without journal, store and rules.

``python -m bench.poll_only FOLDER SECONDS`` polls and decodes the devices of a site and prints one
JSON line: blocks done, CPU seconds, failures, slots missed and how late the polls began. Lateness
is taken from outside, against the most punctual poll of the same device.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from bench.bare_client import new_loop
from bench.poll_site import bus_of
from drivers import registry
from hub.cli.loop import settled
from hub.clock import RealClock
from hub.model import Batch
from hub.poller import SWEEP_S, Poller
from hub.ports import PolledDriver
from hub.settings import build_site, load
from hub.site import Device

INTERVAL_S = 1.0
SETTLE_S = SWEEP_S + 5


class Timed:
    """A driver that notes when each poll begins."""

    def __init__(self, driver: PolledDriver, begun: dict[str, list[float]]) -> None:
        self._driver, self._begun = driver, begun
        self.write, self.close = driver.write, driver.close

    async def poll(self, device: str) -> Batch:
        """Note the instant and poll."""
        self._begun[device].append(time.monotonic())
        return await self._driver.poll(device)


class Deaf:
    """Hears what pollers tell of devices and keeps nothing."""

    def seen(self, *told: object, whole: bool = True) -> None:
        """Hear an answer."""

    failed = rejected = seen


async def run(folder: Path, seconds: float) -> dict[str, float]:
    """Poll for the seconds after settling and return the figures."""
    settings, clock = load(folder), RealClock()
    site = build_site(settings, lambda ids: {id_: n for n, id_ in enumerate(ids, 1)})
    behind: dict[str, list[Device]] = defaultdict(list)
    for device in site.devices.values():
        behind[str(device.gateway)].append(device)
    begun: dict[str, list[float]] = defaultdict(list)
    readings = 0

    def put(batch: Batch, _: object) -> None:
        nonlocal readings
        readings += len(batch)

    pollers = []
    for gateway, devices in behind.items():
        bus = bus_of(site.gateways[gateway], clock)
        driver = registry.polled(bus, devices, settings.profiles, clock)
        pollers.append(Poller(Timed(driver, begun), devices, put, Deaf(), clock))
    tasks = [asyncio.create_task(poller.run()) for poller in pollers]
    with settled():
        await asyncio.sleep(SETTLE_S)
        begun.clear()
        before, began_readings, cpu_s = counts(pollers), readings, time.process_time()
        await asyncio.sleep(seconds)
        cpu_s = time.process_time() - cpu_s
    found = {
        **{name: count - before[name] for name, count in counts(pollers).items()},
        "readings": readings - began_readings,
        "cpu_s": cpu_s,
        **lateness(begun, len(site.devices), seconds),
    }
    for task in tasks:
        task.cancel()
    return found


def counts(pollers: Sequence[Poller]) -> dict[str, float]:
    """Return what the pollers themselves count; late is more than a tenth of the interval."""
    return {
        name: sum(getattr(poller.counts, name) for poller in pollers)
        for name in ("done", "failed", "late")
    }


def lateness(begun: dict[str, list[float]], devices: int, seconds: float) -> dict[str, float]:
    """Return how late polls began and how many of the slots due had none."""
    late: list[np.ndarray] = []
    missed = (devices - len(begun)) * int(seconds / INTERVAL_S)
    for instants in begun.values():
        times = np.asarray(instants)
        phase = (times - times[0] + INTERVAL_S / 2) % INTERVAL_S
        late.append(phase - phase.min())
        slots = np.rint((times - times[0] - late[-1] + late[-1][0]) / INTERVAL_S)
        missed += int(slots[-1]) + 1 - len(set(slots.tolist()))
    ms = np.concatenate(late) * 1000
    return {
        "missed": missed,
        "late_p50_ms": float(np.percentile(ms, 50)),
        "late_p99_ms": float(np.percentile(ms, 99)),
        "late_max_ms": float(ms.max()),
    }


def main() -> None:
    """Run and print."""
    folder, seconds = Path(sys.argv[1]), float(sys.argv[2])
    with asyncio.Runner(loop_factory=new_loop) as runner:
        print(json.dumps(runner.run(run(folder, seconds))))


if __name__ == "__main__":
    main()
