"""Whose time a reading has: the device's, unless its clock cannot be right."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence

from drivers.mqtt.payload import PayloadError, Telemetry
from hub.model import Quality, Reason, flag
from hub.ports import Message

log = logging.getLogger(__name__)

SKEW_MS = 5 * 60_000
LATE_MS = 31 * 86_400_000  # nothing waits longer, at the broker or in a device
_GOOD = flag(Quality.GOOD)
# A wrong clock makes no value wrong: a scalding outlet must raise its alarm all the same.
_OUR_TIME = flag(Quality.GOOD, Reason.RECEIPT_TIME)


class Punctuality:
    """What is known of the clock of one device.

    A message that may have waited, or is retained, is old for a good reason; so is a list from a
    device whose clock was right when it last spoke of the moment. Anything else that is far off
    comes from a wrong clock: its newest reading is taken to be of the receipt, the others of as
    much earlier as the device says. ``ahead_ms`` is how far it is ahead, 0 while it is right.
    """

    def __init__(self, device: str) -> None:
        self.ahead_ms = 0
        self._device = device
        self._wrong: bool | None = None

    def timed(
        self, told: Sequence[Telemetry], message: Message
    ) -> Iterator[tuple[int, int, Telemetry]]:
        """Yield the instant and the flag of each part of a message, and the part."""
        received_ms = message.received_ms
        newest_ms = max((one.at_ms for one in told if one.at_ms is not None), default=None)
        shift_ms = 0 if newest_ms is None else self._shift_ms(newest_ms, message, len(told) > 1)
        for one in told:
            if one.at_ms is None:
                if message.retained:
                    raise PayloadError("retained without at")
                yield received_ms, _OUR_TIME, one
            elif received_ms - one.at_ms - shift_ms > LATE_MS:
                yield received_ms, _OUR_TIME, one
            else:
                yield one.at_ms + shift_ms, _OUR_TIME if shift_ms else _GOOD, one

    def _shift_ms(self, newest_ms: int, message: Message, several: bool) -> int:
        """Return what brings a wrong clock to the receipt; 0 where it is right."""
        ahead_ms = newest_ms - message.received_ms
        if message.retained:
            if not -LATE_MS <= ahead_ms <= SKEW_MS:
                raise PayloadError("retained with at out of reach")
            return 0
        if not (message.waited or several):
            self._judge(ahead_ms)
        may_be_late = message.waited or (several and self._wrong is False)
        earliest_ms = -LATE_MS if may_be_late else -SKEW_MS
        return 0 if earliest_ms <= ahead_ms <= SKEW_MS else -ahead_ms

    def _judge(self, ahead_ms: int) -> None:
        """Say once that the clock is wrong, once that it is right again."""
        wrong = abs(ahead_ms) > SKEW_MS
        if wrong and not self._wrong:
            way = "ahead" if ahead_ms > 0 else "behind"
            log.warning(
                "device clock wrong: %s: %.0f s %s", self._device, abs(ahead_ms) / 1000, way
            )
        elif self._wrong and not wrong:
            log.warning("device clock right again: %s", self._device)
        self._wrong = wrong
        self.ahead_ms = ahead_ms if wrong else 0
