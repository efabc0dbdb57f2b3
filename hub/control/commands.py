"""A command's way: kept once, audited, guarded, written, read back, and its result journaled."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, field, replace

from drivers.profile import PointSpec, Profile
from hub.control.guard import objection, tolerance
from hub.database import audit
from hub.database import commands as table
from hub.database.connection import Database
from hub.live import Live
from hub.model import Command, Entry, EntryKind, Outcome, Point, Quality, Result, quality_of
from hub.ports import Clock, DeviceError, ExceptionAnswerError, HubError, Refused, Worker
from hub.site import Device, Site

log = logging.getLogger(__name__)

Write = Callable[[Point, float], Awaitable[float]]
"""Write a point at once and return what the device says it is afterwards."""
_LOOKS = 40  # how often an unknown outcome is looked for, a quarter of an interval apart


@dataclass(frozen=True, slots=True)
class _Found:
    device: Device
    point: Point
    spec: PointSpec


@dataclass(kw_only=True)
class Commands:
    """Carries out people's commands, one at a time per device, each exactly once per key.

    ``writes`` has a way to write per gateway, and one under None for MQTT devices; ``allowed`` is
    the site's ``writes`` key. An outcome that stayed unknown is never sent again: it is settled by
    the first good reading that comes after it.
    """

    site: Site
    profiles: Mapping[str, Profile]
    writes: Mapping[str | None, Write]
    live: Live
    database: Database
    worker: Worker
    enter: Callable[[Entry], None]
    clock: Clock
    allowed: bool
    _turns: dict[str, asyncio.Lock] = field(default_factory=dict, init=False, repr=False)
    _running: dict[str, asyncio.Task[Result]] = field(default_factory=dict, init=False, repr=False)
    _looking: set[asyncio.Task[None]] = field(default_factory=set, init=False, repr=False)

    async def submit(self, command: Command, key: str) -> Result:
        """Carry out a command; the same actor and key give the first one's result again."""
        full_key = f"{command.actor}/{key}"
        kept, result, new = await self.worker.run(
            lambda: table.insert_or_get(self.database, command, full_key)
        )
        if (kept.point, kept.value) != (command.point, command.value):
            raise Refused(f"key {key}: it was used for another command; send a new key")
        if result is not None:
            return result
        if new:
            # A task of its own: who asked may hang up, the command still ends in a result.
            task = asyncio.create_task(self._carry_out(kept))
            self._running[kept.id] = task
            task.add_done_callback(lambda _: self._running.pop(kept.id, None))
        elif kept.id not in self._running:
            return Result(kept.id, Outcome.UNKNOWN, "the hub stopped meanwhile", kept.asked_ms)
        return await asyncio.shield(self._running[kept.id])

    async def reconcile(self) -> None:
        """Look for the outcome of commands that an earlier run of the hub left open."""
        for command in await self.worker.run(lambda: table.unfinished(self.database)):
            found = self._find(command.point)
            if found is not None:
                self._look(command, found)

    async def close(self) -> None:
        """Let commands in hand end; stop looking for unknown outcomes until the next start."""
        for task in list(self._looking):
            task.cancel()
        waiting = [*self._running.values(), *self._looking]
        await asyncio.gather(*waiting, return_exceptions=True)

    async def _carry_out(self, command: Command) -> Result:
        try:
            # Written down before anything is sent: without the audit there is no command.
            await self._audit(command)
            result = await self._decide(command)
        except HubError as error:
            result = self._result(command, Outcome.BLOCKED, f"nothing was sent: {error}")
        await self._finish(result)
        return result

    async def _decide(self, command: Command) -> Result:
        if not self.allowed:
            return self._result(
                command, Outcome.BLOCKED, "this site only reads; campus.yaml says writes: false"
            )
        found = self._find(command.point)
        if found is None:
            return self._result(command, Outcome.BLOCKED, "there is no such point")
        if reason := objection(command, found.spec):
            return self._result(command, Outcome.BLOCKED, reason)
        write = self.writes.get(found.device.gateway)
        if write is None:
            return self._result(command, Outcome.BLOCKED, "nothing leads to this device")
        async with self._turns.setdefault(found.device.id, asyncio.Lock()):
            return await self._send(command, found, write)

    async def _send(self, command: Command, found: _Found, write: Write) -> Result:
        left_s = (command.expires_ms - self.clock.now_ms()) / 1000
        if left_s <= 0:
            return self._result(command, Outcome.EXPIRED, "it expired before it could be sent")
        try:
            async with asyncio.timeout(left_s):
                actual = await write(found.point, command.value)
        except ExceptionAnswerError as error:
            return self._result(command, Outcome.NOT_CONFIRMED, f"the device refused: {error}")
        except (DeviceError, TimeoutError) as error:
            self._look(command, found)
            return self._result(command, Outcome.UNKNOWN, str(error) or "no answer in time")
        return self._read_back(command, found, actual)

    def _read_back(self, command: Command, found: _Found, actual: float) -> Result:
        if abs(actual - command.value) <= tolerance(command.value, found.spec):
            return self._result(command, Outcome.DONE, "the device confirms it", actual)
        reason = f"asked for {command.value:g}, the device says {actual:g}"
        return self._result(command, Outcome.NOT_CONFIRMED, reason, actual)

    def _look(self, command: Command, found: _Found) -> None:
        task = asyncio.create_task(self._settle(command, found))
        self._looking.add(task)
        task.add_done_callback(self._looking.discard)

    async def _settle(self, command: Command, found: _Found) -> None:
        """Wait for a good reading from after now and take it as the read-back."""
        since_ms = self.clock.now_ms()
        pause_s = max(found.device.interval.total_seconds() / 4, 0.1)
        for _ in range(_LOOKS):
            await self.clock.sleep(pause_s)
            reading = self.live.value(found.point.number)
            if reading and reading[0] > since_ms and quality_of(reading[2]) is Quality.GOOD:
                result = self._read_back(command, found, reading[1])
                await self._finish(replace(result, reason=f"read later: {result.reason}"))
                return
        log.warning("command unsettled: %s: no good reading of %s", command.id, command.point)

    async def _finish(self, result: Result) -> None:
        await self.worker.run(lambda: table.finish(self.database, result))
        content = {**asdict(result), "outcome": str(result.outcome)}
        self.enter(Entry(EntryKind.RESULT, result.at_ms, content=content))

    async def _audit(self, command: Command) -> None:
        detail = {"id": command.id, "value": command.value, "reason": command.reason}
        at_ms = self.clock.now_ms()
        await self.worker.run(
            lambda: audit.add(self.database, at_ms, command.actor, "command", command.point, detail)
        )

    def _find(self, point_id: str) -> _Found | None:
        point = self.site.points.get(self.site.numbers.get(point_id, 0))
        if point is None:
            return None
        device = self.site.devices[point.device]
        return _Found(device, point, self.profiles[device.profile].points[point.name])

    def _result(
        self, command: Command, outcome: Outcome, reason: str, actual: float | None = None
    ) -> Result:
        return Result(command.id, outcome, reason, self.clock.now_ms(), actual)
