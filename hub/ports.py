"""What the hub asks of the outside: clock, devices, stores, people; and the errors they raise."""

from __future__ import annotations

import math
import random
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Literal, NamedTuple, Protocol, TypeVar

from hub.model import Batch, Edges, Hold, Json, Point, Rollups

T = TypeVar("T")
Table = Literal["holding", "input", "coil", "discrete"]
Aggregate = Literal["count", "min", "max", "mean", "first", "last"]


class HubError(Exception):
    """Any error the hub raises on purpose; its text says what, where and what to do."""


class ConfigError(HubError):
    """The configuration cannot be used; one line per problem."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class StartError(HubError):
    """The hub cannot start here: a port taken, a folder not writable, another hub running."""


class DeviceError(HubError):
    """A device did not do what was asked."""


class NoAnswerError(DeviceError):
    """Nothing came back in time, or the connection is down."""


class NotConnectedError(NoAnswerError):
    """There is no connection to the gateway or serial line, so nothing could be asked."""


class RestingError(NotConnectedError):
    """The breaker is open: after failures there is a pause in which nothing is tried."""


class GarbageAnswerError(DeviceError):
    """Something came back that is no answer to the question."""


class ExceptionAnswerError(DeviceError):
    """The device answered with a Modbus exception."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.code = code


class DeclinedError(DeviceError):
    """A device was asked to change something and says that it does not."""


class UnreadableError(DeviceError):
    """A device took a write, but does not let the point be read back."""


class StoreError(HubError):
    """A store could not keep or return what was asked; nothing of that call was kept."""


class ChannelError(HubError):
    """A channel to people did not take a message; nobody was told, as far as is known."""


class Refused(HubError):  # noqa: N818 - the glossary's word: a refusal, not a failure
    """The hub will not do this: not declared, out of range, not allowed, expired."""


Leave = Callable[[], float | None]
"""Ask, right before a write goes out, for how many seconds it may still be obeyed; None: for ever.

Raises a HubError when it may not go out any more.
"""


def for_ever() -> None:
    """Give leave without an end, to who asks a driver itself."""


class Worker(Protocol):
    """One thread for blocking work; in virtual time it runs the work at once, in place."""

    async def run(self, job: Callable[[], T]) -> T:
        """Run ``job`` and return what it returns or raise what it raises; jobs keep their order."""

    def close(self) -> None:
        """Wait for the work in hand and end the thread."""


class Clock(Protocol):
    """The only source of time, sleep, randomness and threads; real or virtual."""

    virtual: bool

    def now_ms(self) -> int:
        """Return the instant in milliseconds since 1970-01-01 UTC."""

    def go_on_from(self, at_ms: int) -> None:
        """Let the time go on from an instant at the earliest: that of what was written last."""

    def moved_s(self) -> float:
        """Return how far the machine's clock was set since the start; this one does not follow."""

    def monotonic(self) -> float:
        """Return seconds that only go forward, for intervals and deadlines."""

    async def sleep(self, seconds: float) -> None:
        """Wait; a negative or zero time yields once."""

    def random(self, name: str) -> random.Random:
        """Return a generator of its own for ``name``; from the seed in virtual time."""

    def token(self, name: str) -> str:
        """Return 32 unguessable URL-safe bytes (from the seed in virtual time)."""

    def worker(self, name: str) -> Worker:
        """Return a thread of its own for blocking work."""


@dataclass(frozen=True, slots=True)
class Hole:
    """Registers that a device turned out not to have.

    With no ``words`` it is a boundary: a request that goes across ``address`` is refused.
    """

    table: Table
    address: int
    words: int


class Holes(Protocol):
    """What is remembered of the holes of devices from one start of the hub to the next."""

    def known(self, device: str, profile: str) -> tuple[int, Sequence[Hole]]:
        """Return the instant when they were found and the holes; 0 and none at first."""

    def keep(self, device: str, profile: str, found_ms: int, holes: Sequence[Hole]) -> None:
        """Remember these in place of those known; returns at once."""


class RegisterBus(Protocol):
    """One connection to a Modbus gateway or bus, shared by all units behind it.

    One request at a time. Raises NoAnswerError, GarbageAnswerError or ExceptionAnswerError.
    """

    async def read(self, unit_id: int, table: Table, address: int, count: int) -> Sequence[int]:
        """Read ``count`` registers (0..65535) or bits (0/1) from ``address``."""

    async def write(
        self,
        unit_id: int,
        table: Table,
        address: int,
        values: Sequence[int],
        function: int | None = None,
    ) -> None:
        """Write registers (6, 16) or bits (5, 15) by this Modbus function.

        None: one bit by 5, several by 15, registers by 16.
        """

    async def close(self) -> None:
        """Close the connection."""


class OctetBus(Protocol):
    """One connection to a line whose frames say for whom they are (DL/T 645, CJ/T 188).

    One question at a time. Raises NoAnswerError or GarbageAnswerError.
    """

    async def ask(
        self, question: bytes, answer: Callable[[bytes], T | None], *, repeatable: bool = True
    ) -> T:
        """Send a question; return what ``answer`` makes of the octets heard since, once it can.

        ``repeatable``: it does no harm when it is put again.
        """

    async def tell(self, octets: bytes) -> None:
        """Send what nobody answers."""

    async def close(self) -> None:
        """Close the connection."""


class Put(Protocol):
    """Hand a batch to intake."""

    def __call__(
        self, batch: Batch, durable: Callable[[], None] | None = None, waiting: int = 1, /
    ) -> None:
        """Take readings; ``durable`` is called once they are kept.

        ``waiting`` is how many messages wait for that: a broker sends no more when too many do.
        """


class Reach(IntEnum):
    """How far a question came that was not answered as it should be."""

    NOTHING = 0  # there is no connection
    GATEWAY = 1  # the connection is up, but the unit is silent
    DEVICE = 2  # the unit answered, but with nothing that can be used


class Notice(Protocol):
    """What drivers and poller tell of their devices; kept by health."""

    def seen(
        self, device: str, at_ms: int, latency_s: float | None = None, *, whole: bool = True
    ) -> None:
        """Note an answer or a message; ``whole`` tells that all that was asked came with it."""

    def failed(self, device: str, at_ms: int, error: str, reach: Reach = Reach.GATEWAY) -> None:
        """Note that a device did not answer, or said that it goes offline, and how far one came."""

    def skewed(self, device: str, ahead_ms: int) -> None:
        """Note how far the clock of a device is ahead where that cannot be right, else 0."""

    def rejected(self, source: str, at_ms: int, reason: str, payload: bytes) -> None:
        """Count a message that could not be used and keep it as a dead letter."""


@dataclass(frozen=True, slots=True, eq=False)
class Message:
    """One MQTT message as it came in; ``token`` lets its connection acknowledge it.

    ``waited`` tells that it may have waited at the broker or the device while there was no
    connection, so that an old instant inside is no sign of a wrong clock.
    """

    topic: str
    payload: bytes
    retained: bool
    received_ms: int
    token: object = None
    waited: bool = False


@dataclass(frozen=True, slots=True)
class Credentials:
    """How the hub and a broker know each other; ``ca`` is who signed the broker's certificate."""

    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None


class Messages(Protocol):
    """One connection to an MQTT broker, or to the twins in virtual time."""

    async def start(self, wake: Callable[[], None]) -> None:
        """Begin to connect; ``wake`` is called in the event loop when messages wait."""

    def drain(self) -> list[Message]:
        """Take the messages that wait, oldest first."""

    def acknowledge(self, messages: Sequence[Message]) -> None:
        """Acknowledge messages; those of an earlier connection are dropped without a word."""

    async def publish(self, topic: str, payload: bytes) -> None:
        """Publish with QoS 1, never retained; DeviceError when it cannot be handed over."""

    def connected(self) -> bool:
        """Tell whether the broker is believed to be there."""

    async def close(self) -> None:
        """Disconnect and end the thread."""


@dataclass(frozen=True, slots=True)
class Span:
    """Registers or bits of a device that stand in a row, whatever its profile says of them."""

    table: Table
    address: int
    count: int


class Seen(NamedTuple):
    """What a look brought: registers or octets as they came; of a point also what they mean."""

    raw: Sequence[int]
    value: float = math.nan
    quality: int = 0


Look = Callable[[str, "Span | str"], Awaitable[Seen]]
"""Put one short question to a device: for a span of it, or for one of its points."""


class PolledDriver(Protocol):
    """The devices of one gateway, read one at a time when the poller says so."""

    async def poll(self, device: str) -> Batch:
        """Read all points of a device; raise DeviceError when it gave no answer at all."""

    async def look(self, device: str, what: Span | str) -> Seen:
        """Put one question, outside of any poll, and learn nothing from it.

        Devices with registers are asked for a span, those with frames of their own for a point;
        Refused for the other one.
        """

    async def write(self, point: Point, value: float) -> float:
        """Write a declared writable point and return what the device says it is afterwards."""

    async def close(self) -> None:
        """Let the connection go."""


class PushedDriver(Protocol):
    """Devices that speak when they like (MQTT)."""

    async def start(self, put: Put, notice: Notice) -> None:
        """Connect and begin to deliver; returns at once, connected or not."""

    async def write(self, point: Point, value: float, leave: Leave = for_ever) -> float:
        """Send a command for a declared writable point; return the value of the reply."""

    async def close(self) -> None:
        """Stop delivering and disconnect."""


class TimeSeriesStore(Protocol):
    """Where readings are kept. Calls block: run them in a worker."""

    def append(self, batch: Batch, seq: int) -> None:
        """Keep a batch and its journal sequence in one transaction, or raise StoreError.

        A batch whose ``seq`` is not above :meth:`applied` is already kept and is ignored.
        """

    def applied(self) -> int:
        """Return the last journal sequence kept, 0 at first."""

    def last(self) -> Batch:
        """Return the last reading of every point, for the live table after a start."""

    def raw(self, points: Sequence[int], start_ms: int, end_ms: int, limit: int = 100_000) -> Batch:
        """Return readings of start <= at < end in order of (point, at)."""

    def series(
        self,
        points: Sequence[int],
        start_ms: int,
        end_ms: int,
        step_ms: int,
        aggregates: Sequence[Aggregate],
    ) -> dict[int, dict[str, list[float | None]]]:
        """Return per point and aggregate one number per step; None where no good reading was."""

    def rollups(self, points: Sequence[int], start_ms: int, end_ms: int) -> Rollups:
        """Return the roll-ups whose base step begins in start <= step < end, right at this moment.

        In order of (point, start); a step in which nothing was read has no row.
        """

    def edges(self, points: Sequence[int], at_ms: int) -> Edges:
        """Return per point the last usable reading at or before, the first at or after an instant.

        They serve intervals across gaps: found however far away, also where raw is kept no more.
        """

    def export(self, points: Sequence[int], start_ms: int, end_ms: int) -> Iterator[Batch]:
        """Yield all readings of start <= at < end, piece by piece in flat memory.

        Day (UTC) follows day; each piece is of one day, in order of (point, at), and holds no more
        than fits into memory easily, however much is asked for.
        """

    def forget(self, points: Sequence[int], before_ms: int, holds: Sequence[Hold] = ()) -> int:
        """Forget readings of points before an instant, but those held; roll-ups stay for ever.

        The instant is taken down to a whole base step, holds are widened to whole ones. Return
        how many readings were forgotten.
        """

    def compact(self, before_ms: int, more: Callable[[], bool]) -> int:
        """Put readings and roll-ups of closed days before an instant in order of (point, at).

        Works in slices: readers and appends go on. ``more`` is asked before each; on its no the
        rest is left for the next time. Return how many rows were moved.
        """

    def close(self) -> None:
        """Write everything down and let go of the file."""


class Notifier(Protocol):
    """A way to tell people: one channel."""

    async def send(self, key: str, subject: str, body: str, address: str = "") -> None:
        """Tell, or raise ChannelError; the key is the same when the same thing is told again.

        ``address`` is a person's own on this channel; without one it has an address itself.
        """


class Twins(Protocol):
    """The simulated devices, where the hub runs beside them (demonstration and tests)."""

    async def overview(self) -> Sequence[Mapping[str, Json]]:
        """Return each twin: device, kind, place, faults it can have, faults active, parts."""

    async def fault(self, device: str, kind: str) -> None:
        """Start a fault on a twin; Refused when it has no such fault."""

    async def repair(self, device: str, part: str) -> None:
        """Replace or mend a part of a twin; Refused when it has no such part."""
