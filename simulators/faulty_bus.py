"""The faults of a line in place, for virtual time: what a checking bus makes of each of them.

A wrong frame is met here by the same questions that the drivers ask of real ones (whose answer is
it, to what, is it whole); whether they ask them of bytes, only the proxy can tell.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from hub.ports import (
    Clock,
    ExceptionAnswerError,
    GarbageAnswerError,
    NoAnswerError,
    NotConnectedError,
    RegisterBus,
    Table,
)
from simulators.faults import BUSY, Kind, Wire, WireFault

_GATEWAY_SAYS_SILENT = (10, 11)
_NEVER_SENT = ("timeout", "exception", "gateway_busy")
_OTHER_TABLE: dict[Table, Table] = {
    "holding": "input", "input": "holding", "coil": "discrete", "discrete": "coil",
}  # fmt: skip
_BETWEEN_PIECES_S = 0.02
_RTU_FINDS = ("garbage_before", "garbage_after", "own_transaction_id")  # by checksum; no numbers


@dataclass(frozen=True, slots=True)
class Frame:
    """A question, or an answer with its ``words``; ``number`` is the transaction id."""

    number: int
    unit_id: int
    table: Table
    address: int
    count: int
    words: tuple[int, ...] = ()
    whole: bool = True


def _other_words(answer: Frame) -> tuple[int, ...]:
    """Return registers that say something else: whoever believes them stores what is wrong."""
    bit = answer.table in ("coil", "discrete")
    return tuple(word ^ (1 if bit else 0x0011) for word in answer.words)


def _broken(answer: Frame) -> Frame:
    return replace(answer, words=_other_words(answer), whole=False)


def _of_another_unit(answer: Frame) -> Frame:
    return replace(answer, unit_id=answer.unit_id % 247 + 1, words=_other_words(answer))


def _of_another_table(answer: Frame) -> Frame:
    return replace(answer, table=_OTHER_TABLE[answer.table], words=_other_words(answer))


_FRAMES: dict[Kind, Callable[[Frame], list[Frame]]] = {
    "crc_error": lambda answer: [_broken(answer)],
    "wrong_unit": lambda answer: [_of_another_unit(answer)],
    "wrong_function": lambda answer: [_of_another_table(answer)],
    "own_transaction_id": lambda answer: [replace(answer, number=-answer.number)],
    "garbage_before": lambda answer: [_broken(answer), answer],
    "garbage_inside": lambda answer: [_broken(answer)],
    "garbage_after": lambda answer: [answer, _broken(answer)],
}


@dataclass(frozen=True, slots=True)
class Shown:
    """What a device truly answered, and when: the hub cannot read this."""

    at_ms: int
    answer: Frame


def answer_to(question: Frame, heard: Sequence[Frame], *, lenient: bool) -> Sequence[int]:
    """Return the words that answer a question; GarbageAnswerError when nothing heard does."""
    for n, frame in enumerate(heard):
        if not frame.whole:
            raise GarbageAnswerError(f"unit {question.unit_id}: bytes that are no frame")
        if frame.number != question.number and not lenient:
            continue  # late: it answers an older question
        if (frame.unit_id, frame.table) != (question.unit_id, question.table):
            raise GarbageAnswerError(f"unit {question.unit_id}: the answer to another question")
        if not all(later.whole for later in heard[n + 1 :]):
            raise GarbageAnswerError(f"unit {question.unit_id}: more bytes than the answer")
        return frame.words
    raise GarbageAnswerError(f"unit {question.unit_id}: only answers that nobody asked for")


class FaultyBus:
    """A bus of twins behind a faulty line.

    ``rtu`` frames have no number; under ``lenient`` the gateway numbers by itself.
    """

    def __init__(
        self,
        bus: RegisterBus,
        wire: Wire,
        clock: Clock,
        timeout_s: float,
        *,
        rtu: bool = False,
        lenient: bool = False,
    ) -> None:
        self.shown: list[Shown] = []
        self._bus = bus
        self._wire = wire
        self._clock = clock
        self._timeout_s = timeout_s
        self._rtu = rtu
        self._lenient = lenient
        self._number = 0
        self._late: list[Frame] = []
        self._frozen: dict[tuple[WireFault, int, Table, int, int], tuple[int, ...]] = {}

    async def read(self, unit_id: int, table: Table, address: int, count: int) -> Sequence[int]:
        """Read ``count`` registers or bits from ``address``, if the line lets it."""
        fault = await self._through(unit_id)
        self._number += 1
        question = Frame(self._number, unit_id, table, address, count)
        words = await self._bus.read(unit_id, table, address, count)
        answer = replace(question, words=self._as_shown(fault, question, words))
        self.shown.append(Shown(self._clock.now_ms(), answer))
        # where frames have no number of ours, a bus lets the line fall quiet before it asks again
        late, self._late = ([] if self._rtu or self._lenient else self._late), []
        if fault is None:
            return answer_to(question, [*late, answer], lenient=self._lenient)
        heard = await self._spoiled(fault, answer)
        return answer_to(question, [*late, *heard], lenient=self._lenient)

    async def write(
        self,
        unit_id: int,
        table: Table,
        address: int,
        values: Sequence[int],
        function: int | None = None,
    ) -> None:
        """Write; the device may have done it although its answer is spoiled."""
        fault = await self._through(unit_id)
        self._number += 1
        await self._bus.write(unit_id, table, address, values, function)
        if fault is not None and fault.kind != "frozen":
            answer = Frame(self._number, unit_id, table, address, len(values))
            answer_to(answer, await self._spoiled(fault, answer), lenient=self._lenient)

    async def close(self) -> None:
        """Close the connection."""
        self._wire.leave(self)
        await self._bus.close()

    async def _through(self, unit_id: int) -> WireFault | None:
        """Let a question through to its unit; return what befalls the answer."""
        now_ms = self._clock.now_ms()
        if not self._wire.admit(self, now_ms) or self._wire.cut(now_ms):
            self._wire.strike(unit_id, now_ms)
            raise NotConnectedError(f"unit {unit_id}: cannot connect")
        fault = self._wire.strike(unit_id, now_ms)
        if fault is None or fault.kind not in _NEVER_SENT:
            return fault
        if fault.kind == "timeout":
            raise await self._silence(unit_id)
        code = BUSY if fault.kind == "gateway_busy" else fault.code
        if code in _GATEWAY_SAYS_SILENT:
            raise NoAnswerError(f"unit {unit_id}: the gateway says that it does not answer")
        raise ExceptionAnswerError(f"unit {unit_id}: exception {code}", code)

    def _as_shown(
        self, fault: WireFault | None, question: Frame, words: Sequence[int]
    ) -> tuple[int, ...]:
        """Return what the device says: a frozen one always says the same."""
        if fault is None or fault.kind != "frozen":
            return tuple(words)
        key = (fault, question.unit_id, question.table, question.address, question.count)
        return self._frozen.setdefault(key, tuple(words))

    async def _spoiled(self, fault: WireFault, answer: Frame) -> list[Frame]:
        """Return the frames that arrive instead of an answer, in their time; or raise silence."""
        if fault.kind == "dropped_connection":
            raise NoAnswerError(f"unit {answer.unit_id}: the connection was closed")
        await self._wait(fault, answer)
        if fault.kind in _FRAMES and not (self._rtu and fault.kind in _RTU_FINDS):
            return _FRAMES[fault.kind](answer)
        return [answer]

    async def _wait(self, fault: WireFault, answer: Frame) -> None:
        """Wait as long as the answer takes; NoAnswerError when that is too long."""
        late = fault.kind == "delay" and fault.delay_s >= self._timeout_s
        numbered = not (self._rtu or self._lenient)
        if late or fault.kind == "stale_answer":
            self._late = [answer]
            raise await self._silence(answer.unit_id)
        if fault.kind == "crc_error":
            error = await self._silence(answer.unit_id)
            if not self._rtu:
                raise error  # the gateway has thrown it away
        elif fault.kind == "own_transaction_id" and numbered:
            await self._clock.sleep(self._timeout_s)
        elif fault.kind == "delay":
            await self._clock.sleep(fault.delay_s)
        elif fault.kind == "split_frame":
            await self._clock.sleep(_BETWEEN_PIECES_S)

    async def _silence(self, unit_id: int) -> NoAnswerError:
        await self._clock.sleep(self._timeout_s)
        return NoAnswerError(f"unit {unit_id}: no answer within {self._timeout_s:g} s")
