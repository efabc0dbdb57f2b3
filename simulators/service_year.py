"""A year of service as it is lived: what is reported or fails, and what people do about it.

Drawn from a seed, without asking the hub: who leads it through a hub knows beforehand all that must
happen, and can hold it against what the hub says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from simulators.noise import Dice

SECOND, MINUTE, HOUR, DAY = 1000, 60_000, 3_600_000, 86_400_000
SEVERITIES = ("small", "ordinary", "large")
SPANS = {"small": 2 * HOUR, "ordinary": 12 * HOUR, "large": 48 * HOUR}
CONFIRM_MS = 7 * DAY  # a fix that nobody disputes is confirmed
PROOF_MS = 4 * HOUR  # a fix whose alarm still stands after so long did not hold
RELAPSE_MS = 3 * DAY
REST_MS = RELAPSE_MS + HOUR  # a cause is not drawn again before: what comes then is no relapse
ALARMS = 0.2  # the share of the items that devices tell of themselves


SOMETIMES = 0.5
OF_PHONES = ("acknowledge", "arrive", "pause", "fix")
WAITS: Mapping[str, int] = {"silence": CONFIRM_MS, "unproven": PROOF_MS}
"""What nobody does: it comes so long after the hub heard of the fix."""
PAUSES: Mapping[str, int] = {"access": 12 * HOUR, "parts": 48 * HOUR, "outside": 72 * HOUR}
"""The reasons for which people pause, with the limits that service.yaml has for them."""


class Cause(NamedTuple):
    """Something that can fail: ``device`` has an alarm of its own, elsewhere people report it."""

    source: str
    kind: str
    place: str
    device: str
    severity: str


class Deed(NamedTuple):
    """What somebody does: ``at_ms`` by his own watch, ``heard_ms`` when the hub hears of it."""

    heard_ms: int
    at_ms: int
    kind: str
    word: str = ""


@dataclass(slots=True)
class Item:
    """One service item with all that happens to it, in the order in which the hub hears it."""

    number: int
    cause: Cause
    deeds: list[Deed] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Outage:
    """A time in which the hub is down; ``killed``: without a word, else in order."""

    start_ms: int
    end_ms: int
    killed: bool


class SetClock(NamedTuple):
    """From an instant on the clock of the hub's machine is wrong by so much, until it is set."""

    at_ms: int
    wrong_ms: int


class ServiceYear:
    """The items of some days, in the order of their opening."""

    def __init__(
        self, seed: int, start_ms: int, days: int, causes: Sequence[Cause], per_day: int = 600
    ) -> None:
        self._dice = Dice(seed << 16 | 0x51A)
        self._start_ms, self._days, self._per_day = start_ms, days, per_day
        self._alarms = [one for one in causes if one.source == "alarm"]
        self._reports = [one for one in causes if one.source != "alarm"]
        self._free_ms: dict[Cause, int] = {}
        self.outages = [self._outage(day) for day in range(1, days, 8)]
        self.set_clocks = [one for day in range(0, days, 8) for one in self._wrong(day)]

    def items(self) -> Iterator[Item]:
        """Draw the items day by day."""
        number = 0
        for day in range(self._days):
            midnight_ms = self._start_ms + day * DAY
            instants = sorted(
                self._awake(midnight_ms + int(self._dice.throw() * DAY))
                for _ in range(self._per_day)
            )
            for opened_ms in instants:
                number += 1
                yield self._lived(number, opened_ms)

    def _outage(self, day: int) -> Outage:
        start_ms = self._start_ms + day * DAY + int(self._dice.throw() * DAY)
        lasts_ms = int(self._dice.between(20, 1800) * SECOND)
        return Outage(start_ms, start_ms + lasts_ms, killed=self._dice.throw() < 0.5)  # noqa: PLR2004

    def _wrong(self, day: int) -> Iterator[SetClock]:
        """Yield a clock that is set a day forward, right, a day back and right again."""
        for hours, wrong_ms in ((2, DAY), (8, 0), (14, -DAY), (20, 0)):
            yield SetClock(self._start_ms + day * DAY + hours * HOUR, wrong_ms)

    def _awake(self, at_ms: int) -> int:
        """Return an instant, or one soon after the outage that it lies in."""
        for outage in self.outages:
            if outage.start_ms <= at_ms <= outage.end_ms:
                return outage.end_ms + 1 + int(self._dice.throw() * 5 * SECOND)
        return at_ms

    def _lived(self, number: int, opened_ms: int) -> Item:
        causes = self._alarms if self._dice.throw() < ALARMS else self._reports
        cause = self._dice.pick(causes)
        while self._free_ms.get(cause, 0) > opened_ms:
            cause = self._dice.pick(causes)
        life = _Life(self._dice, cause, opened_ms)
        item = Item(number, cause, self._told(life.whole()))
        self._free_ms[cause] = item.deeds[-1].heard_ms + REST_MS
        return item

    def _told(self, deeds: list[Deed]) -> list[Deed]:
        """Let the hub hear of the deeds: some phones are offline, and at times the hub is down."""
        off_ms = on_ms = 0
        if self._dice.throw() < 0.06:  # noqa: PLR2004
            off_ms = deeds[0].at_ms + int(self._dice.throw() * HOUR)
            on_ms = off_ms + int(self._dice.between(2, 200) * MINUTE)
        told: list[Deed] = []
        for deed in deeds:
            heard_ms = deed.heard_ms
            if deed.kind in WAITS:
                told.append(_by_itself(deed.kind, told[-1].heard_ms + WAITS[deed.kind]))
                continue
            if deed.kind in OF_PHONES and off_ms <= deed.at_ms < on_ms:
                heard_ms = on_ms
            heard_ms = max(self._awake(heard_ms), told[-1].heard_ms + 1 if told else 0)
            at_ms = deed.at_ms if deed.kind in OF_PHONES else heard_ms
            told.append(deed._replace(heard_ms=heard_ms, at_ms=at_ms))
        return told


class _Life:
    """What happens to one item, from its opening to its last closing."""

    def __init__(self, dice: Dice, cause: Cause, opened_ms: int) -> None:
        self._dice, self._cause = dice, cause
        self._now_ms = self._began_ms = opened_ms
        self._severity = cause.severity
        self._reasons = list(PAUSES)
        self._deeds: list[Deed] = []

    def whole(self) -> list[Deed]:
        """Return its deeds as they are done, before anybody hears of them."""
        opens = "high" if self._cause.source == "alarm" else "open"
        self._do(opens, 0, self._severity)
        self._work()
        if self._chance(0.06):
            self._wait(5 * HOUR, RELAPSE_MS - 12 * HOUR)
            self._began_ms = self._now_ms
            again = opens if opens == "high" or self._chance(0.4) else "reopen"
            self._do(again, 0)
            self._work()
        return self._deeds

    def _work(self) -> None:
        """Work on it once: from the response to the closing."""
        if self._chance(0.95):
            self._do("acknowledge", self._delay(5 * MINUTE))
        if self._cause.source != "alarm" and self._chance(0.04):
            self._do("merge", self._between(SECOND, HOUR))
        held = self._chance(0.15)
        if held and self._chance(0.3):
            self._hold("access")
        self._at("arrive", self._began_ms + self._delay(20 * MINUTE))
        if self._chance(0.08):
            others = [one for one in SEVERITIES if one != self._severity]
            self._severity = self._dice.pick(others)
            self._do("reclassify", self._between(SECOND, 3 * HOUR), self._severity)
        if held and self._reasons:
            self._hold(self._dice.pick(self._reasons))
        if self._severity == "large" and self._chance(0.8):
            self._at("arrive", self._began_ms + self._delay(48 * HOUR))
        self._mend()

    def _hold(self, reason: str) -> None:
        """Pause, and mostly resume; some pauses last until their limit ends them."""
        if reason not in self._reasons:
            return
        self._reasons.remove(reason)
        limit_ms = PAUSES[reason]
        self._do("pause", self._between(SECOND, HOUR), reason)
        if self._chance(0.25):
            self._wait(limit_ms + 5 * HOUR, limit_ms + 8 * HOUR)
            return
        self._do("resume", self._between(MINUTE, limit_ms - 5 * HOUR))
        if self._chance(0.25):  # once more, until its limit or the fix
            self._do("pause", self._between(SECOND, HOUR), reason)
            if self._chance(SOMETIMES):
                self._wait(limit_ms, limit_ms + 8 * HOUR)
            else:
                self._reasons.clear()  # it still lasts: no other before the fix

    def _mend(self) -> None:
        """Report a fix, at times one that does not hold, and see the item closed."""
        span_ms = SPANS[self._severity]
        if self._chance(0.12):
            due_ms = self._began_ms + self._delay(span_ms)
        else:
            due_ms = self._now_ms + self._between(10 * MINUTE, int(0.6 * span_ms))
        if self._cause.source != "alarm":
            self._at("fix", due_ms)
            if self._chance(0.65):
                self._do("close", self._between(5 * HOUR, 40 * HOUR))
            else:
                self._do("silence", CONFIRM_MS)
            return
        if self._chance(0.1):
            self._do("fix", self._between(10 * MINUTE, 2 * HOUR))
            self._do("unproven", PROOF_MS)
            self._wait(5 * HOUR, 9 * HOUR)
        self._at("low", due_ms)
        self._do("fix", self._between(SECOND, 10 * MINUTE))

    def _delay(self, span_ms: int) -> int:
        """Draw how long something takes that is promised within a span: at times all of it."""
        thrown = self._dice.throw()
        if thrown < 0.1:  # noqa: PLR2004
            return span_ms
        if thrown < 0.2:  # noqa: PLR2004
            return span_ms + 1
        if thrown < 0.3:  # noqa: PLR2004
            return self._between(span_ms, 4 * span_ms)
        return self._between(SECOND, span_ms)

    def _do(self, kind: str, after_ms: int, word: str = "") -> None:
        self._now_ms += after_ms
        self._deeds.append(Deed(self._now_ms, self._now_ms, kind, word))

    def _at(self, kind: str, at_ms: int) -> None:
        """Do something at an instant, or soon when that is past."""
        self._do(kind, max(at_ms - self._now_ms, SECOND))

    def _wait(self, least_ms: int, most_ms: int) -> None:
        self._now_ms += self._between(least_ms, most_ms)

    def _between(self, least_ms: int, most_ms: int) -> int:
        return int(self._dice.between(least_ms, most_ms))

    def _chance(self, share: float) -> bool:
        return self._dice.throw() < share


def _by_itself(kind: str, at_ms: int) -> Deed:
    return Deed(at_ms, at_ms, kind)
