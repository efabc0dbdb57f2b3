"""The twins behind real Modbus TCP gateways, on pymodbus's simulator; loopback only."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import cast
from urllib.parse import urlsplit

from pymodbus.constants import ExcCodes
from pymodbus.pdu import ModbusPDU
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from hub.ports import ExceptionAnswerError, StartError, Table
from hub.site import Device, Gateway
from simulators.campus import Fleet
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
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class ModbusServers:
    """One Modbus TCP server per gateway, with the gateway's units behind it."""

    def __init__(self, fleet: Fleet, gateways: Sequence[Gateway]) -> None:
        self._fleet = fleet
        self._gateways = gateways
        self._servers: list[ModbusTcpServer] = []

    async def start(self) -> None:
        """Listen on every gateway's address; StartError when one cannot be had."""
        behind: dict[str, list[Device]] = {gateway.id: [] for gateway in self._gateways}
        for device in self._fleet.devices.values():
            if device.gateway in behind:
                behind[device.gateway].append(device)
        for gateway in self._gateways:
            await self._listen(gateway, behind[gateway.id])

    async def _listen(self, gateway: Gateway, devices: Sequence[Device]) -> None:
        url = urlsplit(gateway.url)
        if url.scheme != "tcp" or url.hostname not in _LOOPBACK or not url.port:
            raise StartError(
                f"gateway {gateway.id}: {gateway.url} is not on this machine; "
                "simulated gateways need tcp://127.0.0.1:<port>"
            )
        behind = units(self._fleet, devices)
        simulated = [_device(unit_id, unit) for unit_id, unit in behind.items()]
        server = ModbusTcpServer(
            simulated, address=(url.hostname, url.port), trace_pdu=_hearing(behind)
        )
        try:
            await server.serve_forever(background=True)
        except (OSError, RuntimeError) as error:
            raise StartError(
                f"gateway {gateway.id}: port {url.port} cannot be opened; is it taken?"
            ) from error
        self._servers.append(server)

    async def stop(self) -> None:
        """Close every connection and stop listening."""
        for server in self._servers:
            await server.shutdown()  # type: ignore[no-untyped-call] # pymodbus leaves it so
        self._servers.clear()


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
