"""Modbus TCP frames: a length and a transaction id say which answer is whose."""

from __future__ import annotations

from collections.abc import Mapping
from struct import Struct

from drivers.modbus.frame import Question, fault_of

_HEADER = Struct(">HHH")  # transaction id, protocol id, bytes that follow
_SHORTEST, _LONGEST = 3, 254


class TcpFraming:
    """Frames of Modbus TCP.

    ``lenient`` takes answers under any transaction id, for gateways that number by themselves; a
    late answer then looks like the one that is waited for.
    """

    def __init__(self, *, lenient: bool) -> None:
        self.knows_late = not lenient
        self._stray = ""
        self._kept = b""
        self._owed: set[int] = set()

    @property
    def doubt(self) -> str:
        """Say what was heard since the last question that answers nothing."""
        part = f"only {len(self._kept)} bytes of a frame" if self._kept else ""
        return self._stray or part

    def frame(self, number: int, question: Question) -> bytes:
        """Return the bytes that ask."""
        self._stray = ""
        return _HEADER.pack(number, 0, len(question.sent)) + question.sent

    def owe(self, number: int) -> None:
        """Note that a question was given up: its answer may still come."""
        self._owed.add(number)

    def take(self, data: bytes, waiting: Mapping[int, Question]) -> list[tuple[int, bytes]]:
        """Return the answers that these bytes complete; ValueError when no order can be found."""
        heard = self._kept + data if self._kept else data
        answers = []
        while len(heard) > _HEADER.size + 1:
            number, protocol, length = _HEADER.unpack_from(heard)
            if protocol:
                raise ValueError(f"protocol id {protocol} instead of 0")
            if not _SHORTEST <= length <= _LONGEST:
                raise ValueError(f"a frame of {length} bytes")
            end = _HEADER.size + length
            if len(heard) < end:
                break
            answer, heard = heard[_HEADER.size : end], heard[end:]
            whose = self._whose(number, answer, waiting)
            if whose is not None:
                answers.append((whose, answer))
        if heard and answers and len(answers) == len(waiting):
            # Octets that nobody asked for: one that slipped into the answer pushed them out.
            raise ValueError(f"{len(heard)} bytes more than the answer")
        self._kept = heard
        return answers

    def _whose(self, number: int, answer: bytes, waiting: Mapping[int, Question]) -> int | None:
        """Return the number of the question that this answers."""
        if not self.knows_late:
            for asked, question in waiting.items():
                self._stray = fault_of(question, answer) or ""
                return None if self._stray else asked
            return None
        if number in waiting:
            if fault := fault_of(waiting[number], answer):
                raise ValueError(fault)
            return number
        if number in self._owed:
            self._owed.discard(number)  # late, and nobody waits for it any more
        else:
            self._stray = (
                f"an answer under transaction id {number}, which was not asked; where the gateway "
                "numbers by itself, write transaction_ids: lenient"
            )
        return None
