"""What must be told of one ticket: its deadlines after each step, its breaches, its ladder."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, NamedTuple

from simulators.oracle.calendar import Minutes
from simulators.oracle.clock import Stop, reached
from simulators.oracle.roster import Watches

CLOCKS = ("response", "on_site", "fix", "crew")
_LENGTH = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")
_UNITS_S = (86_400, 3_600, 60, 1)


class Fact(NamedTuple):
    """Something that happened to a ticket; ``heard_ms`` is when it was told, later at times.

    ``what`` is opened, responded, on_site, crew, fixed, unproven, paused, resumed, reclassified,
    closed, reopened or nothing (the time goes on); ``word`` its severity or reason.
    """

    what: str
    at_ms: int
    heard_ms: int
    word: str = ""


class Said(NamedTuple):
    """One thing that must be told of a ticket, once."""

    what: str
    at_ms: int
    clock: str
    detail: str


@dataclass(slots=True)
class Kept:
    """A ticket as the facts so far have made it."""

    source: str
    kind: str
    place: str
    severity: str = ""
    opened_ms: int = 0
    reopened_ms: int | None = None
    closed_ms: int | None = None
    stops: list[tuple[str, int, int | None, int]] = field(default_factory=list)
    done: dict[str, int] = field(default_factory=dict)
    late: dict[str, int] = field(default_factory=dict)
    told: set[tuple[str, int]] = field(default_factory=set)
    by: dict[str, int] = field(default_factory=dict)
    rungs: list[tuple[int, str, str]] = field(default_factory=list)


class Oracle:
    """What service.yaml promises, worked out ticket by ticket from what happened to each."""

    def __init__(
        self, service: Mapping[str, Any], minutes: Minutes, watches: Watches | None = None
    ) -> None:
        self._service = service
        self._minutes = minutes
        self._watches = watches

    def expect(self, kept: Kept, facts: Sequence[Fact]) -> tuple[list[dict[str, int]], list[Said]]:
        """Return the deadlines after each fact, and what must have been told by the last one."""
        deadlines: list[dict[str, int]] = []
        said: list[Said] = []
        for fact in facts:
            said += self._passed(kept, fact.heard_ms)
            self._take(kept, fact)
            if fact.what != "nothing":
                said += self._judged(kept, fact.heard_ms, unproven=fact.what == "unproven")
            if fact.what == "closed":
                said += self._verdicts(kept, fact.at_ms)
            elif kept.closed_ms is None and fact.what != "nothing":
                now_ms = fact.heard_ms + (fact.what == "unproven")  # that is known a moment later
                said += self._climbed(kept, now_ms, now_ms)
            deadlines.append(dict(kept.by))
        return deadlines, said

    def _passed(self, kept: Kept, now_ms: int) -> Iterator[Said]:
        """Yield what the time alone brings until an instant."""
        if kept.closed_ms is not None:
            return
        for n, (reason, start_ms, end_ms, limit_ms) in enumerate(kept.stops):
            over_ms = start_ms + limit_ms
            if end_ms is None and over_ms <= now_ms:
                kept.stops[n] = (reason, start_ms, over_ms, limit_ms)
                yield Said("pause_over", over_ms, "", reason)
        for clock, by_ms in kept.by.items():
            if clock not in kept.late and self._stopped(kept, clock) is None and by_ms < now_ms:
                kept.late[clock] = by_ms
                yield Said("breach", by_ms, clock, str(by_ms))
        yield from self._climbed(kept, now_ms, 0)

    def _climbed(self, kept: Kept, now_ms: int, planned_ms: int) -> Iterator[Said]:
        """Yield the rungs that are due by now; those of a new plan are told with it.

        Where a rung finds nobody on duty, the next one of its clock is told at once.
        """
        hurried: dict[str, int] = {}
        for due_ms, clock, rung in kept.rungs:
            key = (rung, self._begun(kept, clock))
            if key in kept.told or self._stopped(kept, clock) is not None:
                continue
            at_ms = hurried.pop(clock, max(due_ms, planned_ms))
            if at_ms > now_ms:
                continue
            kept.told.add(key)
            yield Said("told", at_ms, clock, rung)
            if rung.endswith(" on_duty") and self._watches and not self._watches.on_duty(at_ms):
                hurried[clock] = at_ms

    def _judged(self, kept: Kept, now_ms: int, *, unproven: bool) -> Iterator[Said]:
        """Yield what is known better now: breaches that were none, and those that were some."""
        for clock, by_ms in kept.by.items():
            done_ms = self._stopped(kept, clock)
            late = (now_ms if done_ms is None else done_ms) > by_ms
            if clock in kept.late and not late:
                del kept.late[clock]
                yield Said("breach_withdrawn", now_ms, clock, str(by_ms))
            elif late and (done_ms is not None or unproven) and clock not in kept.late:
                kept.late[clock] = by_ms
                yield Said("breach", by_ms, clock, str(by_ms))

    def _verdicts(self, kept: Kept, closed_ms: int) -> Iterator[Said]:
        """Yield how each clock ended."""
        for clock, by_ms in kept.by.items():
            done_ms = self._stopped(kept, clock)
            met = (closed_ms if done_ms is None else done_ms) <= by_ms
            verdict = "breached" if not met else "running" if done_ms is None else "met"
            yield Said("verdict", closed_ms, clock, verdict)

    def _take(self, kept: Kept, fact: Fact) -> None:
        """Let a fact change the ticket, and plan anew where that changes a deadline."""
        match fact.what:
            case "opened":
                kept.opened_ms, kept.severity = fact.at_ms, fact.word
            case "responded" | "on_site" | "fixed" | "crew":
                self._do(kept, fact)
                if fact.what != "fixed" or not _resume(kept, fact.at_ms):
                    return
            case "unproven":
                kept.done.pop("fix")
                return
            case "paused":
                kept.stops.append((fact.word, fact.at_ms, None, self._limit_ms(kept, fact.word)))
            case "resumed":
                _resume(kept, fact.at_ms)
            case "reclassified":
                kept.severity = fact.word
            case "closed":
                kept.closed_ms = fact.at_ms
                _resume(kept, fact.at_ms)
                return
            case "reopened":
                self._reopen(kept, fact.at_ms)
            case _:
                return
        self._plan(kept)

    def _do(self, kept: Kept, fact: Fact) -> None:
        clock = {"responded": "response", "fixed": "fix"}.get(fact.what, fact.what)
        if clock == "fix":
            kept.done["fix"] = fact.at_ms
        implied = CLOCKS[: CLOCKS.index(clock)][:2] if clock != "response" else ()
        for one in (*implied, clock):
            kept.done[one] = min(kept.done.get(one, fact.at_ms), fact.at_ms)

    def _reopen(self, kept: Kept, at_ms: int) -> None:
        stopped_ms = kept.done.get("fix", kept.closed_ms)
        kept.stops.append(("", stopped_ms or at_ms, at_ms, at_ms - (stopped_ms or at_ms)))
        kept.done.clear()
        kept.late = {clock: by for clock, by in kept.late.items() if clock == "fix"}
        kept.reopened_ms, kept.closed_ms = at_ms, None

    def _plan(self, kept: Kept) -> None:
        """Step each clock of a ticket from its beginning through all its minutes."""
        policy = self._policy(kept)
        kept.by, kept.rungs = {}, []
        for clock in CLOCKS:
            promised = _promised(policy, clock, kept.severity)
            if promised is None:
                continue
            rungs = [one for one in self._service.get("ladder", ()) if one["clock"] == clock]
            spans_ms = [promised, *(_counted(rung, promised) for rung in rungs)]
            begun_ms, stops = self._begun(kept, clock), self._stops(kept, clock)
            by_ms, *dues = reached(self._minutes, policy.get("hours"), begun_ms, spans_ms, stops)
            kept.by[clock] = by_ms
            for rung, due_ms in zip(rungs, dues, strict=True):
                late_ms = 1 if "after" in rung else 0  # at the deadline itself it is met
                kept.rungs.append((due_ms + late_ms, clock, _named(rung)))
        kept.rungs.sort()

    def _policy(self, kept: Kept) -> Mapping[str, Any]:
        given = {"sources": kept.source, "kinds": kept.kind, "severities": kept.severity}
        for policy in self._service.get("policies", ()):
            scope = policy.get("for", {})
            places = scope.get("places", ())
            inside = any(f"{kept.place}/".startswith(f"{place}/") for place in places)
            wanted = all(name not in scope or one in scope[name] for name, one in given.items())
            if wanted and (inside or not places):
                return dict(policy)
        return self._service

    def _stops(self, kept: Kept, clock: str) -> list[Stop]:
        found = []
        for reason, start_ms, end_ms, limit_ms in kept.stops:
            stands = self._service["pauses"][reason]["clocks"] if reason else ("fix",)
            if clock in stands:
                last_ms = start_ms + limit_ms
                found.append((start_ms, last_ms if end_ms is None else min(end_ms, last_ms)))
        return found

    def _limit_ms(self, kept: Kept, reason: str) -> int:
        used_ms = sum(
            min(end_ms or start_ms + limit_ms, start_ms + limit_ms) - start_ms
            for one, start_ms, end_ms, limit_ms in kept.stops
            if one == reason
        )
        return max(length_ms(self._service["pauses"][reason]["limit"]) - used_ms, 0)

    @staticmethod
    def _begun(kept: Kept, clock: str) -> int:
        anew = clock != "fix" and kept.reopened_ms is not None
        return (kept.reopened_ms or 0) if anew else kept.opened_ms

    @staticmethod
    def _stopped(kept: Kept, clock: str) -> int | None:
        """Return when a clock was stopped; a repair that is finished needs no extra crew."""
        done_ms = kept.done.get(clock)
        return kept.done.get("fix") if clock == "crew" and done_ms is None else done_ms


def _resume(kept: Kept, at_ms: int) -> bool:
    """End the pause that lasts; tell whether there was one."""
    for n, (reason, start_ms, end_ms, limit_ms) in enumerate(kept.stops):
        if end_ms is None:
            kept.stops[n] = (reason, start_ms, at_ms, limit_ms)
            return True
    return False


@cache
def length_ms(text: str) -> int:
    """Return how many milliseconds a written duration lasts.

    >>> length_ms("P1DT2H30M")
    95400000
    """
    found = _LENGTH.fullmatch(text)
    if not found:
        raise ValueError(f"{text} is no duration")
    parts = zip(found.groups(), _UNITS_S, strict=True)
    return 1000 * sum(int(part or 0) * unit for part, unit in parts)


def _promised(policy: Mapping[str, Any], clock: str, severity: str) -> int | None:
    if clock in ("response", "on_site"):
        return length_ms(policy["respond" if clock == "response" else clock])
    text = policy.get(clock, {}).get(severity)
    return None if text is None else length_ms(text)


def _counted(rung: Mapping[str, Any], promised_ms: int) -> int:
    """Return what the clock has counted when a rung is due."""
    if "at" in rung:
        return length_ms(rung["at"])
    if "after" in rung:
        return promised_ms + length_ms(rung["after"])
    before = rung["before"]
    if before.endswith("%"):
        return promised_ms - promised_ms * int(before[:-1]) // 100
    return max(promised_ms - length_ms(before), 0)


def _named(rung: Mapping[str, Any]) -> str:
    keys = ("clock", "at", "before", "after", "tell")
    return " ".join(f"{key} {rung[key]}" for key in keys if key in rung)
