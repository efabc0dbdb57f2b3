"""The only reader of clocks, sleep, randomness and threads; real and virtual."""

from __future__ import annotations

import asyncio
import random
import secrets
import selectors
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


class ThreadWorker:
    """One thread; jobs run in their order."""

    def __init__(self, name: str) -> None:
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)

    async def run(self, job: Callable[[], T]) -> T:
        """Run ``job`` in the thread and wait for it; a cancelled wait does not undo the job."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, job)

    def close(self) -> None:
        """Wait for the job in hand and end the thread."""
        self._pool.shutdown(wait=True)


class InlineWorker:
    """The worker of virtual time: runs each job at once, in place."""

    async def run(self, job: Callable[[], T]) -> T:
        """Run ``job`` now."""
        return job()

    def close(self) -> None:
        """Have nothing to end."""


class MachineTime:
    """What a machine knows of the time: a clock that people can set, and what has passed."""

    def wall_ms(self) -> int:
        """Return what its clock shows, in milliseconds since 1970-01-01 UTC."""
        return time.time_ns() // 1_000_000

    def passed_ms(self) -> int:
        """Return a count that nobody sets; it goes on while the machine sleeps, where it can."""
        counter = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
        return time.clock_gettime_ns(counter) // 1_000_000


class RealClock:
    """Time as the machine had it at the start, and as has passed since.

    Deadlines are spans of true time: when somebody, or a time server, sets the machine's clock,
    nothing moves here before the next start. With a seed :meth:`random` repeats itself (for
    simulators).
    """

    virtual = False

    def __init__(self, seed: int | None = None, machine: MachineTime | None = None) -> None:
        self._seed = seed
        self._machine = machine or MachineTime()
        self._began_ms = self._machine.wall_ms() - self._machine.passed_ms()

    def now_ms(self) -> int:
        """Return the instant in milliseconds since 1970-01-01 UTC."""
        return self._began_ms + self._machine.passed_ms()

    def go_on_from(self, at_ms: int) -> None:
        """Let the time go on from an instant at the earliest: nothing is earlier than the past."""
        self._began_ms = max(self._began_ms, at_ms - self._machine.passed_ms())

    def moved_s(self) -> float:
        """Return how far the machine's clock has moved away from this one."""
        return (self._machine.wall_ms() - self.now_ms()) / 1000

    def monotonic(self) -> float:
        """Return seconds that only go forward."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(max(seconds, 0))

    def random(self, name: str) -> random.Random:
        """Return a generator of its own."""
        if self._seed is None:
            return random.Random(secrets.token_bytes(16))  # noqa: S311 - jitter only
        return random.Random(f"{self._seed}/{name}")  # noqa: S311 - simulation

    def token(self, name: str) -> str:  # noqa: ARG002 - the port names it for virtual time
        """Return 32 unguessable URL-safe bytes."""
        return secrets.token_urlsafe(32)

    def worker(self, name: str) -> ThreadWorker:
        """Return a thread of its own for blocking work."""
        return ThreadWorker(name)


class _JumpingSelector(selectors.SelectSelector):
    """A selector that never waits: when no socket is ready, its time jumps to the next timer.

    ``patience_s`` is how long, in real seconds, it gives sockets a chance before it jumps; 0 when
    nothing in the loop uses a socket.
    """

    def __init__(self, patience_s: float) -> None:
        super().__init__()
        self.passed_s = 0.0
        self._patience_s = patience_s

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return the ready sockets, or jump."""
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if self._patience_s and (ready := super().select(self._patience_s)):
            return ready
        if timeout is None:
            raise RuntimeError("virtual time: every task waits and no timer is set")
        self.passed_s += timeout
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose time jumps from timer to timer."""

    def __init__(self, patience_s: float = 0.0) -> None:
        self._jumping = _JumpingSelector(patience_s)
        super().__init__(self._jumping)

    def time(self) -> float:
        """Return the virtual seconds since the loop began."""
        return self._jumping.passed_s


def run_virtual(loop: VirtualLoop, job: Coroutine[Any, Any, T]) -> T:
    """Run ``job`` in virtual time to its end, and return what it returns.

    What it returns is no result of the task: Python's signal module spells the whole task out, and
    a played day takes longer to spell out than to play.
    """
    returned: list[T] = []

    async def kept() -> None:
        returned.append(await job)

    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(kept())
    return returned[0]


class VirtualClock:
    """Time that starts where it is told and jumps; the same seed gives the same run.

    Without a loop it stands: for who is told every instant and only draws from the seed.
    """

    virtual = True

    def __init__(self, loop: VirtualLoop | None, start_ms: int, seed: int) -> None:
        self._loop = loop
        self._start_ms = start_ms
        self._seed = seed
        self._tokens: dict[str, int] = {}

    def now_ms(self) -> int:
        """Return the virtual instant in milliseconds since 1970-01-01 UTC."""
        return self._start_ms + round(self.monotonic() * 1000)

    def go_on_from(self, at_ms: int) -> None:
        """Let the time go on from an instant at the earliest."""
        self._start_ms += max(0, at_ms - self.now_ms())

    def moved_s(self) -> float:
        """Return 0: nobody sets this clock."""
        return 0.0

    def monotonic(self) -> float:
        """Return the virtual seconds since the run began."""
        return self._loop.time() if self._loop else 0.0

    async def sleep(self, seconds: float) -> None:
        """Let virtual time pass."""
        await asyncio.sleep(max(seconds, 0))

    def random(self, name: str) -> random.Random:
        """Return the generator that seed and name give."""
        return random.Random(f"{self._seed}/{name}")  # noqa: S311 - simulation

    def token(self, name: str) -> str:
        """Return the next token that seed and name give; virtual time guards nothing."""
        self._tokens[name] = n = self._tokens.get(name, 0) + 1
        return self.random(f"{name}/{n}").randbytes(32).hex()

    def worker(self, name: str) -> InlineWorker:  # noqa: ARG002 - the port names it for real time
        """Return a worker that works in place."""
        return InlineWorker()
