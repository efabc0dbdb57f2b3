"""One gateway or serial line: the one connection that its units and all commands share."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from drivers.modbus.breaker import Breaker
from drivers.modbus.frame import REFUSAL, Question, bits_of, reading, words_of, writing
from drivers.modbus.link import Framing, Link, open_tcp
from drivers.modbus.rtu import RtuFraming
from drivers.modbus.serial import byte_s, open_serial
from drivers.modbus.tcp import TcpFraming
from drivers.tls import trusting
from hub.ports import (
    Clock,
    ConfigError,
    DeviceError,
    ExceptionAnswerError,
    GarbageAnswerError,
    NoAnswerError,
    NotConnectedError,
    RestingError,
    Table,
)
from hub.site import Line

_MISSES = 2  # a half-open socket still looks connected, so unanswered questions are what counts
_GAP_S = 0.02  # a line that says nothing for this long has said what it had to say
_LATEST = 10  # timeouts after which an answer that is owed is not expected any more
_LINGER_S = 0.1  # longer than the rests between the blocks of one poll
_SILENCE = 3.5  # bytes of rest that Modbus asks for between two frames on a serial line
_AROUND = 4  # bytes of two checksums
_GATEWAY_SAYS_SILENT = (10, 11)
_LINE = Line()


class _StaleError(NoAnswerError):
    """The device ended a connection that had worked before it could answer: nobody's fault."""


@dataclass(frozen=True, slots=True)
class Way:
    """How questions get there.

    ``leaves_late``: what comes late stays behind when the connection is opened anew. ``patience``:
    timeouts of quiet before a unit that owes an answer is asked again.
    """

    framing: Callable[[], Framing]
    open: Callable[[Callable[[], Link]], Awaitable[Link]]
    byte_s: float = 0.0
    leaves_late: bool = True
    patience: int = 1


class Bus:
    """A gateway or a serial line; it is opened when first asked and again after trouble.

    Where a late answer looks like the next one (RTU frames, lenient transaction ids) a unit that
    owes an answer is not asked again before the line was quiet for a while and opened anew, and
    the answer it then gives is taken only when it stays the only one.
    """

    def __init__(self, url: str, timeout_s: float, clock: Clock, line: Line, way: Way) -> None:
        self.objection: Callable[[int, bytes], str | None] | None = None
        self._url, self._timeout_s, self._clock, self._line = url, timeout_s, clock, line
        self._way = way
        self._knows_late = way.framing().knows_late
        if line.in_flight > 1 and not self._knows_late:
            raise ConfigError([f"gateway {url}: in_flight above 1 needs tcp:// and strict ids"])
        self._breaker = Breaker(clock, clock.random(f"modbus/{url}").random)
        self._turns = asyncio.Semaphore(line.in_flight)
        self._opening = asyncio.Lock()
        self._link: Link | None = None
        self._pause_s = max(line.pause_between.total_seconds(), way.byte_s * _SILENCE)
        self._ready_s = self._dropped_s = 0.0
        self._misses = 0
        self._owing: dict[int, float] = {}
        self._restless = False
        self._leaving: asyncio.TimerHandle | None = None

    async def read(self, unit_id: int, table: Table, address: int, count: int) -> Sequence[int]:
        """Read ``count`` registers (0..65535) or bits (0/1) from ``address``."""
        question = reading(unit_id, table, address, count)
        answer = await self._patiently(question)
        return (words_of if table in ("holding", "input") else bits_of)(answer, count)

    async def write(
        self,
        unit_id: int,
        table: Table,
        address: int,
        values: Sequence[int],
        function: int | None = None,
    ) -> None:
        """Write registers (6, 16) or bits (5, 15) by this function; never asked again in silence.

        None: one bit by 5, several by 15, registers by 16.
        """
        if function is None:
            function = 16 if table == "holding" else 5 if len(values) == 1 else 15
        await self._ask(writing(unit_id, function, address, values))

    async def close(self) -> None:
        """Close the connection."""
        self._drop(self._link)

    async def _patiently(self, question: Question) -> bytes:
        """Ask, and ask again as often as the gateway's settings say."""
        left, stale = self._line.retries, False
        while True:
            try:
                return await self._ask(question)
            except _StaleError:
                if stale:
                    raise
                stale = True
            except (NoAnswerError, GarbageAnswerError):
                if not left or self._breaker.wait_s() > 0:
                    raise
                left -= 1

    async def _ask(self, question: Question) -> bytes:
        """Ask once and return an answer that fits the question, or raise what came instead."""
        async with self._turns:
            link, alone_s = self._link, 0.0
            if link is None or not link.open or self._ready_s or self._owing:
                link, alone_s = await self._ready(question.sent[0])
            try:
                answer = await link.ask(question, self._deadline_s(question))
                if alone_s:
                    await self._alone(link, alone_s)
            except (TimeoutError, ValueError, ConnectionError) as error:
                raise self._failure(link, question, error) from None
            except asyncio.CancelledError:
                self._owe(question)
                raise
            finally:
                self._rest(link)
        self._misses = 0
        self._breaker.answered()
        if answer[1] & REFUSAL:
            raise self._refusal(question, answer[2])
        return answer

    def _deadline_s(self, question: Question) -> float:
        return self._timeout_s + self._way.byte_s * (len(question.sent) + question.size + _AROUND)

    def _refusal(self, question: Question, code: int) -> DeviceError:
        where = f"{self._url} {question}"
        if code in _GATEWAY_SAYS_SILENT:
            return NoAnswerError(f"{where}: the gateway says that the unit does not answer")
        return ExceptionAnswerError(f"{where}: exception {code}", code)

    def _failure(self, link: Link, question: Question, error: Exception) -> DeviceError:
        """Draw the consequences of what came instead of an answer, and say it."""
        where = f"{self._url} {question}"
        if isinstance(error, ConnectionError):
            if link.answered:
                return _StaleError(f"{where}: the device closed the connection")
            self._breaker.failed(first_is_free=True)
            return NoAnswerError(f"{where}: the device closed the connection")
        self._owe(question)
        if isinstance(error, ValueError):
            if self._knows_late:
                self._drop(link)
            return GarbageAnswerError(f"{where}: garbage: {error}")
        self._misses += 1
        if self._misses >= _MISSES and self._way.leaves_late:
            self._drop(link)
        return NoAnswerError(f"{where}: no answer within {self._timeout_s:g} s")

    def _owe(self, question: Question) -> None:
        """Note that an answer of this unit may still come, where it could not be told."""
        if not self._knows_late:
            self._owing[question.sent[0]] = self._clock.monotonic()
            self._restless = True

    def _rest(self, link: Link) -> None:
        """Leave the line alone for a while, or for good where the gateway wants it so."""
        if self._pause_s:
            self._ready_s = self._clock.monotonic() + self._pause_s
        if self._line.close_after_poll:
            self._stay()
            self._leaving = asyncio.get_running_loop().call_later(_LINGER_S, self._leave, link)

    def _stay(self) -> None:
        if self._leaving is not None:
            self._leaving.cancel()
            self._leaving = None

    def _leave(self, link: Link) -> None:
        if not link.busy:
            self._drop(link)

    async def _ready(self, unit_id: int) -> tuple[Link, float]:
        """Return the connection once this unit may be asked, and for how long to doubt its answer.

        Two questions, however late both are answered, are answered as far apart as they were asked.
        """
        self._stay()
        link, since_s = self._link, self._owing.get(unit_id)
        if link is not None and link.open and self._owing:
            await self._settle(link, unit_id, since_s)
        link = self._link if self._link is not None and self._link.open else await self._open()
        if (rest_s := self._ready_s - self._clock.monotonic()) > 0:
            await self._clock.sleep(rest_s)
        self._ready_s = 0.0
        if since_s is None:
            return link, 0.0
        apart_s = self._clock.monotonic() - since_s + self._timeout_s
        return link, apart_s + _GAP_S if apart_s < self._timeout_s * _LATEST else 0.0

    async def _settle(self, link: Link, unit_id: int, since_s: float | None) -> None:
        """Let late bytes pass: a gap before any unit, much longer before the one that owes them."""
        if self._restless or since_s is not None:
            gap_s = max(self._owing.values()) + _GAP_S
            patience_s = self._way.patience * self._timeout_s
            await self._quiet(link, gap_s if since_s is None else since_s + patience_s)
            self._restless = False
        if since_s is not None:
            del self._owing[unit_id]
            if self._way.leaves_late:
                self._drop(link)

    async def _alone(self, link: Link, seconds: float) -> None:
        """Take the answer of a unit that owed one only when no second one follows."""
        heard_s = link.heard_s
        await self._clock.sleep(seconds)
        if link.heard_s > heard_s:
            raise ValueError("a second answer followed; one of the two was late")

    async def _quiet(self, link: Link, until_s: float) -> None:
        """Wait until then and until nothing has been heard for a moment, but not for ever."""
        end_s = max(until_s, self._clock.monotonic()) + self._timeout_s
        while (now := self._clock.monotonic()) < (quiet_s := max(until_s, link.heard_s + _GAP_S)):
            if now > end_s:
                self._drop(link)
                raise GarbageAnswerError(f"{self._url}: the line does not fall quiet")
            await self._clock.sleep(quiet_s - now)

    async def _open(self) -> Link:
        """Connect, unless the breaker is open; one at a time."""
        async with self._opening:
            if self._link is not None and self._link.open:
                return self._link
            if (wait_s := self._breaker.wait_s()) > 0:
                raise RestingError(f"{self._url}: not connected, next attempt in {wait_s:.0f} s")
            # A gateway that takes one connection must first see that the last one is gone.
            await self._clock.sleep(self._dropped_s + _GAP_S - self._clock.monotonic())
            try:
                async with asyncio.timeout(self._timeout_s):
                    self._link = link = await self._way.open(self._new_link)
            except OSError as error:
                self._breaker.failed()
                why = error.strerror or str(error) or f"not within {self._timeout_s:g} s"
                raise NotConnectedError(f"{self._url}: cannot connect: {why}") from None
            self._misses = 0
            if self._way.leaves_late:
                self._owing.clear()
            self._ready_s = self._clock.monotonic() + self._line.pause_after_connect.total_seconds()
            return link

    def _new_link(self) -> Link:
        return Link(self._way.framing(), self._clock, self.objection)

    def _drop(self, link: Link | None) -> None:
        if link is not None:
            link.close()
            self._dropped_s = self._clock.monotonic()
        if self._link is link:
            self._link = None


class TcpBus(Bus):
    """A gateway that speaks Modbus TCP, at ``tcp://host:port``."""

    def __init__(self, url: str, timeout_s: float, clock: Clock, line: Line = _LINE) -> None:
        host, port = _address(url, "tcp")
        lenient = line.transaction_ids == "lenient"
        way = Way(lambda: TcpFraming(lenient=lenient), lambda make: open_tcp(host, port, make))
        super().__init__(url, timeout_s, clock, line, way)


class TlsBus(Bus):
    """A gateway that speaks Modbus TCP inside TLS, at ``tcp+tls://host:port``.

    Its certificate and the host name in it are always checked.
    """

    def __init__(self, url: str, timeout_s: float, clock: Clock, line: Line = _LINE) -> None:
        host, port = _address(url, "tcp+tls", 802)
        tls = trusting(f"gateway {url}", line.ca_file, line.cert_file, line.key_file)
        lenient = line.transaction_ids == "lenient"
        way = Way(lambda: TcpFraming(lenient=lenient), lambda make: open_tcp(host, port, make, tls))
        super().__init__(url, timeout_s, clock, line, way)


class RtuTcpBus(Bus):
    """A transparent gateway: RTU frames over a TCP connection, at ``rtu+tcp://host:port``."""

    def __init__(self, url: str, timeout_s: float, clock: Clock, line: Line = _LINE) -> None:
        host, port = _address(url, "rtu+tcp")
        way = Way(RtuFraming, lambda make: open_tcp(host, port, make))
        super().__init__(url, timeout_s, clock, line, way)


class SerialBus(Bus):
    """A serial port of this machine, at ``serial:///dev/ttyUSB0``."""

    def __init__(self, url: str, timeout_s: float, clock: Clock, line: Line = _LINE) -> None:
        scheme, _, path = url.partition("://")
        if scheme != "serial" or not path:
            raise ConfigError([f"gateway {url}: write it like serial:///dev/ttyUSB0"])
        way = Way(
            RtuFraming,
            lambda make: open_serial(path, line, make, clock),
            byte_s=byte_s(line),
            leaves_late=False,
            patience=3,
        )
        super().__init__(url, timeout_s, clock, line, way)


def _address(url: str, scheme: str, port: int = 502) -> tuple[str, int]:
    parts = urlsplit(url)
    if parts.scheme != scheme or not parts.hostname:
        raise ConfigError([f"gateway {url}: write it like {scheme}://host:port"])
    return parts.hostname, parts.port or port
