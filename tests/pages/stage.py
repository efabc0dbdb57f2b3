"""A hub with a small campus and a day behind it, for pages and tests: only devices are played.

The twins' physics make the readings, the engine's own core makes the tickets; live table, stores,
database, sign-in and health are the real ones. The clock stands still.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

from hub.access import Access, add_user, first_admin
from hub.clock import InlineWorker, RealClock
from hub.control import Commands
from hub.database import availability, numbers, records, swaps
from hub.database import effects as kept
from hub.database.availability import Availability
from hub.database.connection import open_database
from hub.energy.consumption import Consumption
from hub.energy.hot_water_query import HotWater
from hub.energy.ledger import Ledger
from hub.energy.meter_changes import MeterChanges
from hub.engine import Core
from hub.health import Frozen, Health
from hub.labels import Labels
from hub.live import Live
from hub.model import Batch, Entry, EntryKind, Json, Outage, Point, Swap, Ticket
from hub.photos import Photos
from hub.ports import DeviceError, Leave, Look, Reach, Refused
from hub.probe import Probe
from hub.reports.desk import ReportDesk
from hub.secret import Secret
from hub.settings import Settings, build_site, load
from hub.site import Device
from hub.store import open_store
from hub.web import Parts
from rules.roster import Roster
from simulators.campus import Fleet

CONFIG = Path(__file__).parents[2] / "config"
NOW = "2026-11-20T21:10:00+08:00"
PASSWORD = "a kettle for the crew"
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
DAY_STEP_MS = 2 * MINUTE_MS
BOILER_STEP_MS = 15_000
CUT_MS = 20 * MINUTE_MS
GAP_H = (15, 17.5)  # hours before now in which one building was not read


def with_early_tank(settings: Settings) -> Settings:
    """Return the settings with a cold tank that is told soon, so that the pages show its effect."""
    packs = []
    for pack in settings.packs:
        rules = tuple(
            rule.model_copy(
                update={"limit": 50.0, "clear": 52.0, "on_delay": timedelta(minutes=10)}
            )
            if rule.id == "tank-cold"
            else rule
            for rule in pack.rules
        )
        packs.append(pack.model_copy(update={"rules": rules}))
    return replace(settings, packs=tuple(packs))


@functools.cache
def _settings() -> Settings:
    return with_early_tank(load(CONFIG))


@functools.cache
def shipped_settings() -> Settings:
    """Read the shipped site once for all stages."""
    return with_early_tank(load(CONFIG))


class StageClock(RealClock):
    """Time that stands where it is put; the same seed for everybody."""

    def __init__(self, now_ms: int) -> None:
        self.instant_ms = now_ms

    def now_ms(self) -> int:
        return self.instant_ms

    def random(self, name: str):
        import random

        return random.Random(f"stage/{name}")

    def worker(self, name: str) -> InlineWorker:
        return InlineWorker()


class Stage:
    """The running parts; ``parts`` is what the web is handed."""

    def __init__(
        self,
        *,
        twins: bool = True,
        writes: bool = True,
        secure: bool = False,
        on_duty: bool = False,
    ) -> None:
        self.settings = _settings()
        now_ms = round(datetime.fromisoformat(NOW).timestamp() * 1000)
        self.clock = StageClock(now_ms)
        self.database = open_database(":memory:")
        self.site = build_site(self.settings, lambda ids: numbers.number_points(self.database, ids))
        self.live = Live(max(self.site.points))
        self.store = open_store("memory")
        self.frozen: dict[str, Frozen] = {}
        packs, rota = self.settings.packs, self.settings.duty_roster() if on_duty else None
        self.core = Core(self.site, packs, self.settings.promise, None, rota)
        self.written: list[tuple[str, float]] = []
        self.looks: dict[str, Look] = {}
        self.sequence = 0
        self.public: dict[str, str] = {}  # pages of residents, by the names of their pictures
        worker = InlineWorker()
        self.one_time_password = first_admin(self.database, self.clock) or ""
        self.access = Access(self.database, worker, self.clock)
        self.clock.instant_ms = now_ms - 25 * HOUR_MS
        self.fleet = Fleet(list(self.site.devices.values()), self.settings.profiles, self.clock)
        self.health = Health(
            self.site.devices.values(),
            self.clock,
            lambda entry: None,
            zone=self.site.zone,
            frozen=self.frozen.get,
        )
        self.clock.instant_ms = now_ms
        commands = Commands(
            site=self.site,
            profiles=self.settings.profiles,
            writes=dict.fromkeys([*self.site.gateways, None], self._write),
            live=self.live,
            database=self.database,
            worker=worker,
            enter=self.enter,
            clock=self.clock,
            allowed=True,
        )
        self.ledger = Ledger(self.site, self.store)
        self.roster: Roster | None = None
        consumption = Consumption(self.site, self.ledger)
        secret = Secret("a secret of the stage, for tests")
        self.parts = Parts(
            secret=secret,
            labels=Labels(self.site, secret),
            photos=Photos(None, worker),
            reports=ReportDesk(
                self.site, self.settings.reports, self.database, worker, self.act, self.clock
            ),
            public_url="http://hub.test",
            site=self.site,
            profiles=self.settings.profiles,
            packs=self.settings.packs,
            clock=self.clock,
            live=self.live,
            store=self.store,
            store_worker=worker,
            file_worker=worker,
            consumption=consumption,
            hot_water=HotWater(self.site, self.store, consumption, self.settings.hot_water),
            database=self.database,
            database_worker=worker,
            act=self.act,
            access=self.access,
            roster=lambda: self.core.roster or self.roster,
            floods=lambda: self.core.floods,
            kinds=self.settings.reports,
            pauses=self.settings.promise.pauses,
            health=self.health,
            probe=Probe(
                site=self.site,
                profiles=self.settings.profiles,
                looks=self.looks,
                clock=self.clock,
            ),
            meter_changes=MeterChanges(self.site, self.database, self.ledger),
            commands=commands if writes else None,
            tariffs=self.settings.tariffs,
            twins=self.fleet if twins else None,
            why=self.core.why,
            flood=lambda: self.core.flood,
            counters=lambda: {"readings_total": 12.0},
            polls=lambda: {
                "gw-dorm-08-1": {"polls_due_total": 120, "polls_late_total": 3, "breaker_open": 1.0}
            },
            locale=self.settings.locale,
            secure_cookies=secure,
        )

    def enter(self, entry: Entry) -> Sequence[object]:
        """Take an entry as intake and engine would."""
        self.sequence += 1
        if entry.batch is not None:
            self.store.append(entry.batch, self.sequence)
            self.ledger.recorded(entry.batch, self.sequence)
            self.live.update(entry.batch)
        effects = self.core.step(self.sequence, entry)
        if effects:
            kept.apply(self.database, self.sequence, effects)
        return effects

    async def act(self, action: Mapping[str, Json]) -> Ticket | Outage | Swap | None:
        """Do what the engine does with a person's action."""
        self.enter(Entry(EntryKind.ACTION, action["at_ms"], content=action))
        answer = self.core.answer
        if answer and answer.refusal:
            raise Refused(answer.refusal)
        subject = answer.subject if answer else ""
        finds = (records.ticket, records.outage, swaps.get)
        found = (find(self.database, subject) for find in finds)
        return next((one for one in found if one), None)

    async def _write(self, point: Point, value: float, leave: Leave) -> float:
        leave()
        if point.name == "load_limit":
            raise DeviceError(f"{point.id}: no answer")
        self.written.append((point.id, value))
        return value

    def read(self, devices: Sequence[Device], at_ms: int) -> None:
        """Read devices at an instant, as the poller would."""
        self.clock.instant_ms, standing = at_ms, self.clock.instant_ms
        numbers_, values = [], []
        for device in devices:
            twin = self.fleet.twin_at(device.id, at_ms)
            if twin.silent:
                self.health.failed(device.id, at_ms, "no answer")
                continue
            self.health.seen(device.id, at_ms, 0.02)
            read = twin.values()
            numbers_ += [point.number for point in device.points]
            values += [read[point.name] for point in device.points]
        count = len(numbers_)
        batch = Batch.of(numbers_, [at_ms] * count, values, [0] * count, at_ms)
        if count:
            self.enter(Entry(EntryKind.READINGS, at_ms, batch))
        self.enter(Entry(EntryKind.TICK, at_ms))
        self.clock.instant_ms = max(standing, at_ms)

    async def play_day(self, hours: int = 25, cut: str = "") -> None:
        """Let hours pass: a gap, a closed ticket, now an unheated tank and a silent meter.

        Of the gateway ``cut`` nothing comes any more at last, and one meter is planned to be off.
        """
        now_ms, site = self.clock.instant_ms, self.site
        everything = list(site.devices.values())
        gap = [now_ms - round(hours * HOUR_MS) for hours in reversed(GAP_H)]
        self.enter(Entry(EntryKind.CONFIGURATION, now_ms - hours * HOUR_MS))
        script = {
            now_ms - 9 * HOUR_MS: ("fault", "dorm-08/meter-201", "silent"),
            now_ms - 8 * HOUR_MS: ("repair", "dorm-08/meter-201", "comms-module"),
            now_ms - 47 * MINUTE_MS: ("fault", "dorm-07/boiler-1", "element_failed"),
            now_ms - 39 * MINUTE_MS: ("fault", "dorm-07/meter-311", "silent"),
        }
        if cut:
            script[now_ms - 37 * MINUTE_MS] = ("fault", "dorm-07/meter-312", "silent")
            await self._plan_outage("dorm-07/meter-312", now_ms - hours * HOUR_MS)
        for at_ms in range(now_ms - hours * HOUR_MS, now_ms - 3 * HOUR_MS, DAY_STEP_MS):
            await self._play(script, at_ms)
            in_gap = gap[0] <= at_ms < gap[1]
            self.read([d for d in everything if not (in_gap and d.id.startswith("dorm-08"))], at_ms)
            await self._work(at_ms, "small")
        for at_ms in range(now_ms - min(hours, 3) * HOUR_MS, now_ms + 1, BOILER_STEP_MS):
            await self._play(script, at_ms)
            whole = at_ms % MINUTE_MS == 0
            lost = cut if at_ms >= now_ms - CUT_MS else "-"
            due = [d for d in everything if whole or d.kind == "boiler"]
            self.read([d for d in due if d.gateway != lost], at_ms)
            if whole:
                await self._work(at_ms, "small")
        self.clock.instant_ms = now_ms

    async def _plan_outage(self, area: str, at_ms: int) -> None:
        planned = {
            "area": area, "start_ms": at_ms, "end_ms": self.clock.instant_ms + 5 * HOUR_MS,
            "reason": "更换配电箱 (new switchboard)",
        }  # fmt: skip
        action = {"id": "outage", "kind": "plan_outage", "actor": "duty-one", "at_ms": at_ms}
        await self.act({**action, "planned": planned})

    async def handle_alarms(self) -> None:
        """Let people see to alarms: one is shelved, one acknowledged; and many come at once."""
        now_ms = self.clock.instant_ms
        by_cause = {f"{one.device}#{one.rule}": one for one in records.alarms(self.database)}
        person = {"actor": "duty-one", "at_ms": now_ms}
        shelved = by_cause["dorm-07/meter-311#meter-silent"].id
        await self.act({
            **person, "id": "shelve", "kind": "shelve", "alarm": shelved,
            "note": "备件周一到货 (part comes on Monday)", "until_ms": now_ms + 60 * HOUR_MS,
        })  # fmt: skip
        seen = by_cause["dorm-07/boiler-1#heat-pump-refuses"].id
        await self.act({**person, "id": "seen", "kind": "acknowledge_alarm", "alarm": seen})
        for _ in range(12):
            self.core.flood.tell(now_ms)

    def keep_days(self, days: int) -> None:
        """Keep days that have passed before: a bus that was away, a day without a hub."""
        today = date.fromisoformat(self.health.day)
        for n in range(1, days):
            day = (today - timedelta(n)).isoformat()
            rows = [
                Availability(
                    day, what, gateway, DAY_MS - HOUR_MS // 2 * k * n, DAY_MS, 1440, n, 0.02
                )
                for k, gateway in enumerate(self.site.gateways)
                for what in ("bus", "gateway")
                if n != 3
            ]
            rows += [
                Availability(day, "device", device, DAY_MS, DAY_MS, 1440, 0, 0.02)
                for device in self.site.devices
            ]
            availability.put(self.database, rows)

    def muddle_meters(self) -> None:
        """Let many meters say something wrong for a moment, and one be exchanged unnoticed."""
        at_ms = self.clock.instant_ms - 20 * MINUTE_MS + MINUTE_MS // 2
        points = [
            point
            for device in self.site.devices.values()
            for point in device.points
            if point.name == "energy" and device.id.startswith("dorm-07/meter")
        ]
        wrong = [(point.number, at_ms, 500_000.0) for point in points]
        other = self.site.numbers["dorm-07/meter-201/energy"]
        wrong += [
            (other, now_ms, 77.0 + n / 50)
            for n, now_ms in enumerate(range(at_ms, self.clock.instant_ms + 1, MINUTE_MS // 2))
        ]
        numbers_, instants, values = zip(*wrong, strict=True)
        batch = Batch.of(numbers_, instants, values, [0] * len(wrong), self.clock.instant_ms)
        self.enter(Entry(EntryKind.READINGS, self.clock.instant_ms, batch))

    def break_lines(self) -> None:
        """Let lines and devices have every kind of trouble at once, in health alone."""
        now_ms, health = self.clock.instant_ms, self.health
        for at_ms in (now_ms, now_ms + 1, now_ms + 2):
            for device in self.site.devices.values():
                if device.gateway == "gw-dorm-08-1":
                    health.failed(device.id, at_ms, "cannot connect", Reach.NOTHING)
            error = "answers, but with nothing that can be used: exception answer"
            health.failed("dorm-07/meter-203", at_ms, error, Reach.DEVICE)
            health.failed("dorm-07/shower-1-02", at_ms, "no message")
        self.frozen["dorm-07/main"] = Frozen(("voltage_l1", "frequency"), 10 * MINUTE_MS)
        health.seen("dorm-07/main", now_ms, 0.031)
        health.skewed("dorm-07/shower-1-03", -93 * MINUTE_MS)

    async def _play(self, script: Mapping[int, tuple[str, str, str]], at_ms: int) -> None:
        step = script.get(at_ms)
        if step:
            self.clock.instant_ms = at_ms
            await getattr(self.fleet, step[0])(*step[1:])

    async def _work(self, at_ms: int, severity: str) -> None:
        """Work the tickets of one severity as a quick crew would."""
        for ticket in records.open_tickets(self.database):
            waited = at_ms - ticket.opened_ms
            step = {2: "acknowledge", 16: "arrive", 44: "fix"}.get(waited // MINUTE_MS)
            if ticket.severity != severity or step is None:
                continue
            part = ticket.parts[0] if step == "fix" else None
            said = {"ticket": ticket.id, "kind": step, "actor": "wang", "at_ms": at_ms}
            await self.act({**said, "id": f"stage/{ticket.id}/{step}", "part": part, "note": ""})

    async def cookie(self, user: str = "admin") -> tuple[str, str]:
        """Sign an administrator in and return the session's token and its form token."""
        password = self.one_time_password
        if user != "admin":
            password = add_user(self.database, self.clock, user, "admin", "stage")
        signed_in = await self.access.sign_in(user, password, "stage")
        signed_in = await self.access.change_password(signed_in.token, password, PASSWORD)
        return signed_in.token, signed_in.viewer.csrf
