"""Which clock of a ticket runs, and what the next button is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from hub.model import Text, Ticket, TicketState
from hub.web import promise

MIN = 60_000
HOUR = 60 * MIN
OPENED = 1_795_000_000_000
TICKET = Ticket(
    id="20261120-3f9a2c",
    cause="a#b",
    device="dorm-07/boiler-1",
    place="dorm-07/plant",
    rule="tank-cold",
    severity="ordinary",
    title=Text("水箱温度偏低", "Tank is cold"),
    guidance=Text("", ""),
    parts=("heating-element",),
    state=TicketState.OPENED,
    opened_ms=OPENED,
    respond_by_ms=OPENED + 5 * MIN,
    on_site_by_ms=OPENED + 20 * MIN,
    fix_by_ms=OPENED + 12 * HOUR,
    crew_by_ms=None,
)
RESPONDED = replace(TICKET, state=TicketState.RESPONDED, responded_ms=OPENED + 5 * MIN)
ON_SITE = replace(RESPONDED, state=TicketState.ON_SITE, on_site_ms=OPENED + 21 * MIN)
FIXED = replace(
    ON_SITE, state=TicketState.FIXED, fixed_ms=OPENED + 12 * HOUR, prove_by_ms=OPENED + 16 * HOUR
)
CLOSED = replace(
    FIXED, state=TicketState.CLOSED, prove_by_ms=None, closed_ms=OPENED + 12 * HOUR + 30 * MIN
)
LARGE = replace(ON_SITE, severity="large", fix_by_ms=None, crew_by_ms=OPENED + 48 * HOUR)
CREW_THERE = replace(LARGE, crew_ms=OPENED + 40 * HOUR)


@pytest.mark.parametrize(
    ("ticket", "clock", "step"),
    [
        (TICKET, "respond", "acknowledge"),
        (RESPONDED, "on_site", "arrive"),
        (ON_SITE, "fix", "fix"),
        (FIXED, "prove", None),
        (CLOSED, None, None),
        (LARGE, "crew", "crew"),
        (CREW_THERE, None, "fix"),
    ],
    ids=["opened", "responded", "on site", "fixed", "closed", "large", "crew there"],
)
def test_one_clock_runs_and_one_button_is_next(ticket, clock, step):
    running = promise.running(ticket, OPENED)
    assert (running.key if running else None, promise.next_step(ticket)) == (clock, step)


def verdicts(ticket, after_ms):
    return {clock.key: clock.verdict for clock in promise.clocks(ticket, OPENED + after_ms)}


def test_a_target_met_at_exactly_its_limit_is_met():
    assert verdicts(RESPONDED, 6 * MIN)["respond"] == "met"
    later = replace(RESPONDED, responded_ms=OPENED + 5 * MIN + 1)
    assert verdicts(later, 6 * MIN)["respond"] == "missed"
    assert verdicts(TICKET, 5 * MIN)["respond"] == "running"
    assert verdicts(TICKET, 5 * MIN + 1)["respond"] == "missed"


def test_a_fix_counts_from_its_report_but_only_once_it_is_proved():
    assert verdicts(FIXED, 13 * HOUR)["fix"] == "unproved"
    assert verdicts(CLOSED, 13 * HOUR)["fix"] == "met"
    assert verdicts(ON_SITE, 12 * HOUR + 1)["fix"] == "missed"


def test_a_large_repair_has_an_arrival_clock_and_no_repair_clock():
    assert set(verdicts(LARGE, HOUR)) == {"respond", "on_site", "crew"}
    assert verdicts(CREW_THERE, 50 * HOUR)["crew"] == "met"


def test_tickets_stand_in_the_order_of_their_running_clocks():
    tickets = [FIXED, ON_SITE, TICKET, RESPONDED]
    ordered = sorted(tickets, key=lambda ticket: promise.urgency(ticket, OPENED))
    assert ordered == [TICKET, RESPONDED, ON_SITE, FIXED]


@pytest.mark.parametrize(
    ("after_ms", "mood"),
    [
        (0, "running"),
        (3.7 * MIN, "running"),
        (3.8 * MIN, "soon"),
        (5 * MIN, "soon"),
        (5 * MIN + 1, "late"),
    ],
)
def test_a_clock_presses_in_its_last_quarter(after_ms, mood):
    assert promise.mood(TICKET, OPENED + round(after_ms)) == mood


def test_waiting_for_proof_is_never_late_for_the_crew():
    assert promise.mood(FIXED, OPENED + 100 * HOUR) == "running"
    assert not promise.is_late(FIXED, OPENED + 100 * HOUR)
    assert promise.mood(CLOSED, OPENED + 100 * HOUR) == "done"
