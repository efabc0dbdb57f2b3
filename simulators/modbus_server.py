"""The twins behind real Modbus gateways, on pymodbus's simulator: TCP, RTU over TCP and serial."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import cast

from pymodbus.constants import ExcCodes
from pymodbus.framer import FramerType
from pymodbus.pdu import ModbusPDU
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice
from pymodbus.transport import ModbusProtocol

from hub.ports import ExceptionAnswerError, Table
from hub.site import Device, Gateway
from simulators.campus import Fleet
from simulators.framing import Framing, Mbap, Rtu
from simulators.front import Front, Sink
from simulators.proxy import Behind, Proxy
from simulators.registers import Unit
from simulators.virtual import units

Action = Callable[
    [int, int, int, int, list[int], list[int] | list[bool] | None],
    Coroutine[None, None, ExcCodes | None],
]
_TABLES: Mapping[int, Table] = {
    1: "coil", 5: "coil", 15: "coil", 2: "discrete",
    3: "holding", 6: "holding", 16: "holding", 4: "input",
}  # fmt: skip
FRAMINGS: Mapping[str, Framing] = {"tcp": Mbap(), "rtu+tcp": Rtu(), "serial": Rtu()}


class ModbusServers:
    """One server per gateway, with the gateway's units behind it and its line before it."""

    def __init__(
        self,
        fleet: Fleet,
        gateways: Sequence[Gateway],
        links: Mapping[str, Path] = MappingProxyType({}),
        framings: Mapping[str, Framing] = FRAMINGS,
    ) -> None:
        self._fleet = fleet
        self._gateways = gateways
        self._links = links
        self._framings = framings
        self._fronts: list[Front] = []

    async def start(self) -> None:
        """Listen on every gateway's address; StartError when one cannot be had."""
        behind: dict[str, list[Device]] = {gateway.id: [] for gateway in self._gateways}
        for device in self._fleet.devices.values():
            if device.gateway in behind:
                behind[device.gateway].append(device)
        for gateway in self._gateways:
            await self._listen(gateway, behind[gateway.id])

    async def _listen(self, gateway: Gateway, devices: Sequence[Device]) -> None:
        behind = units(self._fleet, devices)
        server = ModbusTcpServer(
            [_device(unit_id, unit) for unit_id, unit in behind.items()],
            framer=FramerType.SOCKET if gateway.transport == "tcp" else FramerType.RTU,
            trace_pdu=_hearing(behind),
        )
        proxy = Proxy(
            self._fleet.wires.of(gateway.id),
            self._framings[gateway.transport],
            self._fleet.clock,
            conversation_with(server),
        )
        front = Front(gateway, proxy.converse, self._links.get(gateway.id))
        await front.start()
        self._fronts.append(front)

    async def stop(self) -> None:
        """Close every connection and stop listening."""
        for front in self._fronts:
            await front.stop()
        self._fronts.clear()


def conversation_with(server: ModbusTcpServer) -> Behind:
    """Return what begins a conversation with a server of pymodbus, without a socket between."""

    async def begin() -> tuple[asyncio.StreamReader, Sink]:
        handler = server.handle_new_connection()
        said = asyncio.StreamReader()
        handler.connection_made(_Answers(said))
        return said, _Questions(handler)

    return begin


class _Answers(asyncio.Transport):
    """What pymodbus writes to: its answers go to whoever asked."""

    def __init__(self, said: asyncio.StreamReader) -> None:
        super().__init__()
        self._said = said

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Hand over an answer."""
        self._said.feed_data(bytes(data))

    def close(self) -> None:
        """Say no more."""
        self._said.feed_eof()


class _Questions:
    """What the proxy writes to: its questions go to pymodbus."""

    def __init__(self, handler: ModbusProtocol) -> None:
        self._handler = handler

    def write(self, data: bytes, /) -> None:
        """Hand over a question."""
        self._handler.data_received(data)

    async def drain(self) -> None:
        """Have no need to wait."""

    def close(self) -> None:
        """End the conversation."""
        self._handler.close()


def _hearing(behind: Mapping[int, Unit]) -> Callable[[bool, ModbusPDU], ModbusPDU]:
    """Let requests pass only to units that are there and not silent: the others hear nothing."""

    def pass_on(sending: bool, pdu: ModbusPDU) -> ModbusPDU:
        heard = sending or (pdu.dev_id in behind and not behind[pdu.dev_id].twin.silent)
        return pdu if heard else cast("ModbusPDU", None)  # pymodbus drops what is None

    return pass_on


def _device(unit_id: int, unit: Unit) -> SimDevice:
    """Describe a unit to pymodbus: one block per table, filled by the twin as it is read."""
    return SimDevice(
        unit_id,
        (
            _block(unit, "coil", DataType.BITS),
            _block(unit, "discrete", DataType.BITS),
            _block(unit, "holding", DataType.REGISTERS),
            _block(unit, "input", DataType.REGISTERS),
        ),
        action=_action(unit),
    )


def _block(unit: Unit, table: Table, datatype: DataType) -> list[SimData]:
    """Reserve the whole table: what is outside of the map is refused by the unit itself."""
    start, end = unit.ranges.get(table, (0, 1))
    if datatype is DataType.BITS:
        return [SimData(start, values=[False] * (end - start), datatype=datatype)]
    return [SimData(start, values=[0] * (end - start), datatype=datatype)]


def _action(unit: Unit) -> Action:
    async def answer(
        function: int,
        start: int,
        address: int,
        count: int,
        registers: list[int],
        written: list[int] | list[bool] | None,
    ) -> ExcCodes | None:
        table = _TABLES.get(function)
        if table is None or not unit.accepts(function):
            return ExcCodes.ILLEGAL_FUNCTION
        try:
            if written is not None:
                unit.write(table, address, [int(word) for word in written])
            elif table in ("coil", "discrete"):
                low, bits = _read_bits(unit, table, address, count)
                _fill(registers, low - 16 * start, bits)
            else:
                offset = address - start
                registers[offset : offset + count] = unit.read(table, address, count)
        except ExceptionAnswerError as error:
            return ExcCodes(error.code)
        return None

    return answer


def _read_bits(unit: Unit, table: Table, address: int, words: int) -> tuple[int, list[int]]:
    """Read the declared bits of the words that hold ``address``; pymodbus counts in words."""
    first, end = unit.ranges.get(table, (0, 0))
    low = max(address // 16 * 16, first)
    high = min((address // 16 + words) * 16, end)
    if not low <= address < high:
        low, high = address, address + 1  # outside of the map: let the unit refuse
    return low, unit.read(table, low, high - low)


def _fill(registers: list[int], offset: int, bits: Sequence[int]) -> None:
    """Set bits in a list of words, bit 0 first."""
    for at, bit in enumerate(bits, offset):
        mask = 1 << at % 16
        registers[at // 16] = registers[at // 16] | mask if bit else registers[at // 16] & ~mask
