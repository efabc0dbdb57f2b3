"""What the hub itself keeps at the server: how far it is, which days hold readings, the newest.

All of it stands at instant 0, in the bucket of the roll-ups, which forgets nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from hub.model import Batch
from hub.ports import StoreError
from hub.store import influx_lines, rollup
from hub.store.influx_server import RefusedLinesError, Series, Server

CURSOR, DAYS = "campus_hub_cursor", "campus_hub_days"
DAY_MS = 24 * 3_600_000
# Parts of the last readings to a request: well below a megabyte, the least that proxies take.
TOGETHER = 20
# The server's own instants end in 1677 and 2262; all of the book stands at one of them.
_THEN = "time >= 0ms AND time < 1ms"


@dataclass(frozen=True, slots=True)
class Page:
    """The book at one moment.

    ``applied``: the last journal sequence; ``closed_ms``: roll-ups that begin before are kept as
    series; ``step_ms``: their base step; ``since_ms``: the book has all last readings but those
    from here on; ``days``: UTC days that hold readings, in order.
    """

    step_ms: int
    applied: int = 0
    closed_ms: int = 0
    since_ms: int = rollup.LATEST_MS
    days: tuple[int, ...] = ()

    def turned(self, batch: Batch, seq: int, closed_ms: int, since_ms: int) -> Page:
        """Return the page after a batch whose earliest newest reading is of ``since_ms``."""
        days = set(self.days) | set(np.unique(batch.at_ms // DAY_MS).tolist())
        since_ms = min(self.since_ms, since_ms)
        return Page(self.step_ms, seq, closed_ms, since_ms, tuple(sorted(days)))

    def lines(self, before: Page) -> list[str]:
        """Write what is new since another page; the cursor last."""
        held = set(before.days)
        days = [f"{DAYS},day={day} held=1i 0" for day in self.days if day not in held]
        return [*days, self.cursor()]

    def cursor(self) -> str:
        """Write how far the hub is."""
        return (
            f"{CURSOR} applied={self.applied}i,closed={self.closed_ms}i,step={self.step_ms}i,"
            f"since={self.since_ms}i 0"
        )


class Book:
    """Reads the page once, and writes each new one."""

    def __init__(self, server: Server, bucket: str, step_ms: int) -> None:
        self._server = server
        self._bucket = bucket
        self._step_ms = step_ms
        self.known: Page | None = None

    def page(self) -> Page:
        """Return the page, from the server where it is not known."""
        if self.known is None:
            self.known = self._read()
        return self.known

    def write(self, page: Page) -> None:
        """Keep a page; StoreError where the bucket does not."""
        self._keep(page.lines(self.page()))
        self.known = page

    def write_last(self, page: Page, last: Batch) -> None:
        """Keep a page and the last readings of all points."""
        parts = influx_lines.last_lines(last)
        for begin in range(0, len(parts), TOGETHER):
            self._keep(parts[begin : begin + TOGETHER])
        self.write(replace(page, since_ms=rollup.LATEST_MS))

    def last(self) -> Batch:
        """Return the last readings as they were last kept."""
        found = self._ask('"readings"', influx_lines.LAST, ' GROUP BY "part"')
        return influx_lines.last_readings(series.rows[0][1] for series in found)

    def prove(self) -> None:
        """Write again what is there, to see that the server takes lines at all."""
        self._keep([self.page().cursor()])

    def lose(self) -> None:
        """Read the page again before it is used: who knows what a failure left there."""
        self.known = None

    def _keep(self, lines: Sequence[str]) -> None:
        try:
            self._server.write(self._bucket, lines)
        except RefusedLinesError as error:
            raise StoreError(
                f"influx: bucket {self._bucket} does not take the hub's own lines: {error}; "
                "it must keep what it has for ever (rollup_bucket, where bucket does not)"
            ) from error

    def _read(self) -> Page:
        cursor = self._ask('"applied", "closed", "step", "since"', CURSOR)
        days = self._ask('"held"', DAYS, ' GROUP BY "day"')
        nothing = (0, 0, self._step_ms, rollup.LATEST_MS)
        applied, closed, step, since = cursor[0].rows[0][1:] if cursor else nothing
        if step != self._step_ms:
            raise StoreError(
                f"influx: bucket {self._bucket} holds roll-ups of {step} ms and the site's zone "
                f"wants {self._step_ms} ms; use another bucket"
            )
        if since is None:
            raise StoreError(
                f"influx: bucket {self._bucket} was filled by an earlier version of the hub, whose "
                "readings were laid out otherwise; use another bucket"
            )
        held = sorted(int(series.tags["day"]) for series in days)
        return Page(self._step_ms, int(applied), int(closed), int(since), tuple(held))

    def _ask(self, fields: str, name: str, by: str = "") -> list[Series]:
        query = f'SELECT {fields} FROM "{name}" WHERE {_THEN}{by}'  # noqa: S608 - own words
        return self._server.ask(self._bucket, query)
