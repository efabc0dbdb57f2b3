"""The same figures from the history of the tickets alone: its chain proves them.

Nothing here is shared with the other way but the names of the figures.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hub.kpi.figure import DAY_MS, WEEK_MS, Backlog, Figures, Mean, Of, Period, Share, Subject
from hub.model import TicketEvent

CLOCKS: Mapping[str, str] = {
    "response": "respond_by_ms",
    "on_site": "on_site_by_ms",
    "fix": "fix_by_ms",
    "crew": "crew_by_ms",
}


@dataclass(slots=True)
class Story:
    """What the history of one ticket tells so far; ``done`` holds the instant of each step."""

    opened_ms: int = 0
    begun_ms: int = 0
    about: dict[str, str] = field(default_factory=dict)
    by: Mapping[str, int | None] = field(default_factory=dict)
    done: dict[str, int] = field(default_factory=dict)
    closed_ms: int | None = None
    refused: bool = False
    proof: str = ""
    reopened: int = 0
    faults: int = 0  # fixes that did not hold
    people: int = 0
    stars: dict[str, int] = field(default_factory=dict)
    stood_ms: int = 0
    paused_ms: int | None = None
    away_ms: int = 0
    ends: list[tuple[int, int]] = field(default_factory=list)  # over, and back
    shut: list[tuple[int, int]] = field(default_factory=list)  # closed, and open again

    @property
    def cause(self) -> str:
        """Return the cause, as it is named from what was opened."""
        source, kind = self.about["source"], self.about["kind"]
        what = self.about["device"] or self.about["place"]
        return f"{what}#{kind}" if source == "alarm" else f"{what}#{source}/{kind}"

    @property
    def over_ms(self) -> int | None:
        """Return when it was mended, or else closed; None while it is open."""
        return None if self.closed_ms is None else self.done.get("fix", self.closed_ms)

    def take(self, event: TicketEvent) -> None:
        """Go on by one event."""
        detail, at_ms = event.detail, event.at_ms
        self.by = detail.get("deadlines", self.by)
        self.people = detail.get("reports", self.people)
        match event.kind:
            case "opened":
                self.opened_ms = self.begun_ms = at_ms
                keys = ("source", "kind", "place", "device", "severity")
                self.about = {"crew": "", **{key: detail.get(key) or "" for key in keys}}
                self.people = int(detail.get("source") == "report")
            case "assigned" | "transferred":
                self.about["crew"] = detail["crew"] or ""
            case "reclassified" | "escalated":
                self.about["severity"] = detail["to"]
            case "rated":
                self.stars[detail.get("reporter") or event.actor] = detail["stars"]
            case "paused":
                self.paused_ms = at_ms
            case "resumed" | "pause_over":
                self._goes_on(at_ms)
            case "closed" | "refused":
                self._goes_on(at_ms)
                self.closed_ms, self.refused = at_ms, event.kind == "refused"
            case "reopened":
                self._again(at_ms)
            case _:
                self._step(event.kind, at_ms, detail)

    def _step(self, kind: str, at_ms: int, detail: Mapping[str, Any]) -> None:
        """Take what stops a clock, or sets one right."""
        if kind == "corrected":
            self.done[detail["target"]] = detail["to_ms"]
        elif kind == "unproven":
            self.faults += 1
            self.done.pop("fix", None)
        elif kind in ("acknowledged", "accepted"):
            self._by_then("response", at_ms)
        elif kind in ("arrived", "crew_arrived", "fix_reported"):
            if kind == "crew_arrived":
                self.done["crew"] = max(at_ms, self.done["on_site"])
            elif kind == "fix_reported":
                self.done["fix"] = at_ms
            self._by_then("response", at_ms)
            self._by_then("on_site", at_ms)
            self.proof = detail.get("on_site_proof", self.proof)

    def _by_then(self, step: str, at_ms: int) -> None:
        self.done[step] = min(at_ms, self.done.get(step, at_ms))

    def _goes_on(self, at_ms: int) -> None:
        if self.paused_ms is not None:
            self.stood_ms += max(at_ms - self.paused_ms, 0)
            self.paused_ms = None

    def _again(self, at_ms: int) -> None:
        if self.closed_ms is not None:
            self.shut.append((self.closed_ms, at_ms))
        stopped_ms = self.done.get("fix", self.closed_ms)
        if stopped_ms is not None:
            self.ends.append((stopped_ms, at_ms))
            self.away_ms += at_ms - stopped_ms
        self.done, self.proof, self.closed_ms, self.refused = {}, "", None, False
        self.reopened, self.begun_ms = self.reopened + 1, at_ms


Causes = Mapping[str, Mapping[str, int]]


def recounted(events: Iterable[TicketEvent], period: Period, of: Of) -> dict[str, Figures]:
    """Return the figures of each group; of each ticket the events are there from the first on."""
    stories: dict[str, Story] = defaultdict(Story)
    for event in events:
        stories[event.ticket].take(event)
    causes: dict[str, dict[str, int]] = defaultdict(dict)
    for ticket, one in stories.items():
        if not one.refused:
            causes[one.cause][ticket] = one.opened_ms
    tallies: dict[str, Counter[str]] = defaultdict(Counter)
    for one in stories.values():
        tally = _tally(one, causes, period)
        if tally["counts"]:
            about = one.about
            subject = Subject(about["severity"], about["place"], about["crew"], about["source"])
            tallies[of(subject)].update(tally)
    return {name: _figures(tallies[name]) for name in sorted(tallies)}


def _tally(one: Story, causes: Causes, period: Period) -> Counter[str]:
    tally: Counter[str] = Counter()
    at_ms = period.last_ms
    open_ = one.opened_ms < at_ms and (one.closed_ms is None or one.closed_ms > at_ms)
    if open_ and not any(over_ms <= at_ms < back_ms for over_ms, back_ms in one.shut):
        days = (at_ms - one.opened_ms) / DAY_MS
        tally["counts"] = 1
        tally["day" if days <= 1 else "week" if days <= 7 else "older"] = 1  # noqa: PLR2004
    if one.opened_ms < period.start_ms or one.opened_ms >= period.end_ms:
        return tally
    tally["counts"] = 1
    if one.refused:
        tally["refused"] = 1
        return tally
    tally["opened"], tally["reopened"] = 1, one.reopened
    _judge(tally, one, period.now_ms)
    _time(tally, one)
    _say(tally, one)
    if (again := _came_again(one, causes, period.now_ms)) is not None:
        tally["rework of"], tally["rework"] = 1, int(again)
    return tally


def _judge(tally: Counter[str], one: Story, now_ms: int) -> None:
    for clock, name in CLOCKS.items():
        limit_ms = one.by.get(name)
        if limit_ms is None:
            continue
        stopped_ms = one.done.get(clock)
        trusted = clock != "fix"
        if clock == "crew" and stopped_ms is None:
            stopped_ms, trusted = one.done.get("fix"), False
        latest_ms = stopped_ms or one.closed_ms or now_ms
        if latest_ms > limit_ms:
            tally[f"{clock} of"] += 1
        elif stopped_ms is not None and (trusted or one.closed_ms is not None):
            tally[f"{clock} of"] += 1
            tally[clock] += 1


def _time(tally: Counter[str], one: Story) -> None:
    if "response" in one.done:
        tally["mtta of"] += 1
        tally["mtta"] += one.done["response"] - one.begun_ms
    if one.closed_ms is not None and "fix" in one.done:
        tally["mended"] += 1
        tally["paused"] += one.stood_ms
        tally["mttr"] += one.done["fix"] - one.opened_ms - one.away_ms - one.stood_ms
        tally["first_time"] += not (one.faults or one.reopened)


def _say(tally: Counter[str], one: Story) -> None:
    if "on_site" in one.done:
        tally["arrived"] += 1
        tally["unproven"] += one.proof == ""
    if one.people and one.closed_ms is not None:
        tally["asked"] += one.people
        tally["answered"] += min(len(one.stars), one.people)
        tally["rating of"] += len(one.stars)
        tally["rating"] += sum(one.stars.values())


def _came_again(one: Story, causes: Causes, now_ms: int) -> bool | None:
    first_ms = one.ends[0][0] if one.ends else one.over_ms
    if first_ms is None or now_ms - first_ms < WEEK_MS:
        return None
    if any(back_ms - over_ms <= WEEK_MS for over_ms, back_ms in one.ends):
        return True
    if one.over_ms is None:
        return False
    others = (at_ms for at_ms in causes[one.cause].values() if at_ms > one.opened_ms)
    return any(one.over_ms <= at_ms <= one.over_ms + WEEK_MS for at_ms in others)


def _figures(tally: Counter[str]) -> Figures:
    def of(name: str, whole: str = "") -> tuple[int, int]:
        return tally[name], tally[whole or f"{name} of"]

    return Figures(
        opened=tally["opened"],
        refused=tally["refused"],
        response=Share(*of("response")),
        on_site=Share(*of("on_site")),
        fix=Share(*of("fix")),
        crew=Share(*of("crew")),
        mtta=Mean(*of("mtta")),
        mttr=Mean(*of("mttr", "mended")),
        paused=Mean(*of("paused", "mended")),
        first_time=Share(*of("first_time", "mended")),
        rework=Share(*of("rework")),
        reopened=tally["reopened"],
        backlog=Backlog(tally["day"], tally["week"], tally["older"]),
        rating=Mean(*of("rating")),
        answered=Share(*of("answered", "asked")),
        unproven=Share(*of("unproven", "arrived")),
    )
