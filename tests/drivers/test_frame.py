from __future__ import annotations

import random
import time

import pytest
from pymodbus.framer import FramerRTU, FramerSocket
from pymodbus.pdu import DecodePDU
from pymodbus.pdu import bit_message as bits
from pymodbus.pdu import register_message as registers

from drivers.modbus.frame import bits_of, fault_of, reading, words_of, writing
from drivers.modbus.rtu import RtuFraming, checksum, find
from drivers.modbus.tcp import TcpFraming

ASKED = reading(12, "holding", 16, 2)
GOOD = bytes.fromhex("000700000007 0C 03 04 00010002")
LATE = bytes.fromhex("000600000007 0C 03 04 AAAABBBB")
ANSWER = GOOD[6:]
LONGEST_S = 0.1


def their_requests():
    kind = registers
    yield reading(12, "coil", 3, 19), bits.ReadCoilsRequest(dev_id=12, address=3, count=19)
    yield reading(1, "discrete", 3, 8), bits.ReadDiscreteInputsRequest(dev_id=1, address=3, count=8)
    long = kind.ReadHoldingRegistersRequest(dev_id=9, address=0x1234, count=125)
    yield reading(9, "holding", 0x1234, 125), long
    yield reading(9, "input", 7, 2), kind.ReadInputRegistersRequest(dev_id=9, address=7, count=2)
    single = kind.WriteSingleRegisterRequest(dev_id=2, address=4, registers=[505])
    yield writing(2, 6, 4, [505]), single
    several = kind.WriteMultipleRegistersRequest(dev_id=2, address=4, registers=[1, 0xFFFF])
    yield writing(2, 16, 4, [1, 0xFFFF]), several
    yield writing(2, 5, 4, [1]), bits.WriteSingleCoilRequest(dev_id=2, address=4, bits=[True])
    yield writing(2, 5, 4, [0]), bits.WriteSingleCoilRequest(dev_id=2, address=4, bits=[False])
    pattern = [n % 3 == 0 for n in range(11)]
    coils = bits.WriteMultipleCoilsRequest(dev_id=2, address=4, bits=pattern)
    yield writing(2, 15, 4, [int(bit) for bit in pattern]), coils


@pytest.mark.parametrize(("question", "theirs"), list(their_requests()), ids=str)
def test_questions_are_those_of_pymodbus_byte_for_byte(question, theirs) -> None:
    theirs.transaction_id = 7
    framed = FramerSocket(DecodePDU(is_server=False)).buildFrame(theirs)
    assert TcpFraming(lenient=False).frame(7, question) == framed
    assert RtuFraming().frame(7, question) == FramerRTU(DecodePDU(is_server=False)).buildFrame(
        theirs
    )


def test_checksums_are_those_of_pymodbus() -> None:
    chance = random.Random(1)
    for _ in range(200):
        data = chance.randbytes(chance.randrange(1, 256))
        assert checksum(data) == FramerRTU.compute_CRC(data).to_bytes(2, "big")


def test_registers_and_bits_are_taken_out_in_their_order() -> None:
    assert words_of(ANSWER, 2) == (1, 2)
    assert bits_of(bytes.fromhex("0C01020580"), 16) == [1, 0, 1, *[0] * 12, 1]


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ("0D 03 04 00010002", "unit id 13 answered for 12"),
        ("0C 04 04 00010002", "function 4 answered for 3"),
        ("0C 03 02 0001", "byte count 2 and 2 bytes where 4"),
        ("0C 03 02 00010002", "byte count 2 and 4 bytes where 4"),
        ("0C 83 02 00", "an exception of 4 bytes"),
    ],
)
def test_what_is_no_answer_to_the_question_is_named(answer, text) -> None:
    assert text in str(fault_of(ASKED, bytes.fromhex(answer)))


def test_answers_and_exceptions_are_no_fault() -> None:
    assert fault_of(ASKED, ANSWER) is None
    assert fault_of(ASKED, bytes.fromhex("0C 83 02")) is None


def test_the_echo_of_a_write_must_name_its_address() -> None:
    wrote = writing(12, 6, 16, [1])
    assert fault_of(wrote, bytes.fromhex("0C 06 0010 0001")) is None
    assert "another address" in str(fault_of(wrote, bytes.fromhex("0C 06 0011 0001")))
    assert "another size" in str(fault_of(wrote, bytes.fromhex("0C 06 0010 0001 00")))


@pytest.mark.parametrize(
    "pieces", [[GOOD], [LATE + GOOD], [LATE, GOOD], [LATE + GOOD[:9], GOOD[9:]], [GOOD + LATE]]
)
def test_tcp_finds_the_answer_by_its_transaction_id(pieces) -> None:
    framing = TcpFraming(lenient=False)
    framing.frame(6, ASKED)
    framing.owe(6)
    framing.frame(7, ASKED)
    answers = [one for piece in pieces for one in framing.take(piece, {7: ASKED})]
    assert answers == [(7, ANSWER)]
    assert framing.doubt == ""


def test_tcp_says_what_it_heard_when_the_number_was_never_asked() -> None:
    framing = TcpFraming(lenient=False)
    assert framing.take(GOOD, {8: ASKED}) == []
    assert "transaction id 7" in framing.doubt
    assert "transaction_ids: lenient" in framing.doubt


@pytest.mark.parametrize(
    ("heard", "text"),
    [
        (b"HTTP/1.1 400 Bad Request\r\n", "protocol id"),
        (bytes.fromhex("0007000000FF 0C 03 04"), "255 bytes"),
        (bytes.fromhex("000700000001 0C 03 04"), "1 bytes"),
        (bytes.fromhex("000700000007 0D 03 04 00010002"), "unit id 13"),
    ],
)
def test_tcp_gives_up_a_stream_without_order(heard, text) -> None:
    with pytest.raises(ValueError, match=text):
        TcpFraming(lenient=False).take(heard, {7: ASKED})


def test_rtu_finds_the_answer_in_noise_and_takes_no_bit_of_it_for_granted() -> None:
    frame = ANSWER + checksum(ANSWER)
    assert find(ASKED, b"\x0c\x03\x04" + frame + b"\x00") == ANSWER
    for bit in range(len(frame) * 8):
        broken = bytearray(frame)
        broken[bit // 8] ^= 1 << bit % 8
        assert find(ASKED, bytes(broken)) is None


def test_rtu_keeps_no_more_than_two_frames_of_noise() -> None:
    framing = RtuFraming()
    framing.frame(1, ASKED)
    for _ in range(100):
        framing.take(b"\x0c\x03\x04" * 100, {1: ASKED})
    assert "512 bytes" in framing.doubt
    assert framing.take(ANSWER + checksum(ANSWER), {1: ASKED}) == [(1, ANSWER)]


def test_rtu_does_not_complete_an_answer_across_two_questions() -> None:
    framing, frame = RtuFraming(), ANSWER + checksum(ANSWER)
    framing.frame(1, ASKED)
    assert framing.take(frame[:5], {1: ASKED}) == []
    framing.frame(2, ASKED)
    assert framing.take(frame[5:], {2: ASKED}) == []


@pytest.mark.parametrize("kind", ["strict", "lenient", "rtu"])
def test_random_and_damaged_frames_crash_nothing_and_hang_nothing(kind, full_scale) -> None:
    """What is taken as the answer always fits the question; nothing else ever comes out."""
    chance = random.Random(kind)
    framing = None
    longest_s = 0.0
    for _ in range(200_000 if full_scale else 10_000):
        if framing is None or chance.random() < 0.05:
            framing = RtuFraming() if kind == "rtu" else TcpFraming(lenient=kind == "lenient")
        framing.frame(7, ASKED)
        data = bytearray(GOOD if kind != "rtu" else ANSWER + checksum(ANSWER))
        for _ in range(chance.randrange(4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        if chance.random() < 0.3:
            data = chance.randbytes(chance.randrange(1, 300))
        began = time.thread_time()  # other programs may need the machine meanwhile
        try:
            answers = framing.take(bytes(data), {7: ASKED})
        except ValueError:
            framing, answers = None, []
        longest_s = max(longest_s, time.thread_time() - began)
        for number, answer in answers:
            assert number == 7
            assert fault_of(ASKED, answer) is None
    print(f"{kind}: the longest took {longest_s * 1000:.2f} ms")
    assert longest_s < LONGEST_S
