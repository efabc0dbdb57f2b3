"""Lines of meters whose frames name them: on TCP or a serial port, or in place of a connection."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Protocol, TypeVar

from drivers.profile import Cjt188Profile, Dlt645Profile
from hub.ports import Clock, GarbageAnswerError, NoAnswerError
from hub.site import Gateway
from simulators.campus import Fleet
from simulators.cjt188_meter import cjt188_line
from simulators.dlt645_meter import dlt645_line
from simulators.front import Conversation, Front, Sink

T = TypeVar("T")


class Line(Protocol):
    """Meters that hear everything on their line."""

    def hear(self, octets: bytes) -> bytes:
        """Return what is said once a frame is whole; octets may come in pieces."""


def line_behind(fleet: Fleet, gateway: str) -> Line | None:
    """Return the meters behind a gateway; None where its devices are no such meters."""
    for device in fleet.devices.values():
        if device.gateway == gateway:
            profile = fleet.profiles[device.profile]
            if isinstance(profile, Dlt645Profile):
                return dlt645_line(fleet, gateway)
            return cjt188_line(fleet, gateway) if isinstance(profile, Cjt188Profile) else None
    return None


class LineServers:
    """One TCP-transparent gateway of loopback, or one serial port, per line."""

    def __init__(
        self,
        lines: Sequence[tuple[Gateway, Line]],
        links: Mapping[str, Path] = MappingProxyType({}),
    ) -> None:
        self._fronts = [
            Front(gateway, _conversation(line), links.get(gateway.id)) for gateway, line in lines
        ]

    async def start(self) -> None:
        """Listen on every gateway's address; StartError when one cannot be had."""
        for front in self._fronts:
            await front.start()

    async def stop(self) -> None:
        """Close every connection and stop listening."""
        for front in self._fronts:
            await front.stop()


def _conversation(line: Line) -> Conversation:
    async def converse(reader: asyncio.StreamReader, writer: Sink) -> None:
        while octets := await reader.read(256):
            writer.write(line.hear(octets))
            await writer.drain()

    return converse


class TwinLine:
    """An octet bus whose meters are twins, with no socket between; silence takes the timeout."""

    def __init__(self, line: Line, clock: Clock, timeout_s: float = 1.0) -> None:
        self._line = line
        self._clock = clock
        self._timeout_s = timeout_s

    async def ask(
        self, question: bytes, answer: Callable[[bytes], T | None], *, repeatable: bool = True
    ) -> T:
        """Send a question and return what ``answer`` makes of what the meters say."""
        del repeatable  # nothing is lost here that could be asked again
        heard = self._line.hear(question)
        found = answer(heard)
        if found is not None:
            return found
        await self._clock.sleep(self._timeout_s)
        if heard:
            raise GarbageAnswerError(f"no answer among the {len(heard)} octets heard")
        raise NoAnswerError("no answer")

    async def tell(self, octets: bytes) -> None:
        """Send what nobody answers."""
        self._line.hear(octets)

    async def close(self) -> None:
        """Have nothing to close."""
