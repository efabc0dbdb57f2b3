"""Money and power over HTTP: the bills of places, and honest answers where data are few."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from tests.pages.stage import Stage
from tests.web.conftest import browser

DAY = {"start": "2026-11-20T00:00:00", "end": "2026-11-21T00:00:00"}


async def test_a_place_is_billed_line_by_line_and_the_lines_add_up(played: Stage, sign_in) -> None:
    person = await sign_in(played)
    answer = await person.get("/api/v1/cost", params={**DAY, "place": "dorm-08"})
    assert answer.status_code == 200, answer.text
    (row,) = answer.json()["rows"]
    (bill,) = row["bills"]
    assert (bill["tariff"], bill["version"], bill["currency"]) == ("time-of-use", "2026", "CNY")
    assert sum(Decimal(line["amount"]) for line in bill["lines"]) == Decimal(row["amount"])
    assert row["missing"] > 0.5  # two hours of the day were played
    assert answer.json()["total"]["amount"] == row["amount"]


async def test_the_energy_billed_is_the_energy_of_the_consumption(played: Stage, sign_in) -> None:
    person = await sign_in(played)
    cost = (await person.get("/api/v1/cost", params={**DAY, "place": "dorm-08"})).json()
    asked = {**DAY, "place": "dorm-08", "step": "total"}
    use = (await person.get("/api/v1/consumption", params=asked)).json()
    billed = float(cost["rows"][0]["bills"][0]["quantity"])
    assert billed == pytest.approx(use["total"]["total"]["value"], abs=0.0015)


async def test_another_version_prices_the_same_use_for_comparison(stage: Stage, sign_in) -> None:
    person = await sign_in(stage)
    asked = {**DAY, "place": "dorm-08", "tariff": "time-of-use@2024"}
    (row,) = (await person.get("/api/v1/cost", params=asked)).json()["rows"]
    assert row["bills"][0]["version"] == "2024"


async def test_a_contract_is_charged_for_its_part_of_the_month(stage: Stage, sign_in) -> None:
    person = await sign_in(stage)
    (row,) = (await person.get("/api/v1/cost", params={**DAY, "place": "dorm-07"})).json()["rows"]
    lines = {line["id"]: line for line in row["bills"][0]["lines"]}
    assert lines["contracted"]["amount"] == "84.00"  # 60 kW at 42, one day of thirty


async def test_a_question_that_cannot_be_priced_is_a_problem_in_words(
    stage: Stage, sign_in
) -> None:
    person = await sign_in(stage)
    for wrong, what in (
        ({"tariff": "nothing"}, "neither a tariff nor a version"),
        ({"utility": "gas"}, "no standard tariff of gas"),
        ({"start": "2026-12-01T00:00:00"}, "start must be before end"),
        ({"start": "1990-01-01T00:00:00"}, "at most 36 are priced at once"),
        ({"place": "nowhere"}, "nowhere"),
    ):
        answer = await person.get("/api/v1/cost", params={**DAY, **wrong})
        assert answer.status_code in (404, 422), answer.text
        assert answer.headers["content-type"] == "application/problem+json"
        assert what in answer.json()["title"], answer.text


async def test_a_site_without_prices_says_what_to_write(stage: Stage, sign_in) -> None:
    parts = replace(stage.parts, tariffs=None)
    person = await sign_in(stage)
    other = browser(parts)
    other.cookies = person.cookies
    answer = await other.get("/api/v1/cost", params=DAY)
    assert answer.status_code == 422
    assert "no tariffs.yaml" in answer.json()["title"]


async def test_the_file_holds_the_amounts_of_the_answer(played: Stage, sign_in) -> None:
    person = await sign_in(played)
    asked = {**DAY, "by": "building"}
    answer = (await person.get("/api/v1/cost", params=asked)).json()
    text = (await person.get("/api/v1/cost", params={**asked, "format": "csv", "lang": "en"})).text
    head, *lines = text.removeprefix("\ufeff").splitlines()
    column = head.split(",").index("Amount")
    total = sum(Decimal(line.split(",")[column]) for line in lines)
    assert total == Decimal(answer["total"]["amount"])


async def test_the_running_window_is_forecast_from_readings_of_each_minute(
    played: Stage, sign_in
) -> None:
    person = await sign_in(played)
    asked = {**DAY, "place": "dorm-07"}
    answer = (await person.get("/api/v1/demand", params=asked)).json()
    assert answer["highest"]["kw"] > 0
    assert answer["highest"]["missing"] > 0.8
    running = answer["running"]
    assert running["low_kw"] <= running["expected_kw"] <= running["high_kw"]
    assert running["limit_kw"] == 60
    over = {"start": "2026-11-18T00:00:00", "end": "2026-11-19T00:00:00", "place": "dorm-07"}
    answer = (await person.get("/api/v1/demand", params=over)).json()
    assert (answer["running"], answer["highest"]["kw"]) == (None, None)


async def test_a_hub_without_history_does_not_know_to_expect(stage: Stage, sign_in) -> None:
    person = await sign_in(stage)
    for who in ({"place": "dorm-07"}, {"point": "dorm-07/meter-201/energy"}):
        answer = await person.get("/api/v1/expected", params={**DAY, **who})
        assert answer.status_code == 200, answer.text
        assert answer.json()["enough"] is False
        assert "0 days are measured" in answer.json()["reasons"][0]


async def test_who_is_meant_must_be_named_once(stage: Stage, sign_in) -> None:
    person = await sign_in(stage)
    for wrong, what in (
        ({}, "Name one of place and point"),
        ({"place": "dorm-07", "point": "dorm-07/meter-201/energy"}, "Name one of place and point"),
        ({"point": "dorm-07/meter-201/power"}, "is no counter of use"),
        ({"place": "dorm-07", "baseline_start": "2026-01-01"}, "belong together"),
        ({"place": "dorm-07", "start": "2020-01-01"}, "More than 8784 hours"),
    ):
        answer = await person.get("/api/v1/expected", params={**DAY, **wrong})
        assert answer.status_code == 422, answer.text
        assert what in answer.json()["title"]


async def test_nobody_sees_money_without_signing_in(stage: Stage, visitor) -> None:
    for path in ("cost", "demand?place=dorm-07", "expected?place=dorm-07"):
        answer = await visitor.get(f"/api/v1/{path}", params=None)
        assert answer.status_code in (401, 403), path


async def test_the_page_shows_the_amount_of_the_api_in_both_languages(
    played: Stage, sign_in
) -> None:
    person = await sign_in(played)
    asked = {**DAY, "end": "2026-11-20T21:10:00", "place": "dorm-08"}
    amount = (await person.get("/api/v1/cost", params=asked)).json()["rows"][0]["amount"]
    for language, words in (("zh", "逐行查看"), ("en", "Line by line")):
        page = (await person.get(f"/energy?place=dorm-08&lang={language}")).text
        assert f'data-cost="{amount}"' in page
        assert words in page
    contracted = (await person.get("/energy?place=dorm-07&lang=en")).text
    assert "contract 60 kW" in contracted
