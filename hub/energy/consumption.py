"""Energy used by place and step: sums that say what they leave out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hub.energy.counter import increments
from hub.model import Batch, Point, Quality
from hub.ports import Refused, TimeSeriesStore
from hub.site import Device, Site

By = Literal["device", "room", "building"]
Numbers = NDArray[np.float64]

# How far beyond both ends a reading is looked for, to know the counter at the ends themselves.
REACH_MS = 6 * 3_600_000
# Between readings further apart than this nobody measured: the energy is known, not its time.
GAP_INTERVALS = 3
POINTS_PER_QUERY = 500
MOST_READINGS = 20_000_000


@dataclass(frozen=True, slots=True)
class Row:
    """The use of one device, room or building, per step.

    ``kwh`` is None where nothing was measured. ``coverage`` (0..1) is the share of a step that was
    measured: a number with coverage 0 lies in a gap and was spread evenly over it.
    """

    id: str
    kwh: tuple[float | None, ...]
    coverage: tuple[float, ...]

    @property
    def total(self) -> float | None:
        """Return the sum of what was measured, None when nothing was."""
        known = [kwh for kwh in self.kwh if kwh is not None]
        return sum(known) if known else None


@dataclass(frozen=True, slots=True)
class Use:
    """The use of a place: its rows, their sum, and beside it what the main meters say."""

    place: str
    start_ms: int
    end_ms: int
    step_ms: int
    rows: tuple[Row, ...]
    total: Row
    main: Row | None


class Consumption:
    """Reads counters from the store; calls block: run them in a worker."""

    def __init__(self, site: Site, store: TimeSeriesStore) -> None:
        self._site = site
        self._store = store

    def use(self, place: str, start_ms: int, end_ms: int, step_ms: int, by: By = "device") -> Use:
        """Return the energy used in a place (or the whole site, by its id) per step."""
        if step_ms <= 0 or end_ms <= start_ms:
            raise Refused("consumption: start must be before end, and the step above 0")
        edges = np.append(np.arange(start_ms, end_ms, step_ms), end_ms)
        counters = self._counters(place)
        measured = self._measured(counters, edges)
        leaves = [pair for pair in measured if not self._is_main(pair[0])]
        groups: dict[str, list[_Steps]] = {}
        for device, steps in leaves:
            groups.setdefault(self._group(device, by), []).append(steps)
        mains = [steps for device, steps in measured if self._is_main(device)]
        return Use(
            place,
            start_ms,
            end_ms,
            step_ms,
            tuple(_row(name, group, len(edges) - 1) for name, group in groups.items()),
            _row(place, [steps for _, steps in leaves], len(edges) - 1),
            _row(place, mains, len(edges) - 1) if mains else None,
        )

    def _counters(self, place: str) -> list[tuple[Device, Point]]:
        if place == self._site.id:
            devices = list(self._site.devices.values())
        elif place in self._site.places:
            devices = self._site.below(place)
        else:
            raise Refused(f"consumption: no place {place!r} in this site")
        return [(device, point) for device in devices if (point := _energy_of(device)) is not None]

    def _is_main(self, device: Device) -> bool:
        """Tell a meter of the building itself: it measures all others and is never added."""
        place = self._site.places.get(device.place)
        return device.kind == "meter" and place is not None and place.kind in ("building", "campus")

    def _group(self, device: Device, by: By) -> str:
        if by == "device":
            return device.id
        return device.place if by == "room" else self._site.building_of(device.place)

    def _measured(
        self, counters: Sequence[tuple[Device, Point]], edges: NDArray[np.int64]
    ) -> list[tuple[Device, _Steps]]:
        measured = []
        for first in range(0, len(counters), POINTS_PER_QUERY):
            some = counters[first : first + POINTS_PER_QUERY]
            found = self._store.raw(
                [point.number for _, point in some],
                int(edges[0]) - REACH_MS,
                int(edges[-1]) + REACH_MS,
                MOST_READINGS,
            )
            by_point = dict(_split(found))
            for device, point in some:
                steps = _steps(by_point.get(point.number), device, point, edges)
                measured.append((device, steps))
        return measured


@dataclass(frozen=True, slots=True, eq=False)
class _Steps:
    """Of one device per step: energy (NaN: not known) and the share measured."""

    kwh: Numbers
    coverage: Numbers


def _energy_of(device: Device) -> Point | None:
    named = {
        point.name: point
        for point in device.points
        if point.kind == "counter" and point.unit == "kWh"
    }
    return named.get("energy") or named.get("total_energy")


def _split(batch: Batch) -> Iterator[tuple[int, Batch]]:
    """Cut a batch that is in order of its points into one batch per point, good readings only."""
    good = batch.taken(batch.quality & 3 <= int(Quality.UNCERTAIN))
    if not len(good):
        return
    begins = np.flatnonzero(np.append(True, good.point[1:] != good.point[:-1]))
    for begin, end in zip(begins, np.append(begins[1:], len(good)), strict=True):
        rows = slice(begin, end)
        yield (
            int(good.point[begin]),
            Batch(
                good.point[rows],
                good.at_ms[rows],
                good.value[rows],
                good.quality[rows],
                good.received_ms,
            ),
        )


def _steps(found: Batch | None, device: Device, point: Point, edges: NDArray[np.int64]) -> _Steps:
    if found is None:
        return _Steps(np.full(len(edges) - 1, np.nan), np.zeros(len(edges) - 1))
    at, used = increments(found.at_ms, found.value, point.rollover)
    gap_ms = GAP_INTERVALS * device.interval.total_seconds() * 1000
    lasted = np.diff(at, prepend=at[:1])
    sums = np.cumsum(used)
    watched = np.cumsum(np.where(lasted <= gap_ms, lasted, 0))
    # Both are curves over time; a step's share is the difference at its edges, so the steps of a
    # day add up to the day. Outside the first and last reading the curve is flat.
    kwh = np.diff(np.interp(edges, at, sums))
    coverage = np.diff(np.interp(edges, at, watched)) / np.diff(edges)
    outside = (edges[1:] <= at[0]) | (edges[:-1] >= at[-1])
    return _Steps(np.where(outside, np.nan, kwh), coverage)


def _row(name: str, group: Sequence[_Steps], count: int) -> Row:
    if not group:
        return Row(name, (None,) * count, (0.0,) * count)
    kwh = np.vstack([steps.kwh for steps in group])
    known = np.asarray(~np.isnan(kwh).all(axis=0))
    sums = np.nansum(kwh, axis=0)
    coverage = np.vstack([steps.coverage for steps in group]).mean(axis=0)
    return Row(
        name,
        tuple(
            total if there else None
            for total, there in zip(sums.tolist(), known.tolist(), strict=True)
        ),
        tuple(coverage.tolist()),
    )
