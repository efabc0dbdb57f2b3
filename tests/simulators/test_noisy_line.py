"""A line on which polls fail now and then: seen over a real socket, told by one rule, once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from drivers import registry
from hub.clock import RealClock
from hub.engine import Core
from hub.health import Health
from hub.model import Alarm, Entry, EntryKind
from hub.poller import Poller
from hub.settings import build_site, load
from hub.site import Site
from simulators.campus import Fleet
from simulators.faults import KINDS, WireFault
from simulators.modbus_server import ModbusServers
from tests.ports import free_port

SETTINGS = load(Path(__file__).parents[2] / "config")
LINE, METERS = "gw-dorm-08-1", 2
FOREVER, MINUTE, HOUR = 1 << 60, 60_000, 3_600_000
OTHERWISE = {
    "delay": "within the timeout it is an answer",
    "split_frame": "read through",
    "own_transaction_id": "read through, or a timeout",
    "exception": "the device does answer, and says no",
    "frozen": "the readings say it: voltage-stuck, load-stuck",
    "link_cut": "gateway-silent",
}


def one_line() -> Site:
    """Return the small campus with nothing but one line, asked without a pause."""
    whole = build_site(SETTINGS, lambda ids: {id_: n for n, id_ in enumerate(ids, 1)})
    gateway = replace(whole.gateways[LINE], url=f"tcp://127.0.0.1:{free_port()}")
    behind = [one for one in whole.devices.values() if one.gateway == LINE][:METERS]
    quick = [replace(one, interval=timedelta(milliseconds=5)) for one in behind]
    return Site(whole.id, whole.name, whole.zone, whole.places.values(), [gateway], quick)


async def until(met: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not met():  # noqa: ASYNC110 - what is waited for sets no event
            await asyncio.sleep(0.01)


@asynccontextmanager
async def polled(site: Site, fleet: Fleet, health: Health):
    """Poll the twins over TCP, with the hub's own bus and driver."""
    gateway, devices = site.gateways[LINE], list(site.devices.values())
    servers = ModbusServers(fleet, [gateway])
    await servers.start()
    bus = registry.open_bus(gateway, RealClock(1))
    driver = registry.polled(bus, devices, SETTINGS.profiles, RealClock(1))
    poller = Poller(driver, devices, lambda *_: None, health, RealClock(1))
    task = asyncio.create_task(poller.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await driver.close()
        await servers.stop()


async def test_a_noisy_line_is_one_alarm_that_ends_when_it_is_mended() -> None:
    site, clock, told = one_line(), RealClock(1), list[Entry]()
    fleet = Fleet(list(site.devices.values()), SETTINGS.profiles, clock)
    health = Health(site.devices.values(), clock, told.append)
    core = Core(site, SETTINGS.packs, SETTINGS.promise)
    alarms: dict[str, Alarm] = {}
    began_ms = clock.now_ms()

    def step(entry: Entry) -> None:
        found = [one for one in core.step(0, entry) if isinstance(one, Alarm)]
        alarms.update({one.rule: one for one in found if one.rule == "line-errors"})

    async def after(polls: int, at_ms: int) -> None:
        """Let so many polls be answered; then the hub tells what it knows of the line."""
        wanted = health.counts["answers"] + polls
        await until(lambda: health.counts["answers"] >= wanted)
        told.clear()
        health.check(began_ms + at_ms)
        for entry in told:
            step(entry)

    fault = WireFault("wrong_unit", 0, FOREVER, share=0.3)
    fleet.wires.of(LINE).begin(fault)
    step(Entry(EntryKind.CONFIGURATION, began_ms))
    async with polled(site, fleet, health):
        await after(250, MINUTE)
        assert [entry.content["line"] for entry in told] == [LINE]
        assert 0.1 < told[0].content["share"] < 0.6
        step(Entry(EntryKind.TICK, began_ms + 17 * MINUTE))
        assert alarms["line-errors"].device == LINE
        assert alarms["line-errors"].raised_ms == began_ms + 16 * MINUTE

        fleet.wires.of(LINE).end(lambda _: True, 0)
        await after(250 * METERS, 20 * MINUTE)
        assert (told[0].content["share"], told[0].content["devices"]) == (0.0, [])
        step(Entry(EntryKind.TICK, began_ms + 81 * MINUTE))
    assert alarms["line-errors"].cleared_ms == began_ms + 80 * MINUTE


def test_every_fault_of_a_line_is_found_or_is_none_of_errors() -> None:
    found = {name for pack in SETTINGS.packs for rule in pack.rules for name in rule.finds}

    assert set(KINDS) - found == {*OTHERWISE}
