"""What real devices do to their registers, each with the numbers of a device that does it."""

from __future__ import annotations

import math
import os
import random
import struct
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter
from pymodbus.client.mixin import ModbusClientMixin

from drivers.codec import BlockDecoder, Follower, decode, decode_text, encode
from drivers.plan import plan
from drivers.profile import WORDS, Attribute, ModbusProfile, Profile, RegisterPoint
from hub.model import Quality, Reason, flag, quality_of, reason_of

TYPES = ModbusClientMixin.DATATYPE
NUMBERS = ("int16", "uint16", "int32", "uint32", "int64", "uint64", "float32", "float64")
ORDERS = st.sampled_from(["big", "little"])
PROFILES = Path(__file__).parents[2] / "config" / "profiles"
FRAMES = 200_000 if os.environ.get("CAMPUS_HUB_LONG_TESTS") else 4_000


def point(type_: str = "uint16", **more: object) -> RegisterPoint:
    return RegisterPoint.model_validate({"table": "holding", "address": 0, "type": type_} | more)


def in_block(spec: RegisterPoint, words: list[int]) -> tuple[float, int]:
    """Decode as a poll does, which judges the usual case in another way."""
    block = BlockDecoder([(spec, 1)], len(words) + 2)
    values: list[float] = []
    flags: list[int] = []
    block.decode(block.bytes_of([0xABCD, *words, 0xABCD]), values, flags)
    return float(values[0]), flags[0]


def why(packed: int) -> Reason:
    assert quality_of(packed) is Quality.BAD
    return reason_of(packed)


@pytest.mark.parametrize(
    ("spec", "words", "value"),
    [
        (point("uint8", byte="high", scale=0.1), [0x0FA2], 1.5),  # pressure in the high byte
        (point("uint8", byte="low"), [0x0FA2], 162.0),
        (point("int8", byte="high"), [0xF600], -10.0),  # outdoor temperature
        (point("int8", byte="low"), [0x00F6], -10.0),
        (point("uint8", byte="high", byte_order="little"), [0x0FA2], 162.0),
        (point("uint8", byte="low", word_order="little", byte_order="little"), [0x0FA2], 15.0),
        (point("uint16", bit=4, bits=3), [0b0101_0000], 5.0),
        (point("uint32", bit=30, bits=2), [0xC000, 0], 3.0),
        (point("uint32", bit=30, bits=2, word_order="little"), [0, 0x8000], 2.0),
        (point("uint64", bit=63), [0x8000, 0, 0, 0], 1.0),
        (point("uint16", bit=8, bits=8, scale=0.5), [0x0B00], 5.5),
        (point("bool", bit=3), [0x0008], 1.0),
        (point("bcd16"), [0x1234], 1234.0),
        (point("bcd32", scale=0.01), [0x0012, 0x3456], 1234.56),
        (point("bcd32", word_order="little"), [0x3456, 0x0012], 123456.0),
        (point("bcd32", word_order="little", byte_order="little"), [0x5634, 0x1200], 123456.0),
        (point("bcd64"), [0x0000, 0x1234, 0x5678, 0x9012], 123456789012.0),
        (point("uint64", scale=0.01), [0, 0, 0x0001, 0xE240], 1234.56),  # ABB energy
        (point("int64", scale=0.001), [0, 0, 0x0001, 0xE240], 123.456),  # Schneider energy in Wh
    ],
)
def test_golden_registers_give_the_printed_value(spec, words, value) -> None:
    assert decode(spec, words) == in_block(spec, words) == (value, 0)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (point("int16", invalid=[0x7FFF], scale=0.1), [0x7FFF]),
        (point("uint16", invalid=[0xFFFF], offset=-40), [0xFFFF]),
        (point("uint8", byte="high", invalid=[0xFF]), [0xFF12]),
        (point("int8", byte="high", invalid=[0x7F]), [0x7F12]),
        (point("int8", byte="low", invalid=[0xFF]), [0x00FF]),
        (point("uint64", invalid=[0xFFFF_FFFF_FFFF_FFFF], scale=0.01), [0xFFFF] * 4),
        (point("int64", invalid=[0x8000_0000_0000_0000]), [0x8000, 0, 0, 0]),
        (point("bcd32", invalid=[0xFFFF_FFFF]), [0xFFFF, 0xFFFF]),
        (point("bcd32", invalid=[0x9999_9998], word_order="little"), [0x9998, 0x9999]),
        (point("uint32", bit=0, bits=4, invalid=[0xFFFF_FFFF]), [0xFFFF, 0xFFFF]),
        (point("uint16", bit=0, bits=4, min=0, max=15, invalid=[0xFFFF]), [0xFFFF]),
    ],
)
def test_a_marker_is_told_by_its_bits_before_any_scaling(spec, words) -> None:
    for value, packed in (decode(spec, words), in_block(spec, words)):
        assert math.isnan(value)
        assert why(packed) is Reason.INVALID_MARKER


def test_a_neighbour_of_a_marker_in_64_bits_is_a_number() -> None:
    spec = point("uint64", invalid=[2**64 - 1])
    assert decode(spec, [0xFFFF, 0xFFFF, 0xFFFF, 0xFFFE]) == (float(2**64 - 2), 0)


def test_digits_that_are_none_are_no_number() -> None:
    assert why(decode(point("bcd32"), [0x0012, 0x3A56])[1]) is Reason.NOT_A_NUMBER


@given(st.sampled_from(NUMBERS), ORDERS, ORDERS, st.data())
def test_every_type_and_order_agrees_with_pymodbus_both_ways(type_, words, order, data) -> None:
    size = struct.calcsize({"float32": "f", "float64": "d"}.get(type_, "q")) * 8
    if type_.startswith("float"):
        raw = data.draw(st.floats(width=size, allow_nan=False, allow_infinity=False))
    else:
        signed, bits = not type_.startswith("u"), 16 * WORDS[type_]
        low = -(2 ** (bits - 1)) if signed else 0
        high = 2 ** (bits - 1) - 1 if signed else 2**bits - 1
        raw = data.draw(st.integers(max(low, -(2**53)), min(high, 2**53)))
    theirs = ModbusClientMixin.convert_to_registers(raw, TYPES[type_.upper()], word_order=words)
    if order == "little":
        theirs = [word >> 8 | (word & 0xFF) << 8 for word in theirs]
    spec = point(type_, word_order=words, byte_order=order)
    assert decode(spec, theirs) == (float(raw), 0)
    assert encode(spec, float(raw)) == theirs


@given(st.integers(0, 9999_9999), ORDERS, ORDERS)
def test_digits_are_encoded_as_they_are_decoded(number, words, order) -> None:
    spec = point("bcd32", word_order=words, byte_order=order)
    assert decode(spec, encode(spec, number)) == (float(number), 0)


@given(
    st.lists(st.integers(0, 0xFFFF), min_size=2, max_size=2),
    st.integers(0, 31),
    st.integers(1, 32),
    ORDERS,
    ORDERS,
    st.data(),
)
def test_a_bit_field_is_written_without_touching_its_neighbours(
    before, bit, bits, words, order, data
) -> None:
    bits = min(bits, 32 - bit)
    spec = point("uint32", bit=bit, bits=bits, word_order=words, byte_order=order)
    wish = data.draw(st.integers(0, 2**bits - 1))
    after = encode(spec, wish, before)
    assert decode(spec, after) == (float(wish), 0)
    whole = point("uint32", word_order=words, byte_order=order)
    changed = int(decode(whole, after)[0]) ^ int(decode(whole, before)[0])
    assert changed & ~((2**bits - 1) << bit) == 0


@given(st.integers(0, 0xFFFF), st.integers(-128, 127), st.sampled_from(["high", "low"]), ORDERS)
def test_a_byte_is_written_without_touching_the_other(before, wish, byte, order) -> None:
    spec = point("int8", byte=byte, byte_order=order)
    other = point("uint8", byte="low" if byte == "high" else "high", byte_order=order)
    after = encode(spec, wish, [before])
    assert decode(spec, after) == (float(wish), 0)
    assert decode(other, after) == decode(other, [before])


@pytest.mark.parametrize(
    ("spec", "value"),
    [
        (point("uint16", bit=4, bits=3), 8),
        (point("uint16", bit=4, bits=3), -1),
        (point("uint8", byte="high"), 256),
        (point("int8", byte="high"), -129),
        (point("bcd16"), 10_000),
        (point("bcd16"), -1),
    ],
)
def test_what_does_not_fit_its_part_of_a_register_is_not_encoded(spec, value) -> None:
    with pytest.raises(ValueError, match="does not fit"):
        encode(spec, value)


GOOD = flag(Quality.GOOD)
MARKER = flag(Quality.BAD, Reason.INVALID_MARKER)


def scaled(kind: str, **more: object) -> RegisterPoint:
    return point("int16", scale_from={"point": "factor", "kind": kind} | more)


@pytest.mark.parametrize(
    ("spec", "raw", "factor", "value"),
    [
        (scaled("power_of_ten"), 2301, -1.0, 230.1),  # SunSpec
        (scaled("power_of_ten"), 23, 2.0, 2300.0),
        (scaled("power_of_ten"), 23, 0.0, 23.0),
        (scaled("factor"), 12, 40.0, 480.0),  # CT ratio
        (scaled("choice", factors={0: 1, 1: 1000}), 5, 1.0, 5000.0),  # k or M
        (scaled("choice", factors={0: 1, 1: 1000}), 5, 0.0, 5.0),
    ],
)
def test_a_scale_that_the_device_holds_is_multiplied_in(spec, raw, factor, value) -> None:
    assert decode(spec, [raw], {"factor": (factor, GOOD)}) == (value, GOOD)


def test_several_ratios_are_multiplied_together_after_the_own_scale() -> None:
    ratios = [{"point": "ct", "kind": "factor"}, {"point": "pt", "kind": "factor"}]
    spec = point("uint32", scale=0.01, scale_from=ratios)
    told = {"ct": (40.0, GOOD), "pt": (10.0, GOOD)}
    assert decode(spec, [0, 1234], told) == (4936.0, GOOD)


@pytest.mark.parametrize(
    ("kind", "factor", "reason"),
    [
        ("power_of_ten", (math.nan, MARKER), Reason.INVALID_MARKER),
        ("power_of_ten", (-32.0, GOOD), Reason.OUT_OF_RANGE),
        ("power_of_ten", (0.5, GOOD), Reason.OUT_OF_RANGE),
        ("factor", (0.0, GOOD), Reason.OUT_OF_RANGE),  # a ratio that was never set
    ],
)
def test_without_a_scale_that_makes_sense_there_is_no_value(kind, factor, reason) -> None:
    value, packed = decode(scaled(kind), [2301], {"factor": factor})
    assert math.isnan(value)
    assert why(packed) is reason


def test_without_the_other_point_there_is_no_value() -> None:
    assert why(decode(scaled("factor"), [1], {})[1]) is Reason.NO_ANSWER
    spec = scaled("choice", factors={0: 1})
    assert why(decode(spec, [1], {"factor": (7.0, GOOD)})[1]) is Reason.OUT_OF_RANGE


def test_the_range_is_that_of_the_scaled_value() -> None:
    spec = point("int16", max=500, scale_from={"point": "factor", "kind": "power_of_ten"})
    assert decode(spec, [2301], {"factor": (-1.0, GOOD)}) == (230.1, GOOD)
    assert why(decode(spec, [2301], {"factor": (0.0, GOOD)})[1]) is Reason.OUT_OF_RANGE


@pytest.mark.parametrize(
    ("firmware", "words"), [(10102.0, [0, 5]), (10103.0, [5, 0]), (20000.0, [5, 0])]
)
def test_the_word_order_may_depend_on_the_firmware(firmware, words) -> None:
    spec = point(
        "int32", word_order_from={"point": "firmware", "at_least": 10103, "order": "little"}
    )
    assert decode(spec, words, {"firmware": (firmware, GOOD)}) == (5.0, GOOD)
    assert why(decode(spec, words, {"firmware": (math.nan, MARKER)})[1]) is Reason.INVALID_MARKER


def test_a_text_ends_at_its_first_zero() -> None:
    words = [0x4142, 0x4300, 0x5A5A]
    assert decode_text(Attribute(table="holding", address=0, words=3), words) == "ABC"
    swapped = Attribute(table="holding", address=0, words=3, byte_order="little")
    assert decode_text(swapped, [0x4241, 0x2043, 0x0020]) == "ABC"
    assert decode_text(swapped, [0xFFFF]) == "\N{REPLACEMENT CHARACTER}" * 2


@st.composite
def fields(draw: st.DrawFn) -> tuple[RegisterPoint, int]:
    type_ = draw(st.sampled_from([*NUMBERS, "int8", "uint8", "bool", "bcd32"]))
    more: dict[str, object] = {
        "word_order": draw(ORDERS), "byte_order": draw(ORDERS),
        "scale": draw(st.sampled_from([1, 0.1, 0.01, 10, -1, 0.3])),
        "offset": draw(st.sampled_from([0, -40, 0.5])),
    }  # fmt: skip
    if type_.endswith("int8"):
        more["byte"] = draw(st.sampled_from(["high", "low"]))
    elif type_ == "bool" or ("int" in type_ and draw(st.booleans())):
        more["bit"] = draw(st.integers(0, 15))
        more["bits"] = draw(st.integers(1, 16 - int(str(more["bit"]))))
    if draw(st.booleans()):
        more |= {"min": -100, "max": draw(st.sampled_from([0, 500, 1e9]))}
    more["invalid"] = draw(st.lists(st.sampled_from([0, 1, 0xFFFF, 0x7FFF, -1]), max_size=2))
    return point(type_, **more), draw(st.integers(0, 4))


WORD = st.one_of(st.sampled_from([0, 1, 0xFFFF, 0x7FFF, 0x7FC0, 0x7F80]), st.integers(0, 0xFFFF))


@given(st.lists(fields(), max_size=6), st.lists(WORD, min_size=8, max_size=8))
def test_a_block_says_the_same_as_its_points_one_by_one(points, words) -> None:
    block = BlockDecoder(points, 8)
    values: list[float] = []
    flags: list[int] = []
    block.decode(block.bytes_of(words), values, flags)
    alone = [decode(spec, words[at : at + spec.words]) for spec, at in points]
    assert flags == [packed for _, packed in alone]
    for value, (expected, _) in zip(values, alone, strict=True):
        assert float(value) == expected or (math.isnan(value) and math.isnan(expected))


def shipped() -> list[ModbusProfile]:
    made = [
        TypeAdapter(Profile).validate_python(yaml.safe_load(path.read_text("utf-8")))
        for path in sorted(PROFILES.glob("*.yaml"))
    ]
    return [profile for profile in made if isinstance(profile, ModbusProfile)]


def test_random_answers_give_numbers_or_reasons_for_every_shipped_profile() -> None:
    draw = random.Random(3)
    blocks = []
    for profile in shipped():
        for request in plan(profile.points, profile.limits):
            inside = [(profile.points[name], name) for name in request.points]
            alone = [(p, p.address - request.address) for p, _ in inside if not p.follows]
            waiting = [Follower(p, p.address - request.address) for p, _ in inside if p.follows]
            followed = {name for p, _ in inside for name in p.follows}
            blocks.append((BlockDecoder(alone, request.count), waiting, followed, request.count))
    for n in range(FRAMES):
        decoder, waiting, followed, count = blocks[n % len(blocks)]
        data = draw.randbytes(count * 2)
        values: list[float] = []
        flags: list[int] = []
        decoder.decode(data, values, flags)
        told = {name: (float(draw.randint(-40, 40)), GOOD) for name in followed}
        for follower in waiting:
            value, packed = follower.read(data, told)
            values.append(value)
            flags.append(packed)
        assert [math.isfinite(value) for value in values] == [packed == GOOD for packed in flags]
