"""The same over real sockets and real ports; nothing here depends on how long anything takes."""

from __future__ import annotations

import asyncio
import termios
from collections.abc import AsyncIterator

import pytest

from drivers.modbus.connection import SerialBus
from hub.clock import RealClock
from hub.ports import NoAnswerError
from tests.drivers.late_answers import KINDS, late_answers
from tests.drivers.wires import Wire

TIMEOUT_S = 30


@pytest.fixture(params=["tcp", "rtu+tcp", "serial"])
async def wire(request) -> AsyncIterator[Wire]:
    made = Wire(framed=request.param == "tcp")
    if request.param == "serial":
        made.plug()
    else:
        await made.listen()
    yield made
    await made.close()


async def test_reads_and_writes_all_tables(wire) -> None:
    bus = wire.bus(TIMEOUT_S)
    assert list(await bus.read(7, "holding", 100, 3)) == [7100, 7101, 7102]
    assert list(await bus.read(7, "input", 5, 1)) == [7005]
    assert list(await bus.read(7, "coil", 0, 3)) == [1, 0, 1]
    assert list(await bus.read(7, "discrete", 0, 10)) == [1, 0] * 5
    await bus.write(1, "holding", 4, [505])
    await bus.write(1, "holding", 4, [505], 6)
    await bus.write(1, "coil", 2, [1])
    await bus.write(1, "coil", 2, [1, 0])
    assert [adu[1] for adu in wire.questions] == [3, 4, 1, 2, 16, 6, 5, 15]
    await bus.close()


@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", KINDS)
async def test_no_late_or_garbled_answer_is_ever_stored(kind, full_scale) -> None:
    lines, wanted = (25, 10_000) if full_scale else (4, 20)
    bad, good, wrong = await late_answers(kind, lines, wanted)
    print(f"{kind}: {bad} answers late or garbled, {good} good ones, {wrong} wrong values")
    assert bad >= wanted
    assert wrong == 0


async def test_a_serial_port_that_is_not_there_is_named_and_backed_off() -> None:
    bus = SerialBus("serial:///dev/no-such-port", TIMEOUT_S, RealClock())
    with pytest.raises(NoAnswerError, match=r"/dev/no-such-port: cannot connect"):
        await bus.read(1, "holding", 0, 1)
    with pytest.raises(NoAnswerError, match="next attempt in"):
        await bus.read(1, "holding", 0, 1)


async def test_an_adapter_that_is_pulled_out_is_noticed_at_once() -> None:
    wire = Wire()
    wire.plug()
    bus = wire.bus(TIMEOUT_S)
    await bus.read(1, "holding", 0, 1)

    async def pull(adu, send, n):
        wire.unplug()

    wire.answer = pull
    async with asyncio.timeout(TIMEOUT_S / 2):
        with pytest.raises(NoAnswerError, match=r"closed|cannot connect"):
            await bus.read(1, "holding", 0, 1)
    await bus.close()


async def test_settings_that_the_port_refuses_are_said_and_backed_off(monkeypatch) -> None:
    """As some drivers do, the terminal refuses with an error of its own kind."""
    wire = Wire()
    wire.plug()

    def refuse(*_: object) -> None:
        raise termios.error(22, "Invalid argument")

    monkeypatch.setattr(termios, "tcsetattr", refuse)
    bus = wire.bus(TIMEOUT_S)
    with pytest.raises(NoAnswerError, match=r"cannot connect: .*Invalid argument"):
        await bus.read(1, "holding", 0, 1)
    with pytest.raises(NoAnswerError, match="next attempt in"):
        await bus.read(1, "holding", 0, 1)
    await wire.close()
