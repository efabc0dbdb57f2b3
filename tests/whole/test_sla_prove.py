"""A stretch of service through the engine, held against the oracle; and clocks that are spoiled."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from hub.cli import run
from hub.cli.sla import proven
from hub.cli.sla_ground import ZONES, laid
from hub.clock import RealClock
from hub.desk.duty import Duty
from hub.desk.escalation import Escalation
from hub.desk.work import Work
from hub.model import Effect, TicketState
from rules import sla
from rules.calendar import Calendar
from rules.sla import Clocks, Pause

MINUTE = 60_000
ALL = (
    "told",
    "breach",
    "breach_withdrawn",
    "pause_over",
    "reclassify",
    "reopen",
    "unproven",
    "silence",
)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_year_of_service_keeps_its_clocks(
    seed: int, monkeypatch: pytest.MonkeyPatch, *, full_scale: bool
) -> None:
    if not full_scale:
        recounted(monkeypatch)
    days, items = (365, 600) if full_scale else (3, 60)
    zone = ZONES[seed % len(ZONES)]
    start = "2027-07-01" if full_scale else CHANGES[zone]

    report = proven(laid(zone), seed, start, days, items)

    assert report["differences"] == []
    assert (report["verdict"], report["counts"]["items"]) == ("held", days * items)
    assert [name for name in ALL if not report["counts"].get(name)] == []
    assert report["counts"]["clocks set"] == 4 * (1 + (days - 1) // 8)
    assert report["counts"].get("kills", 0) + report["counts"].get("restarts", 0) > 0


CHANGES = {
    "Europe/Berlin": "2027-10-30",
    "Australia/Lord_Howe": "2028-04-01",
    "America/New_York": "2028-03-11",
}
"""Days around which clocks are put back or forward."""


def recounted(patch: pytest.MonkeyPatch) -> None:
    """Hold what each person has to do against a count of all that is open, whenever it is asked."""
    assign = Escalation.assign

    def counted(self: Escalation, *given: Any) -> list[Effect]:
        works = self._book.works.values()
        busy = (one.ticket for one in works if one.ticket.state is not TicketState.FIXED)
        assert +self._book.loads == Counter(one.assignee for one in busy if one.assignee)
        return assign(self, *given)

    patch.setattr(Escalation, "assign", counted)


def spoiled_edge(patch: pytest.MonkeyPatch) -> None:
    spans = Calendar.spans

    def late(self: Calendar, hours: str, start_ms: int, end_ms: int) -> list[tuple[int, int]]:
        return [(start + MINUTE, end) for start, end in spans(self, hours, start_ms, end_ms)]

    patch.setattr(Calendar, "spans", late)


def spoiled_limit(patch: pytest.MonkeyPatch) -> None:
    limit = Clocks.limit_ms
    patch.setattr(Clocks, "limit_ms", lambda *given: limit(*given) + MINUTE)


def spoiled_by_a_millisecond(patch: pytest.MonkeyPatch) -> None:
    deadline = sla.deadline
    patch.setattr(sla, "deadline", lambda *given: deadline(*given) + 1)


def spoiled_gap(patch: pytest.MonkeyPatch) -> None:
    gap = sla.closed_gap

    def none(stopped_ms: int, reopened_ms: int) -> Pause:
        return gap(stopped_ms, reopened_ms)._replace(limit_ms=0)

    patch.setattr("hub.desk.work.closed_gap", none)


def spoiled_memory(patch: pytest.MonkeyPatch) -> None:
    save = Work.save
    patch.setattr(Work, "save", lambda work: save(work) | {"pauses": []})


def spoiled_rung(patch: pytest.MonkeyPatch) -> None:
    rung = Clocks.rung

    def late(*given: Any) -> int | None:
        due_ms = rung(*given)
        return None if due_ms is None else due_ms + MINUTE

    patch.setattr(Clocks, "rung", late)


def spoiled_listener(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(Duty, "listeners", lambda *_: ("an",))


def spoiled_machine(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(RealClock, "now_ms", lambda clock: clock._machine.wall_ms())


@pytest.mark.parametrize(
    ("spoil", "days"),
    [
        (spoiled_edge, 1),
        (spoiled_limit, 1),
        (spoiled_by_a_millisecond, 1),
        (spoiled_gap, 1),
        (spoiled_memory, 3),
        (spoiled_rung, 1),
        (spoiled_listener, 1),
        (spoiled_machine, 1),
    ],
)
def test_a_spoiled_clock_is_found(
    spoil: Callable[[pytest.MonkeyPatch], None],
    days: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    spoil(monkeypatch)

    code = run(["sla", "prove", "--days", str(days), "--items", "40", "--json"])

    report = json.loads(capsys.readouterr().out)
    assert (code, report["verdict"]) == (1, "failed")
    first = report["differences"][0]
    assert first["ticket"]
    assert first["hub"] != first["oracle"]


def test_what_was_checked_is_told_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sla", "prove", "--days", "1", "--items", "20"]) == 0

    told = capsys.readouterr().out
    assert told.startswith("held: 0 violations in 1 days from 2027-07-01 on, Europe/Berlin, seed 1")
    assert "deadlines\n" in told


@pytest.mark.parametrize("option", [["--days", "0"], ["--zone", "Mars"], ["--from", "soon"]])
def test_what_cannot_be_proven_is_bad_input(option: list[str]) -> None:
    with pytest.raises(SystemExit) as end:
        run(["sla", "prove", *option])
    assert end.value.code == 2
