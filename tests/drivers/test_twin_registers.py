"""Driver and simulator encode with different libraries: what they agree on is right."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
import yaml
from pydantic import TypeAdapter

from drivers import registry
from drivers.profile import Profile
from hub.clock import VirtualClock, VirtualLoop
from hub.model import Point, Quality, Text, quality_of
from hub.site import Device
from simulators.campus import Fleet
from simulators.virtual import TwinBus

FOLDER = Path(__file__).parents[2] / "config" / "profiles"
START_MS = 1_795_219_200_000


@pytest.mark.parametrize(
    ("id_", "place"),
    [
        ("reference-room-meter", "dorm-01/1/101"),
        ("reference-boiler", "dorm-01/plant"),
        ("eastron-sdm630", "dorm-01"),
    ],
)
def test_the_driver_reads_what_the_twin_shows(id_, place) -> None:
    profile = TypeAdapter(Profile).validate_python(
        yaml.safe_load((FOLDER / f"{id_}.yaml").read_text("utf-8"))
    )
    points = tuple(
        Point(n, f"dorm-01/x/{name}", "dorm-01/x", name, spec.unit, spec.kind, Text(name, name))
        for n, (name, spec) in enumerate(profile.points.items())
    )
    device = Device("dorm-01/x", id_, profile.kind, place, timedelta(minutes=1), "gw", 1, points)

    async def story(clock: VirtualClock) -> None:
        fleet = Fleet([device], {id_: profile}, clock)
        driver = registry.polled(TwinBus(fleet, [device]), [device], {id_: profile}, clock)
        for _ in range(5):
            await clock.sleep(600)
            batch = await driver.poll(device.id)
            shown = fleet.twin(device.id).values()
            assert len(batch) == len(points)
            for number, value, packed in zip(
                batch.point.tolist(), batch.value.tolist(), batch.quality.tolist(), strict=True
            ):
                name = points[number].name
                assert quality_of(packed) is Quality.GOOD, name
                step = max(profile.points[name].scale, abs(shown[name]) * 2**-23)
                assert value == pytest.approx(shown[name], abs=step / 2 + 1e-9), name

    loop = VirtualLoop()
    try:
        loop.run_until_complete(story(VirtualClock(loop, START_MS, 7)))
    finally:
        loop.close()
