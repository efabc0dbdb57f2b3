"""The oracle steps minute by minute; the clocks of the hub are arithmetic: they must agree."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.calendar import Calendar, CalendarFile
from rules.service import SEVERITIES, Item, Service
from rules.sla import Clocks, Pause, Plan, closed_gap
from simulators.oracle.calendar import Minutes
from simulators.oracle.ticket import Fact, Kept, Oracle, length_ms

MINUTE, HOUR, DAY = 60_000, 3_600_000, 86_400_000
ORACLE = Path(__file__).parents[2] / "simulators" / "oracle"
SERVICE = yaml.safe_load((Path(__file__).parents[2] / "config" / "service.yaml").read_text())
SERVICE |= {
    "policies": [
        {
            "id": name,
            "for": {"kinds": [name]},
            "hours": name,
            "respond": "PT5M",
            "on_site": "PT20M",
            "fix": {"small": "PT2H", "ordinary": "PT12H"},
            "crew": {"large": "PT20H"},
        }
        for name in ("daytime", "night", "turn", "office", "term")
    ]
}
CALENDAR: Mapping[str, Any] = {
    "version": 1,
    "vacations": [
        {"name": {"zh": "假", "en": "V"}, "from": "2026-03-27", "to": "2026-03-28"},
        {"name": {"zh": "假", "en": "V"}, "from": "2026-11-02", "to": "2026-11-03"},
    ],
    "holidays": [
        {
            "name": {"zh": "节", "en": "H"},
            "from": "2026-10-05",
            "to": "2026-10-07",
            "makeup": ["2026-10-04", "2026-10-10"],
        },
    ],
    "hours": {
        "daytime": [{"from": "06:00", "to": "20:00"}],
        "night": [{"from": "22:00", "to": "02:30"}],
        "turn": [{"from": "01:30", "to": "02:30"}, {"from": "02:10", "to": "05:10"}],
        "office": [{"from": "08:00", "to": "17:30", "days": ["workdays"]}],
        "term": [{"from": "06:00", "to": "23:00", "in": "term"}],
    },
}
DAYS = (
    ("Europe/Berlin", "2026-03-29"),
    ("Europe/Berlin", "2026-10-25"),
    ("America/New_York", "2026-03-08"),
    ("America/New_York", "2026-11-01"),
    ("Australia/Lord_Howe", "2026-04-05"),
    ("Australia/Lord_Howe", "2026-10-04"),
    ("Asia/Shanghai", "2026-10-04"),
    ("Asia/Shanghai", "2028-02-28"),
)


@cache
def ground(zone: str, day: str) -> tuple[int, Clocks, Oracle]:
    midnight = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone))
    start_ms = int(midnight.timestamp() * 1000)
    minutes = Minutes(CALENDAR, zone, start_ms - 2 * DAY, start_ms + 60 * DAY)
    calendar = Calendar(CalendarFile.model_validate(CALENDAR), ZoneInfo(zone))
    return start_ms, Clocks(Service.model_validate(SERVICE), calendar), Oracle(SERVICE, minutes)


@settings(max_examples=60)
@given(
    st.sampled_from(DAYS),
    st.sampled_from(["alarm", "daytime", "night", "turn", "office", "term"]),
    st.sampled_from(SEVERITIES),
    st.integers(-DAY, DAY),
    st.lists(st.integers(1, 14 * HOUR), min_size=3, max_size=3),
    st.sampled_from(["parts", "access"]),
)
def test_both_plan_the_same_through_pause_closing_and_reopening(
    where, kind, severity, offset_ms, steps, reason
) -> None:
    start_ms, clocks, oracle = ground(*where)
    opened_ms = start_ms + offset_ms
    paused_ms, resumed_ms, fixed_ms = (opened_ms + sum(steps[:n]) for n in (1, 2, 3))
    again_ms = fixed_ms + DAY
    facts = [
        Fact("opened", opened_ms, opened_ms, severity),
        Fact("paused", paused_ms, paused_ms, reason),
        Fact("resumed", resumed_ms, resumed_ms),
        Fact("fixed", fixed_ms, fixed_ms),
        Fact("closed", fixed_ms + HOUR, fixed_ms + HOUR),
        Fact("reopened", again_ms, again_ms),
    ]
    by, _ = oracle.expect(Kept("report", kind, "dorm-07"), facts)

    form = clocks.service.pauses[reason]
    policy = clocks.service.policy_for(Item("report", kind, severity, "dorm-07"))
    plan = Plan(policy, severity, opened_ms)
    lasting = Pause(paused_ms, None, length_ms(SERVICE["pauses"][reason]["limit"]), form.clocks)
    ended = lasting._replace(end_ms=resumed_ms)
    reopened = plan._replace(reopened_ms=again_ms, pauses=(ended, closed_gap(fixed_ms, again_ms)))
    assert by[0] == named(clocks, plan)
    assert by[1] == named(clocks, plan._replace(pauses=(lasting,)))
    assert by[2] == named(clocks, plan._replace(pauses=(ended,)))
    assert by[5] == named(clocks, reopened)


def named(clocks: Clocks, plan: Plan) -> dict[str, int]:
    names = ("response", "on_site", "fix", "crew")
    by = zip(names, clocks.deadlines(plan), strict=True)
    return {name: by_ms for name, by_ms in by if by_ms is not None}


@settings(max_examples=30)
@given(st.sampled_from(DAYS), st.sampled_from(["alarm", "turn", "office"]), st.integers(0, DAY))
def test_both_tell_the_rungs_at_the_same_instants(where, kind, offset_ms) -> None:
    start_ms, clocks, oracle = ground(*where)
    opened_ms = start_ms + offset_ms
    facts = [
        Fact("opened", opened_ms, opened_ms, "small"),
        Fact("nothing", opened_ms, opened_ms + 30 * DAY),
    ]
    _, said = oracle.expect(Kept("report", kind, "dorm-07"), facts)

    policy = clocks.service.policy_for(Item("report", kind, "small", "dorm-07"))
    plan = Plan(policy, "small", opened_ms)
    due = [(clocks.rung(plan, rung), rung.clock, rung.id) for rung in clocks.service.ladder]
    told = [(one.at_ms, one.clock, one.detail) for one in said if one.what == "told"]
    assert told == sorted(one for one in due if one[0] is not None)
    assert sorted((one.clock, one.at_ms) for one in said if one.what == "breach") == [
        (clock, by_ms) for clock, by_ms in sorted(named(clocks, plan).items())
    ]


@pytest.mark.parametrize(("late_ms", "said"), [(0, []), (1, ["breach"]), (1000, ["breach"])])
def test_the_oracle_calls_met_what_is_done_at_exactly_the_limit(late_ms, said) -> None:
    start_ms, _, oracle = ground("Asia/Shanghai", "2026-10-04")
    ladderless = Oracle({**SERVICE, "ladder": []}, oracle._minutes)
    done_ms = start_ms + 5 * MINUTE + late_ms
    facts = [
        Fact("opened", start_ms, start_ms, "small"),
        Fact("responded", done_ms, done_ms),
    ]
    assert [one.what for one in ladderless.expect(Kept("report", "alarm", ""), facts)[1]] == said


def test_the_oracle_imports_nothing_of_what_it_judges() -> None:
    imported = {
        name.split(".")[0]
        for path in ORACLE.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        for name in (
            [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else [one.name for one in node.names]
            if isinstance(node, ast.Import)
            else []
        )
    }
    assert imported.isdisjoint({"hub", "rules", "drivers"})
