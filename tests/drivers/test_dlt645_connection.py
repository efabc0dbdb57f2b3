"""The line behind a transparent gateway, a real serial port, and what goes wrong."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import tty
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from drivers.dlt645.connection import MeterLine
from drivers.dlt645.frame import (
    Frame,
    answer_to,
    command,
    frames_in,
    number_in,
    octets_of,
    question_about,
)
from drivers.octets import LineBus
from hub.clock import RealClock, VirtualClock
from hub.ports import (
    ConfigError,
    GarbageAnswerError,
    NoAnswerError,
    NotConnectedError,
    RestingError,
)
from hub.site import Gateway, Line
from tests.drivers.memory import VIRTUAL, MemoryLoop, virtual_clock
from tests.drivers.meters import dlt645, meter

ADDRESS = "000000000161"
METERS = [(meter(dlt645(), ADDRESS), dlt645())]
DI = "00010000"
TIMEOUT_S = 0.2
Answer = Callable[["Box", bytes], Awaitable[None]]


def said(question: bytes, value: int, address: str | None = None) -> bytes:
    """Return a sound answer with eight digits."""
    (frame,) = frames_in(question)
    digits = bytes.fromhex(f"{value:08d}")[::-1]
    return octets_of(Frame(address or frame.address, 0x91, frame.data[:4] + digits))


class Box:
    """A gateway: hands every question to ``answer``, which speaks on the newest connection."""

    def __init__(self) -> None:
        self.answer: Answer = count
        self.questions: list[bytes] = []
        self.connections = 0
        self.writer: asyncio.StreamWriter | None = None
        self.tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        if self.writer is not None:
            self.writer.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    def say(self, octets: bytes) -> None:
        if self.writer is not None and not self.writer.is_closing():
            self.writer.write(octets)

    def later(self, seconds: float, octets: bytes) -> None:
        async def late() -> None:
            await asyncio.sleep(seconds)
            self.say(octets)

        task = asyncio.create_task(late())
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writer = writer
        try:
            while octets := await reader.read(256):
                self.questions.append(octets)
                await self.answer(self, octets)
        except (ConnectionError, asyncio.CancelledError):
            return
        finally:
            writer.close()


async def count(box: Box, octets: bytes) -> None:
    """Answer with the number of the question."""
    box.say(said(octets, len(box.questions)))


@pytest.fixture
async def box() -> AsyncIterator[Box]:
    made = Box()
    await made.start()
    yield made
    await made.stop()


def bus_to(box: Box, timeout_s: float = TIMEOUT_S, **line: object) -> LineBus:
    url = f"tcp://127.0.0.1:{box.port}"
    return LineBus(Gateway("gw", url, timedelta(seconds=timeout_s), Line(**line)), virtual_clock())


@pytest.fixture
async def bus(box) -> AsyncIterator[LineBus]:
    made = bus_to(box)
    yield made
    await made.close()


async def ask(bus: LineBus, di: str = DI) -> int:
    question = question_about(ADDRESS, di)
    answer = await bus.ask(octets_of(question), partial(answer_to, question))
    number = number_in(answer.data[4:])
    assert number is not None
    return number


@VIRTUAL
async def test_questions_share_one_connection_one_at_a_time(box, bus) -> None:
    assert await asyncio.gather(*(ask(bus) for _ in range(5))) == [1, 2, 3, 4, 5]
    assert box.connections == 1


@VIRTUAL
async def test_an_answer_may_come_octet_by_octet(box, bus) -> None:
    async def slowly(box: Box, octets: bytes) -> None:
        for octet in said(octets, 42):
            box.say(bytes([octet]))
            await asyncio.sleep(0.001)

    box.answer = slowly
    assert await ask(bus) == 42


@VIRTUAL
async def test_an_answer_stands_among_noise(box, bus) -> None:
    async def noisy(box: Box, octets: bytes) -> None:
        box.say(b"\x00\x68\xff\x68" + said(octets, 42) + b"\x16\x68\x68")

    box.answer = noisy
    assert await ask(bus) == 42
    box.answer = count
    assert await ask(bus) == 2
    assert box.connections == 1


@VIRTUAL
async def test_a_wrong_checksum_is_garbage_and_the_next_answer_is_right(box, bus) -> None:
    async def once(box: Box, octets: bytes) -> None:
        sound = said(octets, 42)
        box.say(sound[:-2] + bytes([sound[-2] ^ 1, sound[-1]]))

    box.answer = once
    with pytest.raises(GarbageAnswerError, match="no answer among the 24 octets heard: fe fe"):
        await ask(bus)
    box.answer = count
    assert await ask(bus) == 2


@VIRTUAL
async def test_the_answer_of_another_meter_is_not_taken(box, bus) -> None:
    async def other(box: Box, octets: bytes) -> None:
        box.say(said(octets, 13, address="000000000162"))

    box.answer = other
    with pytest.raises(GarbageAnswerError):
        await ask(bus)


@VIRTUAL
async def test_noise_without_end_ends_at_the_deadline_and_the_connection(box, bus) -> None:
    async def flood(box: Box, octets: bytes) -> None:
        box.say(b"\x68" * 100_000)

    box.answer = flood
    async with asyncio.timeout(2):
        with pytest.raises(GarbageAnswerError, match="garbage without end"):
            await ask(bus)
    box.answer = count
    assert await ask(bus) == 2
    assert box.connections == 2


@VIRTUAL
async def test_a_late_answer_is_not_taken_for_the_next_question_even_if_it_is_the_same(
    box, bus
) -> None:
    async def late(box: Box, octets: bytes) -> None:
        if len(box.questions) == 1:
            box.later(TIMEOUT_S * 1.5, said(octets, 1))
        else:
            box.later(TIMEOUT_S * 0.8, said(octets, len(box.questions)))

    box.answer = late
    with pytest.raises(NoAnswerError):
        await ask(bus)
    assert await ask(bus) == 2


@VIRTUAL
async def test_an_answer_that_comes_much_too_late_stays_behind_with_its_connection(
    box, bus
) -> None:
    async def late(box: Box, octets: bytes) -> None:
        if len(box.questions) == 1:
            old, octets = box.writer, said(octets, 1)

            async def much_later() -> None:
                await asyncio.sleep(TIMEOUT_S * 2.2)
                old.write(octets)

            box.tasks.add(asyncio.create_task(much_later()))
        else:
            box.later(TIMEOUT_S * 0.8, said(octets, len(box.questions)))

    box.answer = late
    with pytest.raises(NoAnswerError):
        await ask(bus)
    assert await ask(bus) == 2
    assert box.connections == 2


@VIRTUAL
async def test_an_answer_owed_by_a_closed_connection_is_not_taken_on_the_new_one(box, bus) -> None:
    async def close(box: Box, octets: bytes) -> None:
        if len(box.questions) == 1:
            box.later(TIMEOUT_S * 0.5, said(octets, 1))
            box.writer.close()
        else:
            box.later(TIMEOUT_S * 0.9, said(octets, len(box.questions)))

    box.answer = close
    with pytest.raises(NoAnswerError, match="closed"):
        await ask(bus)
    assert await ask(bus) == 2


@VIRTUAL
async def test_two_unanswered_questions_make_a_new_connection(box, bus) -> None:
    async def nothing(box: Box, octets: bytes) -> None:
        return None

    await ask(bus)
    box.answer = nothing
    for di in ("00010100", "00010200"):
        with pytest.raises(NoAnswerError):
            await ask(bus, di)
    box.answer = count
    assert await ask(bus) == 4
    assert box.connections == 2


@VIRTUAL
async def test_a_closed_connection_is_said_at_once_and_opened_again(box) -> None:
    bus = bus_to(box, timeout_s=0.6)

    async def close(box: Box, octets: bytes) -> None:
        box.writer.close()

    box.answer = close
    async with asyncio.timeout(0.4):
        with pytest.raises(NoAnswerError, match="closed the connection"):
            await ask(bus)
    box.answer = count
    assert await ask(bus) == 2
    await bus.close()


@VIRTUAL
async def test_a_gateway_that_is_not_there_is_left_alone_for_a_while(box, bus) -> None:
    await box.stop()
    with pytest.raises(NotConnectedError, match="cannot connect"):
        await ask(bus)
    with pytest.raises(RestingError, match="next attempt in"):
        await ask(bus)


@VIRTUAL
async def test_a_cancelled_question_leaves_no_answer_for_the_next(box, bus) -> None:
    async def late(box: Box, octets: bytes) -> None:
        box.later(0.15 if len(box.questions) == 1 else 0.14, said(octets, len(box.questions)))

    box.answer = late
    task = asyncio.create_task(ask(bus))
    await asyncio.sleep(0.05)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert await ask(bus) == 2


@VIRTUAL
async def test_reads_are_asked_again_as_often_as_the_gateway_says_commands_never(box) -> None:
    async def third(box: Box, octets: bytes) -> None:
        if len(box.questions) == 3:
            await count(box, octets)

    box.answer = third
    bus = bus_to(box, timeout_s=0.1, retries=2)
    assert await ask(bus) == 3
    trip = command(ADDRESS, "trip", "02000000", datetime(2026, 11, 21, tzinfo=UTC))
    with pytest.raises(NoAnswerError):
        await MeterLine(bus, METERS).command(trip)
    assert len(box.questions) == 4
    await bus.close()


@VIRTUAL
async def test_what_nobody_answers_is_sent_and_not_waited_for(box, bus) -> None:
    line = MeterLine(bus, METERS)
    await line.tell(Frame("9" * 12, 0x08, bytes(6)))
    assert await ask(bus) == 2
    assert frames_in(box.questions[0])[0].control == 0x08


@pytest.mark.parametrize("url", ["rtu+tcp://127.0.0.1:1", "http://127.0.0.1:1"])
def test_a_url_for_another_protocol_is_refused(url) -> None:
    with pytest.raises(ConfigError, match=r"gateway gw: .* goes over tcp:// .* or serial://"):
        LineBus(Gateway("gw", url, timedelta(seconds=1)), RealClock())


@pytest.mark.parametrize("setting", [{"in_flight": 2}, {"close_after_poll": True}])
def test_a_setting_that_would_do_nothing_is_refused(setting) -> None:
    with pytest.raises(ConfigError, match="are for Modbus gateways"):
        LineBus(
            Gateway("gw", "tcp://127.0.0.1:1", timedelta(seconds=1), Line(**setting)), RealClock()
        )


async def test_a_serial_port_is_read_like_a_gateway() -> None:
    ours, theirs = os.openpty()
    tty.setraw(ours)
    tty.setraw(theirs)
    url = f"serial://{os.ttyname(theirs)}"
    line = Line(baudrate=2400)  # a pseudo-terminal knows no parity
    bus = LineBus(Gateway("gw", url, timedelta(seconds=1), line), RealClock())
    loop, heard = asyncio.get_running_loop(), []

    def meter() -> None:
        octets = os.read(ours, 256)
        heard.append(octets)
        if len(heard) != 2:
            os.write(ours, said(octets, len(heard)))

    loop.add_reader(ours, meter)
    try:
        assert await ask(bus) == 1
        with pytest.raises(NoAnswerError):
            await ask(bus)
        assert await ask(bus) == 3
        assert all(octets.startswith(b"\xfe" * 4 + b"\x68") for octets in heard)
    finally:
        loop.remove_reader(ours)
        await bus.close()
        await asyncio.sleep(0.01)
        os.close(ours)
        os.close(theirs)


class Trouble:
    """A line on which, by chance, anything happens to an answer."""

    def __init__(self, seed: int, timeout_s: float) -> None:
        self._chance = random.Random(seed)
        self._timeout_s = timeout_s
        self.happened: dict[str, int] = {}

    async def answer(self, box: Box, octets: bytes) -> None:
        sound = said(octets, len(box.questions))
        kinds = (
            "right",
            "late",
            "spoilt",
            "other",
            "noise",
            "pieces",
            "silence",
            "short",
            "closed",
        )
        kind = self._chance.choices(kinds, (40, 12, 12, 8, 12, 8, 3, 4, 1))[0]
        self.happened[kind] = self.happened.get(kind, 0) + 1
        await getattr(self, f"_{kind}")(box, octets, sound)

    async def _right(self, box: Box, octets: bytes, sound: bytes) -> None:
        box.say(sound)

    async def _late(self, box: Box, octets: bytes, sound: bytes) -> None:
        box.later(self._timeout_s * self._chance.uniform(1.02, 1.8), sound)

    async def _spoilt(self, box: Box, octets: bytes, sound: bytes) -> None:
        at = self._chance.randrange(4, len(sound))
        box.say(sound[:at] + bytes([sound[at] ^ self._chance.randrange(1, 256)]) + sound[at + 1 :])

    async def _other(self, box: Box, octets: bytes, sound: bytes) -> None:
        box.say(
            said(octets, 77_777_777, address="000000000162") + self._chance.choice((b"", sound))
        )

    async def _noise(self, box: Box, octets: bytes, sound: bytes) -> None:
        around = [self._chance.randbytes(self._chance.randrange(30)) for _ in range(2)]
        box.say(around[0] + sound + around[1])

    async def _pieces(self, box: Box, octets: bytes, sound: bytes) -> None:
        at = self._chance.randrange(len(sound))
        box.say(sound[:at])
        await asyncio.sleep(0)
        box.say(sound[at:])

    async def _silence(self, box: Box, octets: bytes, sound: bytes) -> None:
        return

    async def _short(self, box: Box, octets: bytes, sound: bytes) -> None:
        box.say(sound[: self._chance.randrange(len(sound))])

    async def _closed(self, box: Box, octets: bytes, sound: bytes) -> None:
        box.writer.close()


async def live_through(clock: VirtualClock, questions: int) -> dict[str, int]:
    """Ask until the box has heard so many questions; every answer must be that of its question."""
    box, trouble, chance = Box(), Trouble(645, TIMEOUT_S), random.Random(188)
    box.answer = trouble.answer
    await box.start()
    url = f"tcp://127.0.0.1:{box.port}"
    bus = LineBus(Gateway("gw", url, timedelta(seconds=TIMEOUT_S)), clock)
    outcomes = {"right": 0, "failed": 0}
    while len(box.questions) < questions:
        before = len(box.questions)
        di = f"0001{chance.randrange(4):02d}00"
        try:
            value = await ask(bus, di)
        except (NoAnswerError, GarbageAnswerError):
            outcomes["failed"] += 1
            await clock.sleep(TIMEOUT_S * chance.choice((0, 0, 0.5, 10)))
        else:
            assert value == before + 1, trouble.happened
            outcomes["right"] += 1
    await bus.close()
    await box.stop()
    assert len(trouble.happened) == 9
    return outcomes


@pytest.mark.timeout(1800)
def test_whatever_happens_on_the_line_no_answer_is_a_wrong_one(full_scale) -> None:
    loop = MemoryLoop()
    questions = 10_000 if full_scale else 500
    try:
        outcomes = loop.run_until_complete(live_through(VirtualClock(loop, 0, 1), questions))
    finally:
        loop.close()
    assert outcomes["right"] > 0.5 * questions
    assert outcomes["failed"] > 0.1 * questions
