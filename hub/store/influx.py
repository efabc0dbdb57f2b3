"""Readings in InfluxDB: written by its client, read by InfluxQL, never Flux."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import httpx
import numpy as np
from influxdb_client import InfluxDBClient, WritePrecision
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException
from urllib3.exceptions import HTTPError

from hub.model import Batch, Point
from hub.ports import Aggregate, StoreError
from hub.store.steps import Series, count_steps, laid_out, last_said

log = logging.getLogger(__name__)

# InfluxDB 3 Core answers one query for some 72 hours at most.
WINDOW_MS = 48 * 3_600_000
PAGE = 10_000
TIMEOUT_S = 10.0
NOT_FOUND = 404
BAD_REQUEST = 400
CURSOR = "campus_hub_cursor"
MILLISECONDS: Any = WritePrecision.MS  # a plain str in the library, typed as an enum
_NUMBERS = {
    "count": "count(value)",
    "min": "min(value)",
    "max": "max(value)",
    "mean": "mean(value)",
    "first": "first(value)",
    "last": "last(value)",
}


class InfluxStore:
    """One measurement per name of a point, tagged with point number and device.

    A reading without a number is kept as its quality alone. Writing again what is there changes
    nothing, so the cursor is a point of its own, written after the readings.
    """

    def __init__(
        self, points: Mapping[int, Point], url: str, bucket: str, org: str = "-", token: str = ""
    ) -> None:
        self._points = points
        self._bucket = bucket
        self._org = org
        self._client = InfluxDBClient(url, token, org=org, timeout=int(TIMEOUT_S * 1000))
        self._write_api = self._client.write_api(write_options=SYNCHRONOUS)
        headers = {"Authorization": f"Token {token}"} if token else {}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=TIMEOUT_S)
        self._old_path = False
        self._known_applied: int | None = None
        self._lock = threading.Lock()
        self.refused = 0

    def append(self, batch: Batch, seq: int) -> None:
        """Keep a batch, then its sequence; or raise StoreError."""
        with self._lock:
            if seq <= self.applied():
                return
            rows = last_said(batch)
            self._keep(list(self._lines(batch, rows)))
            self._send([f"{CURSOR} applied={seq}i 0"])
            self._known_applied = seq

    def _lines(self, batch: Batch, rows: Sequence[int] | np.ndarray[Any, Any]) -> Iterator[str]:
        columns = zip(
            batch.point[rows].tolist(),
            batch.at_ms[rows].tolist(),
            batch.value[rows].tolist(),
            batch.quality[rows].tolist(),
            strict=True,
        )
        for number, at_ms, value, quality in columns:
            point = self._points.get(number)
            if point is None:
                log.warning("reading of an unknown point not sent: %s", number)
                continue
            fields = f"quality={quality}i"
            if np.isfinite(value):  # the line protocol has no NaN
                fields += f",value={value!r}"
            yield f"{point.name},device={point.device},point={number} {fields} {at_ms}"

    def _keep(self, lines: list[str]) -> None:
        """Send lines; where the server refuses some, find them by halving and keep the rest."""
        if not lines:
            return
        try:
            self._send(lines)
        except _RefusedLinesError as error:
            if len(lines) == 1:
                self.refused += 1
                log.error("influx refused a reading: %s: %s", lines[0], error)  # noqa: TRY400
                return
            half = len(lines) // 2
            self._keep(lines[:half])
            self._keep(lines[half:])

    def _send(self, lines: list[str]) -> None:
        if self._old_path:
            self._send_old(lines)
            return
        try:
            self._write_api.write(
                self._bucket, self._org, "\n".join(lines), write_precision=MILLISECONDS
            )
        except ApiException as error:
            if error.status == NOT_FOUND:  # before 1.8 there is no /api/v2
                self._send_old(lines)
                self._old_path = True
            elif error.status == BAD_REQUEST:
                raise _RefusedLinesError(str(error.body)) from error
            else:
                raise StoreError(f"influx: {len(lines)} lines not kept: {error.reason}") from error
        except HTTPError as error:
            raise StoreError(f"influx: no answer: {error}") from error

    def _send_old(self, lines: list[str]) -> None:
        try:
            answer = self._http.post(
                "/write",
                params={"db": self._bucket, "precision": "ms"},
                content="\n".join(lines).encode(),
            )
        except httpx.HTTPError as error:
            raise StoreError(f"influx: no answer: {error}") from error
        if answer.status_code == BAD_REQUEST:
            raise _RefusedLinesError(answer.text)
        if answer.is_error:
            raise StoreError(
                f"influx: {len(lines)} lines not kept: {answer.status_code} {answer.text.strip()}"
            )

    def applied(self) -> int:
        """Return the last journal sequence kept, 0 at first."""
        if self._known_applied is None:
            found = self._ask(f'SELECT last("applied") FROM "{CURSOR}"')  # noqa: S608 - own words
            self._known_applied = int(found[0]["values"][0][1]) if found else 0
        return self._known_applied

    def _ask(self, query: str) -> list[dict[str, Any]]:
        try:
            answer = self._http.get(
                "/query", params={"db": self._bucket, "q": query, "epoch": "ms"}
            )
        except httpx.HTTPError as error:
            raise StoreError(f"influx: no answer: {error}") from error
        if answer.is_error:
            raise StoreError(f"influx: {answer.status_code} {answer.text.strip()}")
        said = answer.json()["results"][0]
        if "error" in said:
            raise StoreError(f"influx: {said['error']}")
        series: list[dict[str, Any]] = said.get("series", [])
        return series

    def raw(self, points: Sequence[int], start_ms: int, end_ms: int, limit: int = 100_000) -> Batch:
        """Return readings of start <= at < end in order of (point, at)."""
        rows: list[tuple[int, int, float, int]] = []
        for number in sorted(set(points) & self._points.keys()):
            for row in self._readings(number, start_ms, end_ms):
                if len(rows) == limit:
                    return _batch(rows)
                rows.append(row)
        return _batch(rows)

    def _readings(
        self, number: int, start_ms: int, end_ms: int
    ) -> Iterator[tuple[int, int, float, int]]:
        """Return the readings of one point, page by page."""
        for begin, end in _windows(start_ms, end_ms):
            after = begin
            while True:
                found = self._ask(
                    f'SELECT "value", "quality" FROM {self._from(number)}'  # noqa: S608
                    f" AND {_between(after, end)} LIMIT {PAGE}"
                )
                values = found[0]["values"] if found else []
                for at_ms, value, quality in values:
                    yield number, at_ms, np.nan if value is None else value, quality
                if len(values) < PAGE:
                    break
                after = values[-1][0] + 1

    def _from(self, number: int) -> str:
        return f'"{self._points[number].name}" WHERE "point" = \'{number}\''

    def series(
        self,
        points: Sequence[int],
        start_ms: int,
        end_ms: int,
        step_ms: int,
        aggregates: Sequence[Aggregate],
    ) -> Series:
        """Return per point and aggregate one number per step; None where no good reading."""
        steps = count_steps(start_ms, end_ms, step_ms)
        wanted = ", ".join(_NUMBERS[aggregate] for aggregate in aggregates)
        found = (
            (number, (at_ms - start_ms) // step_ms, numbers)
            for number in points
            if number in self._points
            for begin, end in _windows(start_ms, end_ms, step_ms)
            for part in self._ask(
                f"SELECT {wanted} FROM {self._from(number)} AND {_between(begin, end)}"  # noqa: S608
                f' AND "quality" & 3 = 0'
                f" GROUP BY time({step_ms}ms, {start_ms % step_ms}ms) fill(none)"
            )
            for at_ms, *numbers in part["values"]
        )
        return laid_out(points, steps, aggregates, found)

    def last(self) -> Batch:
        """Return the last reading of every point."""
        rows = []
        for name in sorted({point.name for point in self._points.values()}):
            for part in self._ask(
                f'SELECT "value", "quality" FROM "{name}"'  # noqa: S608 - own words
                ' GROUP BY "point" ORDER BY time DESC LIMIT 1'
            ):
                at_ms, value, quality = part["values"][0]
                number = int(part["tags"]["point"])
                rows.append((number, at_ms, np.nan if value is None else value, quality))
        return _batch(sorted(rows))

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()
        self._client.api_client.rest_client.pool_manager.clear()  # close() forgets the sockets
        self._client.close()  # type: ignore[no-untyped-call]


class _RefusedLinesError(Exception):
    """The server understood the request and did not take every line of it."""


def _between(start_ms: int, end_ms: int) -> str:
    return f"time >= {start_ms}ms AND time < {end_ms}ms"


def _windows(start_ms: int, end_ms: int, step_ms: int = 1) -> Iterator[tuple[int, int]]:
    """Cut start..end into windows of at most 48 h that end on whole steps."""
    length = max(WINDOW_MS // step_ms, 1) * step_ms
    for begin in range(start_ms, end_ms, length):
        yield begin, min(begin + length, end_ms)


def _batch(rows: Sequence[tuple[int, int, float, int]]) -> Batch:
    point, at_ms, value, quality = zip(*rows, strict=True) if rows else ((), (), (), ())
    return Batch.of(point, at_ms, value, quality, max(at_ms, default=0))
