"""A command's way: kept once, audited, guarded, written, read back, and its result journaled.

There is no other way to write. What goes out is an absolute value, never "more" or "the other
way", so that the same write twice is the same write; and nothing is sent again before the outcome
of the last attempt is known.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass, field, replace

from drivers.profile import PointSpec, Profile
from drivers.wire import StrayWriteError
from hub.control.guard import objection, tolerance
from hub.control.interlock import interlock
from hub.database import audit
from hub.database import commands as table
from hub.database.connection import Database
from hub.live import Live
from hub.model import (
    Command,
    Entry,
    EntryKind,
    Outcome,
    Point,
    Quality,
    Result,
    quality_of,
)
from hub.ports import (
    Clock,
    DeclinedError,
    DeviceError,
    ExceptionAnswerError,
    HubError,
    Leave,
    Refused,
    StoreError,
    UnreadableError,
    Worker,
)
from hub.site import Device, Site

log = logging.getLogger(__name__)

Write = Callable[[Point, float, Leave], Awaitable[float]]
"""Write a point as soon as it can be and return what the device says it is afterwards.

Leave is asked right before anything goes out; without it nothing does.
"""
_LOOKS = 40  # looks for an unknown outcome, a quarter of an interval apart, before it is said
_FRESH_INTERVALS = 3  # a reading that is older says nothing to an interlock
_ACCEPTED = 5  # the Modbus exception "acknowledge": the device has taken it and is still busy


@dataclass(frozen=True, slots=True)
class _Found:
    """A point with its device and what its profile says of it."""

    device: Device
    point: Point
    spec: PointSpec


class _HeldBackError(HubError):
    """Why a command whose turn has come is not sent after all."""

    def __init__(self, outcome: Outcome, reason: str) -> None:
        super().__init__(reason)
        self.outcome = outcome


@dataclass(kw_only=True)
class Commands:
    """Carries out people's commands, one at a time per device, each exactly once per key.

    ``writes`` has a way to write per gateway, and one under None for MQTT devices; ``allowed`` is
    the site's ``writes`` key. An outcome that stayed unknown is never sent again: it is settled by
    the first good reading that comes after it, and until then no other command goes to that point.
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
    _asked: set[asyncio.Task[Result]] = field(default_factory=set, init=False, repr=False)
    _running: dict[str, asyncio.Task[Result]] = field(default_factory=dict, init=False, repr=False)
    _looking: dict[asyncio.Task[None], str] = field(default_factory=dict, init=False, repr=False)
    _closing: bool = field(default=False, init=False, repr=False)

    async def submit(self, command: Command, key: str) -> Result:
        """Carry out a command; the same actor and key give the first one's result again."""
        # A task of its own: who asked may hang up, the command still ends in a result.
        task = asyncio.create_task(self._once(command, key))
        self._asked.add(task)
        task.add_done_callback(self._asked.discard)
        return await asyncio.shield(task)

    async def reconcile(self) -> None:
        """Look for the outcome of commands that an earlier run of the hub left open."""
        for command, result in await self.worker.run(lambda: table.unfinished(self.database)):
            if result is None:
                await self._finish(self._unknown(command, "the hub stopped meanwhile"))
            found = self._find(command.point)
            if found is not None:
                self._look(command, found)

    async def close(self) -> None:
        """Let commands in hand end; stop looking for unknown outcomes until the next start."""
        self._closing = True
        for task in list(self._looking):
            task.cancel()
        waiting = [*self._asked, *self._looking]
        await asyncio.gather(*waiting, return_exceptions=True)

    async def _once(self, command: Command, key: str) -> Result:
        """Carry out what is new under its key, else wait for whoever does, or tell the result."""
        kept, result, new = await self.worker.run(
            lambda: table.insert_or_get(self.database, command, f"{command.actor}/{key}")
        )
        if _wish(kept) != _wish(command):
            raise Refused(f"key {key}: it was used for another command; send a new key")
        if new and (task := asyncio.current_task()):
            self._running[kept.id] = task
            try:
                return await self._carry_out(kept)
            finally:
                del self._running[kept.id]
        if result is not None:
            return result
        if kept.id in self._running:
            return await asyncio.shield(self._running[kept.id])
        return self._unknown(kept, "its outcome was not kept; read the point before asking anew")

    async def _carry_out(self, command: Command) -> Result:
        try:
            # Written down before anything is sent: without the audit there is no command.
            await self._audit(command)
            result = await self._decide(command)
        except _HeldBackError as error:
            result = self._result(command, error.outcome, str(error))
        except HubError as error:
            if isinstance(error, StrayWriteError):
                await self._report_stray(command, error)
            result = self._blocked(command, f"nothing was sent: {error}")
        await self._finish(result)
        return result

    async def _decide(self, command: Command) -> Result:
        if not self.allowed:
            return self._blocked(command, "this site only reads; campus.yaml says writes: false")
        found = self._find(command.point)
        if found is None:
            return self._blocked(command, "there is no such point")
        if reason := objection(command, found.spec):
            return self._blocked(command, reason)
        write = self.writes.get(found.device.gateway)
        if write is None:
            return self._blocked(command, "nothing leads to this device")
        while True:
            await self._settled(command)
            async with self._turns.setdefault(found.device.id, asyncio.Lock()):
                # Whoever had the turn before may have left an unknown outcome behind.
                if not self._open(command.point) or self._left_s(command) <= 0:
                    return await self._send(command, found, write)

    def _hold_back(self, command: Command, found: _Found) -> None:
        """Raise why a command whose turn has come may not be sent after all."""
        if self._closing:
            raise _HeldBackError(Outcome.BLOCKED, "nothing was sent: the hub stops")
        if self._left_s(command) <= 0:
            raise self._expired(command)
        name, now = found.point.name, self._now(found.device)
        if danger := interlock(found.device.kind, name, found.spec, command.value, now):
            raise _HeldBackError(Outcome.BLOCKED, f"interlock: {danger}")

    def _expired(self, command: Command) -> _HeldBackError:
        reason = "it expired before it could be sent"
        if self._open(command.point):
            reason = f"{reason}: the outcome of an earlier command is still unknown"
        return _HeldBackError(Outcome.EXPIRED, reason)

    async def _send(self, command: Command, found: _Found, write: Write) -> Result:
        """Write once it is the command's turn on the bus, and make a result of what comes back."""
        sent = False

        def leave() -> float:
            nonlocal sent
            self._hold_back(command, found)
            sent = True
            return self._left_s(command)

        try:
            async with asyncio.timeout(self._left_s(command)):
                actual = await write(found.point, command.value, leave)
        except (DeviceError, TimeoutError) as error:
            if sent:
                return self._unanswered(command, found, error)
            if isinstance(error, TimeoutError):
                raise self._expired(command) from error
            raise
        except HubError:
            raise  # refused before anything was sent
        except Exception as error:
            # A mistake in a driver or a profile: nobody can say how far the write came.
            log.exception("command failed inside: %s", command.id)
            self._look(command, found)
            return self._unknown(command, f"internal error: {error}")
        return self._read_back(command, found, actual)

    def _unanswered(self, command: Command, found: _Found, error: Exception) -> Result:
        """Tell a refusal and what can never be read back from what must be looked for."""
        if isinstance(error, UnreadableError):
            reason = f"the device took it, but it cannot be read back: {error}"
            return self._result(command, Outcome.NOT_CONFIRMED, reason)
        refused = isinstance(error, ExceptionAnswerError) and error.code != _ACCEPTED
        if refused or isinstance(error, DeclinedError):
            return self._result(command, Outcome.NOT_CONFIRMED, f"the device refused: {error}")
        self._look(command, found)
        return self._unknown(command, str(error) or "no answer in time")

    def _read_back(self, command: Command, found: _Found, actual: float) -> Result:
        if abs(actual - command.value) <= tolerance(command.value, found.spec):
            return self._result(command, Outcome.DONE, "the device confirms it", actual)
        reason = f"asked for {command.value:g}, the device says {actual:g}"
        return self._result(command, Outcome.NOT_CONFIRMED, reason, actual)

    def _left_s(self, command: Command) -> float:
        return (command.expires_ms - self.clock.now_ms()) / 1000

    def _now(self, device: Device) -> dict[str, float | None]:
        """Return what the device says now: good and fresh values, None for anything else."""
        oldest_ms = self.clock.now_ms() - _FRESH_INTERVALS * device.interval.total_seconds() * 1000
        now: dict[str, float | None] = {}
        for point in device.points:
            reading = self.live.value(point.number)
            good = reading is not None and quality_of(reading[2]) is Quality.GOOD
            now[point.name] = reading[1] if reading and good and reading[0] >= oldest_ms else None
        return now

    def _open(self, point: str) -> list[asyncio.Task[None]]:
        """Return the looks for unknown outcomes of a point."""
        return [
            task
            for task, looked_for in self._looking.items()
            if looked_for == point and not task.done()
        ]

    async def _settled(self, command: Command) -> None:
        """Wait until no outcome of the point is unknown, or the command expires."""
        left_s = self._left_s(command)
        if left_s > 0 and (tasks := self._open(command.point)):
            await asyncio.wait(tasks, timeout=left_s)

    def _look(self, command: Command, found: _Found) -> None:
        task = asyncio.create_task(self._settle(command, found))
        self._looking[task] = command.point
        task.add_done_callback(self._looking.pop)

    async def _settle(self, command: Command, found: _Found) -> None:
        """Wait for a good reading from after now and take it as the read-back.

        After now by both clocks: one that is on its way may bear a time that is still to come.
        """
        since_ms = self.clock.now_ms()
        pause_s = max(found.device.interval.total_seconds() / 4, 0.1)
        for look in itertools.count():
            if look == _LOOKS:
                log.warning(
                    "command unsettled: %s: no good reading of %s", command.id, command.point
                )
            await self.clock.sleep(pause_s)
            reading = self.live.value(found.point.number)
            if reading is None:
                continue
            at_ms, value, quality, received_ms = reading
            if min(at_ms, received_ms) > since_ms and quality_of(quality) is Quality.GOOD:
                result = self._read_back(command, found, value)
                try:
                    await self._finish(replace(result, reason=f"read later: {result.reason}"))
                except StoreError:
                    log.exception("command settled but not kept: %s", command.id)
                else:
                    return

    async def _finish(self, result: Result) -> None:
        await self.worker.run(lambda: table.finish(self.database, result))
        content = {**asdict(result), "outcome": str(result.outcome)}
        self.enter(Entry(EntryKind.RESULT, result.at_ms, content=content))

    async def _report_stray(self, command: Command, error: StrayWriteError) -> None:
        """Write down that every guard before the wire failed: our mistake, not a person's."""
        try:
            await self._audit(command, "stray write", str(error))
        except StoreError:
            log.exception("stray write not audited: %s: %s", command.id, error)

    async def _audit(self, command: Command, action: str = "command", stopped: str = "") -> None:
        detail = {"id": command.id, "value": command.value, "reason": command.reason}
        if stopped:
            detail["stopped"] = stopped
        at_ms = self.clock.now_ms()
        await self.worker.run(
            lambda: audit.add(self.database, at_ms, command.actor, action, command.point, detail)
        )

    def _find(self, point_id: str) -> _Found | None:
        point = self.site.points.get(self.site.numbers.get(point_id, 0))
        if point is None:
            return None
        device = self.site.devices[point.device]
        return _Found(device, point, self.profiles[device.profile].points[point.name])

    def _blocked(self, command: Command, reason: str) -> Result:
        return self._result(command, Outcome.BLOCKED, reason)

    def _unknown(self, command: Command, reason: str) -> Result:
        return self._result(command, Outcome.UNKNOWN, reason)

    def _result(
        self, command: Command, outcome: Outcome, reason: str, actual: float | None = None
    ) -> Result:
        return Result(command.id, outcome, reason, self.clock.now_ms(), actual)


def _wish(command: Command) -> tuple[str, str, float, str, int]:
    """Return what makes two requests the same; asking again later changes none of it."""
    valid_ms = command.expires_ms - command.asked_ms
    return command.actor, command.point, command.value, command.reason, valid_ms
