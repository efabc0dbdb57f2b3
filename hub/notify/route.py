"""The channels of the site, and which of them rest because they fail."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from hub.ports import ChannelError, Clock, Notifier

PATIENCE_S = 12.0
BACK_OFF_S = (5.0, 300.0)
JITTER = 0.2


@dataclass(slots=True)
class _Condition:
    failures: int = 0
    rests_until_s: float = 0.0


class Routes:
    """Hands messages to channels. One that failed rests a while: all go by others at once."""

    def __init__(self, channels: Mapping[str, Notifier], clock: Clock) -> None:
        self._channels = channels
        self._clock = clock
        self._random = clock.random("notify")
        self._conditions = {name: _Condition() for name in channels}

    def refusal(self, channel: str) -> str:
        """Return why a channel is not even tried now; empty when it is."""
        condition = self._conditions.get(channel)
        if condition is None:
            return "campus.yaml has no such channel"
        resting = self._clock.monotonic() < condition.rests_until_s
        return "rests, it failed just now" if resting else ""

    async def send(self, channel: str, key: str, words: tuple[str, str], address: str) -> None:
        """Hand a message to a channel within its patience, or raise ChannelError."""
        condition = self._conditions[channel]
        try:
            async with asyncio.timeout(PATIENCE_S):
                await self._channels[channel].send(key, *words, address)
        except TimeoutError as error:
            self._failed(condition)
            raise ChannelError(f"no answer within {PATIENCE_S:.0f} s") from error
        except ChannelError:
            self._failed(condition)
            raise
        condition.failures, condition.rests_until_s = 0, 0.0

    def back_off_s(self, failures: int) -> float:
        """Return how long to wait after so many failures: longer each time, never in step."""
        wait_s = min(BACK_OFF_S[0] * 2.0 ** min(failures - 1, 10), BACK_OFF_S[1])
        return wait_s * self._random.uniform(1 - JITTER, 1 + JITTER)

    def resting_s(self, channels: list[str]) -> float:
        """Return how long it is until the first of these can be tried, 0: now; long for none."""
        now_s = self._clock.monotonic()
        known = [self._conditions[one].rests_until_s for one in channels if one in self._conditions]
        return max(0.0, min(known, default=now_s + BACK_OFF_S[1]) - now_s)

    def figures(self) -> dict[str, bool]:
        """Return of each channel whether it failed when it was last tried."""
        return {name: condition.failures > 0 for name, condition in self._conditions.items()}

    def _failed(self, condition: _Condition) -> None:
        condition.failures += 1
        condition.rests_until_s = self._clock.monotonic() + self.back_off_s(condition.failures)
