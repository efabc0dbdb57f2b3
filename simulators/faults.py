"""What can go wrong on the line to a gateway, and when: scripted, seeded and counted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from simulators.noise import uniform

Kind = Literal[
    "delay", "timeout", "exception", "crc_error", "wrong_unit", "wrong_function", "stale_answer",
    "split_frame", "dropped_connection", "one_connection_only", "gateway_busy",
    "own_transaction_id", "garbage_before", "garbage_inside", "garbage_after", "frozen", "link_cut",
]  # fmt: skip
KINDS: tuple[Kind, ...] = get_args(Kind)
EXCEPTIONS = (1, 2, 3, 4, 5, 6, 10, 11)
BUSY = 6
_JUNK = 7  # bytes


@dataclass(frozen=True, slots=True)
class WireFault:
    """One thing that is wrong from ``start_ms`` to ``end_ms``, for one unit or for all of them.

    ``share`` of the transactions are struck. ``code`` belongs to an exception, ``delay_s`` to a
    delay.
    """

    kind: Kind
    start_ms: int
    end_ms: int
    unit_id: int | None = None
    share: float = 1.0
    code: int = 0
    delay_s: float = 0.0

    def active(self, now_ms: int) -> bool:
        """Tell whether it is wrong now."""
        return self.start_ms <= now_ms < self.end_ms

    def concerns(self, unit_id: int) -> bool:
        """Tell whether the answers of a unit are touched."""
        return self.kind != "one_connection_only" and self.unit_id in (None, unit_id)


class Wire:
    """The line to one gateway; ``hits`` counts how often each of its faults struck.

    The dice are a function of seed and transaction, so the same questions meet the same faults.
    """

    def __init__(self, faults: Sequence[WireFault], seed: int) -> None:
        self.faults: tuple[WireFault, ...] = tuple(faults)
        self.hits = [0] * len(self.faults)
        self._seed = seed
        self._drawn = 0
        self._open: list[object] = []

    def begin(self, fault: WireFault) -> None:
        """Let one more thing be wrong."""
        self.faults += (fault,)
        self.hits.append(0)

    def end(self, chosen: Callable[[WireFault], bool], now_ms: int) -> None:
        """Let the faults that are chosen be over now."""
        self.faults = tuple(
            replace(fault, end_ms=now_ms) if chosen(fault) else fault for fault in self.faults
        )

    def strike(self, unit_id: int, now_ms: int) -> WireFault | None:
        """Return what befalls this transaction; the first fault that does wins."""
        for n, fault in enumerate(self.faults):
            if not (fault.active(now_ms) and fault.concerns(unit_id)):
                continue
            if fault.share >= 1 or self._chance() < fault.share:
                self.hits[n] += 1
                return fault
        return None

    def admit(self, caller: object, now_ms: int) -> bool:
        """Let a connection in, unless the line is cut or only one is allowed and another is open.

        Only refusals that come from one_connection_only are hits of it.
        """
        if caller in self._open:
            return True
        for n, fault in enumerate(self.faults):
            if not fault.active(now_ms):
                continue
            if fault.kind == "link_cut":
                return False
            if fault.kind == "one_connection_only" and self._open:
                self.hits[n] += 1
                return False
        self._open.append(caller)
        return True

    def leave(self, caller: object) -> None:
        """Note that a connection has ended."""
        if caller in self._open:
            self._open.remove(caller)

    def cut(self, now_ms: int) -> bool:
        """Tell whether nothing gets through now."""
        return any(fault.kind == "link_cut" and fault.active(now_ms) for fault in self.faults)

    def junk(self) -> bytes:
        """Return noise: bytes that nobody sent."""
        return bytes(int(256 * self._chance()) for _ in range(_JUNK))

    def _chance(self) -> float:
        self._drawn += 1
        return uniform(self._seed, self._drawn)
