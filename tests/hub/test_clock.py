"""Virtual time gives back what was made in it; real time moves with nobody who sets a clock."""

from __future__ import annotations

import pytest

from hub.clock import MachineTime, RealClock, VirtualClock, VirtualLoop, run_virtual


class Day:
    """A day played, which counts how often it is spelled out."""

    spelled = 0

    def __repr__(self) -> str:
        self.spelled += 1
        return "a day of millions of readings"


def test_what_is_made_in_virtual_time_is_handed_back_without_spelling_it_out() -> None:
    day = Day()
    loop = VirtualLoop()
    clock = VirtualClock(loop, 0, seed=1)

    async def played() -> Day:
        await clock.sleep(86_400)
        return day

    assert run_virtual(loop, played()) is day
    assert (clock.now_ms(), day.spelled) == (86_400_000, 0)


def test_what_fails_in_virtual_time_fails_for_who_runs_it() -> None:
    async def broken() -> None:
        raise LookupError("no such device")

    with pytest.raises(LookupError, match="no such device"):
        run_virtual(VirtualLoop(), broken())


DAY_MS = 86_400_000


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Return a machine's clock and counter, both to be set, in milliseconds."""
    told = {"wall": 1_795_000_000_000, "passed": 5_000}
    monkeypatch.setattr(MachineTime, "wall_ms", lambda _: told["wall"])
    monkeypatch.setattr(MachineTime, "passed_ms", lambda _: told["passed"])
    return told


@pytest.mark.parametrize("jump_ms", [DAY_MS, -DAY_MS])
def test_a_machines_clock_that_is_set_moves_no_instant_of_the_hub(machine, jump_ms) -> None:
    clock = RealClock()
    began_ms = clock.now_ms()
    assert began_ms == machine["wall"]
    machine["wall"] += 60_000 + jump_ms
    machine["passed"] += 60_000
    assert clock.now_ms() == began_ms + 60_000
    assert clock.moved_s() == jump_ms / 1000
    assert RealClock().now_ms() == machine["wall"]  # the next start takes the machine's time


def test_the_time_goes_on_from_the_past_and_never_before_it(machine) -> None:
    clock = RealClock()
    clock.go_on_from(machine["wall"] - 1)
    assert clock.now_ms() == machine["wall"]
    clock.go_on_from(machine["wall"] + DAY_MS)
    machine["passed"] += 10
    assert clock.now_ms() == machine["wall"] + DAY_MS + 10
