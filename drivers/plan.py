"""Group the points of a profile into few requests, around the holes of a device; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from drivers.profile import Limits, RegisterPoint
from hub.ports import Hole, Table

_TABLES: tuple[Table, ...] = ("holding", "input", "coil", "discrete")


@dataclass(frozen=True, slots=True)
class Request:
    """One read: ``count`` registers or bits from ``address``, and the points inside, in order."""

    table: Table
    address: int
    count: int
    points: tuple[str, ...]


def plan(
    points: Mapping[str, RegisterPoint], limits: Limits, holes: Sequence[Hole] = ()
) -> tuple[Request, ...]:
    """Cover all points with the fewest requests that limits and holes allow.

    >>> near = RegisterPoint(table="input", address=0, type="float32")
    >>> far = RegisterPoint(table="input", address=70, type="float32")
    >>> [(r.address, r.count) for r in plan({"near": near, "far": far}, Limits())]
    [(0, 2), (70, 2)]
    """
    requests: list[Request] = []
    for table in _TABLES:
        spans = sorted(
            (point.address, point.address + point.words, name)
            for name, point in points.items()
            if point.table == table
        )
        inside = [hole for hole in holes if hole.table == table]
        requests.extend(_cover(table, spans, limits, inside))
    return tuple(requests)


def missing(point: RegisterPoint, holes: Iterable[Hole]) -> bool:
    """Tell whether a point has a hole in it; one that only overlaps a hole may yet be there."""
    end = point.address + point.words
    return any(
        hole.words
        and hole.table == point.table
        and point.address <= hole.address
        and hole.address + hole.words <= end
        for hole in holes
    )


def halves(
    request: Request, points: Mapping[str, RegisterPoint]
) -> tuple[tuple[str, ...], tuple[str, ...]] | None:
    """Split a request's points in two by their registers; None when all share the same ones."""
    spans = sorted({(points[name].address, points[name].words) for name in request.points})
    if len(spans) == 1:
        return None
    first = set(spans[: len(spans) // 2])
    left = tuple(
        name for name in request.points if (points[name].address, points[name].words) in first
    )
    return left, tuple(name for name in request.points if name not in left)


def _cover(
    table: Table, spans: Iterable[tuple[int, int, str]], limits: Limits, holes: Sequence[Hole]
) -> list[Request]:
    """Take spans in order of address and begin a new request only when one must.

    Greedy is the optimum here: whatever does not fit behind the lowest address left must go into a
    later request anyway, which then begins as far right as it can.
    """
    registers = table in ("holding", "input")
    align = limits.align if registers else 1
    longest = limits.words if registers else limits.bits
    requests: list[Request] = []
    names: list[str] = []
    first = last = 0
    for start, end, name in spans:
        low, high = start - start % align, min(end + -end % align, 0x10000)
        joined = max(high, last)
        fits = joined - first <= longest and low - last <= limits.gap
        if names and fits and not any(_in_the_way(hole, first, joined) for hole in holes):
            last = joined
            names.append(name)
            continue
        if names:
            requests.append(Request(table, first, last - first, tuple(names)))
        first, last, names = low, high, [name]
    if names:
        requests.append(Request(table, first, last - first, tuple(names)))
    return requests


def _in_the_way(hole: Hole, first: int, end: int) -> bool:
    """Tell whether a request for first..end would touch a hole or cross a boundary."""
    if hole.words:
        return first < hole.address + hole.words and hole.address < end
    return first < hole.address < end
