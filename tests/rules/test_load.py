"""What alarms ask of a crew, from their history alone."""

from __future__ import annotations

import pytest

from hub.model import Alarm, AlarmEvent, AlarmState, Text
from rules.load import HOUR_MS, Flood, load_of, loads_by

S = AlarmState
MINUTE = 60_000


def alarm(n: int, rule: str = "cold", state: AlarmState = S.CLEARED, raised: int = 0) -> Alarm:
    words = Text("x", "x")
    return Alarm(f"a{n}", rule, f"d{n % 3}", "p", "small", words, state, raised, 1.0, 0.0)


def told(n: int, at_ms: int, kind: str = "raised") -> AlarmEvent:
    return AlarmEvent(f"a{n}", 0, kind, "hub", at_ms)


def test_what_people_are_told_counts_and_what_is_held_back_does_not() -> None:
    alarms = [alarm(n) for n in range(6)]
    events = [told(0, 1), told(1, 2, "inhibited"), told(2, 3, "suppressed"), told(1, 4, "released")]
    load = load_of(alarms, events, 0, 2 * HOUR_MS)
    assert (load.alarms, load.per_hour) == (2, 1.0)
    assert load.held == {"suppressed": 1, "inhibited": 1}
    assert load.bearable


@pytest.mark.parametrize(("alarms", "bearable"), [(6, True), (7, False)])
def test_six_an_hour_can_be_borne(alarms, bearable) -> None:
    events = [told(n, n * 8 * MINUTE) for n in range(alarms)]
    load = load_of([alarm(n) for n in range(alarms)], events, 0, HOUR_MS)
    assert load.bearable is bearable


def test_one_that_chatters_cannot_be_borne() -> None:
    events = [told(0, 1), told(0, 2, "chattering"), told(0, 3, "chattering")]
    load = load_of([alarm(0)], events, 0, HOUR_MS)
    assert (load.chattering, load.bearable) == (1, False)


def test_a_flood_begins_with_the_eleventh_in_ten_minutes_and_ends_below_five() -> None:
    events = [told(n, n * MINUTE // 2) for n in range(11)]  # the eleventh at minute 5
    load = load_of([alarm(n) for n in range(11)], events, 0, HOUR_MS)
    # The seventh-last is ten minutes old at minute 13: four are left.
    assert load.flood_share == pytest.approx((13 - 5) / 60)


def test_a_flood_that_lasts_counts_to_the_end() -> None:
    events = [told(n, n * MINUTE // 2) for n in range(60)]
    load = load_of([alarm(n) for n in range(60)], events, 0, 30 * MINUTE)
    assert load.flood_share == pytest.approx(25 / 30)


def test_what_stands_for_more_than_a_day_is_stale() -> None:
    rows = [
        alarm(0, state=S.ACKNOWLEDGED, raised=0),
        alarm(1, state=S.UNACKNOWLEDGED, raised=2 * HOUR_MS),
        alarm(2, state=S.SHELVED, raised=0),
    ]
    assert load_of(rows, [], 0, 25 * HOUR_MS).stale == 1


def test_the_top_are_the_causes_that_rose_most_with_their_share() -> None:
    rows = [alarm(n) for n in range(4)]  # a0 and a3 are of one cause
    events = [told(n, n) for n in range(4)]
    load = load_of(rows, events, 0, HOUR_MS)
    assert load.top[0] == ("d0", "cold", 2, 0.5)
    assert load.mix == {"small": 1.0}


def test_each_crew_has_figures_of_its_own_and_together_they_are_all() -> None:
    rows = [alarm(n) for n in range(7)]
    events = [told(n, n * MINUTE) for n in range(7)]
    crews = loads_by(lambda one: "" if one.id == "a6" else one.device, rows, events, 0, HOUR_MS)
    assert {crew: one.alarms for crew, one in crews.items()} == {"": 1, "d0": 2, "d1": 2, "d2": 2}
    assert sum(one.per_hour for one in crews.values()) == load_of(rows, events, 0, HOUR_MS).per_hour


def test_the_state_of_a_flood_survives_a_restart() -> None:
    flood = Flood()
    for n in range(12):
        flood.tell(n * 1000)
    other = Flood()
    other.load(flood.save())
    assert other.save() == flood.save()
    assert other.since_ms == 10_000
    assert other.pass_time(HOUR_MS) == 607_000
