from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.plan import Request, plan
from drivers.profile import WORDS, Limits, RegisterPoint


def points(*spans: tuple[str, int, str]) -> dict[str, RegisterPoint]:
    return {
        f"p{n}": RegisterPoint.model_validate({"table": table, "address": address, "type": type_})
        for n, (table, address, type_) in enumerate(spans)
    }


def shapes(requests: Sequence[Request]) -> list[tuple[str, int, int]]:
    return [(request.table, request.address, request.count) for request in requests]


@pytest.mark.parametrize(
    ("spans", "limits", "expected"),
    [
        ([("input", 0, "float32"), ("input", 2, "float32")], {}, [("input", 0, 4)]),
        ([("input", 0, "uint16"), ("input", 17, "uint16")], {}, [("input", 0, 18)]),
        (
            [("input", 0, "uint16"), ("input", 18, "uint16")],
            {},
            [("input", 0, 1), ("input", 18, 1)],
        ),
        ([("input", 0, "uint16"), ("input", 1, "uint16")], {"gap": 0}, [("input", 0, 2)]),
        (
            [("input", 0, "uint16"), ("holding", 1, "uint16")],
            {},
            [("holding", 1, 1), ("input", 0, 1)],
        ),
        ([("input", 1, "uint16"), ("input", 4, "uint16")], {"align": 2}, [("input", 0, 6)]),
        (
            [("input", 0, "uint64"), ("input", 4, "uint32")],
            {"words": 4},
            [("input", 0, 4), ("input", 4, 2)],
        ),
        ([("input", 0, "uint32"), ("input", 0, "uint16")], {}, [("input", 0, 2)]),
        ([("coil", 1, "bool"), ("coil", 15, "bool")], {"align": 2}, [("coil", 1, 15)]),
        ([("input", 0xFFFF, "uint16")], {"align": 4}, [("input", 0xFFFC, 4)]),
    ],
)
def test_points_become_requests(spans, limits, expected) -> None:
    assert shapes(plan(points(*spans), Limits.model_validate(limits))) == expected


MAPS = st.lists(
    st.tuples(
        st.sampled_from(["holding", "input"]),
        st.integers(0, 60),
        st.sampled_from(["uint16", "float32", "int64"]),
    ),
    max_size=7,
)
LIMITS = st.builds(
    Limits, words=st.integers(8, 20), align=st.sampled_from([1, 2, 4]), gap=st.integers(0, 12)
)


@given(MAPS, LIMITS)
def test_every_point_is_read_once_whole_and_within_the_limits(spans, limits) -> None:
    wanted = points(*spans)
    requests = plan(wanted, limits)
    assert sorted(name for request in requests for name in request.points) == sorted(wanted)
    for request in requests:
        assert request.count <= limits.words
        assert request.address % limits.align == 0
        for name in request.points:
            point = wanted[name]
            assert point.table == request.table
            assert request.address <= point.address
            assert point.address + WORDS[point.type] <= request.address + request.count


@given(MAPS, LIMITS)
def test_no_partition_needs_fewer_requests(spans, limits) -> None:
    wanted = points(*spans)
    for table in ("holding", "input"):
        part = [point for point in wanted.values() if point.table == table]
        made = [request for request in plan(wanted, limits) if request.table == table]
        assert len(made) == fewest(part, limits)


def fewest(part: list[RegisterPoint], limits: Limits) -> int:
    """Try every way to put the points into groups that one request could read."""
    best = len(part)

    def place(rest: list[RegisterPoint], groups: list[list[RegisterPoint]]) -> None:
        nonlocal best
        if len(groups) > best:
            return
        if not rest:
            if all(readable(group, limits) for group in groups):
                best = min(best, len(groups))
            return
        for n in range(len(groups)):
            place(rest[1:], [*groups[:n], [*groups[n], rest[0]], *groups[n + 1 :]])
        place(rest[1:], [*groups, [rest[0]]])

    place(part, [])
    return best


def readable(group: list[RegisterPoint], limits: Limits) -> bool:
    align, spans = limits.align, []
    for point in group:
        end = point.address + WORDS[point.type]
        spans.append((point.address - point.address % align, end + -end % align))
    spans.sort()
    last = spans[0][1]
    for low, high in spans[1:]:
        if low - last > limits.gap:
            return False
        last = max(last, high)
    return last - spans[0][0] <= limits.words
