"""A whole bus of 32 meters, from the poller to the bytes: what a dead unit or a cut link costs."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from drivers.modbus.driver import ModbusDriver
from drivers.profile import ModbusProfile
from hub.model import Batch, Quality
from hub.poller import Poller
from hub.ports import Reach
from tests.drivers.memory import VIRTUAL, virtual_clock
from tests.drivers.wires import Wire, honest

pytestmark = VIRTUAL
UNITS = range(1, 33)
INTERVAL_S = 15
TIMEOUT_S = 1.0
ANSWER_S = 0.1
ROUND_S = 4  # 32 answers and the rests between them
LONGEST_BACK_OFF_S = 16  # after half a minute of doubling from one second
PROFILE = ModbusProfile.model_validate(
    {
        "version": 1, "id": "test", "maker": "m", "model": "m", "kind": "meter", "source": "s",
        "protocol": "modbus", "points": {"x": {"table": "holding", "address": 5}},
    }
)  # fmt: skip


class Hub:
    """Notes when each unit was read rightly."""

    def __init__(self) -> None:
        self.clock = virtual_clock()
        self.read: dict[int, list[float]] = {unit: [] for unit in UNITS}

    def put(self, batch: Batch, durable: object, waiting: int = 1) -> None:
        (unit,) = batch.point.tolist()
        if batch.quality[0] & 3 == Quality.GOOD:
            assert batch.value.tolist() == [unit * 1000.0 + 5]
            self.read[unit].append(self.clock.monotonic())

    def seen(
        self, device: str, at_ms: int, latency_s: float | None = None, *, whole: bool = True
    ) -> None:
        """Have nothing to do with health."""

    def failed(self, device: str, at_ms: int, error: str, reach: Reach = Reach.GATEWAY) -> None:
        """Have nothing to do with health."""


@pytest.fixture(params=["tcp", "rtu+tcp", "serial"])
async def wire(request) -> AsyncIterator[Wire]:
    made = Wire(framed=request.param == "tcp")
    if request.param == "serial":
        made.plug()
    else:
        await made.listen()
    yield made
    await made.close()


@pytest.fixture
async def hub(request, wire, device) -> AsyncIterator[Hub]:
    made, bus = Hub(), wire.bus(getattr(request, "param", TIMEOUT_S))
    devices = [
        device(f"d/{unit}", "x", unit_id=unit, first=unit, interval_s=INTERVAL_S) for unit in UNITS
    ]
    driver = ModbusDriver(bus, [(one, PROFILE) for one in devices], made.clock)
    running = asyncio.create_task(Poller(driver, devices, made.put, made, made.clock).run())
    yield made
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await bus.close()


@pytest.mark.parametrize("hub", [5.0], indirect=True)
async def test_one_dead_unit_leaves_the_others_their_polls(wire, hub) -> None:
    """31 living ones need 12.4 s of every 15, and each try of the dead one takes 5 s."""

    async def one_is_dead(adu, send, n):
        await asyncio.sleep(0.4)
        if adu[0] != 13:
            send(honest(adu))

    wire.answer = one_is_dead
    await asyncio.sleep(100 * INTERVAL_S)
    for unit, times in hub.read.items():
        assert len(times) >= 95 or unit == 13, unit
    assert hub.read[13] == []


@pytest.mark.parametrize(
    ("wire", "noticed"),
    [("tcp", True), ("tcp", False), ("rtu+tcp", True), ("rtu+tcp", False), ("serial", False)],
    indirect=["wire"],
)
async def test_a_link_that_was_cut_for_half_a_minute_is_back_in_time(wire, hub, noticed) -> None:
    """The gateway's end is closed and refused, or nothing gets through and nobody says so."""
    cut = False

    async def while_linked(adu, send, n):
        if not cut:
            await asyncio.sleep(ANSWER_S)
            with contextlib.suppress(OSError):
                send(honest(adu))

    wire.answer = while_linked
    await asyncio.sleep(20 * INTERVAL_S)
    cut = True
    if noticed:
        await wire.refuse()
    await asyncio.sleep(30)
    cut = False
    if noticed:
        await wire.listen()
    back_s = hub.clock.monotonic()
    await asyncio.sleep(10 * INTERVAL_S)
    for unit, times in hub.read.items():
        again = [at - back_s for at in times if at > back_s]
        assert again[0] <= INTERVAL_S + LONGEST_BACK_OFF_S * noticed + ROUND_S, unit
        # A serial line takes its time over the first answers: they might be late ones.
        assert len(again) >= 8, unit
