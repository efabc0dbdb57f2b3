"""A proxy before a Modbus server that spoils what passes, byte by byte."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

from hub.ports import Clock
from simulators.faults import BUSY, Wire, WireFault
from simulators.framing import Framing
from simulators.front import Sink
from simulators.spoil import SPOILED

_PAUSE_S = 0.002
_OWN_NUMBERS = 0x8000
_NEVER_SENT = ("timeout", "exception", "gateway_busy")  # the unit does not see the question

Answered = dict[tuple[WireFault, int, bytes], bytes]
Behind = Callable[[], Awaitable[tuple[asyncio.StreamReader, Sink]]]
"""Begin a conversation with the server that stands for the devices."""


class Proxy:
    """One gateway's line, before the server that stands for its devices."""

    def __init__(self, wire: Wire, framing: Framing, clock: Clock, behind: Behind) -> None:
        self._wire = wire
        self._framing = framing
        self._clock = clock
        self._behind = behind
        self._frozen: Answered = {}

    async def converse(self, reader: asyncio.StreamReader, writer: Sink) -> None:
        """Serve one connection until either side ends it, or a fault does."""
        caller = object()
        if not self._wire.admit(caller, self._clock.now_ms()):
            return
        behind, before = await self._behind()
        talk = _Talk(self._wire, self._framing, self._clock, writer, self._frozen)
        ways = [
            asyncio.ensure_future(talk.ask(reader, before)),
            asyncio.ensure_future(talk.answer(behind)),
        ]
        try:
            await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._wire.leave(caller)
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)
            before.close()


class _Talk:
    """One connection: questions go up, answers come down, and faults befall them."""

    def __init__(
        self,
        wire: Wire,
        framing: Framing,
        clock: Clock,
        writer: Sink,
        frozen: Answered,
    ) -> None:
        self._wire = wire
        self._framing = framing
        self._clock = clock
        self._writer = writer
        self._frozen = frozen
        self._asked: dict[int, tuple[bytes, WireFault | None]] = {}
        self._held = b""
        self._number = _OWN_NUMBERS

    async def ask(self, reader: asyncio.StreamReader, server: Sink) -> None:
        """Pass questions on; return when the connection is over."""
        while True:
            question = await self._framing.question(reader)
            now_ms = self._clock.now_ms()
            fault = self._wire.strike(self._framing.unit_id(question), now_ms)
            if fault is not None and fault.kind in _NEVER_SENT:
                await self._refuse(question, fault)
            elif not self._wire.cut(now_ms):
                self._asked[self._framing.number(question)] = (question, fault)
                server.write(question)
                await server.drain()

    async def _refuse(self, question: bytes, fault: WireFault) -> None:
        if fault.kind != "timeout":
            code = BUSY if fault.kind == "gateway_busy" else fault.code
            pdu = bytes([self._framing.pdu(question)[0] | 0x80, code])
            unit_id = self._framing.unit_id(question)
            await self._send([self._framing.rebuilt(question, unit_id, pdu)])

    async def answer(self, server: asyncio.StreamReader) -> None:
        """Pass answers back, spoiled; return when the connection is to end."""
        while True:
            frame = await self._framing.answer(server)
            question, fault = self._asked.pop(self._framing.number(frame), (frame, None))
            if fault is None:
                await self._send([frame])
            elif fault.kind == "dropped_connection":
                await self._send([frame[: len(frame) // 2]])
                return
            elif fault.kind == "stale_answer" and not self._held:
                self._held = frame  # it comes when nobody waits for it any more
            else:
                await self._send(await self._spoiled(fault, question, frame))

    async def _spoiled(self, fault: WireFault, question: bytes, frame: bytes) -> Sequence[bytes]:
        framing = self._framing
        if fault.kind in SPOILED:
            return SPOILED[fault.kind](framing, frame, self._wire.junk())
        if fault.kind == "delay":
            await self._clock.sleep(fault.delay_s)
        elif fault.kind == "own_transaction_id":
            self._number += 1
            return [framing.renumbered(frame, self._number)]
        elif fault.kind == "frozen":
            unit_id = framing.unit_id(frame)
            key = (fault, unit_id, framing.pdu(question))
            pdu = self._frozen.setdefault(key, framing.pdu(frame))
            return [framing.rebuilt(frame, unit_id, pdu)]
        return [frame]

    async def _send(self, pieces: Sequence[bytes]) -> None:
        """Write pieces with a pause between them; what was held back goes before them."""
        if self._wire.cut(self._clock.now_ms()):
            return
        held, self._held = self._held, b""
        for n, piece in enumerate(pieces):
            if n:
                await self._clock.sleep(_PAUSE_S)
            self._writer.write(held + piece if n == 0 else piece)
            await self._writer.drain()
