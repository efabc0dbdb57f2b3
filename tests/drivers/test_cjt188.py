"""Water meters: the published frames, both orders of the identification, units, status, faults."""

from __future__ import annotations

import json
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.cjt188.driver import Cjt188Driver
from drivers.cjt188.frame import Frame, answer_to, frames_in, octets_of, question_about, value_of
from hub.clock import VirtualClock
from hub.model import Reason, reason_of
from hub.ports import ExceptionAnswerError, GarbageAnswerError, NoAnswerError, Refused
from simulators.lines import TwinLine
from tests.drivers.meters import SHARED, Recorded, by_name, cjt188, cjt188_meters, meter
from tests.drivers.meters import virtual as in_time

ADDRESS = "78330011223344"
COLD = 0x10
POINTS = cjt188().points


def golden() -> dict[str, dict[str, object]]:
    for folder in SHARED:
        if (folder / "dlt645_cjt188_frames.json").is_file():
            text = (folder / "dlt645_cjt188_frames.json").read_text("utf-8")
            return {one["name"]: one for one in json.loads(text)["cjt188"]}
    pytest.skip("the frames are not here: ../shared/data/frames/dlt645_cjt188_frames.json")


def octets(frame: dict[str, object]) -> bytes:
    return bytes.fromhex(str(frame["hex"]))


def test_the_golden_question_is_the_one_that_is_asked() -> None:
    asked = octets_of(question_about(COLD, ADDRESS, "1F90", 0))
    assert asked == octets(golden()["read meter"])


def test_the_golden_answer_means_what_is_printed_beside_it() -> None:
    answer = answer_to(
        question_about(COLD, ADDRESS, "1F90", 0), octets(golden()["reply, checksum corrected"])
    )
    found = {name: value_of(spec, answer)[0] for name, spec in POINTS.items()}
    assert found == {
        "total": 556677.0,
        "settled": 556677.0,
        "status": 0x8421,
        "valve": 1,
        "battery_low": 0,
    }


def test_the_golden_answer_with_the_wrong_checksum_is_refused() -> None:
    (wrong,) = (one for one in golden().values() if one.get("valid") is False)
    assert frames_in(octets(wrong)) == []
    assert answer_to(question_about(COLD, ADDRESS, "1F90", 0), octets(wrong)) is None


def reply(
    total: str = "12345678",
    unit: str = "2C",
    status: str = "0000",
    di: str = "1F90",
    number: int = 7,
    **other: object,
) -> bytes:
    said = bytes.fromhex(di) + bytes([number]) + bytes.fromhex(total)[::-1] + bytes.fromhex(unit)
    said += bytes.fromhex("00000000") + bytes.fromhex(unit) + bytes(7) + bytes.fromhex(status)
    fields = {"meter_type": COLD, "address": ADDRESS, "control": 0x81, "data": said} | other
    return octets_of(Frame(**fields))


@pytest.mark.parametrize("asked", ["1F90", "901F"])
@pytest.mark.parametrize("answered", ["1F90", "901F"])
def test_the_identification_may_come_in_either_order(asked, answered) -> None:
    question = question_about(COLD, ADDRESS, asked, 7)
    assert octets_of(question)[15:17].hex().upper() == asked
    assert answer_to(question, reply(di=answered)) is not None


@pytest.mark.parametrize(
    "other",
    [
        {"number": 6},
        {"address": "78330011223345"},
        {"meter_type": 0x11},
        {"control": 0x01},
        {"control": 0x83},
        {"di": "1F91"},
        {"data": bytes.fromhex("1F9007") + bytes(18)},
    ],
)
def test_answers_of_others_and_to_other_questions_are_passed_over(other) -> None:
    question = question_about(COLD, ADDRESS, "1F90", 7)
    assert answer_to(question, reply(**other)) is None
    assert answer_to(question, reply(**other) + reply()) is not None


@pytest.mark.parametrize(
    ("said", "point", "value", "reason"),
    [
        ({}, "total", 123456.78, Reason.NONE),
        ({"unit": "29"}, "total", 123.45678, Reason.NONE),
        ({"unit": "05"}, "total", None, Reason.GARBAGE_ANSWER),
        ({"total": "FFFFFFFF"}, "total", None, Reason.INVALID_MARKER),
        ({"total": "1234567A"}, "total", None, Reason.NOT_A_NUMBER),
        ({"status": "0000"}, "valve", 0, Reason.NONE),
        ({"status": "0300"}, "valve", 3, Reason.NONE),
        ({"status": "0400"}, "battery_low", 1, Reason.NONE),
        ({"status": "2184"}, "status", 0x8421, Reason.NONE),
    ],
)
def test_octets_become_values_or_a_reason(said, point, value, reason) -> None:
    answer = answer_to(question_about(COLD, ADDRESS, "1F90", 7), reply(**said))
    found, packed = value_of(POINTS[point], answer)
    assert reason_of(packed) is reason
    assert math.isnan(found) if value is None else found == pytest.approx(value)


def test_a_value_out_of_range_is_bad() -> None:
    answer = answer_to(question_about(COLD, ADDRESS, "1F90", 7), reply())
    spec = POINTS["total"].model_copy(update={"max": 1000})
    assert reason_of(value_of(spec, answer)[1]) is Reason.OUT_OF_RANGE


def spoilt(line: random.Random, sound: bytes) -> bytes:
    at = line.randrange(len(sound))
    match line.randrange(5):
        case 0:
            return sound[:at] + bytes([sound[at] ^ line.randrange(1, 256)]) + sound[at + 1 :]
        case 1:
            return sound[:at]
        case 2:
            return sound[:at] + sound[at + 1 :]
        case 3:
            return line.randbytes(line.randrange(40)) + sound + line.randbytes(line.randrange(40))
        case _:
            return sound[:at] + sound


def test_no_spoilt_answer_becomes_a_wrong_value(full_scale) -> None:
    line, right = random.Random(188), 0
    question = question_about(COLD, ADDRESS, "1F90", 7)
    for n in range(10_000 if full_scale else 1_000):
        answer = answer_to(question, spoilt(line, reply(total=f"{n:08d}")))
        if answer is not None:
            assert value_of(POINTS["total"], answer)[0] == pytest.approx(n / 100)
            right += 1
    assert right > 0


@given(st.binary(max_size=300))
def test_any_octets_are_taken_without_complaint(heard) -> None:
    for frame in frames_in(heard):
        assert octets_of(frame)[4:] in heard


class Bench:
    """One meter on a line, and what was said on it."""

    def __init__(self, clock: VirtualClock, address: str = ADDRESS, **changed: object) -> None:
        profile = cjt188(**changed)
        self.device = meter(profile, address, password_file=None)
        line = cjt188_meters([self.device], profile, clock)
        (self.meter,) = line.meters.values()
        self.meter.digits = ADDRESS
        self.bus = Recorded(TwinLine(line, clock), [])
        self.driver = Cjt188Driver(self.bus, [(self.device, profile)], clock)

    async def poll(self):
        return by_name(self.device, await self.driver.poll(self.device.id))


@pytest.mark.parametrize("di", ["1F90", "901F"])
@pytest.mark.parametrize("address", [ADDRESS, "A" * 14, "AAAAAAAA223344"])
def test_every_point_is_read_as_the_meter_shows_it(di, address) -> None:
    async def story(clock: VirtualClock) -> None:
        bench = Bench(clock, address, di=di)
        bench.meter.status = 0b101
        for _ in range(300):  # more often than there are numbers of questions
            await clock.sleep(600)
            found = await bench.poll()
            assert found["total"] == (pytest.approx(bench.meter.total_m3, abs=0.006), Reason.NONE)
            assert (found["valve"][0], found["battery_low"][0]) == (1, 1)
        assert len(bench.bus.said) == 300

    in_time(story)


def test_a_meter_of_the_other_order_says_an_error() -> None:
    async def story(clock: VirtualClock) -> None:
        bench = Bench(clock)
        bench.meter._profile = cjt188(di="901F")
        with pytest.raises(ExceptionAnswerError, match="error, status 0100"):
            await bench.poll()

    in_time(story)


def test_silence_and_garbage_are_told_apart() -> None:
    async def story(clock: VirtualClock) -> None:
        bench = Bench(clock)
        answer, bench.meter.answer = bench.meter.answer, lambda asked: answer(asked)[:-1]
        with pytest.raises(GarbageAnswerError):
            await bench.poll()
        bench.meter.answer = answer
        bench.meter._twin().fault("silent")
        with pytest.raises(NoAnswerError):
            await bench.poll()

    in_time(story)


def test_nothing_is_ever_written() -> None:
    async def story(clock: VirtualClock) -> None:
        bench = Bench(clock)
        with pytest.raises(Refused, match="only read"):
            await bench.driver.write(bench.device.points[0], 1)
        assert bench.bus.said == []

    in_time(story)


def test_a_meter_without_address_is_refused() -> None:
    with pytest.raises(Refused, match="no address"):
        Cjt188Driver(None, [(meter(cjt188(), None), cjt188())], None)
