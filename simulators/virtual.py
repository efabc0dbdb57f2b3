"""The twins in place of bus and broker: the same registers and payloads, no socket."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence

from drivers.profile import ModbusProfile
from hub.ports import Clock, ExceptionAnswerError, Message, NoAnswerError, Table
from hub.site import Device
from simulators.campus import Fleet
from simulators.dialects import Said
from simulators.registers import Unit
from simulators.telemetry import Terminals


def units(fleet: Fleet, devices: Sequence[Device]) -> dict[int, Unit]:
    """Return the units behind a gateway by their unit id."""
    found = {}
    for device in devices:
        profile = fleet.profiles[device.profile]
        if device.unit_id is not None and isinstance(profile, ModbusProfile):
            found[device.unit_id] = Unit(fleet.twin(device.id), profile, _mover(fleet, device.id))
    return found


def _mover(fleet: Fleet, device: str) -> Callable[[], None]:
    def move() -> None:
        fleet.twin_at(device, fleet.clock.now_ms())

    return move


class TwinBus:
    """A register bus whose units are twins; a silent unit takes the whole timeout."""

    def __init__(
        self, fleet: Fleet, gateway_devices: Sequence[Device], timeout_s: float = 1.0
    ) -> None:
        self._clock = fleet.clock
        self._timeout_s = timeout_s
        self._units: Mapping[int, Unit] = units(fleet, gateway_devices)

    async def read(self, unit_id: int, table: Table, address: int, count: int) -> Sequence[int]:
        """Read ``count`` registers or bits from ``address``."""
        try:
            return self._unit(unit_id).read(table, address, count)
        except NoAnswerError:
            await self._clock.sleep(self._timeout_s)
            raise

    async def write(
        self,
        unit_id: int,
        table: Table,
        address: int,
        values: Sequence[int],
        function: int | None = None,
    ) -> None:
        """Write registers or bits."""
        try:
            unit = self._unit(unit_id)
            if function is not None and not unit.accepts(function):
                raise ExceptionAnswerError(f"unit {unit_id}: exception 1", 1)
            unit.write(table, address, values)
        except NoAnswerError:
            await self._clock.sleep(self._timeout_s)
            raise

    def _unit(self, unit_id: int) -> Unit:
        unit = self._units.get(unit_id)
        if unit is None:
            raise NoAnswerError(f"unit {unit_id}: no answer")
        return unit

    async def close(self) -> None:
        """Have nothing to close."""


class TwinMessages:
    """The terminals of a fleet as a connection to a broker that never fails.

    What they say within ``together_s`` comes at its end, as through a concentrator.
    """

    def __init__(self, fleet: Fleet, clock: Clock, together_s: float = 0.0) -> None:
        self._clock = clock
        self._together_s = together_s
        self._terminals = Terminals(fleet)
        self._waiting: list[Message] = []
        self._wake: Callable[[], None] = lambda: None
        self._task: asyncio.Task[None] | None = None

    async def start(self, wake: Callable[[], None]) -> None:
        """Say that all terminals are online, then publish as they speak."""
        self._wake = wake
        for said in self._terminals.statuses(online=True):
            self._put(said, retained=True)
        self._task = asyncio.create_task(self._speak())

    async def _speak(self) -> None:
        while (due_ms := self._terminals.next_due_ms()) is not None:
            wait_s = (due_ms - self._clock.now_ms()) / 1000
            await self._clock.sleep(max(wait_s, 0) + self._together_s)
            for said in self._terminals.spoken(self._clock.now_ms()):
                self._put(said)

    def _put(self, said: Said, *, retained: bool = False) -> None:
        # a broker sets the flag only for those who subscribe later
        self._waiting.append(Message(said.topic, said.payload, retained, self._clock.now_ms()))
        self._wake()

    def drain(self) -> list[Message]:
        """Take the messages that wait, oldest first."""
        waiting, self._waiting = self._waiting, []
        return waiting

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """Do nothing: a list forgets nothing that it would have to send again."""

    async def publish(self, topic: str, payload: bytes) -> None:
        """Hand a command to its terminal and put its reply among the messages."""
        answer = self._terminals.reply(topic, payload)
        if answer is not None:
            self._put(answer)

    def connected(self) -> bool:
        """Say yes."""
        return True

    async def close(self) -> None:
        """Stop the terminals."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
