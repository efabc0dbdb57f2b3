"""A figure is the same in the report, from the files, in the API and on the page, in every zone.

The days have a gap, a meter that falls silent and, in one zone, an hour that comes twice.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx
import pytest

from hub.clock import RealClock
from hub.kept import open_kept
from hub.model import Batch
from hub.settings import Settings, load
from tests.whole.asking import command, hub_of, local, rows
from tests.whole.site import write_site

MINUTE_MS = 60_000
MINUTES = 84 * 60  # three days and a half
GAP = range(48 * 60 + 50, 48 * 60 + 190)  # of the third day, over its doubled hour
SILENT = 55 * 60  # from here on one meter says nothing any more
METERS = {
    "dorm-07/1/101": 0.5,
    "dorm-07/1/102": 1.0 / 3.0,
    "dorm-08/1/101": 7.7,
    "dorm-08/1/102": 0.1,
}
FIGURES = {
    "Electricity": "values",
    "Share measured": "measured",
    "Share estimated": "estimated",
    "Share missing": "missing",
    "Low": "low",
    "High": "high",
    "Coverage": "coverage",
}


@dataclass(frozen=True)
class Place:
    """Where the site lies, and the first of its days."""

    zone: str
    first: date
    hours: int  # of the third day

    def day(self, n: int) -> str:
        return (self.first + timedelta(n)).isoformat()


BERLIN = Place("Europe/Berlin", date(2026, 10, 23), 25)
BACK = Place("Europe/Berlin", date(2026, 3, 27), 23)
NEPAL = Place("Asia/Kathmandu", date(2026, 11, 18), 24)  # 5 h 45 min ahead


@dataclass(frozen=True)
class Question:
    """One question in days of the place, counted from its first."""

    first: int
    last: int
    step: str
    by: str = "building"
    per: str | None = None
    compare: tuple[str, ...] = ()

    def words(self, place: Place) -> list[str]:
        days = ["--from", place.day(self.first), "--to", place.day(self.last)]
        more = ["--per", self.per] if self.per else []
        more += chain.from_iterable(("--compare", one) for one in self.compare)
        return ["report", "use", *days, "--step", self.step, "--by", self.by, *more]

    def asked(self, place: Place) -> dict[str, Any]:
        span = {"start": place.day(self.first), "end": place.day(self.last + 1)}
        per = {"per": self.per} if self.per else {}
        return span | {"step": self.step, "by": self.by, "compare": self.compare} | per

    def shown(self, place: Place) -> dict[str, str]:
        days = {"span": "own", "from": place.day(self.first), "to": place.day(self.last)}
        step = "day" if self.step == "total" else self.step
        return days | {"step": step, "by": self.by, "per": self.per or "", "lang": "en"}


QUESTIONS = (
    Question(2, 3, "hour"),
    Question(0, 3, "day", per="student"),
    Question(2, 2, "total", compare=("previous", "year")),
    Question(0, 3, "total", by="room", per="m2"),
    Question(1, 2, "quarter", by="device"),
)


def made(folder: Path, place: Place) -> Path:
    """Write the site and the readings that it has kept; its hub does not run."""
    buildings = [
        {"id": "dorm-07", "kind": "building", "students": 7},
        {"id": "dorm-08", "kind": "building"},  # of nobody knows how many
    ]
    folder = write_site(
        folder,
        [_meter(n, room) for n, room in enumerate(METERS, 1)],
        site={"id": "test", "timezone": place.zone, "name": {"zh": "试验", "en": "Test"}},
        places=[
            *buildings,
            *({"id": room, "kind": "room", "area_m2": 17.3} for room in list(METERS)[:-1]),
            {"id": list(METERS)[-1], "kind": "room"},  # of unknown size
        ],
        gateways=[{"id": "gw", "url": "tcp://127.0.0.1:1", "timeout": "PT1S"}],
    )
    asyncio.run(_fill(load(folder), place))
    return folder


def _meter(n: int, room: str) -> dict[str, Any]:
    known = {"profile": "reference-room-meter", "gateway": "gw", "interval": "PT60S"}
    return {"id": device(room), "place": room, "unit_id": n, **known}


def device(room: str) -> str:
    """Return the meter of a room."""
    return f"{room[:7]}/meter-{room[-3:]}"


async def _fill(settings: Settings, place: Place) -> None:
    midnight = datetime.combine(place.first, datetime.min.time(), ZoneInfo(place.zone))
    start_ms = round(midnight.timestamp() * 1000)
    async with AsyncExitStack() as stack:
        kept = open_kept(settings, RealClock(), stack, memory=False)
        for room, per_h in METERS.items():
            said = set(range(MINUTES))
            if room == "dorm-07/1/102":
                said -= set(GAP)
            if room == "dorm-08/1/102":
                said -= set(range(SILENT, MINUTES))
            minutes = sorted(said)
            at = [start_ms + n * MINUTE_MS for n in minutes]
            values = [100 + per_h * n / 60 for n in minutes]
            number = kept.site.numbers[f"{device(room)}/energy"]
            batch = Batch.of([number] * len(at), at, values, [0] * len(at), at[-1])
            kept.store.append(batch, kept.store.applied() + 1)


@pytest.mark.parametrize("place", [BERLIN, BACK, NEPAL], ids=lambda one: f"{one.zone}-{one.hours}")
async def test_every_figure_is_the_same_to_the_last_digit(tmp_path: Path, place: Place) -> None:
    folder = await asyncio.to_thread(made, tmp_path / "site", place)
    config = ("--format", "csv", "--language", "en", "--config", folder)
    for n, one in enumerate(QUESTIONS):
        assert await command(*one.words(place), *config, tmp_path / f"files-{n}.csv") == 0

    async with hub_of(folder), local(folder) as http:
        for n, one in enumerate(QUESTIONS):
            file = tmp_path / f"{n}.csv"
            assert await command(*one.words(place), *config, file) == 0
            assert file.read_bytes() == (tmp_path / f"files-{n}.csv").read_bytes()
            said = (await http.get("/api/v1/consumption", params=one.asked(place))).json()
            found = rows(file)
            _hold_beside_api(one, found, said)
            await _hold_beside_page(http, one, found, one.shown(place))
            if one.step == "hour":
                steps = [row["Start"] for row in found if row["Kind"] == "total"]
                assert len(set(steps)) == len(steps) == place.hours + 24
                assert any(float(row["Share estimated"]) > 0.1 for row in found)
                assert any(row["Electricity"] == "" for row in found)


def _hold_beside_api(one: Question, found: list[dict[str, str]], said: dict[str, Any]) -> None:
    """Hold the lines of the report against the answer of the API, as texts."""
    for row in (*said["rows"], said["total"]):
        mine = [line for line in found if line["Id"] == row["id"]]
        for title, name in FIGURES.items():
            whole = [row["total"]["value" if name == "values" else name]]
            assert [line[title] for line in mine] == _told(
                whole if one.step == "total" else row[name]
            )
        for compared, title in (("previous", "period before"), ("year", "year before")):
            if compared not in one.compare:
                continue
            (line,) = mine
            before = row["before"][compared]
            assert line[title[0].upper() + title[1:]] == _told([before["value"]])[0]
            assert line[f"Change on the {title}"] == _told([before["change"]])[0]


async def _hold_beside_page(
    http: httpx.AsyncClient, one: Question, found: list[dict[str, str]], asked: dict[str, str]
) -> None:
    """Hold the lines of the report against what the page shows of them."""
    page = (await http.get("/energy", params=asked)).text
    if one.step != "total":
        course = [line["Electricity"] for line in found if line["Kind"] == "total"]
        shown = re.findall(r'data-step="\d+">([^<]*)<', page)
        assert [_number(text) for text in shown] == [float(v) if v else None for v in course]
        return
    ranked = re.findall(
        r'data-row="([^"]+)"><strong>([^<]*)</strong></td>\s*<td[^>]*>([^<]*)<', page
    )
    lines = [line for line in found if line["Kind"] != "total"]
    assert len(ranked) == len(lines)
    values = {line["Id"]: line["Electricity"] for line in lines}
    assert {id_: _number(text) for id_, text, _ in ranked} == {
        id_: float(value) if value else None for id_, value in values.items()
    }
    if "previous" in one.compare:
        before = {line["Id"]: line["Period before"] for line in lines}
        assert all(before.values())
        assert {id_: _number(text) for id_, _, text in ranked} == {
            id_: float(value) for id_, value in before.items()
        }


def _told(values: list[float | None]) -> list[str]:
    return ["" if one is None else repr(one) for one in values]


def _number(text: str) -> float | None:
    return None if text == "-" else float(text.replace(",", ""))
