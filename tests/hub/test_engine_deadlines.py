"""Deadlines of the running engine: a stop, a kill and a clock that is set move none of them."""

from __future__ import annotations

import contextlib

import pytest

from hub.clock import MachineTime, RealClock, VirtualClock, VirtualLoop
from hub.database import records
from hub.database.connection import open_database
from hub.model import TicketEvent
from tests.hub.engine_bench import Bench
from tests.hub.fault_site import HOT, MINUTE, START, core, reading

DAY_MS = 86_400_000


def breaches(bench: Bench) -> list[TicketEvent]:
    events = (effect for effect in bench.effects if isinstance(effect, TicketEvent))
    return [event for event in events if event.kind == "breach"]


@pytest.mark.parametrize("saved", [True, False])
def test_a_breach_that_passed_while_the_hub_was_down_is_told_right_after_its_start(saved) -> None:
    database = open_database(":memory:")

    async def two_lives(loop: VirtualLoop) -> tuple[Bench, float]:
        clock = VirtualClock(loop, START, seed=7)
        first = Bench(database, clock=clock, of=core(HOT))
        async with first.running():
            first.enter(reading(0, 71))
            await clock.sleep(2 * 60)
            if not saved:  # killed: no last snapshot
                first.engine._whole = False
        await clock.sleep(60 * 60)  # down from minute 2 to minute 62
        second = Bench(database, first.journal, clock, of=core(HOT))
        async with second.running():
            began_ms = clock.now_ms()
            await clock.sleep(2)
        return second, began_ms

    with contextlib.closing(VirtualLoop()) as loop:
        bench, began_ms = loop.run_until_complete(two_lives(loop))
    (ticket,) = records.tickets(database)
    response, on_site = breaches(bench)
    assert (response.at_ms, on_site.at_ms) == (ticket.respond_by_ms, ticket.on_site_by_ms)
    assert all(one.received_ms <= began_ms for one in breaches(bench))
    database.close()


@pytest.mark.parametrize("jump_ms", [DAY_MS, -DAY_MS])
async def test_a_clock_that_is_set_by_a_day_moves_no_deadline(monkeypatch, jump_ms) -> None:
    """The machine's counter passes as it does; only its clock is set, in between."""
    told = {"wall": START, "passed": 0}
    monkeypatch.setattr(MachineTime, "wall_ms", lambda _: told["wall"])
    monkeypatch.setattr(MachineTime, "passed_ms", lambda _: told["passed"])
    database = open_database(":memory:")
    bench = Bench(database, clock=RealClock(), of=core(HOT))
    async with bench.running():
        bench.enter(reading(0, 71))
        for second in range(0, 360, 20):
            jumped = jump_ms if second >= 100 else 0
            told.update(wall=START + second * 1000 + jumped, passed=second * 1000)
            bench.engine._tell_time(bench.enter, {})
            await bench.engine.settle()
            assert bool(breaches(bench)) == (second > 300)
        assert bench.engine.figures["clock_moved_seconds"] == jump_ms / 1000
    (breach,) = breaches(bench)
    assert breach.at_ms == START + 5 * MINUTE
    assert breach.received_ms == START + 320_000
    database.close()
