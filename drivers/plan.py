"""Group the points of a profile into few requests; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from drivers.profile import WORDS, Limits, RegisterPoint
from hub.ports import Table

_TABLES: tuple[Table, ...] = ("holding", "input", "coil", "discrete")


@dataclass(frozen=True, slots=True)
class Request:
    """One read: ``count`` registers or bits from ``address``, and the points inside, in order."""

    table: Table
    address: int
    count: int
    points: tuple[str, ...]


def plan(points: Mapping[str, RegisterPoint], limits: Limits) -> tuple[Request, ...]:
    """Cover all points with the fewest requests that the limits allow.

    >>> near = RegisterPoint(table="input", address=0, type="float32")
    >>> far = RegisterPoint(table="input", address=70, type="float32")
    >>> [(r.address, r.count) for r in plan({"near": near, "far": far}, Limits())]
    [(0, 2), (70, 2)]
    """
    requests: list[Request] = []
    for table in _TABLES:
        spans = sorted(
            (point.address, point.address + WORDS[point.type], name)
            for name, point in points.items()
            if point.table == table
        )
        requests.extend(_cover(table, spans, limits))
    return tuple(requests)


def _cover(table: Table, spans: Iterable[tuple[int, int, str]], limits: Limits) -> list[Request]:
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
        fits = max(high, last) - first <= longest and low - last <= limits.gap
        if names and fits:
            last = max(high, last)
            names.append(name)
            continue
        if names:
            requests.append(Request(table, first, last - first, tuple(names)))
        first, last, names = low, high, [name]
    if names:
        requests.append(Request(table, first, last - first, tuple(names)))
    return requests
