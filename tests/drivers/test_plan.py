from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from drivers.plan import Request, halves, missing, plan
from drivers.profile import WORDS, Limits, ModbusProfile, Profile, RegisterPoint
from hub.ports import Hole


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


@pytest.mark.parametrize(
    ("holes", "expected"),
    [
        ([], [(0, 8)]),
        ([("input", 3, 1)], [(0, 3), (4, 4)]),
        ([("input", 3, 0)], [(0, 3), (3, 5)]),  # a boundary takes no register away
        ([("holding", 3, 1)], [(0, 8)]),
        ([("input", 8, 1), ("input", 0, 0)], [(0, 8)]),
        ([("input", 2, 1), ("input", 5, 1)], [(0, 2), (3, 2), (6, 2)]),
    ],
)
def test_requests_go_around_the_holes_of_a_device(holes, expected) -> None:
    wanted = points(*[("input", n, "uint16") for n in range(8)])
    there = [Hole(*hole) for hole in holes]
    rest = {name: point for name, point in wanted.items() if not missing(point, there)}
    made = plan(rest, Limits(), there)
    assert [(request.address, request.count) for request in made] == expected


def test_a_point_that_only_overlaps_a_hole_is_still_asked_for() -> None:
    wanted = points(("input", 0, "uint32"), ("input", 0, "uint16"), ("input", 0, "uint64"))
    hole = [Hole("input", 0, 2)]
    assert [missing(point, hole) for point in wanted.values()] == [True, False, True]


HOLES = st.lists(
    st.builds(Hole, st.sampled_from(["holding", "input"]), st.integers(0, 60), st.integers(0, 2)),
    max_size=4,
)


@given(MAPS, LIMITS, HOLES)
def test_no_request_of_several_points_touches_a_hole(spans, limits, holes) -> None:
    wanted = points(*spans)
    made = plan(wanted, limits, holes)
    assert sorted(name for request in made for name in request.points) == sorted(wanted)
    for request in made:
        first, end = request.address, request.address + request.count
        low = max(wanted[name].address for name in request.points)
        for hole in holes:
            # a single point is asked for even so, and those that begin with it cost nothing more
            if hole.table == request.table and low >= request.address + limits.align:
                inside = range(max(first, hole.address), min(end, hole.address + hole.words))
                assert not inside
                assert hole.words or not first < hole.address < end


@given(MAPS)
def test_halving_reaches_every_register_in_few_steps(spans) -> None:
    wanted = points(*spans)
    for request in plan(wanted, Limits()):
        depth = reached(request.points, wanted)
        different = {(wanted[name].address, wanted[name].type) for name in request.points}
        assert depth <= len(different).bit_length()


def reached(names: tuple[str, ...], wanted: dict[str, RegisterPoint]) -> int:
    parts = halves(Request("input", 0, 1, names), wanted)
    if parts is None:
        assert len({(wanted[name].address, wanted[name].words) for name in names}) == 1
        return 0
    assert sorted([*parts[0], *parts[1]]) == sorted(names)
    return 1 + max(reached(part, wanted) for part in parts)


PROFILES = Path(__file__).parents[2] / "config" / "profiles"


@pytest.mark.parametrize("path", sorted(PROFILES.glob("*.yaml")), ids=lambda path: path.stem)
def test_a_shipped_profile_is_read_in_the_fewest_requests(path) -> None:
    profile = TypeAdapter(Profile).validate_python(yaml.safe_load(path.read_text("utf-8")))
    if not isinstance(profile, ModbusProfile):
        return
    made = plan(profile.points, profile.limits)
    tables = {point.table for point in profile.points.values()}
    least = sum(least_runs(profile, table) for table in tables)
    assert len(made) <= 1.05 * least
    assert len(made) < len(profile.points)


def least_runs(profile: ModbusProfile, table: str) -> int:
    """Find the fewest requests by looking at every way to cut the sorted points."""
    limits = profile.limits
    part = sorted(
        (point for point in profile.points.values() if point.table == table),
        key=lambda point: (point.address, point.words),
    )
    if table in ("coil", "discrete"):
        limits = limits.model_copy(update={"words": limits.bits, "align": 1})
    least = [0] + [len(part)] * len(part)
    for end in range(1, len(part) + 1):
        for start in range(end):
            if readable(part[start:end], limits):
                least[end] = min(least[end], least[start] + 1)
    return least[-1]
