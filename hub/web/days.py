"""How the last civil days went: those that are kept, and today as it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from hub.database import availability
from hub.database.availability import Availability
from hub.web.parts import Parts

MONTH = 30
WEEK = 7


def last_days(parts: Parts, count: int) -> list[str]:
    """Return the last days as ``YYYY-MM-DD``, today last."""
    today = date.fromisoformat(parts.health.day)
    return [(today - timedelta(count - 1 - n)).isoformat() for n in range(count)]


async def days_of(
    parts: Parts, what: str, subject: str, count: int = MONTH
) -> Sequence[Availability]:
    """Return the days of one device, bus or gateway on which a hub ran, today last."""
    so_far = parts.health.so_far(what, subject)
    days = last_days(parts, count)
    kept = await parts.database_worker.run(
        lambda: availability.of(parts.database, what, subject, days[0], days[-2])
    )
    return [*kept, *([so_far] if so_far else [])]


async def week_of_lines(parts: Parts) -> Mapping[tuple[str, str], Mapping[str, float | None]]:
    """Return the shares of the last seven days by (bus or gateway, its id) and day."""
    days = last_days(parts, WEEK)
    kept = await parts.database_worker.run(
        lambda: availability.of_kinds(parts.database, ("bus", "gateway"), days[0], days[-2])
    )
    found: dict[tuple[str, str], dict[str, float | None]] = {}
    today = [
        parts.health.so_far(what, gateway)
        for gateway in parts.site.gateways
        for what in ("bus", "gateway")
    ]
    for row in (*kept, *filter(None, today)):
        found.setdefault((row.what, row.subject), {})[row.day] = row.share
    return found
