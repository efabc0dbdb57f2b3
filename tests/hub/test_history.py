"""History leads the rules to the same alarms, wherever it comes from and however it is cut."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from hub.backtest import History, Trial, history, of_entries, of_journal, of_store, try_out
from hub.backtest.history import Ahead, Apart, of_batches, of_maker
from hub.journal import Journal, open_connection
from hub.model import Batch, Entry, EntryKind
from hub.ports import StoreError
from hub.store import open_store
from rules.backtest import Raised, Span
from tests.hub.fault_site import (
    BOILER,
    COLD,
    MINUTE,
    PROMISE,
    SILENT,
    START,
    TANK,
    pack,
    reading,
    readings,
    site,
    started,
    tick,
)

HOURS = 6
SPAN = Span(START, START + HOURS * 60 * MINUTE)
Row = tuple[float, float, int, int]


def day() -> list[Row]:
    """Return two boilers, a reading a minute: one is cold twice, the other silent for a while."""
    rows: list[Row] = []
    for minute in range(HOURS * 60):
        rows.append((minute, 45 if 60 <= minute < 90 or 200 <= minute < 230 else 55, TANK, 0))
        if not 100 <= minute < 115:
            rows.append((minute + 0.5, 55, 3, 0))
    return rows


def trial(*rules: dict[str, object]) -> Trial:
    return Trial(site(2), [pack(*(rules or (COLD, SILENT)))], PROMISE)


def raised(on: History, *rules: dict[str, object]) -> list[Raised]:
    one = trial(*rules)
    try_out([one], on)
    return one.raised


def batches(rows: Sequence[Row], size: int) -> Iterator[Batch]:
    for begin in range(0, len(rows), size):
        batch = readings(rows[begin : begin + size]).batch
        assert batch is not None
        yield batch


def at(minute: float) -> int:
    return START + round(minute * MINUTE)


EXPECTED = [
    ("tank-cold", BOILER, at(70), at(100)),
    ("boiler-silent", "dorm-07/boiler-2", at(109.5), at(117.5)),
    ("tank-cold", BOILER, at(210), at(240)),
]


def short(alarms: Sequence[Raised]) -> list[tuple[str, str, int, int | None]]:
    return [(one.rule, one.subject, one.at_ms, one.cleared_ms) for one in alarms]


def test_a_store_is_asked_also_for_what_rules_only_look_at_beside_their_inputs() -> None:
    mode = {"mode": {"point": "supply_temperature", "equals": 1}}
    assert trial(SILENT).points == {1, 3}
    assert trial({**SILENT, "when": mode}).points == {1, 2, 3, 4}


@pytest.mark.parametrize("size", [1, 7, 100, 10_000])
def test_the_cut_into_batches_changes_nothing(size: int) -> None:
    assert short(raised(of_batches("made", batches(day(), size), SPAN))) == EXPECTED


@pytest.mark.parametrize("fetched", [13, 400, 400_000])
def test_a_store_gives_what_it_keeps_in_order_of_time(
    fetched: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "FETCHED_ROWS", fetched)
    monkeypatch.setattr(history, "ROWS", 50)
    store = open_store("memory")
    for seq, batch in enumerate(batches(day(), 100), 1):
        store.append(batch, seq)

    found = raised(of_store(store, [TANK, 3], SPAN))

    assert short(found) == EXPECTED


def test_a_store_gives_only_the_time_that_is_asked_for() -> None:
    store = open_store("memory")
    store.append(next(batches(day(), 10_000)), 1)
    span = Span(at(150), at(235))

    one = trial()
    try_out([one], of_store(store, [TANK, 3], span))

    assert short(one.raised) == [("tank-cold", BOILER, at(210), None)]
    assert one.readings == 2 * 85


def test_a_journal_gives_what_its_hub_heard(tmp_path: Path) -> None:
    file = tmp_path / "journal.sqlite"
    journal = Journal(open_connection(file))
    journal.append([started(), *heard_live(day())])
    journal.close()

    assert short(raised(of_journal(file))) == EXPECTED


def heard_live(rows: Sequence[Row]) -> Iterator[Entry]:
    for batch in batches(rows, 2):
        entry = Entry(EntryKind.READINGS, int(batch.at_ms[-1]), batch)
        yield entry
        yield Entry(EntryKind.TICK, entry.at_ms)


def test_a_rule_that_the_recorded_hub_did_not_have_is_told_the_time_all_the_same() -> None:
    """The hub ticked only when its own rules were due: another rule is due at other times."""
    quick = SILENT | {"on_delay": "PT3M"}
    entries = [started(), reading(0, 55), reading(5, 55), reading(5, 55, point=3)]

    found = raised(of_entries("told", entries, Span(START, at(6))), quick)

    assert (BOILER, at(3)) in [(one.subject, one.at_ms) for one in found]


def test_a_reading_at_the_very_end_of_a_silence_ends_it() -> None:
    rows = [(0, 55, TANK, 0), (0, 55, 3, 0), (10, 55, TANK, 0), (10, 55, 3, 0), (11, 55, TANK, 0)]

    assert raised(of_batches("made", batches(rows, 5), Span(START, at(12)))) == []


EXPOSED = {
    "id": "store-cool", "kind": "exposure", "of": "store", "point": "tank_temperature",
    "limit": 55, "clear": 60,
}  # fmt: skip
NIGHT = at(60 * 31.5)  # half past two in the night after the first whole day


@pytest.mark.parametrize("size", [50, 10_000])
def test_what_is_judged_by_night_is_judged_on_a_history_too(size: int) -> None:
    rows = [(minute, 45, TANK, 0) for minute in range(0, 60 * 48, 10)]

    found = raised(of_batches("made", batches(rows, size), Span(START, at(60 * 48))), EXPOSED)

    assert short(found) == [("store-cool", BOILER, NIGHT, None)]


def test_what_the_recorded_hub_judged_is_not_heard() -> None:
    """It went by the rules of its day; those on trial judge the same readings themselves."""
    told = {"cause": f"{BOILER}#store-cool", "day": "2026-11-21", "state": "fault"}
    told |= {"value": 1.0, "limit": 2.0, "facts": {}, "grave": False}
    judged = Entry(EntryKind.JUDGEMENT, at(1), content=told)
    entries = [started(), reading(0, 65), judged, tick(2)]

    assert raised(of_entries("told", entries, Span(START, at(3))), EXPOSED) == []


def test_while_the_hub_was_stopped_nobody_was_silent() -> None:
    begins = Entry(EntryKind.TICK, at(60), content={"listening": True})
    entries = [started(), reading(0, 55), begins, reading(61, 55), reading(61, 55, point=3)]

    assert raised(of_entries("told", entries, Span(START, at(65)))) == []


def test_what_is_due_at_the_end_of_the_history_still_happens() -> None:
    entries = [started(), reading(0, 55), reading(0, 55, point=3)]

    found = raised(of_entries("told", entries, Span(START, at(10) + 1)))

    assert {one.at_ms for one in found} == {at(10)}
    assert raised(of_entries("told", entries, Span(START, at(10)))) == []


def told() -> Generator[Batch, None, str]:
    """Make a day, in whatever process, and say something of it in the end."""
    yield from batches(day(), 100)
    return "a day"


def broken() -> Iterator[Batch]:
    yield next(batches(day(), 100))
    raise ValueError("no physics")


def ended() -> Iterator[Batch]:
    os._exit(3)


def test_a_history_that_another_process_makes_is_the_same() -> None:
    """What people did stands between the readings, in the middle of a batch or not.

    What the maker returns is known when it is over.
    """
    acts = [Entry(EntryKind.ACTION, at(minute), content={"id": "a"}) for minute in (90, 91, 359.7)]

    maker = Apart(told)
    one = of_maker("made", maker, SPAN, acts)

    entries = list(one.entries)
    assert maker.returned == "a day"
    assert [entry.at_ms for entry in entries] == sorted(entry.at_ms for entry in entries)
    assert [entry for entry in entries if entry.batch is None] == acts
    assert short(raised(replace(one, entries=entries))) == EXPECTED


def test_what_is_suppressed_is_no_alarm_and_counts_from_when_people_hear_it() -> None:
    planned = {"area": "dorm-07", "start_ms": at(55), "end_ms": at(80), "reason": "r", "rules": []}
    content = {"id": "a", "kind": "plan_outage", "actor": "li", "at_ms": at(1), "planned": planned}
    outage = Entry(EntryKind.ACTION, at(1), content=content)
    entries = [started(), outage]
    for minute in range(2, 180):
        cold = 60 <= minute < 150
        entries += [reading(minute, 45 if cold else 55), reading(minute, 55, point=3)]

    (one,) = raised(of_entries("told", entries, Span(START, at(180))))

    assert (one.rule, one.subject) == ("tank-cold", BOILER)
    assert at(70) < one.at_ms < at(100)  # cold since 60: suppressed when it began, at 70


@pytest.mark.parametrize(
    ("make", "said"), [(broken, "no physics"), (ended, "its process ended with 3")]
)
def test_a_process_that_fails_is_told(make: Callable[[], Iterator[Batch]], said: str) -> None:
    with pytest.raises(StoreError, match=said):
        list(of_maker("made", Apart(make), SPAN).entries)


def test_what_a_source_raises_is_raised_where_it_is_read() -> None:
    def failing() -> Iterator[int]:
        yield 1
        raise ValueError("the disk is gone")

    one = iter(Ahead(failing()))

    assert next(one) == 1
    with pytest.raises(ValueError, match="the disk is gone"):
        next(one)


def test_who_stops_reading_leaves_no_thread_behind() -> None:
    before = threading.active_count()
    one = iter(Ahead(iter(range(1000))))
    next(one)

    one.close()  # type: ignore[attr-defined]  # it is a generator

    assert threading.active_count() == before
