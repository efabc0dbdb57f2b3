"""Captures of other people's devices and brokers pass through our parsers."""

from __future__ import annotations

import asyncio
import contextlib
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from pymodbus.framer import FramerSocket
from pymodbus.pdu import DecodePDU

from drivers.modbus.frame import REFUSAL, Question, bits_of, reading, words_of, writing
from drivers.modbus.tcp import TcpFraming
from hub.ports import Table
from tests.drivers.captures import CAPTURES, Segment, segments
from tests.drivers.mqtt_line import Ear, until

MODBUS, MQTT = 502, 1883
READS: dict[int, Table] = {1: "coil", 2: "discrete", 3: "holding", 4: "input"}
ORDERLY = ["icsnpp_modbus_example.pcap", "zeek_modbusSmall.pcap"]


def captured(name: str) -> list[Segment]:
    if not (CAPTURES / name).is_file():
        pytest.skip(f"the capture is not here: ../shared/data/pcap/{name}")
    return list(segments(CAPTURES / name))


def question_of(frame: bytes) -> Question | None:
    """Ask with our own code what a captured client asked; None where the hub never asks so."""
    unit_id, function = frame[6], frame[7]
    if function in READS and len(frame) == 12:
        return reading(unit_id, READS[function], *struct.unpack_from(">HH", frame, 8))
    if function in (5, 6) and len(frame) == 12:
        address, value = struct.unpack_from(">HH", frame, 8)
        return writing(unit_id, function, address, [value])
    if function in (15, 16) and len(frame) > 13:
        address, count = struct.unpack_from(">HH", frame, 8)
        data = frame[13:]
        values = (
            [data[n // 8] >> n % 8 & 1 for n in range(count)]
            if function == 15
            else list(struct.unpack(f">{count}H", data))
        )
        return writing(unit_id, function, address, values)
    return None


def conversations(found: list[Segment]) -> Iterator[tuple[Segment, Segment]]:
    """Pair each question with the answer that followed on its connection."""
    asked: dict[int, Segment] = {}
    for segment in found:
        if segment.target == MODBUS:
            asked[segment.source] = segment
        elif segment.target in asked:
            yield asked.pop(segment.target), segment


@pytest.mark.parametrize("name", ORDERLY)
def test_what_was_asked_is_asked_by_us_byte_for_byte_and_answered_with_pymodbus_s_values(name):
    framings: dict[int, TcpFraming] = {}
    read = 0
    for asked, answered in conversations(captured(name)):
        question = question_of(asked.data)
        if question is None:
            continue
        framing = framings.setdefault(asked.source, TcpFraming(lenient=False))
        number = int.from_bytes(asked.data[:2], "big")
        assert framing.frame(number, question) == asked.data
        ((found, answer),) = framing.take(answered.data, {number: question})
        assert found == number
        if answer[1] in READS:
            read += 1
            _, _, _, pdu = FramerSocket(DecodePDU(is_server=False)).decode(answered.data)
            theirs = DecodePDU(is_server=False).decode(pdu)
            assert theirs is not None
            count = int.from_bytes(asked.data[10:12], "big")
            if answer[1] > 2:
                assert list(words_of(answer, count)) == theirs.registers
            else:
                assert bits_of(answer, count) == theirs.bits[:count]
        else:
            assert answer[1] & REFUSAL or answer[1] in (5, 6, 15, 16)
    assert read >= 8


@pytest.mark.parametrize("lenient", [False, True])
@pytest.mark.parametrize("name", [*ORDERLY, "zeek_fuzz-72.pcap"])
def test_whatever_a_capture_says_to_any_question_is_an_answer_or_an_error(name, lenient):
    """Every segment, whole and cut in two, against every question that we would ask."""
    found = captured(name)
    questions = [reading(1, table, 0, 10) for table in READS.values()]
    questions += [one for segment in found if (one := _question_of_anything(segment.data))]
    outcomes = {"answer": 0, "nothing": 0, "error": 0}
    for segment in found:
        for question in questions:
            for cut in (0, len(segment.data) // 2):
                framing = TcpFraming(lenient=lenient)
                waiting = {int.from_bytes(segment.data[:2], "big"): question}
                framing.frame(next(iter(waiting)), question)
                try:
                    answers = framing.take(segment.data[:cut], waiting) if cut else []
                    answers += framing.take(segment.data[cut:], waiting)
                except ValueError:
                    outcomes["error"] += 1
                    continue
                outcomes["answer" if answers else "nothing"] += 1
                for _, answer in answers:
                    assert answer[0] == question.sent[0]
                    assert answer[1] & 0x7F == question.sent[1]
    assert outcomes["answer"] + outcomes["error"] > outcomes["nothing"] or lenient, outcomes


def _question_of_anything(data: bytes) -> Question | None:
    with contextlib.suppress(struct.error, IndexError):
        return question_of(data)
    return None


def packets(data: bytes) -> list[bytes]:
    """Cut a stream of MQTT into packets."""
    found, at = [], 0
    while at < len(data):
        length = shift = 0
        end = at + 1
        while True:
            length |= (data[end] & 0x7F) << shift
            shift += 7
            end += 1
            if not data[end - 1] & 0x80:
                break
        found.append(data[at : end + length])
        at = end + length
    return found


@contextlib.asynccontextmanager
async def replaying(conversation: Callable[[], bytes], *, ends: bool = False):
    """Serve on loopback: whoever connects and says something hears the conversation."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            await reader.read(1)
            writer.write(conversation())
            await writer.drain()
            if ends:
                writer.write_eof()
            while await reader.read(1000):
                pass
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield f"mqtt://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


def sides(name: str) -> tuple[bytes, list[bytes], list[bytes]]:
    """Return a broker's welcome, what else it told the publisher, and what that published."""
    found = captured(name)
    welcome, *told = [one for part in found if part.source == MQTT for one in packets(part.data)]
    client = [one for part in found if part.target == MQTT for one in packets(part.data)]
    return welcome, told, [one for one in client if one[0] >> 4 == 3]


@contextlib.asynccontextmanager
async def listening(url: str) -> AsyncIterator[Ear]:
    ear = Ear(url)
    await ear.start()
    try:
        yield ear
    finally:
        await ear.line.close()


async def test_a_captured_broker_and_publisher_are_heard_over_a_real_socket():
    """What the broker told the publisher answers nothing that we sent, and does no harm."""
    welcome, told, published = sides("suricata_mqtt311-pub-qos1.pcap")
    said = welcome + b"".join(told + published)
    async with replaying(lambda: said) as url, listening(f"{url}?version=3.1.1") as ear:
        await until(lambda: ear.heard)
        assert [(one.topic, one.payload) for one in ear.heard] == [("topicX", b"baabaablacksheep")]


async def test_a_message_of_qos_2_is_heard_once_it_is_released():
    welcome, told, published = sides("suricata_mqtt5-pub-qos2.pcap")
    release = b"\x62\x02\x00\x01"
    said = welcome + b"".join(told + published) + release
    async with replaying(lambda: said) as url, listening(f"{url}?version=5") as ear:
        await until(lambda: ear.heard)
        assert [(one.topic, one.payload) for one in ear.heard] == [("topicX", b"baabaablacksheep")]


async def test_a_malformed_message_costs_the_connection_and_a_new_one_is_made():
    """The captured one says that its payload format is 0x58; MQTT 5 knows 0 and 1."""
    welcome, _, published = sides("suricata_mqtt5-pub-mosquittoprops.pcap")
    said = [welcome, welcome + b"".join(published)]
    talks = 0

    def conversation() -> bytes:
        nonlocal talks
        talks += 1
        return said.pop() if len(said) > 1 else said[0]

    async with replaying(conversation) as url, listening(f"{url}?version=5") as ear:
        await until(lambda: talks > 1 and ear.line.connected())
        assert ear.heard == []


@pytest.mark.parametrize("file", sorted(CAPTURES.glob("*.pcap")) or [Path("none")])
async def test_a_broker_that_says_what_any_capture_holds_costs_the_connection_at_most(file):
    """All bytes of all sides, as if a broker had sent them after a welcome."""
    if not file.is_file():
        pytest.skip("the captures are not here: ../shared/data/pcap")
    welcome, later = b"\x20\x02\x00\x00", b"\x30\x08\x00\x01tlater"
    first = [welcome + b"".join(segment.data for segment in segments(file))]
    async with (
        replaying(lambda: first.pop() if first else welcome + later, ends=True) as url,
        listening(f"{url}?version=3.1.1") as ear,
    ):
        await until(lambda: ("t", b"later") in [(one.topic, one.payload) for one in ear.heard])
        assert {one.topic for one in ear.heard} <= {"t", "topicX"}, "nonsense was heard"
