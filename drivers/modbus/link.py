"""One open connection: questions go out, and each answer finds its question."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from ssl import SSLContext
from typing import Protocol, cast

from drivers.modbus.frame import READS, Question
from drivers.wire import StrayWriteError
from hub.ports import Clock

log = logging.getLogger(__name__)

_READS = frozenset(READS.values())


_CLOCK_S = 0.001  # a loop may ring this much too early: uvloop counts in milliseconds


class Framing(Protocol):
    """How questions and answers stand on one connection."""

    @property
    def doubt(self) -> str:
        """Say what was heard since the last question that answers nothing."""

    @property
    def knows_late(self) -> bool:
        """Tell whether a late answer can be told from the one that is waited for."""

    def frame(self, number: int, question: Question, /) -> bytes:
        """Return the bytes that ask."""

    def owe(self, number: int) -> None:
        """Note that a question was given up: its answer may still come."""

    def take(self, data: bytes, waiting: Mapping[int, Question]) -> list[tuple[int, bytes]]:
        """Return the answers that these bytes complete; ValueError when no order can be found."""


class Link(asyncio.Protocol):
    """A connection to a gateway or a serial line; when it ends another one is made.

    ``objection`` says why a request that is no read may not go out, from its unit id and the bytes
    after it.
    """

    def __init__(
        self,
        framing: Framing,
        clock: Clock,
        objection: Callable[[int, bytes], str | None] | None = None,
    ) -> None:
        self.framing = framing
        self._objection = objection
        self.open = False
        self.answered = False
        self.heard_s = clock.monotonic()
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._number = 0
        self._questions: dict[int, Question] = {}
        self._answers: dict[int, asyncio.Future[bytes]] = {}
        self._due_s: dict[int, float] = {}
        self._watch: asyncio.TimerHandle | None = None

    @property
    def busy(self) -> bool:
        """Tell whether an answer is waited for."""
        return bool(self._answers)

    async def ask(self, question: Question, timeout_s: float) -> bytes:
        """Return the answer, from the unit id on.

        TimeoutError: nothing was heard. ValueError: what was heard is no answer. ConnectionError:
        the connection ended.
        """
        if self._transport is None or not self.open:
            raise ConnectionError
        if question.sent[1] not in _READS:
            self._guard(question.sent)
        self._number = number = self._number % 0xFFFF + 1
        answer: asyncio.Future[bytes] = self._loop.create_future()
        self._questions[number] = question
        self._answers[number] = answer
        self._due_s[number] = due_s = self._loop.time() + timeout_s
        # One timer for all questions of the link: it is set anew only when it rings, or for a
        # question with less patience. A timer for each costs a twentieth of a poll.
        if self._watch is None or due_s < self._watch.when():
            self._ring_at(due_s)
        self._transport.write(self.framing.frame(number, question))
        try:
            return await answer
        finally:
            del self._due_s[number]
            if self._answers.pop(number, None):
                del self._questions[number]
                self.framing.owe(number)

    def _guard(self, sent: bytes) -> None:
        """Look at a write as it stands on the wire; a stray one is not sent and ends the link."""
        problem = self._objection(sent[0], sent[1:]) if self._objection else None
        if problem is not None:
            log.critical("stray frame stopped before the socket, link closed: %s", problem)
            self.close()
            raise StrayWriteError(f"stopped before the socket: {problem}")

    def close(self, error: Exception | None = None) -> None:
        """End the connection, and with it every wait for an answer."""
        self.open = False
        for answer in self._answers.values():
            if not answer.done():
                answer.set_exception(error or ConnectionError())
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None
        if self._transport is not None:
            self._transport.abort()
            self._transport = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = cast("asyncio.Transport", transport)
        self.open = True

    def connection_lost(self, _error: Exception | None) -> None:
        """End: the device, or something on the way to it, closed the connection."""
        self._transport = None
        self.close()

    def data_received(self, data: bytes) -> None:
        """Hand every answer to whoever waits for it."""
        self.heard_s = self._clock.monotonic()
        if not self.open:
            return
        try:
            answers = self.framing.take(data, self._questions)
        except ValueError as error:
            self.close(error)
            return
        for number, answer in answers:
            del self._questions[number]
            waiting = self._answers.pop(number)
            if not waiting.done():
                waiting.set_result(answer)
                self.answered = True

    def _ring_at(self, due_s: float) -> None:
        if self._watch is not None:
            self._watch.cancel()
        self._watch = self._loop.call_at(due_s, self._expire)

    def _expire(self) -> None:
        """Give up the questions whose time is over, and watch the others."""
        self._watch = None
        now_s = self._loop.time() + _CLOCK_S
        for number, due_s in self._due_s.items():
            answer = self._answers.get(number)
            if due_s <= now_s and answer is not None and not answer.done():
                doubt = self.framing.doubt
                answer.set_exception(ValueError(doubt) if doubt else TimeoutError())
        if left := [due_s for due_s in self._due_s.values() if due_s > now_s]:
            self._ring_at(min(left))


async def open_tcp(
    host: str, port: int, make: Callable[[], Link], tls: SSLContext | None = None
) -> Link:
    """Connect to a gateway; OSError when it cannot be reached, or over TLS is not to be trusted."""
    _, link = await asyncio.get_running_loop().create_connection(make, host, port, ssl=tls)
    return link
