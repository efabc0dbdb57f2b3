"""Swaps: two people agree, and nobody is on two shifts and nothing uncovered by it."""

import pytest

from hub.desk.action import Action
from hub.desk.section import Swapping
from hub.desk.swap import check, swaps_of
from hub.ports import Refused
from rules.roster import Roster
from tests.rules.rostering import DAY, NAMES, NIGHT, at, roster

PLACES = ("dorm-07", "dorm-07/1")
PEOPLE = {
    "skills": [{"id": "lifts", "name": NAMES}],
    "people": [
        {"id": "a", "name": "a", "skills": ["lifts"]},
        {"id": "b", "name": "b", "skills": ["lifts"]},
        {"id": "c", "name": "c", "skills": ["lifts"]},
        {"id": "novice", "name": "n", "skills": []},
        {"id": "clerk", "name": "k", "skills": ["water"]},
        {"id": "guest", "name": "g"},
    ],
    "crews": [
        {"id": "duty", "name": NAMES, "members": ["a", "b", "c", "novice", "clerk"],
         "skills": ["lifts"]},
    ],
    "cover": [{"skill": "lifts"}],
}  # fmt: skip


@pytest.fixture
def rota() -> Roster:
    """Days a, b, c in turn; nights of who had the day before."""
    return roster({"shifts": [DAY, NIGHT], "order": [["a"], ["b"], ["c"]]}, **PEOPLE)


def swapped(rota: Roster, turn: str, gives: str, takes: str, back: str | None = None) -> Roster:
    now_ms = at(rota, "2026-02-02T12:00")
    said = Swapping(turn=turn, gives=gives, takes=takes, back=back)
    action = Action(id="x", kind="swap", actor="chief", at_ms=now_ms, swapping=said, note="ill")
    return check(rota, swaps_of(action, said, now_ms), PLACES, now_ms)


def people(rota: Roster, id_: str) -> tuple[str, ...]:
    turn = rota.turn(id_)
    assert turn is not None
    return turn.people


def test_a_turn_is_given_and_another_taken_in_return(rota: Roster) -> None:
    days = [f"duty/day/2026-02-{day:02}" for day in (4, 6)]
    first, second = (people(rota, day)[0] for day in days)
    assert first != second
    after = swapped(rota, days[0], first, second, back=days[1])
    assert [people(after, day)[0] for day in days] == [second, first]
    assert [people(rota, day)[0] for day in days] == [first, second]
    assert [swap.actor for swap in after.swaps] == ["chief", "chief"]
    assert len({swap.id for swap in after.swaps}) == 2


def on(rota: Roster, shift: str, day: int) -> tuple[str, str]:
    turn = f"duty/{shift}/2026-02-{day:02}"
    return turn, people(rota, turn)[0]


def test_nobody_is_on_two_shifts_at_once_by_a_swap(rota: Roster) -> None:
    turn, gives = on(rota, "day", 4)
    early = {"name": "early", "from": "06:00", "to": "10:00"}
    busy = {"crew": "duty", "starts": "2026-01-05", "shifts": [early], "order": [["novice"]]}
    both = roster(*rota.file.model_dump(by_alias=True)["rotations"], busy, **PEOPLE)
    with pytest.raises(Refused, match="novice would be on two shifts at once"):
        swapped(both, turn, gives, "novice")
    assert people(swapped(rota, turn, gives, "novice"), turn) == ("novice",)


def test_a_swap_that_leaves_a_skill_uncovered_is_refused(rota: Roster) -> None:
    turn, gives = on(rota, "day", 4)
    with pytest.raises(Refused, match=f"{turn} would not be covered for lifts at the whole campus"):
        swapped(rota, turn, gives, "clerk")


def test_what_was_uncovered_before_does_not_forbid_a_swap(rota: Roster) -> None:
    turn, gives = on(rota, "day", 4)
    strict = roster(
        *rota.file.model_dump(by_alias=True)["rotations"],
        **PEOPLE | {"cover": [{"skill": "lifts", "least": 2}]},
    )
    assert people(swapped(strict, turn, gives, "novice"), turn) == ("novice",)


@pytest.mark.parametrize(
    ("turn", "gives", "takes", "said"),
    [
        ("duty/day/2026-02-31", "a", "b", "there is no shift"),
        ("duty/tea/2026-02-04", "a", "b", "there is no shift"),
        ("duty/day/2026-02-01", "a", "b", "is over"),
        ("duty/day/2026-02-04", "guest", "b", "guest is not on"),
        ("duty/day/2026-02-04", "{on}", "guest", "guest is no member of duty"),
        ("duty/day/2026-02-04", "{on}", "{on}", "already; nothing would change"),
    ],
)
def test_a_swap_that_makes_no_sense_is_refused_with_the_reason(
    rota: Roster, turn: str, gives: str, takes: str, said: str
) -> None:
    who = on(rota, "day", 4)[1]
    with pytest.raises(Refused, match=said):
        swapped(rota, turn, gives.format(on=who), takes.format(on=who))


def test_a_turn_that_runs_can_still_be_given(rota: Roster) -> None:
    turn, gives = on(rota, "day", 2)
    assert people(swapped(rota, turn, gives, "novice"), turn) == ("novice",)
