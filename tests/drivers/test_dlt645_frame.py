from __future__ import annotations

import doctest
import json
import random
from datetime import datetime

import pytest
from dlt645.common.transform import float_to_bcd
from dlt645.protocol.protocol import DLT645Protocol
from hypothesis import given, settings
from hypothesis import strategies as st

from drivers.cjt188 import frame as cjt188_frame
from drivers.dlt645 import frame as dlt645_frame
from drivers.dlt645.frame import (
    ANSWER,
    COMMANDS,
    ERROR,
    EVERYBODY,
    MORE,
    READ,
    Frame,
    answer_to,
    command,
    frames_in,
    number_in,
    objection,
    octets_of,
    question_about,
    time_for_everybody,
)
from drivers.dlt645.value import value_of
from hub.model import Reason, reason_of
from tests.drivers.meters import SHARED, dlt645

ADDRESS = "000000000161"
UNTIL = datetime(2099, 12, 31, 23, 59, 59)  # noqa: DTZ001 - as the meter's clock shows it
addresses = st.text("0123456789", min_size=12, max_size=12).filter(lambda one: one != EVERYBODY)
data = st.binary(max_size=200)


def golden() -> list[dict[str, object]]:
    for folder in SHARED:
        if (folder / "dlt645_cjt188_frames.json").is_file():
            return json.loads((folder / "dlt645_cjt188_frames.json").read_text("utf-8"))["dlt645"]
    pytest.skip("the frames are not here: ../shared/data/frames/dlt645_cjt188_frames.json")


def test_every_golden_frame_is_read_and_written_again() -> None:
    frames = golden()
    assert len(frames) == 28
    for one in frames:
        octets = bytes.fromhex(str(one["hex"]))
        (frame,) = frames_in(octets)
        assert octets_of(frame).endswith(octets.lstrip(b"\xfe")), one["name"]


def test_the_golden_answers_mean_what_is_printed_beside_them() -> None:
    points = {spec.di: spec for spec in dlt645().points.values() if spec.type == "bcd"}
    checked = 0
    for one in golden():
        said = one["decoded"]
        if one["kind"] == "reply":
            question = question_about(ADDRESS, said["di"])
            answer = answer_to(question, bytes.fromhex(one["hex"]))
            value, _ = value_of(points[said["di"]], answer.data[4:])
            watts = 1000 if said["unit"] == "kW" else 1
            assert value == pytest.approx(said["value"] * watts), one["name"]
            checked += 1
        if one["kind"] == "control" and said["n1"] in COMMANDS.values():
            name = next(name for name, code in COMMANDS.items() if code == said["n1"])
            made = octets_of(command(ADDRESS, name, "02000000", UNTIL))
            assert made.endswith(bytes.fromhex(one["hex"])), one["name"]
            checked += 1
    assert checked == 9


@given(addresses, st.integers(0, 0x1F), data)
def test_frames_are_those_of_the_oracle(address, control, octets) -> None:
    theirs = DLT645Protocol.build_frame(bytes.fromhex(address)[::-1], control, octets)
    assert octets_of(Frame(address, control, octets)) == bytes(theirs)
    assert frames_in(bytes(theirs)) == [Frame(address, control, octets)]


@given(st.integers(-79_999_999, 99_999_999))
def test_numbers_are_those_of_the_oracle(number) -> None:
    signed = number < 0
    octets = bytes(float_to_bcd(number / 100, "XXXXXX.XX", "little"))
    assert number_in(octets, signed=signed) == number


def test_the_time_goes_out_as_captured_on_a_line() -> None:
    # written down in the sources of a public data concentrator, 2012-05-16 12:31:47
    captured = bytes.fromhex("689999999999996808067A64454938455D16")
    made = octets_of(time_for_everybody(datetime(2012, 5, 16, 12, 31, 47)))  # noqa: DTZ001
    assert made == b"\xfe" * 4 + captured


@pytest.mark.parametrize("module", [dlt645_frame, cjt188_frame], ids=lambda module: module.__name__)
def test_the_examples_in_the_docstrings_hold(module) -> None:
    results = doctest.testmod(module)
    assert results.attempted > 0
    assert results.failed == 0


def test_a_password_goes_out_level_first_then_its_low_digits() -> None:
    frame = command(ADDRESS, "trip", "04123456", UNTIL)
    assert frame.data[:4].hex() == "04563412"


@pytest.mark.parametrize("octets", ["FFFF", "1A00", "0A", "F0"])
def test_what_is_no_decimal_number_is_none(octets) -> None:
    assert number_in(bytes.fromhex(octets)) is None


@given(
    st.one_of(addresses, st.just(EVERYBODY), st.just("A" * 12), st.just("AAAAAA000161")),
    st.integers(0, 255),
    st.binary(max_size=20),
)
def test_nothing_but_questions_relay_commands_and_the_time_may_go_out(
    address, control, octets
) -> None:
    allowed = (
        (control in (0x11, 0x12) and address != EVERYBODY)
        or (control == 0x08 and address == EVERYBODY and len(octets) == 6)
        or (
            control == 0x1C
            and address.isdecimal()
            and address != EVERYBODY
            and len(octets) == 16
            and octets[8] in (0x1A, 0x1B, 0x1C, 0x3A, 0x3B)
        )
    )
    assert (objection(Frame(address, control, octets)) is None) == allowed


@pytest.mark.parametrize("control", [0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19, 0x1A, 0x1B])
def test_clearing_writing_and_changing_of_passwords_is_never_sent(control) -> None:
    assert "is never sent" in objection(Frame(ADDRESS, control, bytes(16)))


@pytest.mark.parametrize("name", COMMANDS)
def test_a_relay_command_to_more_than_one_meter_is_never_sent(name) -> None:
    for address in (EVERYBODY, "A" * 12, "AA0000000161"):
        assert objection(command(address, name, "02000000", UNTIL))
    assert objection(command(ADDRESS, name, "02000000", UNTIL)) is None


def reply(di: str, value: int, address: str = ADDRESS, control: int = READ | ANSWER) -> bytes:
    said = bytes.fromhex(f"{value:08d}")[::-1]
    return octets_of(Frame(address, control, bytes.fromhex(di)[::-1] + said))


def test_answers_are_found_among_those_of_others_and_to_other_questions() -> None:
    question = question_about(ADDRESS, "00010000")
    others = (
        reply("00010000", 1, address="000000000162")
        + reply("00010100", 2)
        + reply("00010000", 3, control=0x94)
        + reply("00010000", 4, control=READ)
    )
    assert answer_to(question, others) is None
    assert answer_to(question, others + reply("00010000", 5)).data[4:] == bytes([5, 0, 0, 0])


def test_a_wildcard_takes_the_answer_of_any_meter_that_fits() -> None:
    said = reply("00010000", 7)
    for address in ("A" * 12, "AAAAAAAA0161"):
        assert answer_to(question_about(address, "00010000"), said).address == ADDRESS
    assert answer_to(question_about("AAAAAAAA0162", "00010000"), said) is None


def test_an_error_answers_only_its_own_kind_of_question() -> None:
    error = octets_of(Frame(ADDRESS, READ | ANSWER | ERROR, b"\x02"))
    assert answer_to(question_about(ADDRESS, "00010000"), error).data == b"\x02"
    assert answer_to(command(ADDRESS, "trip", "02000000", UNTIL), error) is None
    assert answer_to(question_about(ADDRESS, "00010000", 1), error) is None


def test_what_follows_must_have_the_number_that_was_asked_for() -> None:
    question = question_about(ADDRESS, "00010000", 2)
    body = bytes.fromhex("00000100") + b"\x11\x22"
    right = octets_of(Frame(ADDRESS, 0x92 | MORE, body + b"\x02"))
    late = octets_of(Frame(ADDRESS, 0x92, body + b"\x01"))
    assert answer_to(question, late) is None
    assert answer_to(question, late + right).control == 0xB2


def spoilt(line: random.Random, sound: bytes) -> bytes:
    """Return the octets of an answer after one of the things that happen on a line."""
    at = line.randrange(len(sound))
    before, after = sound[:at], sound[at:]
    noise = [line.randbytes(line.randrange(1, 40)) for _ in range(2)]
    changed = bytes([after[0] ^ line.randrange(1, 256)])
    kinds = (
        before + changed + after[1:],  # one octet changed
        before + after[1:],  # one octet missing
        before,  # the end missing
        after[1:],  # the beginning missing
        before + noise[0] + after,
        noise[0] + sound + noise[1],
        before + sound,  # what looks like the beginning of a frame
    )
    return line.choice(kinds)


def test_no_spoilt_answer_becomes_a_wrong_value(full_scale) -> None:
    line = random.Random(645)
    right = 0
    for n in range(10_000 if full_scale else 1_000):
        question = question_about(ADDRESS, "00010000")
        answer = answer_to(question, spoilt(line, reply("00010000", n)))
        if answer is not None:
            assert number_in(answer.data[4:]) == n
            right += 1
    assert right > 0


@settings(max_examples=300)
@given(st.binary(max_size=300))
def test_any_octets_are_taken_without_complaint(octets) -> None:
    for frame in frames_in(octets):
        assert octets_of(frame)[4:] in octets
    assert answer_to(question_about(ADDRESS, "00010000"), octets) is None


@pytest.mark.parametrize(
    ("name", "octets", "value", "reason"),
    [
        ("voltage", "0122", 220.1, Reason.NONE),
        ("voltage", "FFFF", None, Reason.INVALID_MARKER),
        ("voltage", "0A22", None, Reason.NOT_A_NUMBER),
        ("voltage", "0160", None, Reason.OUT_OF_RANGE),
        ("voltage", "01", None, Reason.GARBAGE_ANSWER),
        ("power", "341280", -123.4, Reason.NONE),
        ("power", "341200", 123.4, Reason.NONE),
        ("relay", "1000", 0, Reason.NONE),
        ("relay", "0000", 1, Reason.NONE),
        ("keep_power", "0010", 1, Reason.NONE),
        ("status", "1010", 0x1010, Reason.NONE),
        ("status", "FFFF", None, Reason.INVALID_MARKER),
    ],
)
def test_octets_become_values_or_a_reason(name, octets, value, reason) -> None:
    found, packed = value_of(dlt645().points[name], bytes.fromhex(octets))
    assert reason_of(packed) is reason
    if value is None:
        assert found != found  # noqa: PLR0124 - not a number
    else:
        assert found == pytest.approx(value)
