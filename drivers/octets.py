"""A line whose frames say for whom they are: behind a TCP-transparent gateway or a serial port."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar
from urllib.parse import urlsplit

from drivers.modbus.breaker import Breaker
from drivers.modbus.serial import byte_s, open_serial
from hub.ports import (
    Clock,
    ConfigError,
    DeviceError,
    GarbageAnswerError,
    NoAnswerError,
    NotConnectedError,
    RestingError,
)
from hub.site import Gateway

T = TypeVar("T")

_MISSES = 2  # a half-open socket still looks connected, so unanswered questions are what counts
_GAP_S = 0.05  # a line that says nothing for this long has said what it had to say
_TOLD_S = 0.2  # what nobody answers takes this long behind a gateway of 2400 baud
_LATEST_S = 30.0  # how long an answer can be late
_LONGEST_NOISE_S = 5.0
_MOST = 2048  # octets that are heard for one answer
_ANSWER = 80  # octets of a usual answer, for the time that it takes on a serial line
_SHOWN = 24


class _Ear(asyncio.Protocol):
    """What was heard since the last question."""

    def __init__(self) -> None:
        self.octets = bytearray()
        self.open = False
        self._news = asyncio.Event()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        self._transport = transport  # type: ignore[assignment] # streams get a two-way transport
        self.open = True

    def data_received(self, data: bytes) -> None:
        """Keep what came."""
        self.octets += data
        self._news.set()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the base names it
        """Wake who waits."""
        self.open = False
        self._news.set()

    async def more(self) -> None:
        """Wait for more octets; ConnectionError when none can come."""
        if not self.open:
            raise ConnectionResetError("the other end closed the connection")
        self._news.clear()
        await self._news.wait()

    def say(self, octets: bytes) -> None:
        """Send, and forget what was heard before."""
        self.octets.clear()
        if self._transport is not None:
            self._transport.write(octets)

    def close(self) -> None:
        """End the connection at once."""
        if self._transport is not None:
            self._transport.abort()


class LineBus:
    """A gateway at ``tcp://host:port`` or a port at ``serial:///dev/...``, one talker at a time.

    It is opened when first asked and again after trouble. A question that was not answered is not
    put again before the line was quiet for a timeout: its late answer would look like the new one.
    """

    def __init__(self, gateway: Gateway, clock: Clock) -> None:
        line = gateway.line
        if gateway.transport not in ("tcp", "serial"):
            what = "the protocol of its devices goes over tcp:// (a transparent gateway) or serial:"
            raise ConfigError([f"gateway {gateway.id}: {gateway.url}: {what}//"])
        if line.in_flight > 1 or line.close_after_poll:
            what = "in_flight and close_after_poll are for Modbus gateways; remove them"
            raise ConfigError([f"gateway {gateway.id}: {what}"])
        self._url, self._line, self._clock = gateway.url, line, clock
        parts = urlsplit(gateway.url)
        self._host, self._port, self._path = parts.hostname or "", parts.port or 0, parts.path
        self._timeout_s = gateway.timeout.total_seconds()
        self._serial = gateway.transport == "serial"
        self._byte_s = byte_s(line) if self._serial else 0.0
        self._breaker = Breaker(clock, clock.random(f"octets/{gateway.url}").random)
        self._turn = asyncio.Lock()
        self._ear: _Ear | None = None
        self._owed: dict[bytes, float] = {}
        self._restless = False
        self._misses = 0

    async def ask(
        self, question: bytes, answer: Callable[[bytes], T | None], *, repeatable: bool = True
    ) -> T:
        """Send a question; return what ``answer`` makes of the octets heard since, once it can."""
        left = self._line.retries if repeatable else 0
        while True:
            try:
                async with self._turn:
                    return await self._asked(question, answer)
            except (NoAnswerError, GarbageAnswerError):
                if not left or self._breaker.wait_s() > 0:
                    raise
                left -= 1

    async def tell(self, octets: bytes) -> None:
        """Send what nobody answers."""
        async with self._turn:
            (await self._ready(octets)).say(octets)
            await self._clock.sleep(_TOLD_S + self._byte_s * len(octets))

    async def close(self) -> None:
        """Close the connection."""
        self._drop()

    async def _asked(self, question: bytes, answer: Callable[[bytes], T | None]) -> T:
        ear = await self._ready(question)
        try:
            found = await self._heard(ear, question, answer)
        except ConnectionError as error:
            self._owe(question)
            self._drop()
            self._breaker.failed(first_is_free=True)
            raise NoAnswerError(f"{self._url}: {error}") from error
        except DeviceError:
            self._owe(question)
            self._misses += 1
            if self._misses >= _MISSES or len(ear.octets) > _MOST:
                self._drop()
            raise
        except asyncio.CancelledError:
            self._owe(question)
            raise
        self._misses = 0
        self._breaker.answered()
        return found

    async def _heard(self, ear: _Ear, question: bytes, answer: Callable[[bytes], T | None]) -> T:
        """Listen until the answer is there; our own deadline ends it whatever else is heard."""
        ear.say(question)
        wait_s = self._timeout_s + self._byte_s * (len(question) + _ANSWER)
        try:
            async with asyncio.timeout(wait_s):
                while (found := answer(bytes(ear.octets))) is None:
                    if len(ear.octets) > _MOST:
                        raise GarbageAnswerError(f"{self._url}: garbage without end")
                    await ear.more()
        except TimeoutError:
            if ear.octets:
                shown = ear.octets[:_SHOWN].hex(" ")
                what = f"no answer among the {len(ear.octets)} octets heard: {shown}"
                raise GarbageAnswerError(f"{self._url}: {what}") from None
            raise NoAnswerError(f"{self._url}: no answer within {wait_s:.2g} s") from None
        return found

    async def _ready(self, question: bytes) -> _Ear:
        """Return an open and quiet line on which nothing looks like the answer to come."""
        owed = self._owed.get(question, 0.0) > self._clock.monotonic()
        if owed and not self._serial:
            self._drop()  # what the gateway still holds for this connection stays behind
        if self._ear is None or not self._ear.open:
            self._ear = await self._opened()
        elif pause_s := self._line.pause_between.total_seconds():
            await self._clock.sleep(pause_s)
        if owed or self._restless:  # others hand it to the new one
            await self._silence(self._ear, self._timeout_s if owed else _GAP_S)
            self._owed.pop(question, None)
        return self._ear

    async def _silence(self, ear: _Ear, quiet_s: float) -> None:
        """Let the line say what it still has to say."""
        noisy_until_s = self._clock.monotonic() + quiet_s + _LONGEST_NOISE_S
        while ear.open:
            try:
                async with asyncio.timeout(quiet_s):
                    await ear.more()
            except TimeoutError:
                break
            if self._clock.monotonic() > noisy_until_s:
                self._drop()
                raise GarbageAnswerError(f"{self._url}: the line does not fall silent")
            ear.octets.clear()
        self._restless = False

    async def _opened(self) -> _Ear:
        self._drop()
        if (wait_s := self._breaker.wait_s()) > 0:
            raise RestingError(f"{self._url}: not connected, next attempt in {wait_s:.0f} s")
        try:
            async with asyncio.timeout(self._timeout_s):
                if self._serial:
                    ear = await open_serial(self._path, self._line, _Ear, self._clock)
                else:
                    loop = asyncio.get_running_loop()
                    _, ear = await loop.create_connection(_Ear, self._host, self._port)
        except OSError as error:
            self._breaker.failed()
            raise NotConnectedError(f"{self._url}: cannot connect: {error}") from error
        self._misses = 0
        await self._clock.sleep(self._line.pause_after_connect.total_seconds())
        return ear

    def _owe(self, question: bytes) -> None:
        """Note that an answer may still come, and forget those that no longer can."""
        now = self._clock.monotonic()
        self._owed = {asked: until for asked, until in self._owed.items() if until > now}
        self._owed[question] = now + _LATEST_S
        self._restless = True

    def _drop(self) -> None:
        if self._ear is not None:
            self._ear.close()
            self._ear = None
