from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from drivers.modbus.connection import TcpBus
from hub.clock import RealClock
from hub.ports import (
    ConfigError,
    ExceptionAnswerError,
    GarbageAnswerError,
    NoAnswerError,
    RestingError,
)
from tests.drivers.memory import VIRTUAL, virtual_clock

pytestmark = VIRTUAL
TIMEOUT_S = 0.2


@pytest.fixture
async def bus(server) -> AsyncIterator[TcpBus]:
    made = TcpBus(server.url, TIMEOUT_S, virtual_clock())
    yield made
    await made.close()


@pytest.fixture
async def patient(server) -> AsyncIterator[TcpBus]:
    """Return a bus whose timeout would be noticed."""
    made = TcpBus(server.url, 5, virtual_clock())
    yield made
    await made.close()


async def test_reads_registers_and_bits_of_all_tables(server, bus) -> None:
    assert list(await bus.read(7, "holding", 100, 3)) == [100, 101, 102]
    assert list(await bus.read(7, "input", 5, 1)) == [5]
    assert list(await bus.read(7, "coil", 0, 3)) == [1, 0, 1]
    assert list(await bus.read(7, "discrete", 0, 10)) == [1, 0] * 5
    assert [frame[7] for frame in server.frames] == [3, 4, 1, 2]
    assert {frame[6] for frame in server.frames} == {7}
    assert server.connections == 1


async def test_writes_registers_with_16_and_one_coil_with_5(server, bus) -> None:
    await bus.write(1, "holding", 4, [505])
    await bus.write(1, "coil", 2, [1])
    await bus.write(1, "coil", 2, [1, 0])
    assert [frame[7] for frame in server.frames] == [16, 5, 15]


async def test_the_function_of_a_write_is_the_one_that_was_asked_for(server, bus) -> None:
    for table, function in (("holding", 6), ("holding", 16), ("coil", 5), ("coil", 15)):
        await bus.write(1, table, 4, [1], function)
    assert [frame[7] for frame in server.frames] == [6, 16, 5, 15]


async def test_an_exception_is_said_with_its_code_and_keeps_the_connection(server, bus) -> None:
    async def refuse(frame, n):
        return frame[:4] + b"\x00\x03" + frame[6:7] + bytes([frame[7] | 0x80, 2])

    server.answer = refuse
    for _ in range(5):
        with pytest.raises(ExceptionAnswerError) as caught:
            await bus.read(1, "holding", 0, 1)
        assert caught.value.code == 2
    assert server.connections == 1


async def test_a_gateway_that_says_the_unit_is_silent_means_no_answer(server, bus) -> None:
    async def silent(frame, n):
        return frame[:4] + b"\x00\x03" + frame[6:7] + bytes([frame[7] | 0x80, 11])

    server.answer = silent
    with pytest.raises(NoAnswerError, match="gateway says"):
        await bus.read(1, "holding", 0, 1)


@pytest.mark.parametrize(
    "garbage",
    [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\xff" * 200,
        b"\xff" * 5_000,
        bytes.fromhex("0001000000ff0103"),
    ],
)
async def test_garbage_is_named_at_once_and_the_next_question_is_answered(
    server, patient, garbage
) -> None:
    async def once(frame, n):
        return garbage if n == 1 else await server.echo(frame, n)

    server.answer = once
    began = asyncio.get_running_loop().time()
    with pytest.raises(GarbageAnswerError, match="garbage"):
        await patient.read(1, "holding", 0, 2)
    assert asyncio.get_running_loop().time() - began < 1
    assert list(await patient.read(1, "holding", 3, 2)) == [3, 4]
    assert server.connections == 2


async def test_an_answer_of_another_unit_function_or_size_is_garbage(server, bus) -> None:
    wrong = [
        lambda frame: frame[:4] + bytes.fromhex("00 05 09 03 02 0001"),
        lambda frame: frame[:4] + bytes.fromhex("00 05 01 04 02 0001"),
        lambda frame: frame[:4] + bytes.fromhex("00 07 01 03 04 0001 0002"),
        lambda frame: frame[:4] + bytes.fromhex("00 05 01 2B 02 0001"),
    ]

    async def answer(frame, n):
        return wrong[n - 1](frame)

    server.answer = answer
    for _ in wrong:
        with pytest.raises(GarbageAnswerError):
            await bus.read(1, "holding", 0, 1)


async def test_a_late_answer_is_never_taken_for_the_next_one(server, bus) -> None:
    """Every second answer comes after its deadline, together with the next one."""
    held: list[bytes] = []

    async def late(frame, n):
        answer = await server.echo(frame, n)
        if n % 2:
            held.append(answer)
            return None
        return b"".join(held) + answer

    server.answer = late
    for n in range(4):
        with pytest.raises(NoAnswerError):
            await bus.read(1, "holding", 1000 + n, 2)
        assert list(await bus.read(1, "holding", 2000 + n, 2)) == [2000 + n, 2001 + n]
    assert server.connections == 1


async def test_silence_twice_in_a_row_opens_a_new_connection(server, bus) -> None:
    async def silent(frame, n):
        return None if n <= 2 else await server.echo(frame, n)

    server.answer = silent
    for _ in range(2):
        with pytest.raises(NoAnswerError, match="no answer within"):
            await bus.read(1, "holding", 0, 1)
    assert list(await bus.read(1, "holding", 9, 1)) == [9]
    assert server.connections == 2


async def test_a_closed_connection_is_noticed_at_once(server, patient) -> None:
    async def hang_up(frame, n):
        return b""

    server.answer = hang_up
    began = asyncio.get_running_loop().time()
    with pytest.raises(NoAnswerError, match="closed"):
        await patient.read(1, "holding", 0, 1)
    assert asyncio.get_running_loop().time() - began < 1


async def test_an_idle_connection_that_the_device_closed_is_opened_again(server, bus) -> None:
    await bus.read(1, "holding", 0, 1)
    server.drop()
    await asyncio.sleep(0.02)
    assert list(await bus.read(1, "holding", 5, 1)) == [5]
    assert server.connections == 2


async def test_backs_off_while_the_gateway_is_away_and_finds_it_again(server) -> None:
    clock = virtual_clock()
    await server.stop()
    bus = TcpBus(server.url, TIMEOUT_S, clock)
    with pytest.raises(NoAnswerError, match="cannot connect"):
        await bus.read(1, "holding", 0, 1)
    with pytest.raises(RestingError, match="next attempt in"):
        await bus.read(1, "holding", 0, 1)
    waits = []
    for _ in range(9):
        waits.append(bus._breaker.wait_s())
        await clock.sleep(waits[-1])
        with pytest.raises(NoAnswerError, match="cannot connect"):
            await bus.read(1, "holding", 0, 1)
    assert 0 < waits[0] <= 1
    assert 30 <= bus._breaker.wait_s() <= 60
    await server.start()
    await clock.sleep(60)
    assert list(await bus.read(1, "holding", 5, 1)) == [5]
    await bus.close()


async def test_only_one_request_is_on_the_line(server, bus) -> None:
    busy = False

    async def slow(frame, n):
        nonlocal busy
        assert not busy
        busy = True
        await asyncio.sleep(0.005)
        busy = False
        return await server.echo(frame, n)

    server.answer = slow
    answers = await asyncio.gather(*(bus.read(1, "holding", n, 1) for n in range(10)))
    assert [list(answer) for answer in answers] == [[n] for n in range(10)]
    assert server.connections == 1


async def test_a_cancelled_question_leaves_no_answer_behind(server, bus) -> None:
    task = asyncio.create_task(bus.read(1, "holding", 40, 1))

    async def slow(frame, n):
        await asyncio.sleep(0.02)
        return await server.echo(frame, n)

    server.answer = slow
    await asyncio.sleep(0.01)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert list(await bus.read(1, "holding", 50, 1)) == [50]


async def test_survives_random_bytes(server, bus) -> None:
    import random

    chance = random.Random(1)

    async def noise(frame, n):
        return chance.randbytes(chance.randrange(1, 300)) if n % 2 else await server.echo(frame, n)

    server.answer = noise
    good = 0
    for _ in range(60):
        with contextlib.suppress(GarbageAnswerError, NoAnswerError):
            assert list(await bus.read(1, "holding", 77, 2)) == [77, 78]
            good += 1
    assert good == 30


@pytest.mark.parametrize("url", ["http://127.0.0.1:502", "tcp://", "127.0.0.1:502"])
def test_another_scheme_is_refused(url) -> None:
    with pytest.raises(ConfigError, match="tcp://host:port"):
        TcpBus(url, 1, RealClock())
