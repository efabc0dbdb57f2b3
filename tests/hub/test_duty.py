"""Whose work a ticket is and whom a rung tells."""

import json
from collections.abc import Mapping, Sequence
from zoneinfo import ZoneInfo

import pytest

from hub.desk.duty import Duty
from hub.model import Text
from hub.site import Site
from tests.rules.rostering import ALL_DAY, CREWS, NAMES, at, roster

SITE = Site("try", Text("试", "Try"), ZoneInfo("Asia/Shanghai"), [], [], [])
NOON = "2026-02-02T12:00"
TWO_CREWS = {
    "people": [
        {"id": "a", "name": "a"}, {"id": "b", "name": "b"}, {"id": "c", "name": "c"},
        {"id": "d", "name": "d"}, {"id": "e", "name": "e", "user": "eve"},
    ],
    "skills": [{"id": "water", "name": NAMES}],
    "crews": [
        {"id": "duty", "name": NAMES, "members": ["a"], "lead": "e"},
        {"id": "water", "name": NAMES, "members": ["b", "c"], "skills": ["water"], "lead": "d"},
    ],
    "rotations": [
        ALL_DAY | {"crew": "duty", "order": [["a"]]},
        ALL_DAY | {"crew": "water", "order": [["b", "c"]]},
    ],
}  # fmt: skip


def duty(**keys: object) -> Duty:
    return Duty(roster(**(TWO_CREWS | keys)), SITE)


def choose(
    one: Duty, loads: Mapping[str, int] = {}, but: Sequence[str] = (), crew: str | None = None
):
    return one.choose(Job(), at(one.roster, NOON), loads, but, crew)


@pytest.mark.parametrize(
    ("loads", "but", "who"),
    [
        ({}, (), "b"),  # the order of the roster
        ({"b": 1}, (), "c"),  # who has least to do
        ({"b": 2, "c": 2}, (), "b"),
        ({"b": 9, "c": 8}, (), "c"),  # a skill counts for more than a free hand
        ({}, ("b",), "c"),
        ({}, ("b", "c"), "a"),
        ({}, ("b", "c", "a"), None),
    ],
)
def test_work_goes_to_the_fittest_who_has_least_to_do(
    loads: dict[str, int], but: tuple[str, ...], who: str | None
) -> None:
    assert choose(duty(), loads, but).person == who


def test_of_two_with_as_much_to_do_it_is_whose_turn_is_longest_ago() -> None:
    one = duty()
    for now_ms, who in ((1, "b"), (2, "c"), (3, "b")):
        chosen = choose(one)
        assert chosen.person == who
        one.given(who, now_ms)
    again = duty()
    again.load(json.loads(json.dumps(one.save())))
    assert choose(again).person == "c"


def test_the_choice_says_what_it_rests_on() -> None:
    assert choose(duty(), {"b": 2, "c": 1}, ("a",)).reason == {
        "skill": "water",
        "skilled": True,
        "turn": "water/all/2026-02-02",
        "open": 1,
        "others": [{"person": "b", "open": 2}],
        "declined": ["a"],
    }


def test_nobody_on_duty_is_said_and_the_crew_is_known_all_the_same() -> None:
    chosen = choose(duty(rotations=[]))
    assert chosen == (None, "water", {"skill": "water", "nobody": "nobody is on duty"})


def test_an_actor_is_the_person_that_signs_in_so() -> None:
    one = duty()
    assert [one.person(actor) for actor in ("eve", "e", "admin")] == ["e", "e", "admin"]


class Job:
    """As much of a ticket as a rung asks for."""

    def __init__(self, crew: str | None = "water", assignee: str | None = "c") -> None:
        self.place, self.skill = "x/1", "water"
        self.crew, self.assignee = crew, assignee


@pytest.mark.parametrize(
    ("tell", "job", "tried", "who"),
    [
        ("assignee", Job(), (), ("c",)),
        ("assignee", Job(assignee=None), (), ()),
        ("on_duty", Job(), (), ("c",)),
        ("on_duty", Job(), ("c",), ("b",)),
        ("on_duty", Job(assignee="d"), ("b", "c"), ("a",)),  # d is not there
        ("on_duty", Job(), ("b", "c", "a"), ()),
        ("crew", Job(), (), ("b", "c")),
        ("crew", Job(crew=None), (), ("b", "c", "a")),
        ("lead", Job(), (), ("d",)),
        ("lead", Job(crew="firm"), (), ()),
        ("duty", Job(), (), ()),
    ],
)
def test_a_rung_tells_whom_it_names(tell, job, tried, who) -> None:
    one = duty()
    assert one.listeners(tell, job, at(one.roster, NOON), tried) == who


def test_a_place_without_a_crew_and_without_anybody_is_nobodys() -> None:
    crews = [one for one in CREWS["crews"] if one["id"] == "house"]
    one = Duty(roster(**(CREWS | {"crews": crews, "rotations": []})), SITE)
    job = Job(None, None)
    job.place, job.skill = "y", "lifts"
    assert one.choose(job, at(one.roster, NOON), {})[:2] == (None, None)


def test_a_crew_that_is_named_is_asked_whatever_its_skill() -> None:
    assert choose(duty(), crew="duty")[:2] == ("a", "duty")
    assert choose(duty(), but=("a",), crew="duty")[:2] == (None, "duty")
