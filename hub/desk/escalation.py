"""Gives tickets to people, and leads those that nobody takes up the ladder."""

from __future__ import annotations

from collections.abc import Sequence

from hub.desk.book import Book
from hub.desk.duty import Duty
from hub.desk.event import Change
from hub.desk.ladder import Ahead, Due, dues, rungs
from hub.desk.work import Work
from hub.model import Effect, Json
from rules.service import Target
from rules.sla import Plan


class Escalation:
    """The duty of a site at its book; without a roster nobody is called and nothing escalates."""

    def __init__(self, book: Book, duty: Duty | None) -> None:
        self._book = book
        self._duty = duty

    def assign(self, work: Work, at_ms: int, crew: str | None = None) -> list[Effect]:
        """Give a ticket to whom it suits best of those who have not declined it; say why.

        ``crew``: one that was named, instead of the one that the place and the skill belong to.
        """
        if self._duty is None:
            return []
        there_ms = max(at_ms, self._book.heard_ms)
        chosen = self._duty.choose(work.ticket, there_ms, self._book.loads, work.declined, crew)
        if chosen.person:
            self._duty.given(chosen.person, there_ms)
        fields = {"assignee": chosen.person, "crew": chosen.crew}
        detail: dict[str, Json] = {"to": chosen.person, "crew": chosen.crew}
        detail["reason"] = chosen.reason
        if not chosen.person and (running := _running(work)):
            detail["hurries"] = running[0]
        return self._book.change(work, at_ms, Change("assigned", fields, detail))

    def climb(self, work: Work, now_ms: int) -> list[Effect]:
        """Tell the rungs of the ladder that are due."""
        effects: list[Effect] = []
        while (due := self._ahead(work).first) is not None and due.at_ms <= now_ms:
            effects += self._tell(work, due, now_ms)
        return effects

    def due_ms(self, work: Work) -> int | None:
        """Return when time alone changes a ticket: by its clocks, or the next rung."""
        return self._ahead(work).due_ms

    def _ahead(self, work: Work) -> Ahead:
        ahead = work.ahead
        if ahead is None or ahead.events != work.events:
            plan = self._book.plan(work)
            same = ahead is not None and ahead.plan == plan
            known = ahead.rungs if ahead and same else self._rungs(plan)
            first = next(iter(dues(known, _running(work), work.climb)), None)
            both = (work.due_ms(), first and first.at_ms)
            due_ms = min((one for one in both if one is not None), default=None)
            work.ahead = ahead = Ahead(work.events, plan, known, first, due_ms)
        return ahead

    def _rungs(self, plan: Plan) -> Sequence[Due]:
        return rungs(self._book.clocks, plan) if self._duty else ()

    def _tell(self, work: Work, due: Due, now_ms: int) -> list[Effect]:
        if self._duty is None:
            return []
        rung, desk = due.rung, due.rung.tell == "duty"
        tried = work.climb.tried.get(rung.clock, [])
        there_ms = max(now_ms, self._book.heard_ms)  # the hub may have been away since it was due
        people = self._duty.listeners(rung.tell, work.ticket, there_ms, tried)
        detail: dict[str, Json] = {"rung": rung.id, "key": due.key, "clock": rung.clock}
        detail |= {"when": rung.when, "to": list(people), "desk": desk}
        return self._book.change(work, now_ms, Change("told", detail=detail))


def _running(work: Work) -> list[Target]:
    """Return the clocks of a ticket that run, in the order of the service promise."""
    if work.ticket.closed_ms is not None:
        return []
    return [clock.target for clock in work.clocks() if clock.done_ms is None]
