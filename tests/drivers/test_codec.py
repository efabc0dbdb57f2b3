from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pymodbus.client.mixin import ModbusClientMixin

from drivers.codec import BlockDecoder, decode, encode
from drivers.profile import WORDS, RegisterPoint
from hub.model import Quality, Reason, quality_of, reason_of

TYPES = ModbusClientMixin.DATATYPE
RANGES = {
    "int16": (-(2**15), 2**15 - 1),
    "uint16": (0, 2**16 - 1),
    "int32": (-(2**31), 2**31 - 1),
    "uint32": (0, 2**32 - 1),
    "int64": (-(2**53), 2**53),
    "uint64": (0, 2**53),
}


def point(type_: str = "uint16", **more: object) -> RegisterPoint:
    return RegisterPoint.model_validate({"table": "holding", "address": 0, "type": type_} | more)


def why(packed: int) -> tuple[Quality, Reason]:
    return quality_of(packed), reason_of(packed)


@pytest.mark.parametrize(
    ("spec", "words", "value"),
    [
        (point("float32"), [0x43B1, 0x8000], 355.0),  # high word first: Eastron
        (point("float32", word_order="little"), [0x8000, 0x43B1], 355.0),
        (point("float32", byte_order="little"), [0xB143, 0x0080], 355.0),
        (point("float32", word_order="little", byte_order="little"), [0x0080, 0xB143], 355.0),
        (point("int32", word_order="little"), [0x0001, 0xFFFF], -65535.0),  # Carlo Gavazzi
        (point("int64"), [0, 0, 1, 0], 65536.0),  # Schneider
        (point("uint16", scale=0.1), [2301], 230.1),
        (point("int16", scale=0.1, offset=-40), [500], 10.0),
        (point("uint16", bit=4), [0x0010], 1.0),
        (point("int16", bit=15), [0x8000], 1.0),
        (point("uint16", bit=3), [0xFFF7], 0.0),
        (RegisterPoint(table="coil", address=0, type="bool"), [1], 1.0),
        (point("uint16", byte_order="little"), [0x3412], float(0x1234)),
        (point("uint16", word_order="little"), [0x1234], float(0x1234)),
    ],
)
def test_golden_registers_give_the_printed_value(spec, words, value) -> None:
    assert decode(spec, words) == (value, 0)


@given(st.data())
def test_integers_decode_as_pymodbus_encodes_them(data) -> None:
    type_ = data.draw(st.sampled_from(sorted(RANGES)))
    order = data.draw(st.sampled_from(["big", "little"]))
    raw = data.draw(st.integers(*RANGES[type_]))
    words = ModbusClientMixin.convert_to_registers(raw, TYPES[type_.upper()], word_order=order)
    spec = point(type_, word_order=order)
    assert decode(spec, words) == (float(raw), 0)
    assert encode(spec, float(raw)) == words


@given(
    st.floats(width=32, allow_nan=False, allow_infinity=False), st.sampled_from(["big", "little"])
)
def test_floats_decode_as_pymodbus_encodes_them(raw, order) -> None:
    for type_, kind in (("float32", TYPES.FLOAT32), ("float64", TYPES.FLOAT64)):
        words = ModbusClientMixin.convert_to_registers(raw, kind, word_order=order)
        spec = point(type_, word_order=order)
        assert decode(spec, words) == (raw, 0)
        assert encode(spec, raw) == words


@given(
    st.sampled_from(sorted(RANGES)),
    st.sampled_from(["big", "little"]),
    st.sampled_from(["big", "little"]),
    st.integers(0, 30_000),
)
def test_what_is_encoded_is_decoded_again_in_every_order(type_, words, order, raw) -> None:
    spec = point(type_, word_order=words, byte_order=order, scale=0.01)
    assert decode(spec, encode(spec, raw / 100)) == (raw / 100, 0)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (point("uint16", invalid=[0xFFFF]), [0xFFFF]),
        (point("int16", invalid=[0x7FFF, 0x8000], scale=0.1), [0x8000]),
        (point("int16", invalid=[-1]), [0xFFFF]),
        (point("uint64", invalid=[2**64 - 1]), [0xFFFF] * 4),
        (point("int32", invalid=[0x7FFFFFFF], word_order="little"), [0xFFFF, 0x7FFF]),
        (point("uint16", bit=3, invalid=[0xFFFF]), [0xFFFF]),
        (point("float32", invalid=[0x7F7FFFFF]), [0x7F7F, 0xFFFF]),
    ],
)
def test_a_filler_is_never_a_number(spec, words) -> None:
    value, packed = decode(spec, words)
    assert math.isnan(value)
    assert why(packed) == (Quality.BAD, Reason.INVALID_MARKER)


@pytest.mark.parametrize(
    ("spec", "words", "reason"),
    [
        (point("float32"), [0x7FC0, 0], Reason.NOT_A_NUMBER),
        (point("float32"), [0x7F80, 0], Reason.NOT_A_NUMBER),
        (point("float32", min=0, max=100), [0x7F80, 0], Reason.NOT_A_NUMBER),
        (point("int16", scale=0.1, min=-20, max=120), [1201], Reason.OUT_OF_RANGE),
        (point("int16", scale=0.1, min=-20, max=120), [0x8000], Reason.OUT_OF_RANGE),
    ],
)
def test_nonsense_is_bad_with_its_reason(spec, words, reason) -> None:
    value, packed = decode(spec, words)
    assert math.isnan(value)
    assert why(packed) == (Quality.BAD, reason)


def test_a_value_at_its_limit_is_good() -> None:
    assert decode(point("int16", scale=0.1, min=-20, max=120), [1200]) == (120.0, 0)


@pytest.mark.parametrize(
    ("spec", "value"),
    [
        (point("uint16"), -1),
        (point("int16", scale=0.1), 3276.8),
        (point("float32"), 1e39),
        (point("uint16"), math.nan),
        (point("float32"), math.inf),
        (RegisterPoint(table="coil", address=0, type="bool"), 2),
    ],
)
def test_what_does_not_fit_is_not_encoded(spec, value) -> None:
    with pytest.raises(ValueError, match=r"fit|number|neither"):
        encode(spec, value)


def test_a_block_decodes_its_points_at_their_offsets_and_orders() -> None:
    block = BlockDecoder(
        [
            (point("uint16"), 0),
            (point("uint16", bit=0), 0),
            (point("float32", word_order="little"), 3),
        ],
        5,
    )
    values: list[float] = [7.0]
    flags: list[int] = [0]
    block.decode(block.bytes_of([3, 0, 0, 0x8000, 0x43B1]), values, flags)
    assert values == [7.0, 3.0, 1.0, 355.0]
    assert flags == [0] * 4


@given(st.sampled_from(sorted(WORDS)), st.data())
def test_any_registers_give_a_value_or_a_reason(type_, data) -> None:
    words = data.draw(
        st.lists(st.integers(0, 0xFFFF), min_size=WORDS[type_], max_size=WORDS[type_])
    )
    more = {"bool": {"bit": 0}, "int8": {"byte": "high"}, "uint8": {"byte": "low"}}
    spec = point(type_, min=-1000, max=1000, **more.get(type_, {}))
    value, packed = decode(spec, words)
    assert math.isnan(value) == (quality_of(packed) is Quality.BAD)
