"""RTU frames, where nothing but a checksum and good manners keep answers apart."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator

import pytest

from drivers.modbus.connection import Bus
from drivers.modbus.serial import byte_s
from hub.ports import ExceptionAnswerError, GarbageAnswerError, NoAnswerError
from hub.site import Line
from tests.drivers.late_answers import KINDS, late_answers
from tests.drivers.memory import VIRTUAL
from tests.drivers.wires import Wire, honest, rtu

pytestmark = VIRTUAL
TIMEOUT_S = 0.2
GAP_S = 0.02


@pytest.fixture(params=["rtu+tcp", "serial"])
async def wire(request) -> AsyncIterator[Wire]:
    made = Wire()
    if request.param == "serial":
        made.plug()
    else:
        await made.listen()
    yield made
    await made.close()


@pytest.fixture
async def bus(wire) -> AsyncIterator[Bus]:
    made = wire.bus(TIMEOUT_S)
    yield made
    await made.close()


async def test_reads_and_writes_all_tables(wire, bus) -> None:
    assert list(await bus.read(7, "holding", 100, 3)) == [7100, 7101, 7102]
    assert list(await bus.read(7, "input", 5, 1)) == [7005]
    assert list(await bus.read(7, "coil", 0, 3)) == [1, 0, 1]
    assert list(await bus.read(7, "discrete", 0, 10)) == [1, 0] * 5
    await bus.write(1, "holding", 4, [505])
    await bus.write(1, "holding", 4, [505], 6)
    await bus.write(1, "coil", 2, [1])
    await bus.write(1, "coil", 2, [1, 0])
    assert [adu[1] for adu in wire.questions] == [3, 4, 1, 2, 16, 6, 5, 15]


async def test_an_exception_is_said_with_its_code(wire, bus) -> None:
    async def refuse(adu, send, n):
        send(bytes([adu[0], adu[1] | 0x80, 2]))

    wire.answer = refuse
    for _ in range(3):
        with pytest.raises(ExceptionAnswerError) as caught:
            await bus.read(1, "holding", 0, 1)
        assert caught.value.code == 2


@pytest.mark.parametrize("noise", [b"\x00", b"\xff" * 300, b"\x01\x03\x04", bytes(range(256))])
async def test_noise_before_and_after_an_answer_does_no_harm(wire, bus, noise) -> None:
    async def noisy(adu, send, n):
        send.raw(noise + rtu(honest(adu)) + noise)

    wire.answer = noisy
    for n in range(5):
        assert list(await bus.read(1, "holding", n, 2)) == [1000 + n, 1001 + n]


async def test_an_answer_in_pieces_is_put_together(wire, bus) -> None:
    async def slowly(adu, send, n):
        for byte in rtu(honest(adu)):
            send.raw(bytes([byte]))
            await asyncio.sleep(0)

    wire.answer = slowly
    assert list(await bus.read(1, "holding", 8, 2)) == [1008, 1009]


@pytest.mark.parametrize("at", [0, 5])
async def test_one_wrong_bit_anywhere_is_no_answer_and_the_next_one_is_good(wire, bus, at) -> None:
    async def flip(adu, send, n):
        frame = bytearray(rtu(honest(adu)))
        frame[at] ^= 0x10 if n == 1 else 0
        send.raw(bytes(frame))

    wire.answer = flip
    with pytest.raises(GarbageAnswerError, match="no whole answer with a right checksum"):
        await bus.read(1, "holding", 0, 2)
    assert list(await bus.read(1, "holding", 3, 2)) == [1003, 1004]


async def test_noise_inside_an_answer_is_garbage_and_the_next_one_is_good(wire, bus) -> None:
    async def split(adu, send, n):
        frame = rtu(honest(adu))
        send.raw(frame[:4] + b"\xaa\x55" * (n == 1) + frame[4:])

    wire.answer = split
    with pytest.raises(GarbageAnswerError):
        await bus.read(1, "holding", 0, 2)
    assert list(await bus.read(1, "holding", 3, 2)) == [1003, 1004]


async def test_the_next_question_after_silence_waits_until_the_line_is_quiet(wire, bus) -> None:
    async def silent_once(adu, send, n):
        if n > 1:
            send(honest(adu))

    wire.answer = silent_once
    with pytest.raises(NoAnswerError):
        await bus.read(1, "holding", 0, 1)
    given_up = asyncio.get_running_loop().time()
    assert list(await bus.read(2, "holding", 0, 1)) == [2000]
    assert wire.times[1] - given_up >= GAP_S * 0.9
    assert list(await bus.read(1, "holding", 0, 1)) == [1000]
    assert wire.times[2] - given_up >= TIMEOUT_S * 0.9


async def test_a_dead_unit_costs_the_others_one_timeout_and_a_gap(wire, bus) -> None:
    async def dead(adu, send, n):
        if adu[0] != 9:
            send(honest(adu))

    wire.answer = dead
    for _ in range(3):
        with pytest.raises(NoAnswerError):
            await bus.read(9, "holding", 0, 1)
        began = asyncio.get_running_loop().time()
        for unit_id in range(1, 9):
            assert list(await bus.read(unit_id, "holding", 0, 1)) == [unit_id * 1000]
        assert asyncio.get_running_loop().time() - began < 8 * 0.02 + GAP_S + 0.1


async def test_a_late_answer_of_one_unit_is_not_taken_for_another_s(wire, bus) -> None:
    async def late(adu, send, n):
        if adu[0] == 9:
            await asyncio.sleep(TIMEOUT_S + GAP_S + 0.01)
        else:
            await asyncio.sleep(0.03)
        send(honest(adu))

    wire.answer = late
    with pytest.raises(NoAnswerError):
        await bus.read(9, "holding", 40, 1)
    assert list(await bus.read(1, "holding", 60, 1)) == [1060]


async def test_a_line_that_never_falls_quiet_is_given_up(wire, bus, monkeypatch) -> None:
    monkeypatch.setattr("drivers.modbus.connection._GAP_S", 0.1)

    babbles = True

    async def babble(adu, send, n):
        while n == 1 and babbles:
            send.raw(b"\x55" * 8)
            await asyncio.sleep(0.005)

    wire.answer = babble
    async with asyncio.timeout(3):
        with pytest.raises(GarbageAnswerError):
            await bus.read(1, "holding", 0, 1)
        with pytest.raises(GarbageAnswerError, match="does not fall quiet"):
            await bus.read(1, "holding", 0, 1)
    babbles = False


async def test_a_cancelled_question_leaves_no_answer_behind(wire, bus) -> None:
    async def slow(adu, send, n):
        await asyncio.sleep({1: 0, 2: 0.05}.get(n, 0.1))
        send(honest(adu))

    wire.answer = slow
    await bus.read(3, "coil", 0, 1)
    task = asyncio.create_task(bus.read(1, "holding", 40, 1))
    while len(wire.questions) < 2:  # noqa: ASYNC110 - the wire has no event for it
        await asyncio.sleep(0.001)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert list(await bus.read(1, "holding", 50, 1)) == [1050]


async def test_random_bytes_are_survived(wire) -> None:
    chance = random.Random(5)

    async def noise(adu, send, n):
        send.raw(chance.randbytes(chance.randrange(1, 600)) if n % 2 else rtu(honest(adu)))

    wire.answer = noise
    bus = wire.bus(0.08)
    good = 0
    for _ in range(8):
        with contextlib.suppress(GarbageAnswerError, NoAnswerError):
            assert list(await bus.read(1, "holding", 77, 2)) == [1077, 1078]
            good += 1
    assert good == 4
    await bus.close()


@pytest.mark.parametrize("kind", KINDS)
async def test_no_late_or_garbled_answer_is_ever_stored(kind, full_scale) -> None:
    lines, wanted = (25, 10_000) if full_scale else (10, 500)
    bad, good, wrong = await late_answers(kind, lines, wanted)
    assert bad >= wanted
    assert good > wanted // 10
    assert wrong == 0


async def test_one_unanswered_question_does_not_shift_all_that_follow(wire, bus) -> None:
    """The trap of RTU over TCP: one late answer, then 50 reads without a pause."""

    async def once(adu, send, n):
        await asyncio.sleep(TIMEOUT_S * 1.5 if n == 2 else 0)
        send(honest(adu))

    wire.answer = once
    lost = 0
    for n in range(50):
        try:
            assert list(await bus.read(1, "holding", n * 10, 1)) == [1000 + n * 10]
        except NoAnswerError:
            lost += 1
    assert lost == 1


async def test_a_late_answer_that_a_gateway_passes_on_is_not_taken_for_the_next(wire, bus) -> None:
    """However the line was opened anew: two answers to one question mean that one was late."""
    first = b""

    async def pass_on(adu, send, n):
        nonlocal first
        if n == 1:
            first = adu
            return
        if n == 2:
            send(honest(first))
            await asyncio.sleep(0.01)
        send(honest(adu))

    wire.answer = pass_on
    with pytest.raises(NoAnswerError):
        await bus.read(1, "holding", 10, 1)
    with pytest.raises(GarbageAnswerError, match="a second answer followed"):
        await bus.read(1, "holding", 20, 1)
    assert list(await bus.read(1, "holding", 30, 1)) == [1030]


async def test_a_serial_line_rests_between_frames_and_may_be_slow() -> None:
    wire = Wire()
    wire.plug()
    bus = wire.bus(0.05, Line(baudrate=1200))
    for _ in range(3):
        await bus.read(1, "holding", 0, 1)
    rests = [after - before for before, after in zip(wire.times, wire.times[1:], strict=False)]
    assert min(rests) >= 3.5 * 10 / 1200 * 0.95

    async def at_wire_speed(adu, send, n):
        await asyncio.sleep(0.3)  # 8 bytes asked and 55 answered take 0.52 s at 1200 baud
        send(honest(adu))

    wire.answer = at_wire_speed
    assert len(await bus.read(1, "holding", 0, 25)) == 25
    await bus.close()
    await wire.close()


def test_the_time_of_a_byte_follows_the_settings_of_the_line() -> None:
    assert byte_s(Line(baudrate=9600)) == 10 / 9600
    assert byte_s(Line(baudrate=2400, parity="even")) == 11 / 2400
    assert byte_s(Line(baudrate=9600, stopbits=2)) == 11 / 9600
