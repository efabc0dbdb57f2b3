"""How a gateway wants to be talked to: its settings, its limits and its moods."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from drivers.modbus.connection import Bus, RtuTcpBus, TcpBus
from hub.clock import RealClock
from hub.ports import ConfigError, GarbageAnswerError, NoAnswerError
from hub.site import Line
from tests.drivers.memory import VIRTUAL
from tests.drivers.wires import Wire, honest

pytestmark = VIRTUAL
TIMEOUT_S = 0.15
FOREVER_S = 5.0


@pytest.fixture(params=[True, False], ids=["tcp", "rtu+tcp"])
async def wire(request) -> AsyncIterator[Wire]:
    made = Wire(framed=request.param)
    await made.listen()
    yield made
    await made.close()


@pytest.fixture
async def tcp() -> AsyncIterator[Wire]:
    made = Wire(framed=True)
    await made.listen()
    yield made
    await made.close()


@contextlib.asynccontextmanager
async def bus_to(
    wire: Wire, timeout_s: float = TIMEOUT_S, **settings: object
) -> AsyncIterator[Bus]:
    bus = wire.bus(timeout_s, Line(**settings))
    yield bus
    await bus.close()


async def test_a_gateway_for_one_connection_never_has_to_refuse_one(wire) -> None:
    """Polls, commands and a probe at once, with a unit that is dead and answers that are late."""
    wire.most = 1

    async def moody(adu, send, n):
        if adu[0] != 9:
            send(honest(adu))

    wire.answer = moody
    async with bus_to(wire, 0.03) as bus:

        async def ask(unit_id: int) -> None:
            for n in range(8):
                with contextlib.suppress(NoAnswerError, GarbageAnswerError):
                    await bus.read(unit_id, "holding", n, 2)
                    await bus.write(unit_id, "holding", n, [n])

        await asyncio.gather(*(ask(unit_id) for unit_id in (1, 2, 3, 9)))
    assert wire.refused == 0
    assert len([adu for adu in wire.questions if adu[0] != 9]) == 3 * 16


async def test_a_new_connection_waits_until_the_last_one_can_have_been_noticed(wire) -> None:
    wire.most, wire.slow_s = 1, 0.01

    async def silent(adu, send, n):
        if n > 2:
            send(honest(adu))

    wire.answer = silent
    async with bus_to(wire, 0.05) as bus:
        for _ in range(2):
            with pytest.raises(NoAnswerError):
                await bus.read(1, "holding", 0, 1)
        assert list(await bus.read(1, "holding", 0, 1)) == [1000]
    assert (wire.connections > 1, wire.refused) == (True, 0)


async def test_the_line_rests_between_questions_and_after_connecting(wire) -> None:
    rest = timedelta(seconds=0.05)
    async with bus_to(wire, pause_between=rest, pause_after_connect=3 * rest) as bus:
        began = asyncio.get_running_loop().time()
        await asyncio.gather(*(bus.read(1, "holding", n, 1) for n in range(4)))
    assert wire.times[0] - began >= 0.145
    for before, after in zip(wire.times, wire.times[1:], strict=False):
        assert after - before >= 0.045


async def test_the_connection_is_left_when_the_poll_is_over_where_that_is_wished(wire) -> None:
    async with bus_to(wire, close_after_poll=True) as bus:
        for n in range(3):
            await bus.read(1, "holding", n, 1)
            await asyncio.sleep(0.02)
        assert (wire.connections, wire.open) == (1, 1)
        await asyncio.sleep(0.15)
        assert wire.open == 0
        assert list(await bus.read(1, "holding", 5, 1)) == [1005]
    assert wire.connections == 2


async def test_a_read_is_asked_again_as_often_as_the_settings_say_and_a_write_never(wire) -> None:
    async def silent(adu, send, n):
        return

    wire.answer = silent
    async with bus_to(wire, 0.03, retries=2) as bus:
        with pytest.raises(NoAnswerError):
            await bus.read(1, "holding", 0, 1)
        assert len(wire.questions) == 3
        with pytest.raises(NoAnswerError):
            await bus.write(1, "holding", 0, [1])
    assert len(wire.questions) == 4


async def test_a_second_try_that_is_answered_is_an_answer(wire) -> None:
    async def every_second(adu, send, n):
        if n % 2 == 0:
            send(honest(adu))

    wire.answer = every_second
    async with bus_to(wire, 0.03, retries=1) as bus:
        for n in range(5):
            assert list(await bus.read(1, "holding", n, 1)) == [1000 + n]


async def test_several_questions_are_on_the_line_where_that_is_allowed(tcp) -> None:
    """All are asked before the first is answered, and the answers come in the other order."""
    asked: list = []

    async def backwards(adu, send, n):
        asked.append((adu, send))
        if len(asked) == 8:
            for one, back in reversed(asked):
                back(honest(one))
            asked.clear()

    tcp.answer = backwards
    async with bus_to(tcp, FOREVER_S, in_flight=8) as bus:
        reads = [bus.read(1 + n % 3, "holding", n, 1) for n in range(32)]
        answers = await asyncio.gather(*reads)
    assert [list(one) for one in answers] == [[(1 + n % 3) * 1000 + n] for n in range(32)]
    assert tcp.connections == 1


async def test_in_flight_is_a_limit(tcp) -> None:
    busy = most = 0

    async def slow(adu, send, n):
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        await asyncio.sleep(0.005)
        busy -= 1
        send(honest(adu))

    tcp.answer = slow
    async with bus_to(tcp, in_flight=3) as bus:
        await asyncio.gather(*(bus.read(1, "holding", n, 1) for n in range(20)))
    assert most == 3


@pytest.mark.parametrize("kind", [RtuTcpBus, TcpBus])
def test_several_questions_need_answers_that_can_be_told_apart(kind) -> None:
    scheme = "tcp" if kind is TcpBus else "rtu+tcp"
    with pytest.raises(ConfigError, match="in_flight above 1"):
        kind(
            f"{scheme}://127.0.0.1:1",
            1,
            RealClock(),
            Line(in_flight=2, transaction_ids="lenient"),
        )


async def own_number(adu, send, n) -> None:
    answer = honest(adu)
    send.raw(b"\x00\x00\x00\x00" + len(answer).to_bytes(2, "big") + answer)


async def test_a_gateway_that_numbers_by_itself_is_named_when_strict(tcp) -> None:
    tcp.answer = own_number
    async with bus_to(tcp) as bus:
        with pytest.raises(GarbageAnswerError, match="write transaction_ids: lenient"):
            await bus.read(1, "holding", 0, 1)


async def test_a_gateway_that_numbers_by_itself_is_read_when_lenient(tcp) -> None:
    tcp.answer = own_number
    async with bus_to(tcp, transaction_ids="lenient") as bus:
        for n in range(5):
            assert list(await bus.read(1, "holding", n, 2)) == [1000 + n, 1001 + n]
    assert tcp.connections == 1


async def test_a_lenient_gateway_s_answer_must_still_fit_the_question(tcp) -> None:
    async def other(adu, send, n):
        send(honest(bytes([9]) + adu[1:]) if n == 1 else honest(adu))

    tcp.answer = other
    async with bus_to(tcp, transaction_ids="lenient") as bus:
        with pytest.raises(GarbageAnswerError, match="unit id 9 answered for 1"):
            await bus.read(1, "holding", 0, 1)
        assert list(await bus.read(1, "holding", 3, 1)) == [1003]


async def test_an_idle_connection_that_ends_just_as_it_is_used_costs_no_reading(wire) -> None:
    async def hang_up(adu, send, n):
        if n % 2 == 0:
            wire.hang_up()
        else:
            send(honest(adu))

    wire.answer = hang_up
    async with bus_to(wire, FOREVER_S) as bus:
        for n in range(6):
            assert list(await bus.read(1, "holding", n, 1)) == [1000 + n]
    assert wire.connections > 2


async def test_a_write_is_not_repeated_when_the_connection_ends(wire) -> None:
    async def hang_up(adu, send, n):
        if n == 1:
            send(honest(adu))
        else:
            wire.hang_up()

    wire.answer = hang_up
    async with bus_to(wire, FOREVER_S) as bus:
        await bus.read(1, "holding", 0, 1)
        with pytest.raises(NoAnswerError, match="closed the connection"):
            await bus.write(1, "holding", 0, [1])
    assert len(wire.questions) == 2


async def test_a_device_that_hangs_up_on_every_new_connection_is_left_alone_for_longer(
    wire,
) -> None:
    """Five times in a row, then it behaves: it is read again without a restart."""

    async def hang_up(adu, send, n):
        if n <= 5:
            wire.hang_up()
        else:
            send(honest(adu))

    wire.answer = hang_up
    waits = []
    async with bus_to(wire, FOREVER_S) as bus:
        for _ in range(5):
            with pytest.raises(NoAnswerError, match="closed the connection"):
                await bus.read(1, "holding", 0, 1)
            waits.append(max(bus._breaker.wait_s(), 0))
            await asyncio.sleep(waits[-1])
        assert list(await bus.read(1, "holding", 0, 1)) == [1000]
    assert waits[0] == 0
    assert waits[1] > 0
    assert sum(waits) <= 15


async def test_one_probe_decides_for_all_who_wait_while_a_gateway_is_away(wire) -> None:
    tries = 0
    async with bus_to(wire) as bus:
        way_open = bus._way.open

        async def away(make):
            nonlocal tries
            tries += 1
            raise ConnectionRefusedError(111, "refused")

        object.__setattr__(bus._way, "open", away)
        for expected in (1, 2):
            await asyncio.sleep(100)
            found = await asyncio.gather(
                *(bus.read(1, "holding", n, 1) for n in range(20)), return_exceptions=True
            )
            assert all(isinstance(one, NoAnswerError) for one in found)
            assert tries == expected
        object.__setattr__(bus._way, "open", way_open)
        await asyncio.sleep(100)
        assert list(await bus.read(1, "holding", 0, 1)) == [1000]


async def test_a_link_that_is_cut_for_a_while_comes_back_without_a_restart(wire) -> None:
    """Nothing gets through, the socket stays open: only unanswered questions tell."""
    cut = True

    async def dead(adu, send, n):
        if not cut:
            send(honest(adu))

    wire.answer = dead
    async with bus_to(wire, 0.03) as bus:
        for _ in range(6):
            with pytest.raises(NoAnswerError):
                await bus.read(1, "holding", 0, 1)
        assert wire.connections >= 3
        cut = False
        await asyncio.sleep(60)
        assert list(await bus.read(1, "holding", 0, 1)) == [1000]
