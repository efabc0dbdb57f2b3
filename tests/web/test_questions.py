"""A question that cannot be answered is refused at once, with its limit; no store is asked."""

from __future__ import annotations

import pytest

from tests.pages.stage import Stage

POINT = "dorm-07/boiler-1/power"
WHERE = {
    "series": f"point={POINT}",
    "consumption": "place=dorm-07",
    "hot-water": "place=dorm-07",
    "cost": "place=dorm-07",
    "demand": "place=dorm-07",
    "expected": "place=dorm-07",
    "export": f"point={POINT}",
}
DAY = "start=2026-11-20&end=2026-11-21"
LONG = "start=1971-01-01&end=2026-11-21"
FOR_EVER = "start=1971-01-01&end=9998-01-01"
AT_ONCE = "at most 100,000 are answered at once"
TOO_MUCH = [
    ("series", f"{LONG}&step=PT1H", "More than 100000 numbers"),
    ("series", f"{FOR_EVER}&step=PT0.001S", "More than 100000 numbers"),
    ("series", f"{LONG}&step=PT86400.001S", "More than 4000 days of points"),
    ("series", "start=1971-01-01T00:00:01&end=2026-11-21&step=P1D", "More than 4000 days"),
    ("consumption", f"{LONG}&step=hour", AT_ONCE),
    ("consumption", f"{FOR_EVER}&step=day", "days, at most 36,600 are answered at once"),
    ("consumption", f"{FOR_EVER}&step=total", "days, at most 36,600 are answered at once"),
    ("consumption", f"{LONG}&step=year&by=device&compare=year", "at most 10,000,000"),
    ("hot-water", f"{LONG}&step=quarter", AT_ONCE),
    ("hot-water", f"{FOR_EVER}&step=total", "days, at most 36,600"),
    ("cost", LONG, "at most 36 are priced at once"),
    ("cost", FOR_EVER, "days, at most 36,600|at most 36 are"),
    ("demand", LONG, AT_ONCE),
    ("expected", LONG, "More than 8784 hours"),
    ("expected", f"{DAY}&baseline_start=1971-01-01&baseline_end=2026-11-20", "More than 8784"),
    ("export", f"{FOR_EVER}&step=PT0.001S", "More than 100,000,000 rows"),
]
UNKNOWN = [
    ("series", f"point=x/y/power&{DAY}", "no point x/y/power"),
    ("consumption", f"place=x&{DAY}", "no place x"),
    ("consumption", f"device=x/y&{DAY}", "no device x/y"),
    ("hot-water", f"place=x&{DAY}", "no place x"),
    ("cost", f"place=x&{DAY}", "no place x"),
    ("demand", f"place=x&{DAY}", "no place x"),
    ("expected", f"place=x&{DAY}", "no place x"),
    ("expected", f"point=x/y/energy&{DAY}", "no point x/y/energy"),
    ("expected", f"place=dorm-07&weather=x/y/z&{DAY}", "no point x/y/z"),
    ("export", f"point=x/y/power&{DAY}", "no point x/y/power"),
    ("export", f"place=x&{DAY}", "no place x"),
]
NO_STEP = [
    ("series", "PT0S", "above zero"),
    ("series", "-PT1H", "above zero"),
    ("consumption", "PT0S", "query.step"),
    ("consumption", "0", "query.step"),
    ("hot-water", "0", "query.step"),
    ("export", "PT0S", "above zero"),
    ("export", "-PT1H", "above zero"),
]
INVERTED = [
    ("start=2026-11-21&end=2026-11-20", "before end"),
    ("start=2026-11-20&end=2026-11-20", "before end"),
    ("start=1960-01-01&end=2026-11-20", "after 1970"),
    ("start=0001-01-01&end=9999-12-31", "outside every calendar|after 1970"),
    ("start=yesterday&end=2026-11-20", "start"),
    ("end=2026-11-20", "start"),
]


async def expect_problem(person, question: str, status: int, words: str) -> None:
    answer = await person.get(f"/api/v1/{question}")
    assert answer.status_code == status, f"{question}: {answer.text[:300]}"
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert any(one in problem["title"] for one in words.split("|")), problem
    assert problem["detail"], "it does not say what to do"
    assert problem["instance"].startswith("/api/v1/")


@pytest.fixture
async def person(stage: Stage, sign_in, monkeypatch: pytest.MonkeyPatch):
    """Somebody whose questions reach no store: to ask one is to answer 500."""

    def asked(*_: object, **__: object) -> None:
        raise AssertionError("the store was asked")

    for name in ("raw", "series", "rollups", "edges", "export"):
        monkeypatch.setattr(stage.store, name, asked, raising=False)
    return await sign_in(stage)


async def test_a_question_that_spans_too_much_names_the_limit(person) -> None:
    for path, query, words in TOO_MUCH:
        await expect_problem(person, f"{path}?{WHERE[path]}&{query}", 422, words)


async def test_what_is_not_there_is_named(person) -> None:
    for path, query, words in UNKNOWN:
        await expect_problem(person, f"{path}?{query}", 404, words)


async def test_a_step_of_zero_is_none(person) -> None:
    for path, step, words in NO_STEP:
        await expect_problem(person, f"{path}?{WHERE[path]}&{DAY}&step={step}", 422, words)


async def test_a_period_that_is_none_is_refused(person) -> None:
    for path, where in WHERE.items():
        for query, words in INVERTED:
            await expect_problem(person, f"{path}?{where}&{query}", 422, words)


async def test_the_longest_question_that_is_answered_comes_from_rollups(stage, sign_in) -> None:
    """The counterpart: what lies within the limits is answered."""
    person = await sign_in(stage)
    for path, query in (
        ("series", f"{WHERE['series']}&{LONG}&step=P1D"),
        ("series", f"{WHERE['series']}&start=2026-01-01T00:00:01&end=2026-11-21&step=PT30M"),
        ("consumption", f"{WHERE['consumption']}&{LONG}&step=month"),
        ("export", f"{WHERE['export']}&{DAY}&step=PT1M"),
    ):
        assert (await person.get(f"/api/v1/{path}?{query}")).status_code == 200, path
