"""A bus in memory whose registers hold their own address, in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from hub.clock import VirtualClock, VirtualLoop
from hub.model import Batch, Quality, Reason, quality_of, reason_of
from hub.ports import ExceptionAnswerError, Table

START_MS = 1_700_000_000_000


class Bus:
    """Registers that hold their own address, and whatever a test makes go wrong."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.registers: dict[tuple[str, int], int] = {}
        self.reads: list[tuple[str, int, int]] = []
        self.writes: list[tuple[int, str, int, list[int]]] = []
        self.functions: list[int | None] = []
        self.holes: set[int] = set()
        self.longest = 125
        self.refused = 0
        self.trouble: Callable[[str, int], Exception | None] = lambda table, address: None

    async def read(self, unit_id: int, table: Table, address: int, count: int) -> Sequence[int]:
        self.reads.append((table, address, count))
        await self.clock.sleep(0.01)
        if error := self.trouble(table, address):
            raise error
        if self.holes & set(range(address, address + count)) or count > self.longest:
            self.refused += 1
            raise ExceptionAnswerError("exception 2", 2)
        return [self.registers.get((table, at), at) for at in range(address, address + count)]

    async def write(
        self,
        unit_id: int,
        table: Table,
        address: int,
        values: Sequence[int],
        function: int | None = None,
    ) -> None:
        self.functions.append(function)
        self.writes.append((unit_id, table, address, list(values)))
        self.registers.update({(table, address + n): value for n, value in enumerate(values)})

    async def close(self) -> None:
        self.reads.append(("closed", 0, 0))


def virtual(story: Callable[[VirtualClock], Coroutine[Any, Any, None]]) -> None:
    loop = VirtualLoop()
    try:
        loop.run_until_complete(story(VirtualClock(loop, START_MS, 7)))
    finally:
        loop.close()


def rows(batch: Batch) -> dict[int, tuple[float, Quality, Reason]]:
    return {
        number: (value, quality_of(packed), reason_of(packed))
        for number, value, packed in zip(
            batch.point.tolist(), batch.value.tolist(), batch.quality.tolist(), strict=True
        )
    }


def quality(batch: Batch, reason: Reason) -> list[int]:
    return sorted(number for number, row in rows(batch).items() if row[2] is reason)
