"""Whatever is said in whatever order, every store answers as the one in memory does."""

import math
import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from hub.model import Batch, Edges, Hold, Rollups
from hub.store import open_store
from hub.store.rollup import COLUMNS
from tests.contract.conftest import KINDS, Made
from tests.contract.readings import (
    BAD,
    HOUR,
    MINUTE,
    MISSING,
    NAN,
    POINTS,
    T0,
    UNCERTAIN,
    batch,
    rows_of,
)

OTHERS = [kind for kind in KINDS if kind != "memory"]
NUMBERS = [*POINTS, 77]  # 77: a point that the site no longer has
LOOKS = (-200, -3, 10, 31, 79, 2000)  # hours
SPAN = (T0 - 30 * HOUR, T0 + 80 * HOUR)
YEAR_1970, YEAR_2106 = 5 * MINUTE, 4_294_967_295_000


def a_bad_week(seed: int) -> list[Batch]:
    """Readings in and out of order, repeated, corrected, with every value and quality there is."""
    draw = random.Random(seed)
    said: list[Batch] = []
    known: list[tuple[int, int]] = []
    for n in range(18):
        now = T0 + n * 4 * HOUR
        rows = []
        for _ in range(draw.randrange(1, 12)):
            back = draw.choice([0, 0, 0, 1, 20, 100]) * 3 * HOUR // 10
            spot = (draw.choice(NUMBERS), now - back - draw.randrange(3 * HOUR) // 7 * 7)
            if known and draw.random() < 0.2:
                spot = draw.choice(known)
            if draw.random() < 0.03:
                spot = (spot[0], draw.choice([YEAR_1970, YEAR_2106]))
            known.append(spot)
            value = draw.choice(
                [draw.uniform(-5, 5), 7.0, NAN, np.inf, -np.inf, 1e300, 2.0**32 - 1]
            )
            rows.append((*spot, value, draw.choice([0, 0, 0, UNCERTAIN, BAD, MISSING])))
        # Once the hub's own clock is far ahead; what comes afterwards comes late for every step.
        said.append(batch(*rows, received_ms=YEAR_2106 if n == 12 else now))
    return said


def without_nan(columns: list[Any]) -> list[tuple[Any, ...]]:
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return [
        tuple(None if isinstance(cell, float) and math.isnan(cell) else cell for cell in row)
        for row in rows
    ]


def rollup_rows(found: Rollups) -> list[tuple[Any, ...]]:
    return without_nan([getattr(found, name) for name in COLUMNS])


def edge_rows(found: Edges) -> list[tuple[Any, ...]]:
    return without_nan([found.point, found.before_ms, found.before, found.after_ms, found.after])


def answers(store: Any) -> dict[str, Callable[[], Any]]:
    """Return everything that a store can be asked."""
    return {
        "raw": lambda: rows_of(store.raw(NUMBERS, YEAR_1970, YEAR_2106 + 1)),
        "infinite": lambda: np.isposinf(store.raw(NUMBERS, *SPAN).value).tolist(),
        "some": lambda: rows_of(store.raw(NUMBERS, *SPAN, limit=7)),
        "last": lambda: rows_of(store.last()),
        "rollups": lambda: rollup_rows(store.rollups(NUMBERS, *SPAN)),
        "part": lambda: rollup_rows(store.rollups([3, 77], T0 + MINUTE, T0 + 31 * HOUR)),
        "series": lambda: store.series(NUMBERS, *SPAN, 7 * HOUR, ["min", "max", "last"]),
        "fine": lambda: store.series(NUMBERS, T0 + 5, T0 + 5 * HOUR, 11 * MINUTE, ["count"]),
        "edges": lambda: [edge_rows(store.edges(NUMBERS, T0 + look * HOUR)) for look in LOOKS],
        "export": lambda: sorted(
            row for piece in store.export(NUMBERS, *SPAN) for row in map(repr, rows_of(piece))
        ),
        "applied": store.applied,
    }


@pytest.mark.parametrize("made", OTHERS, indirect=True)
def test_a_bad_week_reads_the_same(made: Made, full_scale: bool) -> None:
    model, store = open_store("memory"), made.open()
    seq = 0
    for seed in range(4 if full_scale else 1):
        for n, said in enumerate(a_bad_week(seed), 1):
            if n == 10:  # nothing that only the process knows may matter
                store.close()
                store = made.open()
            seq += 1
            model.append(said, seq)
            store.append(said, seq)
            if n % 6 == 0:
                found, expected = (one.rollups(NUMBERS, *SPAN) for one in (store, model))
                assert rollup_rows(found) == rollup_rows(expected)
    found, expected = answers(store), answers(model)
    for what, ask in expected.items():
        assert found[what]() == ask(), what
    store.close()


# What a server forgets does not go by the path of writes.
@pytest.mark.parametrize("made", [kind for kind in OTHERS if kind != "influx-v2"], indirect=True)
def test_what_is_forgotten_stays_in_the_roll_ups(made: Made) -> None:
    model, store = open_store("memory"), made.open()
    holds = [Hold(frozenset([1, 3]), T0 + 2 * HOUR + MINUTE, T0 + 5 * HOUR)]
    # A repeat of what was forgotten counts twice in every store, so what comes late here is new.
    late = batch(
        *((number, T0 + hours * HOUR + 11, 3.25) for number in (1, 2) for hours in (-7, 3, 20)),
        received_ms=T0 + 80 * HOUR,
    )
    for one in (model, store):
        for n, said in enumerate(a_bad_week(1), 1):
            one.append(said, n)
    for before_hours, kept in ((30, holds), (31, holds), (30, ())):
        before_ms = T0 + before_hours * HOUR + 5
        forgotten = [one.forget([1, 3], before_ms, kept) for one in (model, store)]
        assert forgotten[0] == forgotten[1], before_hours
        for one in (model, store):
            one.append(late, 100 + before_hours)
        found, expected = answers(store), answers(model)
        for what in ("raw", "rollups", "edges", "series"):
            assert found[what]() == expected[what](), (what, before_hours)
    store.close()
