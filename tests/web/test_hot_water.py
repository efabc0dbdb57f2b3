"""Hot water over HTTP: the same figures to programs, to files and on the page."""

from __future__ import annotations

import csv
import io
import re
from urllib.parse import urlencode

import pytest


@pytest.fixture
async def person(played, sign_in):
    async with await sign_in(played, "energy") as someone:
        yield someone


HOURS = {"start": "2026-11-20T19:30:00+08:00", "end": "2026-11-20T20:20:00+08:00"}


def path(**wish: str) -> str:
    return "/api/v1/hot-water?" + urlencode(HOURS | wish)


async def test_the_figures_of_a_plant_come_with_their_shares(person):
    told = (await person.get(path())).json()
    (row,) = told["rows"]
    assert (row["id"], row["source"], row["terminals"]) == ("dorm-07/plant", "hot_water", 8)
    tonnes, cop = row["figures"]["delivered"], row["figures"]["cop"]
    assert 0.1 < tonnes["value"] < 2
    assert tonnes["measured"] > 0.9
    assert tonnes["measured"] + tonnes["estimated"] + tonnes["missing"] == pytest.approx(
        1, abs=2e-4
    )
    assert 2 < cop["value"] < 5
    assert row["figures"]["standing"]["value"] is None  # fifty minutes are not enough data
    assert told["capacity"]["tonnes_per_day"] == 8
    assert told["total"]["figures"]["delivered"] == tonnes


async def test_a_file_holds_the_digits_of_the_api(person):
    figures = (await person.get(path(by="terminal"))).json()["rows"]
    text = (await person.get(path(by="terminal", format="csv", lang="en"))).text
    rows = list(csv.DictReader(io.StringIO(text.removeprefix("\ufeff"))))
    assert [row["Id"] for row in rows] == [*(one["id"] for one in figures), "jhun"]
    for row, one in zip(rows, figures, strict=False):
        assert float(row["Run at terminals (t)"]) == one["figures"]["tapped"]["value"]
        assert row["Standing loss (kW)"] == ""


async def test_steps_add_up_to_the_whole(person):
    told = (await person.get(path(step="quarter"))).json()
    total = told["total"]
    steps = sum(one["value"] or 0.0 for one in total["steps"])
    assert len(told["steps"]) == len(total["steps"]) == 4
    assert steps == pytest.approx(total["figures"]["delivered"]["value"], abs=0.003)


@pytest.mark.parametrize(
    ("wish", "status"),
    [
        ({"place": "nowhere"}, 404),
        ({"end": "2026-11-20T19:00:00+08:00"}, 422),
        ({"by": "room"}, 422),
        ({"step": "second"}, 422),
        ({"start": "1971-01-01T00:00:00", "step": "quarter", "by": "terminal"}, 422),
    ],
)
async def test_what_cannot_be_answered_is_a_problem(stage, sign_in, wish, status):
    async with await sign_in(stage, "energy") as person:
        answer = await person.get(path(**wish))
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["title"]


async def test_the_page_shows_the_figures_of_the_api(person, played):
    page = (await person.get("/hot-water?lang=en")).text
    now_ms = played.clock.now_ms()
    found = played.parts.hot_water.ask("jhun", now_ms - 86_400_000, now_ms)
    shown = re.search(r'data-figure="per_day">([^<]+)<', page)
    assert shown
    assert shown[1] == f"{found.total.per_day.value:.2f} t/d"
    assert "not enough data" in page
    tile = page[page.index('data-figure="per_day"') :][:600]
    assert found.total.per_day.missing > 0.02
    assert "▲ Missing" in tile
    assert "19 Nov 21:10 - 20 Nov 21:10" in page
    none = (await person.get("/hot-water?place=dorm-08&lang=en")).text
    assert "No meter here counts tonnes." in none
    assert 'href="/hot-water"' in (await person.get("/energy")).text
