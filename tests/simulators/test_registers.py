"""What a twin puts into its registers is what its profile says."""

from __future__ import annotations

import math

import pytest

from drivers.profile import ModbusProfile, RegisterPoint
from hub.ports import ExceptionAnswerError, NoAnswerError
from simulators.registers import Unit, words_of


def point(**fields) -> RegisterPoint:
    return RegisterPoint.model_validate({"table": "holding", "address": 0} | fields)


@pytest.mark.parametrize(
    ("fields", "value", "words"),
    [
        ({"type": "float32"}, 355.0, [0x43B1, 0x8000]),
        ({"type": "float32", "word_order": "little"}, 355.0, [0x8000, 0x43B1]),
        ({"type": "float32", "byte_order": "little"}, 355.0, [0xB143, 0x0080]),
        ({"type": "float64"}, 1.0, [0x3FF0, 0, 0, 0]),
        ({"type": "uint16", "scale": 0.1}, 221.34, [2213]),
        ({"type": "int16", "scale": 0.1}, -5.04, [0xFFCE]),
        ({"type": "int16", "offset": -40}, 20, [60]),
        ({"type": "uint16"}, 70_000, [0xFFFF]),
        ({"type": "uint16"}, -1, [0]),
        ({"type": "int32"}, -2, [0xFFFF, 0xFFFE]),
        ({"type": "uint32", "scale": 0.01}, 1234.56, [1, 57920]),
        ({"type": "uint64", "word_order": "little"}, 1, [1, 0, 0, 0]),
        ({"type": "uint16", "invalid": [0x7FFF]}, math.nan, [0x7FFF]),
        ({"type": "uint16", "bit": 3}, 1, [8]),
        ({"type": "bool", "table": "coil"}, 1, [1]),
        ({"type": "uint32", "scale": 0.01, "rollover": 1000}, 1234.56, [0, 23456]),
        ({"type": "uint32", "scale": 0.01, "rollover": 1000}, 999.999, [0, 0]),
    ],
)
def test_values_become_words(fields, value, words):
    assert words_of(point(**fields), value) == words


def test_every_point_of_every_shipped_profile_has_a_value(profiles, fleet):
    shown = {device.profile for device in fleet.devices.values()}
    assert shown <= set(profiles)
    for device in fleet.devices.values():
        values = fleet.twin(device.id).values()
        for name, spec in profiles[device.profile].points.items():
            assert math.isfinite(values[name]), (device.id, name)
            low, high = spec.min, spec.max
            assert low is None or low <= values[name], (device.id, name)
            assert high is None or values[name] <= high, (device.id, name)


def test_every_counter_of_every_shipped_profile_is_reset_by_a_counter_reset(profiles, fleet):
    for device in fleet.devices.values():
        twin = fleet.twin(device.id)
        twin.fault("counter_reset")
        for name, spec in profiles[device.profile].points.items():
            assert (twin.values()[name] == 0) or spec.kind != "counter", (device.id, name)


def test_everything_that_a_shipped_profile_lets_write_can_be_written(profiles, fleet):
    for device in fleet.devices.values():
        twin = fleet.twin(device.id)
        for name, spec in profiles[device.profile].points.items():
            if spec.write:
                for value in (spec.write.max, spec.write.min):
                    twin.write(name, value)
                    assert twin.values()[name] == value


@pytest.fixture
def meter(profiles, fleet) -> Unit:
    profile = profiles["reference-room-meter"]
    assert isinstance(profile, ModbusProfile)
    return Unit(fleet.twin("dorm-07/meter-301"), profile, lambda: None)


def test_any_part_of_the_map_can_be_read(meter):
    whole = meter.read("input", 0, 14)
    assert [meter.read("input", at, 1)[0] for at in range(14)] == whole
    assert meter.read("input", 3, 7) == whole[3:10]


@pytest.mark.parametrize(
    ("table", "address", "count"),
    [("input", 14, 1), ("input", 13, 2), ("holding", 2, 1), ("coil", 0, 1), ("input", 60_000, 1)],
)
def test_outside_of_the_map_is_exception_2(meter, table, address, count):
    with pytest.raises(ExceptionAnswerError) as raised:
        meter.read(table, address, count)
    assert raised.value.code == 2


def test_a_meter_keeps_to_the_limits_of_its_profile(profiles, fleet):
    profile = profiles["eastron-sdm630"]
    unit = Unit(fleet.twin("dorm-07/main"), profile, lambda: None)
    assert len(unit.read("input", 0, 80)) == 80
    for address, count, code in [(0, 82, 3), (1, 2, 2), (0, 3, 2)]:
        with pytest.raises(ExceptionAnswerError) as raised:
            unit.read("input", address, count)
        assert raised.value.code == code


@pytest.mark.parametrize(
    ("address", "words", "code"),
    [(0, [2], 3), (1, [60_000], 3), (0, [1, 60_000], 3), (2, [1], 2), (1, [500, 1], 2)],
)
def test_a_write_that_is_not_allowed_changes_nothing(meter, address, words, code):
    before = meter.twin.values()
    with pytest.raises(ExceptionAnswerError) as raised:
        meter.write("holding", address, words)
    assert raised.value.code == code
    assert meter.twin.values() == before


def test_a_write_is_read_back(meter):
    meter.write("holding", 0, [0, 1500])
    assert meter.read("holding", 0, 2) == [0, 1500]
    assert meter.read("input", 13, 1) == [0]


def test_a_silent_twin_answers_nothing_and_a_sick_one_exceptions(meter):
    meter.twin.fault("silent")
    # Who asked knows whom, and says it.
    with pytest.raises(NoAnswerError, match=r"^no answer$"):
        meter.read("input", 0, 1)
    with pytest.raises(NoAnswerError):
        meter.write("holding", 0, [1])
    meter.twin.repair("comms-module")
    meter.twin.fault("exception_answer")
    with pytest.raises(ExceptionAnswerError) as raised:
        meter.read("input", 0, 1)
    assert raised.value.code == 4
    meter.twin.repair("meter")
    assert meter.read("input", 0, 1)
