"""The one door to pymodbus: one Modbus TCP gateway, one request at a time."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from urllib.parse import urlsplit

from pymodbus import ModbusException
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.pdu import ModbusPDU

from drivers.modbus.frame import fault_of
from hub.ports import (
    Clock,
    ConfigError,
    ExceptionAnswerError,
    GarbageAnswerError,
    NoAnswerError,
    Table,
)

# Health says lost and back once; pymodbus would say it at every poll.
logging.getLogger("pymodbus").setLevel(logging.CRITICAL)

_MISSES = 2  # a half-open socket still looks connected, so unanswered requests are what counts
_LONGEST_WAIT_S = 60.0
_ILLEGAL_FUNCTION = 1
_GATEWAY_SAYS_SILENT = (10, 11)

Ask = Callable[[AsyncModbusTcpClient], Awaitable[ModbusPDU]]


class TcpBus:
    """A gateway at ``tcp://host:port``; connects when first asked and again after trouble."""

    def __init__(self, url: str, timeout_s: float, clock: Clock) -> None:
        parts = urlsplit(url)
        if parts.scheme != "tcp" or not parts.hostname:
            raise ConfigError([f"gateway {url}: only tcp://host:port can be used"])
        self._host, self._port = parts.hostname, parts.port or 502
        self._url, self._timeout_s, self._clock = url, timeout_s, clock
        self._random = clock.random(f"modbus/{url}")
        self._lock = asyncio.Lock()
        self._client: AsyncModbusTcpClient | None = None
        self._deadline: asyncio.Timeout | None = None
        self._asked = b""
        self._fault = ""
        self._closed = ""
        self._misses = 0
        self._failures = 0
        self._wait_until = 0.0

    async def read(self, unit_id: int, table: Table, address: int, count: int) -> Sequence[int]:
        """Read ``count`` registers (0..65535) or bits (0/1) from ``address``."""

        def ask(client: AsyncModbusTcpClient) -> Awaitable[ModbusPDU]:
            reads = {
                "holding": client.read_holding_registers,
                "input": client.read_input_registers,
                "coil": client.read_coils,
                "discrete": client.read_discrete_inputs,
            }
            return reads[table](address, count=count, device_id=unit_id)

        answer = await self._request(unit_id, f"{table} {address}", ask)
        if table in ("holding", "input"):
            return answer.registers
        return [int(bit) for bit in answer.bits[:count]]

    async def write(self, unit_id: int, table: Table, address: int, values: Sequence[int]) -> None:
        """Write registers (function 16; 6 where the device knows only that) or bits (5, 15)."""
        what = f"write {table} {address}"
        if table == "coil":
            await self._request(
                unit_id, what, lambda client: _bits(client, unit_id, address, values)
            )
            return
        try:
            await self._request(
                unit_id,
                what,
                lambda client: client.write_registers(address, list(values), device_id=unit_id),
            )
        except ExceptionAnswerError as error:
            if error.code != _ILLEGAL_FUNCTION or len(values) != 1:
                raise
            await self._request(
                unit_id,
                what,
                lambda client: client.write_register(address, values[0], device_id=unit_id),
            )

    async def close(self) -> None:
        """Close the connection."""
        self._drop()

    async def _request(self, unit_id: int, what: str, ask: Ask) -> ModbusPDU:
        """Ask once and return an answer that fits the question, or raise what came instead."""
        where = f"{self._url} unit {unit_id} {what}"
        async with self._lock:
            client = await self._connected()
            try:
                answer = await self._answer(client, ask, where)
            except BaseException as error:
                # Cancelled half-way or garbled: what this connection says next cannot be trusted.
                if not isinstance(error, NoAnswerError) or self._misses >= _MISSES:
                    self._drop()
                raise
            self._misses = self._failures = 0
        if not answer.isError():
            return answer
        if answer.exception_code in _GATEWAY_SAYS_SILENT:
            raise NoAnswerError(f"{where}: the gateway says that the unit does not answer")
        code = answer.exception_code
        raise ExceptionAnswerError(f"{where}: exception {code}", code)

    async def _answer(self, client: AsyncModbusTcpClient, ask: Ask, where: str) -> ModbusPDU:
        """Wait for the answer under our own deadline; pymodbus's is longer and never fires."""
        self._fault = self._closed = ""
        try:
            async with asyncio.timeout(self._timeout_s) as self._deadline:
                return await ask(client)
        except TimeoutError:
            if self._fault:
                raise GarbageAnswerError(f"{where}: garbage: {self._fault}") from None
            if self._closed:
                self._back_off()
                self._misses = _MISSES
                raise NoAnswerError(f"{where}: {self._closed}") from None
            self._misses += 1
            raise NoAnswerError(f"{where}: no answer within {self._timeout_s:g} s") from None
        except (ModbusException, OSError) as error:
            raise GarbageAnswerError(f"{where}: {error}") from error
        finally:
            self._deadline = None

    async def _connected(self) -> AsyncModbusTcpClient:
        if self._client is not None and self._client.connected:
            return self._client
        self._drop()
        wait_s = self._wait_until - self._clock.monotonic()
        if wait_s > 0:
            raise NoAnswerError(f"{self._url}: not connected, next attempt in {wait_s:.0f} s")
        self._client = self._new_client()
        try:
            async with asyncio.timeout(self._timeout_s):
                connected = await self._client.connect()
        except TimeoutError:
            connected = False
        except BaseException:
            self._drop()
            raise
        if not connected:
            self._drop()
            self._back_off()
            raise NoAnswerError(f"{self._url}: cannot connect")
        self._misses = 0
        return self._client

    def _new_client(self) -> AsyncModbusTcpClient:
        return AsyncModbusTcpClient(
            self._host,
            port=self._port,
            timeout=self._timeout_s + 1,
            retries=0,
            reconnect_delay=0,
            trace_packet=self._hear,
            trace_connect=self._line,
        )

    def _hear(self, sending: bool, data: bytes) -> bytes:
        """Judge every frame before pymodbus sees it: it would raise inside the event loop."""
        if sending:
            self._asked = data
            return data
        if not self._waiting() or not (fault := fault_of(self._asked, data)):
            return data
        self._fault = fault
        self._give_up()
        return b""

    def _line(self, connected: bool) -> None:
        """End the wait at once when the device closes the connection; pymodbus would sit it out."""
        if not connected and self._waiting():
            self._closed = "the device closed the connection"
            self._give_up()

    def _waiting(self) -> bool:
        return self._deadline is not None and not self._deadline.expired()

    def _give_up(self) -> None:
        if self._deadline is not None:
            self._deadline.reschedule(0)

    def _back_off(self) -> None:
        longest = min(2.0**self._failures, _LONGEST_WAIT_S)
        self._failures = min(self._failures + 1, 6)
        self._wait_until = self._clock.monotonic() + longest * self._random.uniform(0.5, 1)

    def _drop(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None


def _bits(
    client: AsyncModbusTcpClient, unit_id: int, address: int, values: Sequence[int]
) -> Awaitable[ModbusPDU]:
    if len(values) == 1:
        return client.write_coil(address, bool(values[0]), device_id=unit_id)
    return client.write_coils(address, [bool(value) for value in values], device_id=unit_id)
