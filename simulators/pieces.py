"""Polls of many devices put together into batches in order of time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hub.model import Batch
from simulators.columns import Column, Flags

_READINGS = 12_000  # of a batch, about


@dataclass(frozen=True, slots=True, eq=False)
class Piece:
    """Polls of devices with one profile: an instant each, and a row of points and values."""

    at_ms: NDArray[np.int64]
    points: NDArray[np.int32]
    values: Column
    flags: Flags


def batches(pieces: Sequence[Piece]) -> Iterator[Batch]:
    """Yield the readings of all pieces in order of time, polls whole, pieces in their order."""
    at_ms = np.concatenate([piece.at_ms for piece in pieces])
    width = np.concatenate([np.full(len(one.at_ms), one.values.shape[1]) for one in pieces])
    first = np.cumsum(width) - width
    order = np.argsort(at_ms, kind="stable")
    at_ms, width, first = at_ms[order], width[order], first[order]
    points = np.concatenate([piece.points.ravel() for piece in pieces])
    values = np.concatenate([piece.values.ravel() for piece in pieces])
    flags = np.concatenate([piece.flags.ravel() for piece in pieces])
    ends = np.cumsum(width)
    begin = 0
    while begin < len(at_ms):
        done = ends[begin] - width[begin]
        end = max(int(np.searchsorted(ends, done + _READINGS, "right")), begin + 1)
        chosen = _rows(first[begin:end], width[begin:end])
        yield Batch(
            points[chosen],
            np.repeat(at_ms[begin:end], width[begin:end]),
            values[chosen],
            flags[chosen],
            int(at_ms[end - 1]),
        )
        begin = end


def _rows(first: NDArray[np.int64], width: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the numbers of the readings of some polls, one poll after the other."""
    before = np.cumsum(width) - width
    return np.repeat(first - before, width) + np.arange(int(width.sum()))
