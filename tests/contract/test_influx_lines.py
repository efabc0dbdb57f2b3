"""The line protocol: any value is written as the type its field has, and read back as it was."""

import math
import re

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hub.model import Point, Text
from hub.store import influx_lines, rollup
from hub.store.influx_lines import Heads, escaped, reading_lines, rollup_lines
from tests.contract.readings import HOUR, POINTS, T0, batch

LINE = re.compile(r"([^ ]+) ([^ ]+) (-?\d+)")
FLOAT = re.compile(r"-?\d+(\.\d+)?(e[+-]\d+)?")
INTEGER = re.compile(r"-?\d+i")


def parsed(line: str) -> tuple[str, dict[str, float | int], int]:
    """Read a line by the published grammar; numbers only."""
    found = LINE.fullmatch(line)
    assert found is not None, line
    fields: dict[str, float | int] = {}
    for field in found[2].split(","):
        name, value = field.split("=")
        if INTEGER.fullmatch(value):
            fields[name] = int(value[:-1])
        else:
            assert FLOAT.fullmatch(value), line
            fields[name] = float(value)
    return found[1], fields, int(found[3])


@given(
    st.lists(
        st.tuples(
            st.sampled_from([*POINTS, 77]),
            st.integers(-(2**62), 2**62),
            st.floats() | st.integers(-(2**53), 2**53).map(float),
            st.integers(0, 31),
        ),
        min_size=1,
    )
)
def test_every_reading_reads_back_as_it_was(rows: list[tuple[int, int, float, int]]) -> None:
    said = batch(*rows)
    found = []
    for line, (number, at_ms, value, quality) in zip(
        reading_lines(said, Heads(POINTS)), rows, strict=True
    ):
        head, fields, at = parsed(line)
        assert head.endswith(f",point={number}")
        assert at == at_ms
        assert isinstance(fields["quality"], int)
        assert isinstance(fields.get("value", 0.0), float)  # never an integer, however whole
        assert fields.keys() <= set(influx_lines.READING_FIELDS)
        row = [at, fields.get("value"), fields["quality"]]
        again = influx_lines.readings([(number, [row])])
        assert math.isnan(value) if math.isnan(again.value[0]) else again.value[0] == value
        assert again.quality[0] == quality
        found.append(again)
    assert len(found) == len(rows)


@given(st.lists(st.floats(-1e14, 1e14), min_size=1, max_size=50))
def test_roll_ups_read_back_to_the_last_bit(values: list[float]) -> None:
    said = batch(*((3, T0 + n * HOUR // 9, value) for n, value in enumerate(values)))
    made = rollup.rolled(said, HOUR)
    found = []
    for line in rollup_lines(made, POINTS, "there"):
        _, fields, at_ms = parsed(line)
        found.append((3, [[at_ms, *(fields.get(name) for name in influx_lines.ROLLUP_FIELDS)]]))
    again = influx_lines.rollups(found, HOUR)
    for name, column in rollup.columns_of(made).items():
        assert np.array_equal(getattr(again, name), column, equal_nan=column.dtype.kind == "f"), (
            name
        )


def test_words_of_a_profile_cannot_leave_their_place() -> None:
    point = Point(5, "a/b/c", "dorm 07,x=1/meter", "flow rate", "", "gauge", Text("流量", "Flow"))
    (line,) = reading_lines(batch((5, T0, 1.0)), Heads({5: point}))
    assert line.startswith(r"flow\ rate,device=dorm\ 07\,x\=1/meter,point=5 value=1.0,")
    assert escaped("电量") == "电量"


def test_a_roll_up_without_a_usable_reading_has_no_numbers_of_before() -> None:
    row = [T0, 3, 0, 1.0, 2.0, 0.0, 1.0, 2.0, 0, 0, 0]
    named = dict(zip(influx_lines.ROLLUP_FIELDS, row[1:], strict=True))
    assert named["good"] == 0
    (minimum,) = influx_lines.rollups([(1, [row])], HOUR).min.tolist()
    assert math.isnan(minimum)
