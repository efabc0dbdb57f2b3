"""A simulated year of service led through the hub's own engine, and held against the oracle."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from typing import NamedTuple

from hub.cli.sla_ground import LIMIT, NAME, Ground
from hub.clock import MachineTime, RealClock
from hub.desk import cause_of
from hub.model import Batch, Effect, Entry, EntryKind, Json, Quality, Ticket, TicketEvent
from simulators.oracle.facts import facts_of
from simulators.oracle.roster import Watches
from simulators.oracle.ticket import CLOCKS, Kept, Oracle, Said
from simulators.service_year import DAY, MINUTE, Deed, Item, Outage, ServiceYear, SetClock

JUDGED = ("breach", "breach_withdrawn", "pause_over", "told")
SNAPSHOT_MS = 10 * MINUTE  # so long before it is killed the hub has kept its state
_BY = attrgetter("respond_by_ms", "on_site_by_ms", "fix_by_ms", "crew_by_ms")
_SECTIONS = {"pause": ("pausing", "reason"), "reclassify": ("classing", "severity")}
_NOTED = ("pause", "reclassify", "reopen", "close")


class Difference(NamedTuple):
    """Something about which hub and oracle do not agree."""

    ticket: str
    clock: str
    what: str
    hub: str
    oracle: str


@dataclass(slots=True)
class Track:
    """What the hub says of one item; ``by`` are its deadlines after each deed."""

    item: Item
    ticket: str = ""
    state: Ticket | None = None
    by: list[dict[str, int]] = field(default_factory=list)
    said: list[Said] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


class HubMachine(MachineTime):
    """The machine that the hub runs on: its clock is wrong at times, what it counts is not."""

    def __init__(self) -> None:
        self.true_ms = self.wrong_ms = 0

    def wall_ms(self) -> int:
        """Return what its clock shows."""
        return self.true_ms + self.wrong_ms

    def passed_ms(self) -> int:
        """Return what it counts."""
        return self.true_ms


class ProvenYear:
    """Leads the items of a year through an engine; what differs is kept, the rest is counted."""

    def __init__(
        self,
        ground: Ground,
        year: ServiceYear,
        oracle: Oracle,
        watches: Watches,
        on_day: Callable[[int], None],
    ) -> None:
        self.counts: Counter[str] = Counter()
        self.differences: list[Difference] = []
        self._ground, self._year, self._on_day = ground, year, on_day
        self._oracle, self._watches = oracle, watches
        self._core = ground.core()
        self._machine = HubMachine()
        self._clock = RealClock(machine=self._machine)
        self._down = False
        self._points = {point.device: point.number for point in ground.site.points.values()}
        self._tracks: dict[str, Track] = {}  # by cause
        self._tickets: dict[str, Track] = {}  # by ticket
        self._snapshot = b""
        self._since: list[Entry] | None = None  # entries since the snapshot of a hub to be killed

    def live(self) -> None:
        """Live the year to the end of its last item."""
        day = 0
        begun_ms: int | None = None
        lived = (self._deeds(), self._breaks(), self._sets())
        for at_ms, do in heapq.merge(*lived, key=lambda one: one[0]):
            begun_ms = at_ms if begun_ms is None else begun_ms
            self._tick_to(at_ms)
            do()
            if (at_ms - begun_ms) // DAY > day:
                day = (at_ms - begun_ms) // DAY
                self._on_day(day)
        for track in list(self._tickets.values()):
            self._differ(track, "", "is open at the end", str(track.state), "closed")

    def _deeds(self) -> Iterator[tuple[int, Callable[[], None]]]:
        """Yield the deeds of all items in the order in which the hub hears them."""
        waiting: list[tuple[int, int, int, Track]] = []

        def due(until_ms: float) -> Iterator[tuple[int, Callable[[], None]]]:
            while waiting and waiting[0][0] < until_ms:
                heard_ms, number, n, track = heapq.heappop(waiting)
                yield heard_ms, lambda: self._do(track, n)  # noqa: B023 - called before the next
                if n + 1 < len(track.item.deeds):
                    again = (track.item.deeds[n + 1].heard_ms, number, n + 1, track)
                    heapq.heappush(waiting, again)

        for item in self._year.items():
            first_ms = item.deeds[0].heard_ms
            yield from due(first_ms)
            heapq.heappush(waiting, (first_ms, item.number, 0, Track(item)))
        yield from due(float("inf"))

    def _breaks(self) -> Iterator[tuple[int, Callable[[], None]]]:
        """Yield the hub's own ends and beginnings."""
        for outage in self._year.outages:
            if outage.killed:
                yield outage.start_ms - SNAPSHOT_MS, self._keep
            yield outage.start_ms, lambda: self._end(outage)  # noqa: B023 - called before the next
            yield outage.end_ms, self._begin

    def _sets(self) -> Iterator[tuple[int, Callable[[], None]]]:
        """Yield the times at which somebody sets the clock of the machine."""
        for one in self._year.set_clocks:
            yield one.at_ms, lambda: self._set(one)  # noqa: B023 - called before the next

    def _set(self, clock: SetClock) -> None:
        self._machine.wrong_ms = clock.wrong_ms
        self.counts["clocks set"] += 1

    def _keep(self) -> None:
        self._snapshot, self._since = self._core.save(), []

    def _end(self, outage: Outage) -> None:
        if not outage.killed:
            self._keep()
        self._down = True
        self.counts["kills" if outage.killed else "restarts"] += 1

    def _begin(self) -> None:
        """Begin from the kept state: what was heard after it is stepped again in silence."""
        self._down, self._clock = False, RealClock(machine=self._machine)
        self._core = self._ground.core()
        self._core.load(self._snapshot)
        since, self._since = self._since or [], None
        for entry in since:
            self._core.step(0, entry)
        self._hear(Entry(EntryKind.TICK, self._clock.now_ms(), content={"listening": True}))

    def _tick_to(self, at_ms: int) -> None:
        """Let the hub look at the time whenever something is due, as its tick does."""
        self._machine.true_ms = at_ms
        now_ms = self._clock.now_ms()
        if not self._down and self._core.now_ms and (self._core.next_due_ms() or now_ms) < now_ms:
            self._hear(Entry(EntryKind.TICK, now_ms))

    def _do(self, track: Track, n: int) -> None:
        deed = track.item.deeds[n]
        cause = track.item.cause
        if n == 0:
            kind = cause.kind if cause.source == "alarm" else f"{cause.source}/{cause.kind}"
            self._tracks[cause_of(cause.device or cause.place, kind)] = track
        if deed.kind in ("high", "low"):
            self._hear(self._reading(cause.device, deed))
        elif deed.kind in ("silence", "unproven"):
            self._hear(Entry(EntryKind.TICK, self._clock.now_ms() + 1))
        else:
            content = self._content(track, n, deed)
            self._hear(Entry(EntryKind.ACTION, self._clock.now_ms(), content=content))
            answer = self._core.answer
            if answer and answer.refusal:
                track.refused.append(f"{deed.kind}: {answer.refusal}")
        found = dict(zip(CLOCKS, _BY(track.state), strict=True)) if track.state else {}
        track.by.append({clock: by_ms for clock, by_ms in found.items() if by_ms is not None})
        self.counts[deed.kind] += 1
        if n + 1 == len(track.item.deeds):
            self._judge(track)

    def _reading(self, device: str, deed: Deed) -> Entry:
        value = 2 * LIMIT if deed.kind == "high" else 0.0
        batch = Batch.of(
            [self._points[device]], [deed.heard_ms], [value], [int(Quality.GOOD)], deed.heard_ms
        )
        return Entry(EntryKind.READINGS, self._clock.now_ms(), batch)

    def _content(self, track: Track, n: int, deed: Deed) -> dict[str, Json]:
        cause = track.item.cause
        content: dict[str, Json] = {
            "id": f"{track.item.number}/{n}",
            "kind": deed.kind,
            "actor": "crew",
            "at_ms": deed.heard_ms,
        }
        if deed.kind in ("open", "merge"):
            opening: dict[str, Json] = {
                "source": cause.source,
                "kind": cause.kind,
                "place": cause.place,
            }
            opening |= {"severity": cause.severity, "title": NAME}
            return content | {"kind": "open", "opening": opening}
        content["ticket"] = track.ticket
        if deed.at_ms < deed.heard_ms:
            content["own_ms"] = deed.at_ms
        if section := _SECTIONS.get(deed.kind):
            content[section[0]] = {section[1]: deed.word}
        return content | ({"note": "said"} if deed.kind in _NOTED else {})

    def _hear(self, entry: Entry) -> None:
        if self._since is not None:
            self._since.append(entry)
        self._take(self._core.step(0, entry))
        self.counts["entries"] += 1

    def _take(self, effects: Sequence[Effect]) -> None:
        """Note what the hub says of the items."""
        self.counts["effects"] += len(effects)
        for effect in effects:
            if isinstance(effect, Ticket):
                track = self._tickets.get(effect.id) or self._tracks[effect.cause]
                if not track.ticket:
                    track.ticket = effect.id
                    self._tickets[effect.id] = track
                track.state = effect
            elif isinstance(effect, TicketEvent):
                self._note(effect)

    def _note(self, event: TicketEvent) -> None:
        track = self._tickets.get(event.ticket)
        if track is None:
            late = Difference(event.ticket, "", "told after its end", event.kind, "nothing")
            self.differences.append(late)
            return
        track.said += _said(event)
        if event.kind == "told":
            self._called(track, event)

    def _called(self, track: Track, event: TicketEvent) -> None:
        """Hold whom a rung has told against who is on duty, or leads."""
        rung, told = event.detail["rung"], set(event.detail["to"])
        wanted = self._watches.told(rung.rpartition(" ")[2], event.received_ms)
        self.counts["people told"] += len(wanted)
        if told != wanted:
            said = (f"{sorted(people)}" for people in (told, wanted))
            self._differ(track, event.detail["clock"], f"told by {rung}", *said)

    def _judge(self, track: Track) -> None:
        """Hold all that the hub said of an item against the oracle."""
        cause = track.item.cause
        self._tickets.pop(track.ticket, None)
        deeds, facts = zip(*facts_of(track.item), strict=True)
        kept = Kept(cause.source, cause.kind, cause.place)
        deadlines, said = self._oracle.expect(kept, facts)
        for n, by in zip(deeds, deadlines, strict=True):
            self._same(track, n, by)
        for refusal in track.refused:
            self._differ(track, "", "refused", refusal, "taken")
        hub, oracle = Counter(track.said), Counter(said)
        for one in sorted(hub - oracle):
            self._differ(track, one.clock, one.what, f"{one.at_ms} {one.detail}", "nothing")
        for one in sorted(oracle - hub):
            self._differ(track, one.clock, one.what, "nothing", f"{one.at_ms} {one.detail}")
        self.counts["items"] += 1
        self.counts.update(one.what for one in said)

    def _same(self, track: Track, n: int, by: dict[str, int]) -> None:
        self.counts["deadlines"] += len(by)
        if track.by[n] == by:
            return
        for clock in CLOCKS:
            mine, other = (str(one.get(clock)) for one in (track.by[n], by))
            if mine != other:
                what = f"deadline after {track.item.deeds[n].kind}"
                self._differ(track, clock, what, mine, other)

    def _differ(self, track: Track, clock: str, what: str, hub: str, oracle: str) -> None:
        ticket = track.ticket or f"item {track.item.number}"
        self.differences.append(Difference(ticket, clock, what, hub, oracle))


def _said(event: TicketEvent) -> Iterator[Said]:
    """Yield what an event says of the clocks."""
    detail = event.detail
    if event.kind == "closed":
        for clock, verdict in detail["verdicts"].items():
            yield Said("verdict", event.at_ms, clock, verdict)
    elif event.kind == "pause_over":
        yield Said("pause_over", event.at_ms, "", detail["reason"])
    elif event.kind == "told":
        yield Said("told", event.at_ms, detail["clock"], detail["rung"])
    elif event.kind in JUDGED:
        yield Said(event.kind, event.at_ms, detail["target"], str(detail["by_ms"]))
