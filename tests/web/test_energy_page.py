"""The energy page: what is chosen is what is shown, and what is not measured does not look so."""

from __future__ import annotations

import html
import re
from collections import Counter

import pytest

from hub.web.texts import SUBJECTS


@pytest.fixture
async def person(played, sign_in):
    return await sign_in(played, "energy")


async def test_the_page_shows_the_figures_of_the_api(person):
    page = (await person.get("/energy?place=dorm-07&lang=en")).text
    shown = re.search(r'data-total="([^"]+)"', page)
    asked = "place=dorm-07&start=2026-11-20&end=2026-11-20T21:10&step=total"
    total = (await person.get(f"/api/v1/consumption?{asked}")).json()["total"]["total"]
    assert shown is not None
    assert float(shown[1]) == total["value"] > 0
    assert "▲ Missing" in page  # the morning, when nobody read a meter


async def test_no_figure_is_without_its_unit_and_no_tile_without_a_word(person):
    building = (await person.get("/energy?place=dorm-07&lang=en")).text
    for name in ("Main meter", "Sum below", "Line loss", "Bounds", "Period before"):
        assert f'data-name="{name}, kWh"' in building
    campus = (await person.get("/energy?lang=en")).text
    assert "There is no main meter here, or no meter below it." in campus


async def test_what_is_not_known_is_hatched_and_has_words(person):
    page = (await person.get("/energy?place=dorm-07&lang=en")).text
    gaps = re.findall(r'<rect class="gap" fill="url\(#hatch\)".*?<title>(.*?)</title>', page)
    assert len(gaps) == 19
    assert gaps[0] == "20 Nov 00:00  no data"
    assert page.count('<rect class="bar"') == 3


async def test_every_download_works_and_says_what_it_is(person):
    page = (await person.get("/energy?place=dorm-07&span=own&from=2026-11-20&to=2026-11-20")).text
    links = [html.unescape(link) for link in re.findall(r'href="(/api/[^"]+)" download', page)]
    links = [link for link in links if link.startswith("/api/v1/consumption")]
    assert len(links) == 9
    for link in links:
        answer = await person.get(link)
        assert answer.status_code == 200
        assert re.search(r"(use|findings)-electricity\.\w+", answer.headers["content-disposition"])


async def test_dates_count_where_the_time_is_left_as_it_was(person):
    dated = "/energy?from=2026-11-19&to=2026-11-19&lang=en"
    assert 'value="own" selected' in (await person.get(f"{dated}&span=own")).text
    assert 'value="own" selected' in (await person.get(f"{dated}&span=week&was=week")).text
    assert 'value="week" selected' in (await person.get(f"{dated}&span=week&was=own")).text


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("place=nowhere", 404),
        ("step=0", 422),
        ("span=own&from=1970-01-02&to=2026-11-20&step=quarter", 422),
        ("span=own&from=2026-11-20&to=2026-11-19", 422),
        ("span=own&from=9999-12-31&to=9999-12-31", 422),
        ("span=own&from=2027-01-01&to=2027-01-02", 200),
        ("utility=gas", 200),
    ],
)
async def test_a_question_that_cannot_be_answered_says_so(person, query, status):
    answer = await person.get(f"/energy?{query}")
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/html")


def test_no_word_stands_in_two_places():
    count = Counter(key for subject in SUBJECTS for key in subject.WORDS)
    assert [key for key, times in count.items() if times > 1] == []
