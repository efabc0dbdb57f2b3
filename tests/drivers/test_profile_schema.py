"""What a Modbus profile may say, and what it is told when it may not."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from drivers.profile import ModbusProfile, RegisterPoint, write_function


def profile(points: dict[str, dict[str, object]], **more: object) -> ModbusProfile:
    return ModbusProfile.model_validate(
        {"version": 1, "id": "test", "maker": "m", "model": "m", "kind": "meter", "source": "s",
         "protocol": "modbus", "points": points} | more
    )  # fmt: skip


def holding(address: int = 0, **more: object) -> dict[str, object]:
    return {"table": "holding", "address": address} | more


WRITE = {"min": 0, "max": 1}


@pytest.mark.parametrize(
    ("point", "text"),
    [
        (holding(type="uint8"), "need byte"),
        (holding(byte="high"), "need byte"),
        (holding(bits=3), "bits needs bit"),
        (holding(bit=14, bits=3), "uint16 has 16 bits"),
        (holding(type="float32", bit=3), "no bits to take from a float32"),
        (holding(type="uint8", byte="low", bit=3), "no bits to take"),
        (holding(scale=0), "scale 0"),
        (holding(type="bool"), "coils and discrete inputs are bool"),
        (holding(0xFFFE, type="float64"), "above register 65535"),
        ({"table": "input", "address": 0, "write": WRITE}, "cannot be written"),
        (holding(write=WRITE, scale_from={"point": "b", "kind": "factor"}), "cannot be written"),
        (holding(scale_from={"point": "b", "kind": "choice"}), "has factors"),
        (holding(scale_from={"point": "b", "kind": "factor", "factors": {1: 2}}), "has factors"),
        (holding(write={"min": 0, "max": 5, "one_of": [7]}), "one_of is outside"),
        (holding(write={"min": 2, "max": 1}), "min is above max"),
        (holding(write=WRITE | {"only_while": {"point": "b", "equals": []}}), "at least 1 item"),
    ],
)
def test_a_point_that_cannot_be_is_refused_with_the_reason(point, text) -> None:
    with pytest.raises(ValidationError, match=text):
        RegisterPoint.model_validate(point)


@pytest.mark.parametrize(
    ("points", "more", "text"),
    [
        ({"a": holding(scale_from={"point": "b", "kind": "factor"})}, {}, "a: .*'b', which is no"),
        (
            {
                "a": holding(scale_from={"point": "b", "kind": "factor"}),
                "b": holding(1, scale_from={"point": "c", "kind": "factor"}),
                "c": holding(2),
            },
            {},
            "a: .*'b', which itself depends",
        ),
        (
            {"a": holding(word_order_from={"point": "b", "at_least": 1, "order": "little"})},
            {},
            "'b', which is no point",
        ),
        (
            {"a": holding(write=WRITE | {"only_while": {"point": "off", "equals": 0}})},
            {},
            "only_while names 'off'",
        ),
        (
            {"a": holding(type="int32", write=WRITE)},
            {"limits": {"write_functions": [5, 6]}},
            "none of the write functions 5, 6 can write 2 of table holding",
        ),
        (
            {"a": {"table": "coil", "address": 0, "type": "bool", "write": WRITE}},
            {"limits": {"write_functions": [6, 16]}},
            "can write 1 of table coil",
        ),
        ({"a": holding(type="int64")}, {"limits": {"words": 2}}, "takes 4 registers"),
        ({"a": holding(0)}, {"addressing": "one_based"}, "greater than or equal to 0"),
    ],
)
def test_points_that_do_not_fit_each_other_are_refused(points, more, text) -> None:
    with pytest.raises(ValidationError, match=text):
        profile(points, **more)


@pytest.mark.parametrize(
    ("point", "functions", "chosen"),
    [
        (holding(), [5, 6, 15, 16], 6),
        (holding(), [16], 16),
        (holding(type="int32"), [6, 16], 16),
        (holding(type="int32"), [6], None),
        ({"table": "coil", "address": 0, "type": "bool"}, [5, 15], 5),
        ({"table": "coil", "address": 0, "type": "bool"}, [15, 16], 15),
        ({"table": "coil", "address": 0, "type": "bool"}, [6, 16], None),
    ],
)
def test_the_write_function_is_one_that_the_device_knows(point, functions, chosen) -> None:
    limits = profile({"a": holding()}, limits={"write_functions": functions}).limits
    assert write_function(RegisterPoint.model_validate(point), limits) == chosen


def test_addresses_of_a_document_that_counts_from_one_are_those_on_the_wire() -> None:
    serial = {"table": "holding", "address": 40, "words": 4}
    made = profile({"a": holding(1)}, addressing="one_based", attributes={"serial": serial})
    assert made.points["a"].address == 0
    assert made.attributes["serial"].address == 39
    again = ModbusProfile.model_validate(made.model_dump(by_alias=True))
    assert again == made  # what was lowered is not lowered again


def test_one_thing_needs_no_brackets() -> None:
    made = profile(
        {
            "off": holding(2),
            "a": holding(write=WRITE | {"only_while": {"point": "off", "equals": 0x55}}),
            "b": holding(1, scale_from={"point": "off", "kind": "factor"}),
        }
    )
    write = made.points["a"].write
    assert write
    assert write.only_while[0].equals == (0x55,)
    assert made.points["b"].follows == ("off",)
