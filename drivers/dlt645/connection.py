"""The meters of one line: questions and answers as frames, and the guard before the line."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import partial

from drivers.dlt645.frame import (
    COMMAND,
    COMMANDS,
    ERROR,
    MORE,
    TIME,
    Frame,
    answer_to,
    error_text,
    objection,
    octets_of,
    question_about,
)
from drivers.profile import Dlt645Profile
from drivers.wire import StrayWriteError
from hub.ports import ExceptionAnswerError, GarbageAnswerError, OctetBus
from hub.site import Device

log = logging.getLogger(__name__)

_DI = 4
_MOST_FRAMES = 16  # of one answer; the longest that a meter has is a load record


class MeterLine:
    """The meters of one line.

    A frame that is not on the list of `objection`, or changes what no profile of these meters
    declares, never goes out.
    """

    def __init__(self, bus: OctetBus, meters: Iterable[tuple[Device, Dlt645Profile]]) -> None:
        self._bus = bus
        self._declared: set[tuple[str | None, int]] = set()
        for device, profile in meters:
            for spec in profile.points.values():
                self._declared |= {(device.address, COMMANDS[one]) for one in spec.control.values()}
                if spec.write and spec.type == "clock":
                    self._declared.add((None, TIME))

    async def read(self, address: str, di: str) -> bytes:
        """Return what a meter keeps under a data identification, all its frames together."""
        answer = await self._asked(question_about(address, di))
        data = answer.data[_DI:]
        number = 0
        while answer.control & MORE:
            number += 1
            if number >= _MOST_FRAMES:
                raise GarbageAnswerError(f"meter {address}: {di} does not end")
            answer = await self._asked(question_about(answer.address, di, number))
            data += answer.data[_DI:-1]
        return data

    async def command(self, frame: Frame) -> None:
        """Send a command once; return when the meter says that it took it."""
        await self._asked(frame, repeatable=False)

    async def tell(self, frame: Frame) -> None:
        """Send what everybody hears and nobody answers."""
        await self._guard(frame)
        await self._bus.tell(octets_of(frame))

    async def close(self) -> None:
        """Close the connection."""
        await self._bus.close()

    async def _asked(self, frame: Frame, *, repeatable: bool = True) -> Frame:
        await self._guard(frame)
        answer = await self._bus.ask(
            octets_of(frame), partial(answer_to, frame), repeatable=repeatable
        )
        if answer.control & ERROR:
            what = f"meter {answer.address}: {error_text(answer)}"
            raise ExceptionAnswerError(what, answer.data[0])
        return answer

    async def _guard(self, frame: Frame) -> None:
        if problem := objection(frame) or self._undeclared(frame):
            log.critical("stray frame stopped on the wire, link closed: %s", problem)
            await self._bus.close()
            raise StrayWriteError(f"stopped on the wire: meter {frame.address}: {problem}")

    def _undeclared(self, frame: Frame) -> str | None:
        """Say what a frame would change that no profile declares, or None."""
        if frame.control == COMMAND and (frame.address, frame.data[8]) not in self._declared:
            return f"no profile declares command {frame.data[8]:02X}H there"
        if frame.control == TIME and (None, TIME) not in self._declared:
            return "no profile declares that the clocks of this line are set"
        return None
