"""How one device, bus or gateway stands and how its day went; pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from hub.model import Json
from hub.ports import Reach

RECENT = 200  # requests that the error share looks back on
SILENT_INTERVALS = 3  # silence of so many intervals is a loss, where nobody asks


class State(StrEnum):
    """How a device, a bus or a gateway stands."""

    NEVER_SEEN = "never_seen"
    ONLINE = "online"
    DEGRADED = "degraded"
    OFFLINE = "offline"


@dataclass(slots=True)
class Recent:
    """Which of the last requests failed: one bit for each, 1 where it did."""

    bits: int = 0
    asked: int = 0  # as many as the bits tell of

    @property
    def full(self) -> bool:
        """Tell whether enough was asked to speak of a share."""
        return self.asked == RECENT

    @property
    def share(self) -> float | None:
        """Return the share of them that failed; None before the first."""
        return self.bits.bit_count() / self.asked if self.asked else None

    def well(self, count: int) -> bool:
        """Tell whether none of the last ``count`` failed."""
        return not self.bits & ((1 << count) - 1)

    def note(self, *, failed: bool) -> None:
        """Note one more request."""
        self.bits = (self.bits << 1 | failed) & ((1 << RECENT) - 1)
        self.asked = min(self.asked + 1, RECENT)


@dataclass(slots=True)
class Tally:
    """What happened on one civil day so far, settled up to ``until_ms``."""

    until_ms: int
    online_ms: int = 0
    observed_ms: int = 0
    answers: int = 0
    failures: int = 0
    latency_s: float = 0.0
    timed: int = 0

    @property
    def availability(self) -> float | None:
        """Return the share of the observed time in which it answered."""
        return self.online_ms / self.observed_ms if self.observed_ms else None

    @property
    def mean_latency_s(self) -> float | None:
        """Return the mean of the latencies known."""
        return self.latency_s / self.timed if self.timed else None

    def settle(self, now_ms: int, *, online: bool) -> None:
        """Book the time up to ``now_ms``; an earlier instant books nothing."""
        passed_ms = max(now_ms - self.until_ms, 0)
        self.until_ms += passed_ms
        self.observed_ms += passed_ms
        if online:
            self.online_ms += passed_ms


@dataclass(frozen=True, slots=True)
class Frozen:
    """What a frozen device shows: these points have stayed as they are for so long or longer."""

    points: tuple[str, ...]
    for_ms: int

    @property
    def text(self) -> str:
        """Say it in words.

        >>> Frozen(("voltage",), 600_000).text
        'answers, but voltage has not changed for 10 minutes: frozen'
        """
        names = " and ".join(filter(None, (", ".join(self.points[:-1]), self.points[-1])))
        have = "has" if len(self.points) == 1 else "have"
        return (
            f"answers, but {names} {have} not changed for {self.for_ms / 60_000:g} minutes: frozen"
        )


@dataclass(slots=True)
class Record:
    """What is known of one device, bus or gateway; ``failed_in_row`` counts since its last answer.

    ``reach`` is how far the last question came that failed. ``said`` tells that people heard of its
    being lost, ``ahead_ms`` how far its clock is ahead where that cannot be right.
    """

    id: str
    state: State
    since_ms: int
    tally: Tally
    seen_ms: int | None = None
    failing_ms: int = 0
    latency_s: float | None = None
    answers: int = 0
    failures: int = 0
    failed_in_row: int = 0
    error: str = ""
    reach: Reach = Reach.GATEWAY
    said: bool = False
    frozen: Frozen | None = None
    ahead_ms: int = 0
    recent: Recent = field(default_factory=Recent, repr=False)

    @property
    def lost(self) -> bool:
        """Tell whether it does not answer."""
        return self.state is State.OFFLINE

    @property
    def error_share(self) -> float | None:
        """Return the share of the last requests that failed; None before the first."""
        return self.recent.share

    def answered(self, at_ms: int, latency_s: float | None) -> None:
        """Note an answer."""
        self.settle(at_ms)
        self.recent.note(failed=False)
        self.answers += 1
        self.failed_in_row = 0
        self.seen_ms = at_ms
        self.tally.answers += 1
        if latency_s is not None:
            self.latency_s = latency_s
            self.tally.latency_s += latency_s
            self.tally.timed += 1

    @property
    def trouble(self) -> str:
        """Return what is wrong with it now; empty when nothing is."""
        if self.failed_in_row or self.lost:
            return self.error
        return self.frozen.text if self.frozen else ""

    def failed(self, at_ms: int, error: str, reach: Reach) -> None:
        """Note that it did not answer, and how far the question came."""
        self.settle(at_ms)
        self.recent.note(failed=True)
        if not self.failed_in_row:
            self.failing_ms = at_ms
        self.failures += 1
        self.failed_in_row += 1
        self.error, self.reach = error, reach
        self.tally.failures += 1

    def turn(self, state: State, at_ms: int) -> None:
        """Stand otherwise from now on."""
        self.settle(at_ms)
        if state is State.OFFLINE and self.seen_ms is not None and not self.lost:
            # Known only now, but it has been away since it was last heard.
            away_ms = min(max(at_ms - self.seen_ms, 0), self.tally.online_ms)
            self.tally.online_ms -= away_ms
        self.state, self.since_ms = state, at_ms

    def settle(self, now_ms: int) -> None:
        """Book the time up to ``now_ms`` as it stands."""
        online = self.state in (State.ONLINE, State.DEGRADED)
        self.tally.settle(now_ms, online=online)

    def row(self) -> dict[str, Json]:
        """Return what is shown of it."""
        return {
            "state": self.state.value,
            "since_ms": self.since_ms,
            "seen_ms": self.seen_ms,
            "latency_s": self.latency_s,
            "failures": self.failures,
            "answers": self.answers,
            "error_share": self.error_share,
            "availability": self.tally.availability,
            "error": self.trouble,
            "reach": self.reach.name.lower() if self.failed_in_row else None,
            "frozen": self.frozen,
            "ahead_ms": self.ahead_ms,
        }
