"""Readings that the tests of all stores say and hear, and the points they belong to."""

import math

from hub.model import Batch, Point, Quality, Reason, Text, flag

T0 = 1_800_000_000_000  # a quarter of an hour begins here, not a day
MINUTE = 60_000
HOUR = 60 * MINUTE
EVER = (T0 - 24 * HOUR, T0 + 24 * HOUR)
BAD = flag(Quality.BAD, Reason.OUT_OF_RANGE)
UNCERTAIN = flag(Quality.UNCERTAIN, Reason.RECEIPT_TIME)
MISSING = flag(Quality.MISSING, Reason.NO_ANSWER)
NO_CLOCK = flag(Quality.GOOD, Reason.RECEIPT_TIME)
NAN = float("nan")
POINTS = {
    number: Point(number, f"dorm-07/meter-{number}/{name}", f"dorm-07/meter-{number}", name, unit,
                  kind, Text(zh, name))
    for number, name, unit, kind, zh in (
        (1, "power", "W", "gauge", "功率"),
        (2, "power", "W", "gauge", "功率"),
        (3, "energy", "kWh", "counter", "电量"),
        (40_000, "energy", "kWh", "counter", "电量"),
    )
}  # fmt: skip


def batch(
    *rows: tuple[int, int, float] | tuple[int, int, float, int], received_ms: int = T0
) -> Batch:
    full = [row if len(row) == 4 else (*row, 0) for row in rows]
    point, at_ms, value, quality = zip(*full, strict=True)
    return Batch.of(point, at_ms, value, quality, received_ms)


def rows_of(found: Batch) -> list[tuple[int, int, float | None, int]]:
    return [
        (point, at_ms, None if math.isnan(value) else value, quality)
        for point, at_ms, value, quality in zip(
            found.point.tolist(),
            found.at_ms.tolist(),
            found.value.tolist(),
            found.quality.tolist(),
            strict=True,
        )
    ]
