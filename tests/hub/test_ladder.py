"""Who is told when: against a simple re-computation of a year, and case by case."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from zoneinfo import ZoneInfo

from hub.desk.duty import Duty
from hub.desk.ladder import Climb, dues, rungs
from hub.model import TicketEvent
from rules.calendar import NO_CALENDAR, Calendar
from rules.service import Service, Target
from rules.sla import Clocks, Pause, Plan
from tests.hub.test_duty import SITE, Job
from tests.rules.rostering import DAY, NAMES, at, roster

MINUTE = 60_000
HOUR = 60 * MINUTE
FIRST_DAY = (date(2026, 1, 5) - date(1970, 1, 1)).days  # of the rotation
LADDER = [
    {"clock": "response", "at": "PT0S", "tell": "on_duty"},
    {"clock": "response", "at": "PT1M", "tell": "on_duty"},
    {"clock": "response", "before": "PT2M", "tell": "lead"},
    {"clock": "response", "after": "PT0S", "tell": "duty"},
    {"clock": "on_site", "before": "PT5M", "tell": "lead"},
    {"clock": "on_site", "after": "PT10M", "tell": "duty"},
    {"clock": "fix", "before": "25%", "tell": "crew"},
    {"clock": "fix", "after": "PT0S", "tell": "duty"},
]
STEPS = {  # the same by hand, for a small fault: (clock, after its start in ms, whom)
    "response": [(0, "on_duty"), (1 * MINUTE, "on_duty"), (3 * MINUTE, "lead"),
                 (5 * MINUTE + 1, "duty")],
    "on_site": [(15 * MINUTE, "lead"), (30 * MINUTE + 1, "duty")],
    "fix": [(90 * MINUTE, "crew"), (120 * MINUTE + 1, "duty")],
}  # fmt: skip
RUNNING: dict[Target, int | None] = {"response": None, "on_site": None, "fix": None}
TARGETS = {"respond": "PT5M", "on_site": "PT20M", "fix": {"small": "PT2H", "ordinary": "PT12H"},
           "crew": {"large": "PT48H"}}  # fmt: skip


def clocks(ladder: list[dict[str, str]] = LADDER) -> Clocks:
    service = Service.model_validate({"version": 1, **TARGETS, "ladder": ladder})
    return Clocks(service, Calendar(NO_CALENDAR, ZoneInfo("Asia/Shanghai")))


def plan(one: Clocks, opened_ms: int = 0, **keys: object) -> Plan:
    return Plan(one.service.policy("default"), "small", opened_ms, **keys)


Told = tuple[int, str, str]  # when, of which clock, who


def climbed(
    one: Clocks,
    planned: Plan,
    done: Mapping[Target, int | None],
    ask: Callable[[str, int, list[str]], Sequence[str]],
    missed: Mapping[str, int] | None = None,
) -> list[Told]:
    """Lead a ticket up the ladder; ``missed`` are lost so long after each message."""
    climb, running = Climb(), dict(done)
    told: list[Told] = []
    lost: list[tuple[int, str]] = []
    while True:
        climb = Climb.load(json.loads(json.dumps(climb.save())))
        due = next(iter(dues(rungs(one, planned), running, climb)), None)
        if lost and (due is None or lost[0][0] < due.at_ms):
            at_ms, person = lost.pop(0)
            climb.miss(person, at_ms)
        elif due is None:
            return told
        elif (stopped_ms := running[due.rung.clock]) is not None and due.at_ms > stopped_ms:
            del running[due.rung.clock]
        else:
            clock, tell = due.rung.clock, due.rung.tell
            people = ask(tell, due.at_ms, climb.tried.get(clock, []))
            climb.tell(due.key, clock, people, due.at_ms, desk=tell == "duty")
            told.append((due.at_ms, clock, ",".join(people) or tell))
            lost += [(due.at_ms + missed[who], who) for who in people if who in (missed or {})]


def anna(tell: str, *_: object) -> list[str]:
    return [] if tell == "duty" else ["anna"]


def test_a_ticket_that_nobody_takes_climbs_every_rung_at_its_instant() -> None:
    one = clocks()
    rows = [(at_ms, clock, tell) for clock, steps in STEPS.items() for at_ms, tell in steps]
    wanted = [(at_ms, clock, tell if tell == "duty" else "anna") for at_ms, clock, tell in rows]
    assert climbed(one, plan(one), RUNNING, anna) == sorted(wanted)


def test_a_clock_that_stopped_has_no_more_rungs_and_the_others_go_on() -> None:
    one = clocks()
    found = climbed(one, plan(one), RUNNING | {"response": 2 * MINUTE, "fix": 40 * MINUTE}, anna)
    assert [row[:2] for row in found] == [
        (0, "response"),
        (MINUTE, "response"),
        (15 * MINUTE, "on_site"),
        (30 * MINUTE + 1, "on_site"),
    ]


def test_nobody_on_duty_skips_to_the_next_rung_at_once() -> None:
    one = clocks()
    found = climbed(one, plan(one), {"response": None}, lambda *_: [])
    assert [row[0] for row in found] == [0, 0, 0, 0]  # on duty, on duty, lead: nobody; the desk


def test_a_dead_channel_skips_when_it_is_known_and_not_twice() -> None:
    one = clocks()
    found = climbed(one, plan(one), {"response": None}, anna, {"anna": 20_000})
    assert [row[0] for row in found] == [0, 20_000, 40_000, 60_000]


def test_one_of_two_who_is_reached_is_enough() -> None:
    one = clocks()
    both = climbed(one, plan(one), {"fix": None}, lambda *_: ["anna", "bert"], {"anna": 1000})
    assert [row[0] for row in both] == [90 * MINUTE, 120 * MINUTE + 1]


def test_a_pause_moves_the_rungs_of_its_clock_and_no_others() -> None:
    one = clocks()
    pause = Pause(10 * MINUTE, 70 * MINUTE, 2 * HOUR, ("fix",))
    found = climbed(one, plan(one, pauses=(pause,)), RUNNING, anna)
    assert [row[0] for row in found if row[1] == "fix"] == [150 * MINUTE, 180 * MINUTE + 1]
    assert [row[0] for row in found if row[1] == "on_site"] == [15 * MINUTE, 30 * MINUTE + 1]


def test_a_reopened_ticket_climbs_the_clocks_anew_that_start_again() -> None:
    one, climb = clocks(), Climb()
    for due in dues(rungs(one, plan(one)), RUNNING, climb):
        climb.tell(due.key, due.rung.clock, ["anna"], due.at_ms, desk=False)
    assert dues(rungs(one, plan(one)), RUNNING, climb) == []
    climb.remember(TicketEvent("t", 9, "reopened", "hub", 0, 0))
    again = dues(rungs(one, plan(one, reopened_ms=1000 * MINUTE)), RUNNING, climb)
    assert [due.at_ms // MINUTE for due in again] == [1000, 1001, 1003, 1005, 1015, 1030]
    assert climb.tried.keys() == {"fix"}


PEOPLE = {
    "people": [{"id": one, "name": one} for one in ("anna", "bert", "lead")],
    "crews": [{"id": "duty", "name": NAMES, "members": ["anna", "bert"], "lead": "lead"}],
}


def test_a_year_of_tickets_is_told_as_a_simple_count_finds(*, full_scale: bool) -> None:
    rota = roster({"shifts": [DAY], "order": [["anna"], ["bert"]]}, **PEOPLE)
    one, duty, draw = clocks(), Duty(rota, SITE), random.Random(7)
    begin_ms = at(rota, "2026-02-02T00:00")
    for _ in range(20_000 if full_scale else 400):
        opened_ms = begin_ms + draw.randrange(365 * 24 * HOUR)
        done = {clock: _done(draw, opened_ms, clock) for clock in STEPS}
        missed = draw.choice(({}, {"anna": 20_000}, {"lead": 7_000, "bert": 3_000}))
        job = Job("duty", None)
        job.skill = ""

        def ask(tell: str, at_ms: int, tried: list[str], job: Job = job) -> Sequence[str]:
            return duty.listeners(tell, job, at_ms, tried)

        found = climbed(one, plan(one, opened_ms), done, ask, missed)
        counted = [row for clock in STEPS for row in _counted(opened_ms, clock, done, missed)]
        assert sorted(found) == sorted(counted)


def _done(draw: random.Random, opened_ms: int, clock: str) -> int | None:
    late = {"response": 6 * MINUTE, "on_site": 40 * MINUTE, "fix": 3 * HOUR}[clock]
    return None if draw.random() < 0.2 else opened_ms + draw.randrange(late)


def _counted(
    opened_ms: int, clock: str, done: Mapping[str, int | None], missed: Mapping[str, int]
) -> Iterator[Told]:
    """Say by hand who is told of one clock: China has no summer time, the shift is 08 to 20."""
    skip_ms, tried = None, set()
    for after_ms, tell in STEPS[clock]:
        at_ms = opened_ms + after_ms if skip_ms is None else min(opened_ms + after_ms, skip_ms)
        if (done_ms := done[clock]) is not None and at_ms > done_ms:
            return
        day, rest = divmod(at_ms + 8 * HOUR, 24 * HOUR)
        there = ["anna", "bert"][(day - FIRST_DAY) % 2] if 8 <= rest / HOUR < 20 else None
        who = {"lead": "lead", "duty": None}.get(tell, there)
        if tell == "on_duty" and who in tried:
            who = None
        yield at_ms, clock, who or tell
        tried.add(who)
        skip_ms = None
        if tell != "duty" and (who is None or who in missed):
            skip_ms = at_ms + missed.get(who, 0)
