"""A ticket is somebody's from its first instant, and climbs the ladder until somebody takes it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pytest

from hub.engine import Core
from hub.model import Effect, Entry, EntryKind, Notification, Swap, Ticket, TicketEvent
from rules.roster import Roster
from rules.service import Rung
from tests.hub.fault_site import (
    COLD,
    FAULT,
    MINUTE,
    PROMISE,
    START,
    action,
    core,
    log,
    pack,
    play,
    site,
    tick,
    ticket_in,
)
from tests.rules.rostering import NAMES, roster

EVENING = {"name": "evening", "from": "08:00", "to": "20:00"}
NIGHT = {"name": "night", "from": "20:00", "to": "08:00"}
OPENED = 30  # minute: 19:30 on the wall
PEOPLE = {
    "skills": [{"id": "hot-water", "name": NAMES, "kinds": ["boiler"]}],
    "people": [{"id": id_, "name": id_, "user": f"u-{id_}"} for id_ in ("ann", "bob", "cid", "eve")]
    + [{"id": "chief", "name": "chief"}],
    "crews": [
        {"id": "duty", "name": NAMES, "members": ["ann", "bob"], "lead": "chief"},
        {"id": "water", "name": NAMES, "members": ["cid", "eve"], "skills": ["hot-water"],
         "lead": "chief"},
    ],
}  # fmt: skip
ROTATIONS = [
    {"crew": "duty", "shifts": [EVENING], "order": [["ann"]]},
    {"crew": "duty", "shifts": [NIGHT], "order": [["bob"]]},
    {"crew": "water", "shifts": [{**EVENING, "name": "all", "to": "23:30"}], "order": [["cid"]]},
]


def rota(*rotations: dict[str, object]) -> Roster:
    return roster(*(rotations or ROTATIONS), **PEOPLE)


def on_duty(one: Roster | None = None) -> Core:
    return Core(site(), [pack(COLD)], PROMISE, None, one or rota())


def opened(one: Core) -> tuple[str, list[Effect]]:
    effects = play(one, FAULT)
    return ticket_in(effects).id, effects


def steps(one: Core, *entries: Entry) -> list[Effect]:
    return [effect for entry in entries for effect in one.step(99, entry)]


def kinds(effects: Iterable[Effect]) -> list[str]:
    return [effect.kind for effect in effects if isinstance(effect, TicketEvent)]


def rungs(effects: Iterable[Effect]) -> list[tuple[float, str, Sequence[str]]]:
    """Return what was told: minute, clock, people."""
    events = [one for one in effects if isinstance(one, TicketEvent) and one.kind == "told"]
    return [
        ((one.at_ms - START) / MINUTE, one.detail["clock"], one.detail["to"] or one.detail["desk"])
        for one in events
    ]


def messages(effects: Iterable[Effect]) -> list[tuple[str, ...]]:
    return [effect.to for effect in effects if isinstance(effect, Notification)]


def given(effects: Iterable[Effect]) -> list[str | None]:
    events = [one for one in effects if isinstance(one, TicketEvent) and one.kind == "assigned"]
    return [one.detail["to"] for one in events]


def test_a_ticket_is_given_with_the_reason_and_told_once() -> None:
    id_, effects = opened(on_duty())
    ticket = ticket_in(effects)
    assert (ticket.skill, ticket.crew, ticket.assignee) == ("hot-water", "water", "cid")
    assert kinds(effects) == ["opened", "assigned", "told"]
    (event,) = (one for one in effects if isinstance(one, TicketEvent) and one.kind == "assigned")
    assert event.actor == "hub"
    assert event.detail["reason"] == {
        "skill": "hot-water",
        "skilled": True,
        "turn": "water/all/2026-11-21",
        "open": 0,
        "others": [{"person": "ann", "open": 0}],
    }
    assert messages(effects) == [(), ("cid",)]  # the desk, and whose it is: not twice
    assert id_ in {one.ticket for one in effects if isinstance(one, Notification)}


def test_nobody_takes_it_and_every_rung_is_told_at_its_instant() -> None:
    one = on_duty()
    opened(one)
    effects = steps(one, *(tick(minute / 2) for minute in range(61, 110)))
    assert rungs(effects) == [
        (33, "response", ["chief"]),
        (pytest.approx(35, abs=0.001), "response", True),
        (45, "on_site", ["chief"]),
        (pytest.approx(50, abs=0.001), "on_site", True),
    ]
    assert messages(effects) == [("chief",), (), ("chief",), ()]  # a breach tells the desk once


def test_who_acknowledges_stops_the_ladder_of_the_response_alone() -> None:
    one = on_duty()
    id_, _ = opened(one)
    effects = steps(one, action(32, "acknowledge", id_), *map(tick, range(33, 60)))
    assert [row[1] for row in rungs(effects)] == ["on_site", "on_site"]


def undelivered(minute: float, ticket: str, person: str) -> Entry:
    return action(minute, "undelivered", ticket, actor="hub", person=person, note="no answer")


def test_a_dead_channel_skips_at_once_and_up_to_the_desk() -> None:
    one = on_duty()
    id_, _ = opened(one)
    assert rungs(steps(one, undelivered(30.5, id_, "cid"))) == [(30.5, "response", ["chief"])]
    effects = steps(one, undelivered(31, id_, "chief"))
    assert rungs(effects) == [(31, "response", True)]
    assert messages(effects) == [()]
    assert rungs(steps(one, undelivered(31.5, id_, "cid"), tick(40))) == []  # known already


def test_who_cannot_be_reached_after_somebody_responded_changes_nothing() -> None:
    one = on_duty()
    id_, _ = opened(one)
    effects = steps(one, action(31, "acknowledge", id_), undelivered(32, id_, "cid"))
    assert rungs(effects) == []


def test_nobody_on_duty_is_said_and_skipped_at_once() -> None:
    one = on_duty(rota({"crew": "duty", "shifts": [NIGHT], "order": [["bob"]]}))
    _, effects = opened(one)
    assert ticket_in(effects).crew == "water"
    assert given(effects) == [None]
    assert [row[1:] for row in rungs(effects)] == [("response", False), ("response", ["chief"])]
    assert messages(effects) == [(), ("chief",)]


def test_who_declines_is_not_asked_again_and_the_last_one_lets_it_climb() -> None:
    one = on_duty()
    id_, _ = opened(one)
    first = steps(one, action(31, "decline", id_, actor="u-cid", note="at another one"))
    assert given(first) == ["ann"]
    assert messages(first) == [("ann",)]
    second = steps(one, action(32, "decline", id_, actor="ann", note="not mine"))
    assert given(second) == [None]
    assert rungs(second) == [(32, "response", ["chief"])]
    refused = steps(one, action(33, "decline", id_, actor="u-cid", note="x"))
    assert refused == []
    assert one.answer is not None
    assert "it is not yours" in str(one.answer.refusal)


def test_a_user_accepts_as_the_person_that_the_roster_says() -> None:
    one = on_duty()
    id_, _ = opened(one)
    assert steps(one, action(31, "accept", id_, actor="u-ann")) == []  # it is cid's
    effects = steps(one, action(32, "accept", id_, actor="u-cid"))
    assert ticket_in(effects).assignee == "cid"


def test_a_transfer_to_a_crew_chooses_one_of_it_and_to_nobody_known_is_refused() -> None:
    one = on_duty()
    id_, _ = opened(one)
    said = {"assignment": {"crew": "duty"}, "note": "only a fuse"}
    effects = steps(one, action(31, "transfer", id_, actor="u-cid", **said))
    ticket = ticket_in(effects)
    assert (ticket.crew, ticket.assignee) == ("duty", "ann")
    wrong = {"assignment": {"person": "zoe"}, "note": "x"}
    assert steps(one, action(32, "transfer", id_, actor="ann", **wrong)) == []
    assert one.answer is not None
    assert "zoe: the roster has no such person" in str(one.answer.refusal)


def test_what_is_open_counts_for_whose_it_is_until_it_is_fixed_or_closed() -> None:
    one = on_duty()
    opening = {"source": "report", "place": "dorm-07", "title": {"zh": "词", "en": "word"}}
    entries = [
        action(n, "open", "", ticket=None, id=kind, opening=opening | {"kind": kind})
        for n, kind in enumerate(("leak", "light-out", "door-lock", "furniture"))
    ]
    effects = steps(one, entries[0], entries[1])
    ids = [ticket.id for ticket in effects if isinstance(ticket, Ticket)]
    effects += steps(one, action(1.2, "close", ids[0], note="nothing there"), entries[2])
    effects += steps(one, action(2.2, "fix", ids[-1]), entries[3])
    reasons = [
        event.detail["reason"]["open"]
        for event in effects
        if isinstance(event, TicketEvent) and event.kind == "assigned"
    ]
    assert reasons == [0, 1, 1, 1]


def test_a_ticket_that_is_opened_again_is_given_again_and_climbs_again() -> None:
    one = on_duty()
    id_, _ = opened(one)
    steps(one, action(31, "decline", id_, actor="cid", note="x"), action(32, "acknowledge", id_))
    steps(one, action(40, "close", id_, note="tested by hand"))
    effects = steps(one, action(50, "reopen", id_, note="cold again"), tick(51), tick(56))
    assert given(effects) == ["cid"]  # on duty until 23:30
    assert [row[:2] for row in rungs(effects)] == [
        (50, "response"),
        (53, "response"),
        (pytest.approx(55, abs=0.001), "response"),
    ]


def test_what_was_due_while_the_hub_was_away_is_told_once_to_who_is_there_now() -> None:
    ladder = (*PROMISE.ladder, Rung(clock="on_site", before="PT6M", tell="on_duty"))
    promise = PROMISE.model_copy(update={"ladder": ladder})
    one = Core(site(), [pack(COLD)], promise, None, rota(*ROTATIONS[:2]))
    assert given(opened(one)[1]) == ["ann"]
    effects = steps(one, tick(65))  # 20:05: nothing was heard for half an hour
    assert (44, "on_site", ["bob"]) in rungs(effects)
    assert len(rungs(effects)) == 5
    assert steps(one, tick(66)) == []


def swap(minute: float, turn: str, gives: str, takes: str, **more: object) -> Entry:
    at_ms = START + round(minute * MINUTE)
    said = {"turn": turn, "gives": gives, "takes": takes, **more}
    content = {"id": f"swap-{minute}", "kind": "swap", "actor": "chief", "at_ms": at_ms,
               "swapping": said, "note": "ill"}  # fmt: skip
    return Entry(EntryKind.ACTION, at_ms, content=content)


def test_a_swap_decides_whose_the_next_ticket_is() -> None:
    one = on_duty()
    entry = swap(-1, "water/all/2026-11-21", "cid", "eve")
    (made,) = steps(one, entry)
    assert made == Swap("water/all/2026-11-21", "cid", "eve", made.id, "chief", entry.at_ms, "ill")
    assert steps(one, entry) == []  # told twice, made once
    assert one.answer is not None
    assert one.answer.subject == made.id
    again = on_duty()
    again.load(one.save())
    for each in (one, again):
        assert ticket_in(opened(each)[1]).assignee == "eve"


def test_a_swap_that_was_made_before_the_state_was_lost_is_adopted() -> None:
    one, lost = on_duty(), on_duty()
    made = steps(one, swap(-1, "water/all/2026-11-21", "cid", "eve"))
    lost.adopt_swaps(made)
    lost.adopt_swaps(made)
    assert lost.roster is not None
    assert list(lost.roster.swaps) == made


def test_a_swap_in_the_way_of_something_is_refused_with_the_reason() -> None:
    one = on_duty()
    assert len(steps(one, swap(-2, "duty/evening/2026-11-21", "ann", "bob"))) == 1  # they meet
    assert steps(one, swap(-1, "water/all/2026-11-21", "cid", "ann")) == []
    assert one.answer is not None
    assert "no member of water" in str(one.answer.refusal)


def test_alarms_are_counted_for_the_crew_that_they_are_for() -> None:
    one = on_duty()
    opened(one)
    again = on_duty()
    again.load(one.save())
    assert {crew: flood.count for crew, flood in again.floods.items()} == {"water": 1}
    steps(again, tick(45))
    assert again.floods["water"].count == again.flood.count == 0


def test_a_site_without_a_roster_gives_and_tells_nobody() -> None:
    one = core(COLD)
    _, effects = opened(one)
    assert kinds([*effects, *steps(one, tick(60))]) == ["opened", "breach", "breach"]
    assert steps(one, swap(61, "a/b/2026-11-21", "x", "y")) == []
    assert one.answer is not None
    assert "no roster.yaml" in str(one.answer.refusal)


def test_saved_and_loaded_before_every_entry_it_tells_the_same() -> None:
    whole, broken = on_duty(), on_duty()
    id_, _ = opened(on_duty())
    story = [
        *FAULT,
        undelivered(30.5, id_, "cid"),
        action(31, "decline", id_, actor="cid", note="x"),
        *map(tick, range(32, 48)),
        action(48, "close", id_, note="by hand"),
        action(49, "reopen", id_, note="cold"),
        *map(tick, range(50, 60)),
    ]
    logs: list[list[Effect]] = [[], []]
    for entry in story:
        fresh = on_duty()
        fresh.load(broken.save())
        broken = fresh
        logs[0] += whole.step(1, entry)
        logs[1] += broken.step(1, entry)
        assert whole.next_due_ms() == broken.next_due_ms()
    assert log(logs[0]) == log(logs[1])
    assert len(rungs(logs[0])) >= 5


def test_the_history_alone_gives_the_same_ladder_back() -> None:
    one = on_duty()
    id_, effects = opened(one)
    effects += steps(one, undelivered(30.5, id_, "cid"), tick(32))
    other = on_duty()
    events = [effect for effect in effects if isinstance(effect, TicketEvent)]
    other.adopt(ticket_in(effects), events)
    assert rungs(steps(one, tick(60))) == rungs(steps(other, tick(60)))
