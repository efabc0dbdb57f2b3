"""What service.yaml says is held against its form, the calendar and the places of the site."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hub.ports import ConfigError
from hub.settings import load
from hub.settings.recorded import recorded

CAMPUS = """\
version: 1
site: {id: try, name: {zh: 试, en: Try}, timezone: Asia/Shanghai}
places:
  - {id: dorm-07, kind: building, name: {zh: 北苑7栋, en: North Garden 7}}
"""
CALENDAR = """\
version: 1
vacations: [{name: {zh: 假, en: Vacation}, from: 2026-07-13, to: 2026-08-30}]
hours:
  daytime: [{from: "06:00", to: "20:00"}]
  summer: [{from: "06:00", to: "20:00", in: vacation}]
"""
SERVICE = """\
version: 1
respond: PT5M
on_site: PT20M
fix: {small: PT2H, ordinary: PT12H}
crew: {large: PT48H}
"""
POLICY = """\
policies:
  - id: lamps
    for: {sources: [report], kinds: [lamp], severities: [small], places: [dorm-07]}
    hours: daytime
    respond: PT30M
    on_site: P1D
    fix: {small: P2D}
"""
RUNG = "{clock: fix, at: PT1H, tell: lead}"


def written(folder: Path, service: str) -> Path:
    for name, text in (("campus", CAMPUS), ("calendar", CALENDAR), ("service", service)):
        (folder / f"{name}.yaml").write_text(text, "utf-8")
    return folder


def problems(folder: Path, service: str) -> list[str]:
    with pytest.raises(ConfigError) as error:
        load(written(folder, service))
    return list(error.value.problems)


def test_a_file_with_the_targets_alone_is_as_good_as_before(tmp_path: Path) -> None:
    promise = load(written(tmp_path, SERVICE)).promise

    assert promise.policy("default").respond.total_seconds() == 300
    assert (promise.policies, promise.pauses, promise.ladder) == ((), {}, ())


def test_a_recorded_configuration_promises_the_same(tmp_path: Path) -> None:
    rest = "pauses: {parts: {name: {zh: 件, en: Parts}, limit: PT24H}}\nladder:\n"
    rest += "  - {clock: fix, before: 25%, tell: lead}\n"
    settings = load(written(tmp_path, SERVICE + POLICY + rest))

    assert recorded(json.loads(settings.content), tmp_path).promise == settings.promise


MISTAKES = """\
version: 1
hours: nights
respond: PT5M
on_site: PT20M
fix: {small: PT2H, ordinary: PT12H}
crew: {large: PT48H}
policies:
  - {id: a, hours: daytme, respond: PT5M, on_site: PT1H, fix: {small: PT1H}, for: {
     severities: [small]}}
  - {id: b, hours: summer, respond: PT5M, on_site: PT1H, fix: {small: PT1H}, for: {
     severities: [tiny]}}
  - {id: c, hours: daytime, respond: PT5M, on_site: P0D, fix: {small: PT1H}, for: {
     places: [dorm-07, dorm-70]}}
  - {id: d, reply: 30m, respond: 30m, on_site: PT1H, fix: {small: PT1H, large: PT1H}, for: {
     severities: [small, ordinary]}}
  - {id: e, respond: PT5M, on_site: PT1H, fix: {small: PT1H}, for: {
     severities: [small, large]}}
pauses:
  parts: {name: {zh: 件, en: Parts}}
  access: {name: {zh: 门, en: Access}, limit: PT1H, clocks: []}
ladder:
  - {clock: fix, tell: lead}
  - {clock: fix, at: PT0S, after: PT0S, tell: lead}
  - {clock: fix, before: 100%, tell: lead}
  - {clock: fix, before: 1h, tell: lead}
  - {clock: fix, at: PT1H, tell: everybody}
relapse: 3
"""
LINES = """\
2: hours: the calendar has no hours 'nights'
8: policies[0].hours: the calendar has no hours 'daytme'; did you mean 'daytime'?
10: policies[1].hours: 'summer' are open in vacations only; a clock may stand for ever
11: policies[1].for.severities[0]: must be 'small', 'ordinary' or 'large'
12: policies[2].on_site: must be greater than
13: policies[2].for.places[1]: there is no place 'dorm-70'; did you mean 'dorm-07'?
14: policies[3].reply: unknown key
14: policies[3].respond: a duration is written like
16: policies[4].fix: large has no target, here or under crew; add it
19: pauses.parts.limit: missing; add it
20: pauses.access.clocks: must have at least 1 entry, and has 0
22: ladder[0]: a rung has one of at, before and after
23: ladder[1]: a rung has one of at, before and after
24: ladder[2].before: '100%' is no share of a time; write it like 25%
25: ladder[3].before: a duration is written like
26: ladder[4].tell: must be 'on_duty'
27: relapse: a duration is written like"""


def test_each_mistake_has_its_line(tmp_path: Path) -> None:
    found = problems(tmp_path, MISTAKES)

    missing = [
        line
        for line in LINES.splitlines()
        if not any(one.startswith(f"service.yaml:{line}") for one in found)
    ]
    assert missing == [], found


@pytest.mark.parametrize(
    ("more", "line"),
    [
        (POLICY.replace("lamps", "default"), "7: policies[0].id: 'default' is taken"),
        (f"ladder: [{RUNG}, {RUNG}]", "6: ladder[1]: is written twice; remove one"),
        ("crew: {small: PT1H, large: PT48H}", "5: crew.small: has a target under fix too"),
    ],
)
def test_what_is_there_twice_has_its_line(more: str, line: str, tmp_path: Path) -> None:
    base = SERVICE if "crew" not in more else SERVICE.replace("crew: {large: PT48H}\n", "")
    (found,) = problems(tmp_path, base + more + "\n")

    assert found.startswith(f"service.yaml:{line}"), found
