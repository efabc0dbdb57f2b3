"""The composition root: settings become a running hub. Nothing else wires the path.

The path of a reading, in the order in which `running` starts it::

    bus ----> Poller --\
                        > Intake -> Journal (synced) -> acknowledge, Live, Recorder, Engine
    broker -> MQTT ----/                                              |         |
                                                              TimeSeriesStore   alarms, tickets,
                                                                                outbox -> Pipeline

Last of all `serve` shows the hub to people: its pages, its API, the socket file of its commands.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from drivers import registry
from hub.control import Commands
from hub.control.commands import Write
from hub.database import availability, dead_letters, runs
from hub.database.availability import Availability
from hub.database.connection import Database
from hub.database.holes import KeptHoles
from hub.energy.consumption import Consumption
from hub.energy.daily import Daily
from hub.energy.ledger import Ledger
from hub.engine import Core, Engine
from hub.health import BrokerWatch, Health, Stillness
from hub.intake import Intake
from hub.journal import Journal, Retention, Shedding
from hub.judge import JUDGE_AT, MADE_UP
from hub.kept import (
    Kept,
    backlog_of,
    consumption_of,
    daily_look_of,
    hot_water_of,
    last_readings,
    meters_of,
    open_kept,
    upkeep_of,
)
from hub.live import Live
from hub.model import Effect, Entry, EntryKind, Notification
from hub.notify import Pipeline
from hub.poller import Poller
from hub.ports import (
    Clock,
    Messages,
    OctetBus,
    RegisterBus,
    StartError,
    StoreError,
    Twins,
)
from hub.recorder import Recorder
from hub.schedule import Schedule
from hub.served import serve
from hub.settings import Settings
from hub.site import Device, Gateway, Site
from hub.told import pipeline_of
from hub.whole import Hub
from rules.calendar import Calendar

log = logging.getLogger(__name__)
GATHER_S = 1.0
BRING_DOWN_S = 10.0
VIRTUAL_GATHER_S = 300.0  # an append costs a millisecond of real time, a virtual second nothing
CLOSE_AT = "00:20"  # late readings of the day have come by then
REPORT_AT = "06:00"


@dataclass(frozen=True, kw_only=True)
class Outside:
    """What the hub meets outside, where it is not what the settings say.

    ``memory`` keeps journal, database and readings in memory. ``bus_of``, ``line_of`` and
    ``messages`` stand in for sockets (the twins in virtual time). ``heard`` is told every effect.
    Without ``devices`` nobody is asked or listened to: whoever runs the hub puts readings into it.
    """

    memory: bool = False
    web: bool = True
    devices: bool = True
    bus_of: Callable[[Gateway, Clock], RegisterBus] = registry.open_bus
    line_of: Callable[[Gateway, Clock], OctetBus] = registry.open_line
    messages: Messages | None = None
    twins: Twins | None = None
    heard: Callable[[Effect], None] | None = None


@contextlib.asynccontextmanager
async def running(
    settings: Settings, clock: Clock, outside: Outside | None = None
) -> AsyncIterator[Hub]:
    """Run a hub of checked settings; parts stop in the reverse of the order they start in."""
    outside = outside or Outside()
    async with AsyncExitStack() as stack:
        hub = await _Start(settings, clock, outside, stack).hub()
        if outside.web:
            memory, twins = outside.memory, outside.twins
            # Last of all: who can see the hub can use it.
            hub = await serve(hub, settings, clock, stack, memory=memory, twins=twins)
        yield hub


class _Start:
    """One start of a hub: makes the parts in order and notes how each is stopped."""

    def __init__(
        self, settings: Settings, clock: Clock, outside: Outside, stack: AsyncExitStack
    ) -> None:
        self.settings = settings
        self.clock = clock
        self.outside = outside
        self.stack = stack
        self.ended = asyncio.Event()

    async def hub(self) -> Hub:
        """Start every part of the path and return the hub, which nobody sees yet."""
        kept = open_kept(self.settings, self.clock, self.stack, memory=self.outside.memory)
        live = Live(max(kept.site.points, default=0))
        live.restore(last_readings(kept.store))
        pipeline = pipeline_of(self.settings, kept.database, kept.secret, self.clock, self.stack)
        engine = self._engine(kept, pipeline)
        meters = meters_of(kept)
        backlog = backlog_of(kept, meters, self.clock)
        self.stack.callback(backlog.close)  # after the recorder, of which the ledger is told
        recorder = self._recorder(kept, meters.ledger)
        still = Stillness(kept.site.devices.values(), self.settings.profiles)
        consumers = [engine.hear, recorder.wake, still.hear]
        shedding = Shedding({number: point.kind for number, point in kept.site.points.items()})
        intake = Intake(
            kept.journal, live, self.clock, consumers,
            overhear=engine.overhear, room=kept.room, shedding=shedding,
        )  # fmt: skip
        self._run("notify", pipeline.run(intake.enter))
        self._run("engine", engine.run(intake.enter))
        self.stack.push_async_callback(intake.flush)
        self._run("intake", intake.run())
        self._enter_configuration(kept.journal, intake)
        health = self._health(kept, live, still, intake)
        consumption = consumption_of(kept, meters.ledger)
        self._run("backlog", backlog.run())
        self._alongside(kept, consumption, meters.ledger, intake)
        retention = self._retention(kept, shedding, recorder, engine, intake)
        writes: dict[str | None, Write] = {}
        messages = await self._publishing(kept.site, intake, health, writes)
        pollers = self._polling(kept, intake, health, writes)
        return Hub(
            kept=kept,
            live=live,
            intake=intake,
            recorder=recorder,
            retention=retention,
            engine=engine,
            pipeline=pipeline,
            health=health,
            consumption=consumption,
            hot_water=hot_water_of(kept, consumption, self.settings.hot_water),
            meter_changes=meters.changes,
            commands=await self._commands(kept, live, intake, writes),
            pollers=pollers,
            messages=messages,
            ended=self.ended,
        )

    def _engine(self, kept: Kept, pipeline: Pipeline) -> Engine:
        """Return what makes alarms and tickets."""
        calendar = Calendar(self.settings.calendar, kept.site.zone)
        packs, roster = self.settings.packs, self.settings.duty_roster()
        core = Core(kept.site, packs, self.settings.promise, calendar, roster)

        def heard(effect: Effect) -> None:
            if isinstance(effect, Notification):
                pipeline.wake()
            if self.outside.heard is not None:
                self.outside.heard(effect)

        return Engine(core, kept.journal, kept.database, self.clock, heard)

    def _recorder(self, kept: Kept, ledger: Ledger) -> Recorder:
        gather_s = VIRTUAL_GATHER_S if self.clock.virtual else GATHER_S
        recorder = Recorder(
            kept.journal, kept.store, self.clock, gather_s, kept.room, ledger.recorded
        )

        async def bring_down() -> None:
            # What a slow or lost store does not take in time waits in the journal.
            with contextlib.suppress(StoreError, TimeoutError):
                async with asyncio.timeout(BRING_DOWN_S):
                    await recorder.flush()
            recorder.close()

        self.stack.push_async_callback(bring_down)
        self._run("recorder", recorder.run())
        return recorder

    def _enter_configuration(self, journal: Journal, intake: Intake) -> None:
        """Enter the configuration into the journal when it is not the one in force."""
        in_force = journal.configuration(journal.last())
        if in_force is None or in_force.get("hash") != self.settings.content_hash:
            content = {
                "hash": self.settings.content_hash,
                "content": json.loads(self.settings.content),
            }
            intake.enter(Entry(EntryKind.CONFIGURATION, self.clock.now_ms(), content=content))

    def _health(self, kept: Kept, live: Live, still: Stillness, intake: Intake) -> Health:
        """Start what knows of every device whether it is there, as it was last heard."""
        health = Health(
            list(kept.site.devices.values()),
            self.clock,
            intake.enter,
            self._letters(kept.database),
            kept.site.zone,
            self._days(kept.database),
            still.of,
        )
        health.restore(availability.of_day(kept.database, health.day))
        known = live.snapshot()
        heard_ms = dict(zip(known.point.tolist(), known.at_ms.tolist(), strict=True))
        until_ms = max(heard_ms.values(), default=0)
        for device in kept.site.devices.values():
            if at_ms := [heard_ms[one.number] for one in device.points if one.number in heard_ms]:
                health.remember(device.id, max(at_ms), until_ms)
        self._run("health", health.run())
        return health

    def _letters(self, database: Database) -> Callable[[int, str, str, bytes], None]:
        worker = self.clock.worker("letters")
        self.stack.callback(worker.close)
        writing: set[asyncio.Task[None]] = set()

        def keep(at_ms: int, source: str, reason: str, payload: bytes) -> None:
            job = worker.run(lambda: dead_letters.add(database, at_ms, source, reason, payload))
            task = asyncio.ensure_future(job)
            writing.add(task)
            task.add_done_callback(writing.discard)

        return keep

    def _days(self, database: Database) -> Callable[[Sequence[Availability]], Awaitable[None]]:
        worker = self.clock.worker("availability")
        self.stack.callback(worker.close)

        async def keep(rows: Sequence[Availability]) -> None:
            await worker.run(lambda: availability.put(database, rows))

        return keep

    def _alongside(
        self, kept: Kept, consumption: Consumption, ledger: Ledger, intake: Intake
    ) -> None:
        """Start what works beside the path: daily work."""
        worker = self.clock.worker("daily")
        self.stack.callback(worker.close)
        daily = Daily(kept.site, consumption, kept.database, self._reports(), worker)
        schedule = Schedule(
            kept.site.zone,
            self.clock,
            lambda job: runs.last(kept.database, job),
            lambda job, period, at_ms: runs.mark(kept.database, job, period, at_ms),
        )
        schedule.daily("close", CLOSE_AT, daily.close)
        schedule.daily("report", REPORT_AT, daily.report)
        judging = self.clock.worker("judge")
        self.stack.callback(judging.close)
        look = daily_look_of(self.settings, kept, ledger, self.clock, judging, intake.enter)
        if look is not None:
            schedule.daily("judge", JUDGE_AT, look.judge, MADE_UP)
        self._run("schedule", schedule.run())

    def _reports(self) -> Path | None:
        return None if self.outside.memory else self.settings.data / "reports"

    def _retention(
        self, kept: Kept, shedding: Shedding, recorder: Recorder, engine: Engine, intake: Intake
    ) -> Retention:
        """Start what keeps the journal within its bounds."""
        retention = Retention(
            kept.journal, kept.room, shedding, self.clock,
            int(self.settings.journal.keep.total_seconds() * 1000),
            lambda: min(recorder.position, engine.passed_seq),
            intake.enter,
        )  # fmt: skip
        self.stack.callback(retention.close)
        self._run("retention", retention.run())
        if (upkeep := upkeep_of(self.settings, kept, self.clock)) is not None:
            self.stack.callback(upkeep.close)
            self._run("upkeep", upkeep.run())
        return retention

    async def _publishing(
        self, site: Site, intake: Intake, health: Health, writes: dict[str | None, Write]
    ) -> Messages | None:
        """Start the devices that publish, and the embedded broker where there is one."""
        devices = [device for device in site.devices.values() if device.gateway is None]
        if not devices or not self.outside.devices:
            return None
        messages = self.outside.messages or self._open_messages(site, devices)
        profiles = self.settings.profiles
        driver = registry.pushed(messages, devices, profiles, self.clock, site.zone)
        await driver.start(intake.put, health)
        self.stack.push_async_callback(driver.close)
        self._run("broker", BrokerWatch(messages, self.clock, intake.enter).run())
        writes[None] = driver.write
        return messages

    def _open_messages(self, site: Site, devices: list[Device]) -> Messages:
        spec = self.settings.mqtt
        if spec is None:
            raise StartError("campus.yaml has no mqtt section, but devices that publish")
        url = spec.address
        if spec.embedded:
            broker = registry.embedded_broker(spec.port)
            broker.start()
            self.stack.callback(broker.stop)
            url = broker.url
        who, profiles = self.settings.credentials(spec), self.settings.profiles
        name = f"campus-hub-{site.id}"
        return registry.open_messages(url, name, devices, profiles, self.clock, who)

    def _polling(
        self, kept: Kept, intake: Intake, health: Health, writes: dict[str | None, Write]
    ) -> dict[str, Poller]:
        """Start one poller per gateway."""
        worker = self.clock.worker("holes")
        self.stack.callback(worker.close)
        holes = KeptHoles(kept.database, worker)
        outside, profiles = self.outside, self.settings.profiles
        ways = registry.Ways(self.settings.secret, outside.bus_of, outside.line_of, holes)
        behind: dict[str, list[Device]] = {}
        for device in kept.site.devices.values():
            if device.gateway is not None and self.outside.devices:
                behind.setdefault(device.gateway, []).append(device)
        pollers = {}
        for gateway, devices in behind.items():
            box = kept.site.gateways[gateway]
            driver = registry.behind(box, devices, profiles, self.clock, ways)
            self.stack.push_async_callback(driver.close)
            poller = Poller(driver, devices, intake.put, health, self.clock)
            self._run(f"poller {gateway}", poller.run())
            pollers[gateway] = poller
            writes[gateway] = poller.write
        return pollers

    async def _commands(
        self, kept: Kept, live: Live, intake: Intake, writes: Mapping[str | None, Write]
    ) -> Commands:
        worker = self.clock.worker("commands")
        self.stack.callback(worker.close)
        commands = Commands(
            site=kept.site,
            profiles=self.settings.profiles,
            writes=writes,
            live=live,
            database=kept.database,
            worker=worker,
            enter=intake.enter,
            clock=self.clock,
            allowed=self.settings.writes,
        )
        self.stack.push_async_callback(commands.close)
        await commands.reconcile()
        return commands

    def _run(self, name: str, job: Coroutine[Any, Any, None]) -> None:
        """Run a part until the stop; the hub ends when a part does."""
        task = asyncio.create_task(self._guarded(name, job), name=name)

        async def end() -> None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            job.close()  # of a part that was stopped before it began

        self.stack.push_async_callback(end)

    async def _guarded(self, name: str, job: Coroutine[Any, Any, None]) -> None:
        try:
            await job
        except Exception:
            log.exception("part failed, the hub stops: %s", name)
        self.ended.set()
