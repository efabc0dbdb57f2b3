"""Every fault of a line, byte by byte before a real server and in place; what a bus makes of it.

The bus is the drivers' own; the server is pymodbus's; what comes out must be the same both ways.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

import pytest

from hub.clock import RealClock
from hub.ports import (
    DeviceError,
    ExceptionAnswerError,
    GarbageAnswerError,
    NoAnswerError,
    NotConnectedError,
)
from simulators import faulty_bus
from simulators.faults import BUSY, KINDS, Wire, WireFault
from simulators.faulty_bus import FaultyBus
from simulators.framing import crc
from tests.simulators.faulty_stage import SCHEMES, TIMEOUT_S, Registers, real_bus, served

PATIENT_S = 0.4  # where something is to come within the timeout
HEARD_OUT_S = 1.0  # how long a foreign client waits for more
TOGETHER = 4  # lines at once whose answers must come within the short timeout
FOREVER = 1 << 60


async def asked(bus: Any, address: int = 4, count: int = 3, unit_id: int = 1) -> str | list[int]:
    """Return the registers, or in one word what came instead."""
    try:
        return list(await bus.read(unit_id, "holding", address, count))
    except ExceptionAnswerError as error:
        return f"exception {error.code}"
    except GarbageAnswerError:
        return "garbage"
    except NoAnswerError:
        return "silence"


def fault(kind: str, **more: Any) -> WireFault:
    return WireFault(kind, 0, FOREVER, **more)


async def of_each(judge: Callable[[str], Awaitable[None]], kinds: Iterable[str], most: int) -> None:
    """Judge so many kinds of faults beside each other, as most is waiting; name those that fail."""
    turn, kinds = asyncio.Semaphore(most), list(kinds)

    async def one(kind: str) -> None:
        async with turn:
            await judge(kind)

    ends = await asyncio.gather(*map(one, kinds), return_exceptions=True)
    failed = {kind: end for kind, end in zip(kinds, ends, strict=True) if end}
    if failed:
        raise BaseExceptionGroup(f"failed: {', '.join(failed)}", list(failed.values()))


RIGHT = [1004, 1005, 1006]
EXPECTED: dict[str, dict[str, Any]] = {
    "delay": dict.fromkeys(SCHEMES, RIGHT),
    "timeout": dict.fromkeys(SCHEMES, "silence"),
    "crc_error": {"tcp": "silence", "rtu+tcp": "garbage"},
    "wrong_unit": dict.fromkeys(SCHEMES, "garbage"),
    "wrong_function": dict.fromkeys(SCHEMES, "garbage"),
    "stale_answer": dict.fromkeys(SCHEMES, "silence"),
    "split_frame": dict.fromkeys(SCHEMES, RIGHT),
    "dropped_connection": dict.fromkeys(SCHEMES, "silence"),
    "one_connection_only": dict.fromkeys(SCHEMES, RIGHT),
    "gateway_busy": dict.fromkeys(SCHEMES, f"exception {BUSY}"),
    "own_transaction_id": {"tcp": "garbage", "rtu+tcp": RIGHT},
    "garbage_before": {"tcp": "garbage", "rtu+tcp": RIGHT},
    "garbage_inside": dict.fromkeys(SCHEMES, "garbage"),
    # without a checksum, octets after an answer cannot be told from one that slipped into it
    "garbage_after": {"tcp": "garbage", "rtu+tcp": RIGHT},
    "frozen": dict.fromkeys(SCHEMES, RIGHT),
    "link_cut": dict.fromkeys(SCHEMES, "silence"),
}
NEVER_STRUCK = ("one_connection_only", "link_cut")  # they meet connections, not transactions
MORE = {"delay": {"delay_s": 0.02}}


def test_every_kind_is_judged_here():
    assert set(EXPECTED) | {"exception"} == set(KINDS)


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("kind", EXPECTED)
async def test_a_bus_behind_a_faulty_line_reads_rightly_or_not_at_all(kind, scheme):
    wire = Wire([fault(kind, **MORE.get(kind, {}))], 7)
    wanted = EXPECTED[kind][scheme]
    timeout_s = TIMEOUT_S if wanted == "silence" else PATIENT_S
    async with served(scheme, wire) as proxy, real_bus(scheme, proxy.port, timeout_s) as bus:
        assert await asked(bus) == wanted
    assert wire.hits == [int(kind not in NEVER_STRUCK)]


QUESTION = {
    "tcp": bytes.fromhex("0042 0000 0006 01 03 0004 0003"),
    "rtu+tcp": (body := bytes.fromhex("01 03 0004 0003")) + crc(body),
}
ANSWER = {
    "tcp": bytes.fromhex("0042 0000 0009 01 03 06 03ec 03ed 03ee"),
    "rtu+tcp": (body := bytes.fromhex("01 03 06 03ec 03ed 03ee")) + crc(body),
}


async def heard(port: int, question: bytes, patience_s: float) -> tuple[list[bytes], float]:
    """Return the pieces in which bytes come back, as a foreign client sees them, and when."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    began_s = asyncio.get_running_loop().time()
    pieces, first_s = [], 0.0
    writer.write(question)
    try:
        while piece := await asyncio.wait_for(reader.read(1024), patience_s):
            first_s = first_s or asyncio.get_running_loop().time() - began_s
            pieces.append(piece)
    except (TimeoutError, ConnectionError):
        pass  # silence, or a gateway that hangs up
    writer.close()
    return pieces, first_s


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_the_proxy_changes_the_bytes_as_it_says(scheme):
    """Without this a proxy that does nothing would pass where the bus copes with the fault."""

    async def judge(kind: str) -> None:
        wire = Wire([fault(kind, **MORE.get(kind, {}))], 7)
        async with served(scheme, wire) as proxy:
            pieces, first_s = await heard(proxy.port, QUESTION[scheme], HEARD_OUT_S)
        _expect_changed(kind, scheme, pieces, first_s)

    await of_each(judge, EXPECTED, len(EXPECTED))


def _expect_changed(kind: str, scheme: str, pieces: Sequence[bytes], first_s: float) -> None:
    whole, answer = b"".join(pieces), ANSWER[scheme]
    unchanged = whole == answer
    match kind:
        case "timeout" | "stale_answer" | "link_cut":
            assert whole == b""
        case "crc_error":
            assert whole == (b"" if scheme == "tcp" else answer[:-2] + whole[-2:])
            assert not unchanged
        case "delay":
            assert unchanged
            assert first_s >= MORE["delay"]["delay_s"]
        case "split_frame":
            assert unchanged
            assert len(pieces) > 2
        case "garbage_after":
            assert whole.startswith(answer)
            assert len(whole) > len(answer)
        case "garbage_before":
            assert whole.endswith(answer)
            assert len(whole) > len(answer)
        case "dropped_connection":
            assert answer.startswith(whole)
            assert 0 < len(whole) < len(answer)
        case "own_transaction_id":
            assert whole[2:] == answer[2:]
            assert unchanged == (scheme == "rtu+tcp")
        case "one_connection_only" | "frozen":
            assert unchanged
        case _:
            assert whole
            assert not unchanged


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("kind", EXPECTED)
async def test_in_place_it_is_the_same(kind, scheme):
    wire = Wire([fault(kind, **MORE.get(kind, {}))], 7)
    bus = FaultyBus(Registers(), wire, RealClock(1), TIMEOUT_S, rtu=scheme != "tcp")
    assert await asked(bus) == EXPECTED[kind][scheme]


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("code", [1, 2, 3, 4, 5, 6, 11])
async def test_exceptions_come_with_their_code_and_eleven_is_silence(scheme, code):
    expected = "silence" if code == 11 else f"exception {code}"
    wire = Wire([fault("exception", code=code)], 7)
    async with served(scheme, wire) as proxy, real_bus(scheme, proxy.port, PATIENT_S) as bus:
        assert await asked(bus) == expected
    in_place = FaultyBus(Registers(), wire, RealClock(1), TIMEOUT_S)
    assert await asked(in_place) == expected
    assert wire.hits == [2]


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_of_many_reads_through_a_faulty_line_not_one_is_wrong(scheme):
    """Ask for other registers each time, so that an answer to another question is seen."""

    async def judge(kind: str) -> None:
        wire = Wire([fault(kind, share=0.4, **MORE.get(kind, {}))], 7)
        async with served(scheme, wire) as proxy, real_bus(scheme, proxy.port) as bus:
            right = 0
            for n in range(12):
                found = await asked(bus, address=3 * n % 40, count=2 + n % 3, unit_id=1 + n % 2)
                if isinstance(found, list):
                    assert found == [1000 + 3 * n % 40 + k for k in range(2 + n % 3)]
                    right += 1
        assert right or kind == "dropped_connection"  # that one waits before it connects again

    await of_each(judge, (kind for kind in EXPECTED if kind != "link_cut"), TOGETHER)


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_a_stale_answer_is_never_taken_for_the_next_one(scheme):
    """The late answer is right before the next one on the wire: field failure M1."""
    wire = Wire([fault("stale_answer", share=0.5)], 3)
    async with served(scheme, wire) as proxy, real_bus(scheme, proxy.port) as bus:
        for n in range(16):
            found = await asked(bus, address=2 * n, count=2)
            assert found in ("silence", [1000 + 2 * n, 1001 + 2 * n])
    assert wire.hits[0] > 3


async def test_in_place_a_stale_answer_is_never_taken_either(monkeypatch):
    async def wrong_ones() -> int:
        wire = Wire([fault("stale_answer", share=0.5)], 3)
        bus = FaultyBus(Registers(), wire, RealClock(1), 0.001)
        found = [(n, await asked(bus, address=2 * n, count=2)) for n in range(40)]
        assert wire.hits[0] > 10
        return sum(one not in ("silence", [1000 + 2 * n, 1001 + 2 * n]) for n, one in found)

    assert await wrong_ones() == 0
    monkeypatch.setattr(
        faulty_bus, "answer_to", lambda _question, heard, *, lenient: heard[0].words
    )
    assert await wrong_ones() > 5  # the control: without the check it would be taken


async def test_a_lenient_bus_reads_a_gateway_that_numbers_by_itself():
    wire = Wire([fault("own_transaction_id")], 7)
    async with (
        served("tcp", wire) as proxy,
        real_bus("tcp", proxy.port, PATIENT_S, transaction_ids="lenient") as bus,
    ):
        assert await asked(bus) == RIGHT
    in_place = FaultyBus(Registers(), wire, RealClock(1), TIMEOUT_S, lenient=True)
    assert await asked(in_place) == RIGHT


async def test_where_one_connection_is_allowed_a_second_one_is_refused():
    wire = Wire([fault("one_connection_only")], 7)
    async with (
        served("tcp", wire) as proxy,
        real_bus("tcp", proxy.port, PATIENT_S) as first,
        real_bus("tcp", proxy.port) as second,
    ):
        assert await asked(first) == RIGHT
        assert wire.hits == [0]
        assert await asked(second) == "silence"
        assert await asked(first) == RIGHT
    assert wire.hits[0] >= 1


async def test_a_frozen_device_says_the_same_for_ever_and_moves_on_afterwards():
    values = [10]

    class Counting(Registers):
        async def read(self, unit_id, table, address, count):
            values[0] += 1
            return values * count

    class Clock(RealClock):
        now = 5_000

        def now_ms(self) -> int:
            return self.now

    clock = Clock(1)
    wire = Wire([WireFault("frozen", 5_000, 6_000)], 7)
    bus = FaultyBus(Counting(), wire, clock, TIMEOUT_S)
    assert [await asked(bus, count=1) for _ in range(3)] == [[11], [11], [11]]
    clock.now = 6_000
    assert await asked(bus, count=1) == [14]


async def test_a_fault_of_one_unit_leaves_the_others_alone_and_ends_in_its_time():
    wire = Wire([WireFault("timeout", 1_000, 2_000, unit_id=2)], 7)
    assert wire.strike(1, 1_500) is None
    assert wire.strike(2, 999) is None
    assert wire.strike(2, 1_000) is not None
    assert wire.strike(2, 2_000) is None


def test_the_same_seed_strikes_the_same_transactions():
    runs = [Wire([fault("timeout", share=0.3)], seed) for seed in (4, 4, 5)]
    struck = [[bool(wire.strike(1, 0)) for _ in range(200)] for wire in runs]
    assert struck[0] == struck[1] != struck[2]
    assert 30 < sum(struck[0]) < 90


async def test_a_write_whose_answer_is_spoiled_may_still_have_happened():
    registers = Registers()
    bus = FaultyBus(registers, Wire([fault("wrong_unit")], 7), RealClock(1), TIMEOUT_S)
    with pytest.raises(GarbageAnswerError):
        await bus.write(1, "holding", 4, [50])
    assert registers.written == [(50,)]
    refused = FaultyBus(registers, Wire([fault("exception", code=4)], 7), RealClock(1), TIMEOUT_S)
    with pytest.raises(ExceptionAnswerError):
        await refused.write(1, "holding", 4, [60])
    assert registers.written == [(50,)]


async def test_a_cut_link_is_no_connection_and_heals():
    now = [0]

    class Clock(RealClock):
        def now_ms(self) -> int:
            return now[0]

    wire = Wire([WireFault("link_cut", 100, 200)], 7)
    async with (
        served("tcp", wire, Clock(1)) as proxy,
        real_bus("tcp", proxy.port, PATIENT_S) as bus,
    ):
        assert await asked(bus) == RIGHT
        now[0] = 100
        assert await asked(bus) == "silence"
        now[0] = 200
        async with asyncio.timeout(10):
            while await asked(bus) != RIGHT:  # noqa: ASYNC110 - a bus is asked, it tells nobody
                await asyncio.sleep(0.05)
    in_place = FaultyBus(Registers(), wire, Clock(1), TIMEOUT_S)
    now[0] = 150
    with pytest.raises(NotConnectedError):
        await in_place.read(1, "holding", 0, 1)


def test_the_checksum_is_that_of_the_standard():
    assert crc(bytes.fromhex("010300000001")).hex() == "840a"
    assert crc(bytes.fromhex("0103020007")).hex() == "f986"


def test_errors_of_a_line_are_errors_of_a_device():
    assert issubclass(NotConnectedError, NoAnswerError)
    assert issubclass(NoAnswerError, DeviceError)
