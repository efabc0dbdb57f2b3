"""A broker of MQTT 3.1.1 that notes every acknowledgement it is given.

It keeps a session for each client: what was not acknowledged is sent again, marked as a repeat,
when the client comes back, and what is published meanwhile waits. Like Mosquitto it has at most
twenty messages unacknowledged under way. A CONNECT of another protocol is refused with code 1.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

CONNECT, PUBLISH, PUBACK, SUBSCRIBE, PINGREQ, DISCONNECT = 1, 3, 4, 8, 12, 14
CONNACK_HEAD, SUBACK_HEAD, PINGRESP = 0x20, 0x90, b"\xd0\x00"
PROTOCOL_311 = 4
REFUSED_PROTOCOL = 1
WINDOW = 20


class Letter(NamedTuple):
    """One message."""

    topic: str
    payload: bytes


@dataclass(eq=False)
class Session:
    """What the broker keeps of one client, whether it is connected or not."""

    filters: dict[str, int] = field(default_factory=dict)
    waiting: deque[Letter] = field(default_factory=deque)
    under_way: dict[int, Letter] = field(default_factory=dict)
    writer: asyncio.StreamWriter | None = None
    last_id: int = 0

    def next_id(self) -> int:
        while True:
            self.last_id = self.last_id % 0xFFFF + 1
            if self.last_id not in self.under_way:
                return self.last_id


class BrokerStub:
    """The broker; ``sent`` is what went out, ``acknowledged`` that whose PUBACK came back.

    While it is ``deaf``, at most until the next connection, every PUBACK is lost on its way.
    """

    def __init__(self, window: int = WINDOW) -> None:
        self.acknowledged: list[Letter] = []
        self.sent: list[Letter] = []
        self.refused = 0
        self.connections = 0
        self.deaf = False
        self.sent_again = 0
        self.port = 0
        self._window = window
        self._sessions: dict[str, Session] = {}
        self._subscribed = asyncio.Event()
        self._forsaken = asyncio.Event()
        self._forsaken.set()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._take, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def publish(self, topic: str, payload: bytes) -> None:
        """Give a message with QoS 1 to every session that asked for its topic."""
        letter = Letter(topic, payload)
        for session in self._sessions.values():
            if _asked(session, topic):
                session.waiting.append(letter)
                self._send_waiting(session)

    def unacknowledged(self) -> int:
        """Count what waits or is under way."""
        return sum(len(one.waiting) + len(one.under_way) for one in self._sessions.values())

    async def subscribed(self) -> None:
        """Wait until a client that is connected now has subscribed on this connection."""
        await self._subscribed.wait()

    async def forsaken(self) -> None:
        """Wait until the client has gone."""
        await self._forsaken.wait()

    async def _take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                await self._converse(reader, writer)
        finally:
            self._tasks.discard(task)
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head, body = await _packet(reader)
        assert head >> 4 == CONNECT
        if body[6] != PROTOCOL_311:
            self.refused += 1
            writer.write(bytes([CONNACK_HEAD, 2, 0, REFUSED_PROTOCOL]))
            await writer.drain()
            return
        session = self._welcome(body, writer)
        try:
            while True:
                head, body = await _packet(reader)
                if head >> 4 == DISCONNECT:
                    return
                self._answer(session, writer, head, body)
        finally:
            if session.writer is writer:
                session.writer = None
                self._subscribed.clear()
                self._forsaken.set()

    def _welcome(self, body: bytes, writer: asyncio.StreamWriter) -> Session:
        """Find the client's session, send again what it did not acknowledge, then what waits."""
        self.connections += 1
        clean = bool(body[7] & 2)
        client, _ = _text(body, 10)
        if clean:
            self._sessions.pop(client, None)
        known = client in self._sessions
        session = self._sessions.setdefault(client, Session())
        if session.writer is not None:
            session.writer.transport.abort()
        session.writer = writer
        self.deaf = False
        self._forsaken.clear()
        writer.write(bytes([CONNACK_HEAD, 2, known, 0]))
        for id_, letter in session.under_way.items():
            self.sent_again += 1
            writer.write(_publish(letter, id_, again=True))
        self._send_waiting(session)
        return session

    def _answer(
        self, session: Session, writer: asyncio.StreamWriter, head: int, body: bytes
    ) -> None:
        kind = head >> 4
        if kind == PUBACK:
            self._note(session, int.from_bytes(body[:2], "big"))
        elif kind == SUBSCRIBE:
            session.filters.update(_subscriptions(body))
            granted = bytes(qos for _, qos in _subscriptions(body))
            writer.write(bytes([SUBACK_HEAD, 2 + len(granted)]) + body[:2] + granted)
            self._subscribed.set()
        elif kind == PUBLISH:
            self._pass_on(writer, head, body)
        elif kind == PINGREQ:
            writer.write(PINGRESP)

    def _note(self, session: Session, id_: int) -> None:
        if not self.deaf and id_ in session.under_way:
            self.acknowledged.append(session.under_way.pop(id_))
            self._send_waiting(session)

    def _pass_on(self, writer: asyncio.StreamWriter, head: int, body: bytes) -> None:
        """Hand what a client publishes to those who asked for it, as QoS 0."""
        topic, at = _text(body, 0)
        if head >> 1 & 3:
            writer.write(bytes([PUBACK << 4, 2]) + body[at : at + 2])
            at += 2
        for session in self._sessions.values():
            if session.writer is not None and _asked(session, topic):
                session.writer.write(_publish(Letter(topic, body[at:]), None))

    def _send_waiting(self, session: Session) -> None:
        while session.writer and session.waiting and len(session.under_way) < self._window:
            id_ = session.next_id()
            session.under_way[id_] = letter = session.waiting.popleft()
            self.sent.append(letter)
            session.writer.write(_publish(letter, id_))


async def _packet(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """Read one packet: the first byte of its head, and its body."""
    head = (await reader.readexactly(1))[0]
    length = shift = 0
    while True:
        byte = (await reader.readexactly(1))[0]
        length |= (byte & 0x7F) << shift
        shift += 7
        if not byte & 0x80:
            return head, await reader.readexactly(length)


def _publish(letter: Letter, id_: int | None, *, again: bool = False) -> bytes:
    topic = letter.topic.encode()
    body = len(topic).to_bytes(2, "big") + topic
    if id_ is not None:
        body += id_.to_bytes(2, "big")
    body += letter.payload
    head = PUBLISH << 4 | again << 3 | (id_ is not None) << 1
    return bytes([head, *_length(len(body))]) + body


def _length(count: int) -> Iterator[int]:
    while True:
        count, low = divmod(count, 0x80)
        yield low | 0x80 if count else low
        if not count:
            return


def _text(body: bytes, at: int) -> tuple[str, int]:
    """Return the string at a place and where it ends."""
    end = at + 2 + int.from_bytes(body[at : at + 2], "big")
    return body[at + 2 : end].decode(), end


def _subscriptions(body: bytes) -> Iterator[tuple[str, int]]:
    at = 2
    while at < len(body):
        wanted, at = _text(body, at)
        yield wanted, min(body[at], 1)
        at += 1


def _asked(session: Session, topic: str) -> bool:
    """Tell whether a filter of the session fits; + stands for one level, there is no #."""
    levels = topic.split("/")
    return any(
        len(wanted) == len(levels)
        and all(one in ("+", level) for one, level in zip(wanted, levels, strict=True))
        for wanted in (each.split("/") for each in session.filters)
    )
